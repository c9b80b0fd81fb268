/**
 * The conversations of a flow with real audio: a private service (Asterisk, recogniser, Postgres, all on loopback), the built-in caller
 * phones it, and what was understood, said and done is compared with the test.
 */
import { join } from 'node:path';
import type { FlowTest, FlowTestFile, FlowTestTurn, LoadedFlow } from '../../dialogue/index.ts';
import { PROJECT_ROOT } from '../../parts/index.ts';
import { placeWatchedCall } from '../call.ts';
import type { Script } from '../caller/index.ts';
import type { LiveCallEvent } from '../live.ts';
import { startServiceProcess, writePrivateConfig } from '../private-service.ts';
import { terminalStyle } from '../show.ts';
import type { Conversation } from './conversation.ts';
import type { Line } from './line.ts';

const FOLDER = join(PROJECT_ROOT, '.runtime/simulate');

export async function holdInAudio({ flow }: LoadedFlow, file: FlowTestFile): Promise<Conversation[]> {
  const tests = file.tests.filter(({ audio }) => audio);
  if (tests.length === 0) return [];
  const config = await writePrivateConfig(FOLDER);
  const service = await startServiceProcess(config, FOLDER);
  const conversations: Conversation[] = [];
  try {
    for (const test of tests) {
      const record = join(FOLDER, `${test.name.replace(/[^a-z0-9]+/gi, '-')}.wav`);
      const call = { extension: `flow_${flow.name}`, script: scriptOf(test), record, style: terminalStyle(false) };
      conversations.push(judged(test, await placeWatchedCall(config, call)));
    }
  } finally {
    await service.stop();
  }
  return conversations;
}

/** The caller listens to the end before each of its turns, but where it interrupts. */
function scriptOf({ turns }: FlowTest): Script {
  const steps = turns.flatMap(({ says, keys, silent, interrupts }): Script => {
    if (says !== undefined && interrupts === true) return [{ interrupt: { afterMs: 600, say: says } }];
    if (says !== undefined) return [{ wait: 'agent-finished' }, { say: says }];
    if (keys !== undefined) return [{ wait: 'agent-finished' }, { keys }];
    return silent === true ? [{ wait: 'agent-finished' }, { pauseMs: 9000 }] : [];
  });
  return [...steps, { wait: 'hangup' }];
}

function judged(test: FlowTest, watched: Awaited<ReturnType<typeof placeWatchedCall>>): Conversation {
  const problems: string[] = [];
  const events = watched?.events ?? [];
  const firstUs = events[0]?.atUs ?? 0;
  const lines = events.flatMap((event) => lineOf(event, firstUs));
  const slots = slotsOf(events);
  const ended = endOf(events);
  if (watched === null) problems.push('the call was not answered');
  else {
    if (!watched.report.finished)
      problems.push(`the conversation did not come to its end: ${watched.report.problem ?? watched.report.end}`);
    for (const { said, understood } of watched.judgement.misunderstood) problems.push(`"${said}" was understood as "${understood}"`);
  }
  if (test.ended !== undefined && ended !== test.ended) problems.push(`expected the call to end with ${test.ended}, it is ${ended}`);
  problems.push(...expectations(test.turns, events, slots));
  const wrong = problems.map((text): Line => ({ who: 'wrong', text, atMs: lines.at(-1)?.atMs ?? 0 }));
  const waits = (watched?.judgement.turns ?? []).map(({ wireMs }) => wireMs ?? 0);
  const waitMs = Math.round(Math.max(0, ...waits));
  const turns = events.filter(({ type }) => type === 'caller.said' || type === 'caller.keyed').length;
  return { name: test.name, lines: [...lines, ...wrong], problems, turns, cost: 0, waitMs, wayOnMs: waitMs, ended, slots };
}

/** Prompts and slots of all turns together: in audio a turn may be cut otherwise than it was written. */
function expectations(turns: readonly FlowTestTurn[], events: readonly LiveCallEvent[], slots: Readonly<Record<string, string>>): string[] {
  const said = events.filter((event) => event.type === 'agent.said');
  const prompts = new Set(said.map(({ body }) => body.prompt));
  const words = said.map(({ content }) => content?.['text'] ?? '').join(' ');
  const unheard = turns
    .flatMap(({ hears }) => hears ?? [])
    .filter((expected) => {
      const pattern = /^\/(.*)\/$/.exec(expected)?.[1];
      return pattern === undefined ? !prompts.has(expected) : !new RegExp(pattern, 'iu').test(words);
    });
  const last = Object.assign({}, ...turns.map((turn) => turn.slots ?? {})) as Record<string, unknown>;
  const wrong = Object.entries(last).filter(([name, value]) => slots[name] !== String(value));
  return [
    ...unheard.map((expected) => `expected to hear ${expected}`),
    ...wrong.map(([name, value]) => `expected ${name} to be ${String(value)}, it is ${slots[name] ?? 'nothing'}`),
  ];
}

function slotsOf(events: readonly LiveCallEvent[]): Record<string, string> {
  const filled = events.filter((event) => event.type === 'slot.filled');
  return Object.fromEntries(filled.map(({ body, content }) => [body.slot, content?.['value'] ?? '']));
}

function endOf(events: readonly LiveCallEvent[]): string {
  const transfer = events.findLast((event) => event.type === 'transfer.requested');
  const end = events.findLast((event) => event.type === 'call.ended');
  if (end === undefined) return 'open';
  return end.body.outcome === 'transferred' && transfer !== undefined ? `transfer ${transfer.body.desk}` : end.body.outcome;
}

function lineOf(event: LiveCallEvent, firstUs: number): Line[] {
  const atMs = Math.round((event.atUs - firstUs) / 1000);
  const text = event.content?.['text'] ?? '';
  if (event.type === 'agent.said') return [{ who: 'agent', text, atMs }];
  if (event.type === 'caller.said') return [{ who: 'caller', text, atMs }];
  if (event.type === 'caller.keyed') return [{ who: 'caller', text: `keys ${event.content?.['digits'] ?? ''}`, atMs }];
  return event.type === 'call.ended' ? [{ who: 'act', text: event.body.outcome, atMs }] : [];
}
