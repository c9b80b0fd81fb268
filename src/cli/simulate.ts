/** `parley simulate FLOW`: holds the conversations of the flow's own test file in text and says what was not as expected. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadConfig } from '../config/index.ts';
import type { LanguageModel } from '../contracts/index.ts';
import { type FlowTestFile, loadFlows, loadFlowTests, type LoadedFlow } from '../dialogue/index.ts';
import { silentLogger } from '../observability/index.ts';
import { createLlm } from '../parts/index.ts';
import { EXIT } from './exit.ts';
import { holdInAudio } from './simulation/audio.ts';
import { converse, type Conversation } from './simulation/conversation.ts';
import { htmlReport } from './simulation/report.ts';

export interface SimulateOptions {
  /** Name of the flow; `config/flows/NAME.test.yaml` holds its tests. */
  readonly flow: string;
  /** Folder of the flows. */
  readonly directory: string;
  readonly facts?: string;
  /** HTML file with all conversations. */
  readonly report?: string;
  /** Repeats every test this often. */
  readonly times?: number;
  /** Phones a private service with real audio instead: tests marked `audio: true`. */
  readonly audio?: boolean;
  /** Configuration whose language model plays the callers that have a goal. */
  readonly config?: string;
  readonly callerModel?: LanguageModel;
  readonly print?: (line: string) => void;
}

/** 0 when every conversation was as expected, 1 when not, 64 when there is no such flow. Errors: ProblemsError (FLOW_INVALID). */
export async function simulate(options: SimulateOptions): Promise<number> {
  const { flow: name, directory, facts, print = console.log } = options;
  const flows = await loadFlows(directory, facts === undefined ? {} : { factsDirectory: facts });
  const loaded = flows.get(name);
  if (loaded === undefined) {
    print(`there is no flow "${name}", expected one of ${[...flows.keys()].join(', ')}`);
    return EXIT.usage;
  }
  const file = await loadFlowTests(join(directory, `${name}.test.yaml`));
  const conversations = options.audio === true ? await holdInAudio(loaded, file) : await hold(loaded, file, options);
  for (const { name: test, problems } of conversations) {
    print(`${problems.length === 0 ? 'passed' : 'FAILED'}  ${test}`);
    for (const problem of problems) print(`        ${problem}`);
  }
  if (options.report !== undefined) {
    await mkdir(dirname(options.report), { recursive: true });
    await writeFile(options.report, htmlReport(name, loaded.flow.version, conversations));
    print(`report: ${options.report}`);
  }
  const failed = conversations.filter(({ problems }) => problems.length > 0).length;
  print(`${name}: ${conversations.length} conversations, ${failed} failed`);
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

async function hold(loaded: LoadedFlow, file: FlowTestFile, options: SimulateOptions): Promise<Conversation[]> {
  const configured = options.config === undefined ? null : await createLlm(await loadConfig(options.config), silentLogger);
  await configured?.start();
  try {
    const callerModel = options.callerModel ?? configured;
    const conversations: Conversation[] = [];
    for (let round = 0; round < (options.times ?? 1); round++)
      for (const test of file.tests) conversations.push(await converse(loaded, file, test, { callerModel, round }));
    return conversations;
  } finally {
    await configured?.stop();
  }
}
