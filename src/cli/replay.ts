/** `parley replay CALL`: the recorded turn events of a call through the present turn engine; says where decisions differ. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { turnOptions } from '../parts/index.ts';
import { type Decision, type RecordedStep, replayTurns, type TurnOptions, wordsIn } from '../turn/index.ts';
import { perform } from './acts.ts';
import { EXIT } from './exit.ts';

export interface ReplayOptions {
  /** Id of the call, or a file. */
  readonly call: string;
  /** Where `turnRecords` keeps them. */
  readonly folder: string;
  /** Word lists of the configuration. */
  readonly ownWords?: TurnOptions['ownWords'];
  /** Changes to the options that the call ran with: --set waitMs=500. */
  readonly set?: readonly string[];
  /** Asked before the words of a call are used. */
  readonly mayRead: (callId: string) => Promise<unknown>;
}

interface Header {
  readonly version: number;
  readonly callId: string;
  readonly language: string;
  readonly words: boolean;
  readonly turn: Partial<TurnOptions>;
}

/** The command: records lie where the configuration says. */
export async function replayCall(call: string, options: { config: string; set?: readonly string[] }): Promise<number> {
  const config = await loadConfig(options.config);
  const { directory } = config.replay;
  if (directory === null && !/[/.]/.test(call)) {
    throw new ParleyError('CONFIG_INVALID', `${options.config} keeps no records of calls: set replay.directory, or name a file`);
  }
  const { ownWords } = turnOptions(config).turn;
  // Words are content: reading them is in the log before, or refused (GDPR 18).
  const mayRead = (callId: string): Promise<unknown> => perform(options.config, '/v1/content/read', { call: callId });
  return replay({ call, ownWords, mayRead, folder: directory ?? '.', ...(options.set === undefined ? {} : { set: options.set }) });
}

/** 0: the same decisions. 1: others. Errors: CALLER_SCRIPT for a file that is no record; those of `mayRead`. */
export async function replay(options: ReplayOptions): Promise<number> {
  const file = /[/.]/.test(options.call) ? options.call : join(options.folder, `${options.call}.turns.jsonl`);
  const { header, steps } = read(await readFile(file, 'utf8'), file);
  if (header.words) await options.mayRead(header.callId);
  const { ownWords = {} } = options;
  const result = replayTurns(steps, {
    ...header.turn,
    ownWords,
    words: wordsIn(header.language, { ownWords }),
    ...changes(options.set ?? []),
  });
  console.log(
    `call ${header.callId}: ${steps.length} events, ${result.decisions} decisions${header.words ? '' : ' (words masked by kind)'}`,
  );
  for (const { t, before, now } of result.differences) {
    const line = {
      gone: `- ${shown(before)}`,
      new: `+ ${shown(now)}`,
      moved: `~ ${shown(before)}  now ${now === null ? '' : seconds(now.atMs)}`,
    }[t];
    console.log(line);
  }
  if (result.unanswered > 0) console.log(`${result.unanswered} decodes were not asked for then: their words are not known`);
  console.log(result.differences.length === 0 ? 'the same decisions' : `${result.differences.length} decisions differ`);
  return result.differences.length === 0 ? EXIT.ok : EXIT.failed;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`;
const shown = (decision: Decision | null): string =>
  decision === null ? '' : `${seconds(decision.atMs).padStart(10)}  ${decision.what.padEnd(16)} ${decision.why}`;

function read(text: string, file: string): { header: Header; steps: readonly RecordedStep[] } {
  const [first = '', ...rest] = text.split('\n').filter((line) => line !== '');
  const parse = (line: string, number: number): unknown => {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw new ParleyError('CALLER_SCRIPT', `${file} line ${number} is no JSON: is it a record of turn events?`, { cause });
    }
  };
  const header = parse(first, 1) as Partial<Header>;
  if (header.version !== 1 || header.turn === undefined || header.callId === undefined || header.language === undefined) {
    throw new ParleyError('CALLER_SCRIPT', `${file} does not begin with the header of a record of turn events (version 1)`);
  }
  return { header: { words: false, ...header } as Header, steps: rest.map((line, i) => parse(line, i + 2) as RecordedStep) };
}

/** name=value for options that are numbers, true or false. */
function changes(set: readonly string[]): Partial<TurnOptions> {
  return Object.fromEntries(
    set.map((change) => {
      const [name = '', value = ''] = change.split('=');
      if (!/^[a-zA-Z]+$/.test(name) || !/^(true|false|null|-?\d+(\.\d+)?|dynamic|fixed)$/.test(value)) {
        throw new ParleyError('CALLER_SCRIPT', `--set ${change}: expected an option and its value, as in waitMs=500`);
      }
      return [name, /^[a-z]+$/.test(value) && !/^(true|false|null)$/.test(value) ? value : (JSON.parse(value) as unknown)];
    }),
  );
}
