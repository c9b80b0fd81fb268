/** What a test expects of a turn and of a whole call, compared with what there was. */
import type { DialogueEffect } from '../../contracts/index.ts';
import type { FlowTest, FlowTestTurn } from '../../dialogue/index.ts';
import type { Called } from './desk.ts';
import type { Line } from './line.ts';

type Wrong = (text: string) => void;

export function checkTurn(
  turn: FlowTestTurn,
  reply: readonly DialogueEffect[],
  slots: Readonly<Record<string, { readonly value: string }>>,
  wrong: Wrong,
): void {
  const says = reply.filter((effect) => effect.t === 'say');
  const prompts = says.map(({ prompt }) => prompt);
  const words = says.map(({ text }) => text).join(' ');
  for (const expected of turn.hears ?? []) {
    const pattern = /^\/(.*)\/$/.exec(expected)?.[1];
    const isHeard = pattern === undefined ? prompts.includes(expected) : new RegExp(pattern, 'iu').test(words);
    if (!isHeard) wrong(`expected to hear ${expected}, heard ${prompts.join(', ') || 'nothing'}`);
  }
  for (const [name, value] of Object.entries(turn.slots ?? {})) {
    const found = slots[name]?.value ?? 'nothing';
    if (found !== String(value)) wrong(`expected ${name} to be ${value}, it is ${found}`);
  }
}

export interface WholeCall {
  readonly lines: readonly Line[];
  readonly called: readonly Called[];
  readonly remembered: Readonly<Record<string, string>>;
  readonly ended: string;
  readonly turns: number;
  readonly cost: number;
  readonly waitMs: number;
  readonly wayOnMs: number;
}

export function checkCall(test: FlowTest, call: WholeCall, wrong: Wrong): void {
  const said = call.lines.filter(({ who }) => who === 'agent').map(({ text }) => text.toLowerCase());
  for (const phrase of test.neverSaid) if (said.some((text) => text.includes(phrase.toLowerCase()))) wrong(`must never be said: ${phrase}`);
  if (test.ended !== undefined && test.ended !== call.ended) wrong(`expected the call to end with ${test.ended}, it is ${call.ended}`);
  for (const [name, value] of Object.entries(test.remembers)) {
    const found = call.remembered[name] ?? 'nothing';
    if (found !== String(value)) wrong(`expected ${name} to be kept as ${value}, it is ${found}`);
  }
  if (test.called !== undefined) checkCalled(test.called, call.called, wrong);
  checkBounds(test.bounds, call, wrong);
}

function checkCalled(tools: NonNullable<FlowTest['called']>, called: readonly Called[], wrong: Wrong): void {
  const expected = tools.map(({ tool, with: given }) => ({ tool, given }));
  const fits =
    expected.length === called.length &&
    expected.every(
      ({ tool, given }, i) => called[i]?.tool === tool && Object.entries(given).every(([name, value]) => called[i]?.given[name] === value),
    );
  if (!fits) wrong(`expected the calls ${JSON.stringify(expected)}, there were ${JSON.stringify(called)}`);
}

function checkBounds(bounds: FlowTest['bounds'], call: WholeCall, wrong: Wrong): void {
  const { turns, cost, waitMs, wayOnMs } = bounds;
  if (turns !== undefined && call.turns > turns) wrong(`took ${call.turns} turns, at most ${turns} were allowed`);
  if (cost !== undefined && call.cost > cost) wrong(`cost ${call.cost}, at most ${cost} was allowed`);
  if (waitMs !== undefined && call.waitMs > waitMs) wrong(`the caller waited ${call.waitMs} ms for a word, at most ${waitMs} were allowed`);
  if (wayOnMs !== undefined && call.wayOnMs > wayOnMs)
    wrong(`the caller waited ${call.wayOnMs} ms for a way on, at most ${wayOnMs} were allowed`);
}
