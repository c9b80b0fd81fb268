/**
 * The gateway is killed with -9 in the middle of a call, at a random moment, and started again at once, as a supervisor does. The caller
 * only waits. Measured at the caller: from the kill to the first sound that he hears again. Then he goes on with the conversation, which
 * must have its context, and the log must have exactly one end of the call.
 */
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallReport, placeCall } from '../../src/cli/caller/index.ts';
import { type PrivateAsterisk, startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, leftovers } from '../../test/support/asterisk.ts';
import { gatewayIn } from '../../test/support/gateway.ts';
import { startPostgres, testFolder, type TestDatabase } from '../../test/support/postgres.ts';
import type { FaultOptions, FaultRow } from './run.ts';

/** A caller is patient for so long; later is a dropped call for him. */
const PATIENCE_MS = 6000;
const GOAL_MS = 3000;
const RATE_HZ = 8000;
const REQUEST = 'i want to book a table for four on friday at seven';
const YES = 'yes that is right';
const NO = 'no thank you';

interface Run {
  readonly backMs: number | null;
  /** What kept the conversation from its end; null: nothing. */
  readonly stuck: string | null;
  readonly wrong: string | null;
}

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
}

export async function run({ runs, seed }: FaultOptions): Promise<readonly FaultRow[]> {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  const undo: (() => unknown)[] = [];
  const teardown = (fn: () => unknown): number => undo.unshift(fn);
  try {
    const postgres = await startPostgres();
    teardown(() => postgres.close());
    const folder = await testFolder();
    teardown(() => rm(folder, { recursive: true, force: true }));
    const asterisk = await startPrivateAsterisk(await asteriskOptions({ teardown }));
    teardown(() => asterisk.stop());
    const next = random(seed);
    const done: Run[] = [];
    for (let i = 0; i < runs; i++) {
      const database = await postgres.database();
      const one = await once({ asterisk, database, folder: join(folder, String(i)), killAfterMs: next() * 5000 });
      const back = one.backMs === null ? 'never' : `${Math.round(one.backMs)} ms`;
      console.log([`run ${i + 1}: heard again after ${back}`, one.stuck, one.wrong].filter((part) => part !== null).join('; '));
      done.push(one);
    }
    return rows(done);
  } finally {
    for (const fn of undo) await fn();
  }
}

function rows(done: readonly Run[]): readonly FaultRow[] {
  const times = done.flatMap(({ backMs }) => backMs ?? []).sort((a, b) => a - b);
  const at = (share: number): number => Math.round(times[Math.min(times.length - 1, Math.ceil(share * times.length) - 1)] ?? Infinity);
  const dropped = done.filter(({ stuck }) => stuck !== null).length;
  const wrong = done.filter(({ wrong: what }) => what !== null).length;
  return [
    {
      fault: 'gateway killed in a call: the caller hears us again',
      runs: done.length,
      result: `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms (goal ${GOAL_MS}), never in ${done.length - times.length}`,
      ok: times.length === done.length && at(0.95) <= GOAL_MS,
    },
    {
      fault: 'gateway killed in a call: the conversation goes on to its end',
      runs: done.length,
      result: `${dropped} dropped`,
      ok: dropped === 0,
    },
    {
      fault: 'gateway killed in a call: one end in the log, nothing left behind',
      runs: done.length,
      result: `${wrong} wrong`,
      ok: wrong === 0,
    },
  ];
}

async function once(place: { asterisk: PrivateAsterisk; database: TestDatabase; folder: string; killAfterMs: number }): Promise<Run> {
  const { asterisk, database, folder, killAfterMs } = place;
  const gateway = await gatewayIn(
    { teardown: () => undefined },
    { folder, asterisk, databaseUrl: database.url(), mediaPort: 27_000, built: true },
  );
  gateway.start();
  await gateway.up();
  let killedMs: number | null = null;
  const zero = { ms: 0 };
  let said = 0;
  let killing: Promise<void> = Promise.resolve();
  // What was said into the crash nobody has heard: then the caller is asked again, and says it again.
  let unheard = false;
  const strike = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, killAfterMs));
    killedMs = performance.now() - zero.ms;
    await gateway.kill();
    gateway.start();
    await gateway.up().catch(() => undefined);
    unheard = (await turnsAtRecovery(database)) === 0;
  };
  const patient = { wait: 'agent-finished', quietMs: PATIENCE_MS, timeoutMs: 30_000 } as const;
  const finished = { wait: 'agent-finished' } as const;
  const report = await placeCall({
    ...{ sipHost: asterisk.sipHost, sipPort: asterisk.sipPort, extension: '700' },
    script: [
      finished,
      { say: REQUEST },
      patient,
      {
        get say() {
          return unheard ? REQUEST : YES;
        },
      },
      finished,
      {
        get say() {
          return unheard ? YES : NO;
        },
      },
      finished,
      { say: NO },
      { wait: 'hangup' },
    ],
    onEvent: (event) => {
      if (event.t === 'answered') zero.ms = performance.now();
      if (event.t === 'said' && ++said === 1) killing = strike();
    },
  });
  await killing;
  await gateway.up().catch(() => undefined);
  await gateway.terminate();
  return judged(report, killedMs, database, asterisk);
}

/** Null: the call was not taken up again. */
async function turnsAtRecovery(database: TestDatabase): Promise<number | null> {
  for (let tries = 0; tries < 100; tries++) {
    const [row] = await database.query<{ turns: number }>(
      `SELECT (body::json->>'turns')::int AS turns FROM audit.event WHERE type = 'call.recovered'`,
    );
    if (row !== undefined) return row.turns;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return null;
}

async function judged(report: CallReport, killedMs: number | null, database: TestDatabase, asterisk: PrivateAsterisk): Promise<Run> {
  if (!report.answered || killedMs === null) return { backMs: null, stuck: 'no call', wrong: 'the call did not come up' };
  const ends = await database.query<{ type: string; outcome: string }>(
    `SELECT type, body::json->>'outcome' AS outcome FROM audit.event WHERE type IN ('call.incoming', 'call.recovered', 'call.ended') ORDER BY stream_id, seq`,
  );
  const of = (type: string): number => ends.filter((event) => event.type === type).length;
  const left = await leftovers(asterisk);
  const wrong =
    of('call.incoming') !== 1 || of('call.recovered') !== 1 || of('call.ended') !== 1
      ? `events: ${ends.map(({ type }) => type).join(', ')}`
      : left.length > 0
        ? `left in Asterisk: ${left.join(', ')}`
        : null;
  const outcome = ends.find(({ type }) => type === 'call.ended')?.outcome ?? 'none';
  const stuck = outcome === 'booked' ? null : `outcome ${outcome}, killed ${Math.round(killedMs)} ms after the answer`;
  return { backMs: firstSoundMs(report.heard, killedMs), stuck, wrong };
}

/** From the kill to the first 20 ms of voice after the silence that it made. */
function firstSoundMs(heard: Int16Array, killedMs: number): number | null {
  const frame = RATE_HZ / 50;
  const loud = (at: number): boolean => {
    let sum = 0;
    for (let i = at; i < at + frame; i++) sum += (heard[i] ?? 0) ** 2;
    return sum > frame * 200 ** 2;
  };
  // What was under way between us and the caller is not us again.
  for (let at = Math.round(((killedMs + 100) * RATE_HZ) / 1000); at + frame <= heard.length; at += frame) {
    if (loud(at)) return (at * 1000) / RATE_HZ - killedMs;
  }
  return null;
}
