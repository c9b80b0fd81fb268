/** `parley simulate FLOW`: holds the conversations of the flow's own test file in text and says what was not as expected. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadFlows, loadFlowTests } from '../dialogue/index.ts';
import { EXIT } from './exit.ts';
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
  const conversations: Conversation[] = [];
  for (let time = 0; time < (options.times ?? 1); time++)
    for (const test of file.tests) conversations.push(await converse(loaded, file, test));
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
