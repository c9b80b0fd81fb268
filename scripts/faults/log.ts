/**
 * The log under fire, on a real Postgres and a real disk:
 *   kill      the gateway is killed with -9 at a random moment, again and again, and starts over on the same spool
 *   outage    the same, while Postgres goes away and comes back
 *   full      the disk takes no more in the middle of a write
 *   power     the power goes with the process: of what was not synced any part is lost, sector by sector
 *   moments   the same at many moments of one life
 *   honest    whole honest lives with restarts, an outage, an erasure and a dropped month: the verification must stay silent
 * What was acknowledged is compared with what Postgres holds in the end: nothing lost, nothing twice, the chain clean.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAudit, dropMonths, eraseSubject, formatReport, verifyAudit, verifySpool, type VerifyReport } from '../../src/audit/index.ts';
import { asRole, createStore } from '../../src/store/index.ts';
import { handClock, realClock, stepEvent } from '../../test/support/audit.ts';
import { CANARY, fill } from '../../test/support/audit-fill.ts';
import { buildPowerCut, saidBy } from '../../test/support/power-cut.ts';
import { ackedIn, powerLife, wrongAfter } from '../../test/support/power-life.ts';
import { startPostgres, testFolder, type TestDatabase, type TestPostgres } from '../../test/support/postgres.ts';
import { keepingLogger } from '../../test/support/quiet-log.ts';
import type { FaultOptions, FaultRow } from './run.ts';

const WRITER = join(import.meta.dirname, '../../test/support/audit-writer.ts');
/** Steps of one life are numbered from a multiple of this. */
const LIFE = 1_000_000;

/** mulberry32: small, even, repeatable. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One life of a gateway that logs as fast as it can, until it is killed. Returns what it acknowledged. */
async function life(
  folder: string,
  url: string,
  number: number,
  /** Counted from its start, or from its first acknowledgement. */
  kill: { readonly afterMs: number; readonly from: 'start' | 'first' },
  limitKb?: number,
): Promise<{ acked: number[]; refused: number }> {
  const args = ['--import', 'tsx', WRITER, folder, url];
  const [program, argv] =
    limitKb === undefined
      ? [process.execPath, args]
      : ['bash', ['-c', `ulimit -f ${String(limitKb)}; exec "$0" "$@"`, process.execPath, ...args]];
  const child = spawn(program, argv, { env: { ...process.env, FIRST: String(number * LIFE + 1) }, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const closed = once(child, 'close');
  while (kill.from === 'first' && text === '' && child.exitCode === null) await sleep(5);
  await sleep(kill.afterMs);
  child.kill('SIGKILL');
  await closed;
  // The last line may be cut off by the kill.
  const lines = text.split('\n').slice(0, -1);
  return {
    acked: lines.filter((line) => /^\d+$/.test(line)).map(Number),
    refused: lines.filter((line) => line.startsWith('refused')).length,
  };
}

/** Ships the rest and compares. */
async function settle(
  database: TestDatabase,
  folder: string,
  acked: readonly number[],
): Promise<{ lost: number; twice: number; stored: number; report: VerifyReport }> {
  const log = keepingLogger();
  const store = createStore({ connectionString: database.url('gw_writer'), log });
  await store.start();
  const audit = createAudit({ folder, gateway: 'victim', store, clock: realClock, log, reservedBytes: 64 * 1024 });
  await audit.start();
  await audit.append(stepEvent('end'));
  if (!(await audit.shipped(120_000))) throw new Error(`${String(audit.backlog)} events could not be shipped: ${store.why}`);
  await audit.stop();
  await store.stop();
  const rows = await database.query<{ n: string }>(
    `SELECT substr(body::jsonb ->> 'step', 2) AS n FROM audit.event WHERE body LIKE '{"step":"n%'`,
  );
  const stored = new Set(rows.map((row) => Number(row.n)));
  const report = await verifyAudit({
    ...{ connection: database.as('auditor'), anchors: [join(folder, 'anchors.txt')], publicKeys: [join(folder, 'keys/signing.pub.pem')] },
  });
  return { lost: acked.filter((n) => !stored.has(n)).length, twice: rows.length - stored.size, stored: rows.length, report };
}

function judge(fault: string, runs: number, acked: number, result: Awaited<ReturnType<typeof settle>>, more = ''): FaultRow {
  const { lost, twice, stored, report } = result;
  if (!report.ok) console.log(formatReport(report));
  const text = `${acked} acknowledged, ${lost} lost, ${twice} twice, ${stored} stored, chain ${report.ok ? 'clean' : 'BROKEN'}${more}`;
  return { fault, runs, result: text, ok: lost === 0 && twice === 0 && report.ok && acked > 0 };
}

async function kills(postgres: TestPostgres, { runs, seed }: FaultOptions): Promise<FaultRow> {
  const database = await postgres.database();
  const folder = await testFolder();
  const next = random(seed);
  const acked: number[] = [];
  for (let run = 0; run < runs; run++) {
    // Every fourth dies while it starts: while it replays what the others left.
    const kill = next() < 0.25 ? { from: 'start' as const, afterMs: next() * 1500 } : { from: 'first' as const, afterMs: next() * 400 };
    acked.push(...(await life(folder, database.url('gw_writer'), run, kill)).acked);
  }
  const row = judge('kill -9 at a random moment', runs, acked.length, await settle(database, folder, acked));
  await rm(folder, { recursive: true });
  return row;
}

async function outages(postgres: TestPostgres, { runs, seed }: FaultOptions): Promise<FaultRow> {
  const database = await postgres.database();
  const folder = await testFolder();
  const next = random(seed + 1);
  const acked: number[] = [];
  for (let run = 0; run < runs; run++) {
    const living = life(folder, database.url('gw_writer'), run, { from: 'first', afterMs: 500 + next() * 1500 });
    await sleep(next() * 1500);
    await postgres.stop();
    await sleep(next() * 400);
    await postgres.start();
    acked.push(...(await living).acked);
  }
  const row = judge('Postgres stopped and started, then kill -9', runs, acked.length, await settle(database, folder, acked));
  await rm(folder, { recursive: true });
  return row;
}

/** The kernel refuses to let a segment grow: what a full disk does to a write that is under way. */
async function fullDisk(postgres: TestPostgres, { runs, seed }: FaultOptions): Promise<FaultRow> {
  const database = await postgres.database();
  const folder = await testFolder();
  const next = random(seed + 2);
  const acked: number[] = [];
  let refused = 0;
  for (let run = 0; run < runs; run++) {
    const one = await life(folder, database.url('gw_writer'), run, { from: 'first', afterMs: 1000 }, 40 + Math.floor(next() * 20));
    acked.push(...one.acked);
    refused += one.refused;
  }
  const row = judge('no room in the middle of a write', runs, acked.length, await settle(database, folder, acked), `, ${refused} refused`);
  await rm(folder, { recursive: true });
  return row;
}

/** The power goes with the process: of what was not synced any part is lost. */
async function powerCuts(postgres: TestPostgres, { runs, seed }: FaultOptions): Promise<FaultRow> {
  const database = await postgres.database();
  const root = await testFolder();
  const library = await buildPowerCut(root);
  const next = random(seed + 4);
  const acked: number[] = [];
  let folder = join(root, '0');
  await mkdir(folder);
  for (let run = 0; run < runs; run++) {
    const url = database.url('gw_writer');
    const life = await powerLife({ library, folder, journal: join(root, 'journal'), first: run * LIFE + 1, url, kill: moment(next) });
    const after = join(root, String(run + 1));
    await life.cut(life.changes.length, after, next);
    await rm(folder, { recursive: true });
    acked.push(...life.acked);
    folder = after;
  }
  const row = judge('power cut', runs, acked.length, await settle(database, folder, acked));
  await rm(root, { recursive: true });
  return row;
}

/** Every fourth dies while it starts: while it makes its keys, or replays what the others left. */
const moment = (next: () => number): { readonly from: 'start' | 'first'; readonly afterMs: number } =>
  next() < 0.25 ? { from: 'start', afterMs: next() * 1500 } : { from: 'first', afterMs: next() * 300 };

/** Of one life many moments can be judged, but without Postgres, which would be ahead of them. */
const CUTS = 20;
/** Lives on one folder, one after the other. */
const LIVES = 4;

async function powerMoments(_postgres: TestPostgres, { runs, seed }: FaultOptions): Promise<FaultRow> {
  const root = await testFolder();
  const library = await buildPowerCut(root);
  const next = random(seed + 5);
  const wrong: string[] = [];
  let [judged, acknowledged] = [0, 0];
  let folder = '';
  let acked: number[] = [];
  for (let run = 0; run < runs; run++) {
    if (run % LIVES === 0) {
      acked = [];
      folder = join(root, `new-${run}`);
      await mkdir(folder);
    }
    const life = await powerLife({ library, folder, journal: join(root, 'journal'), first: run * LIFE + 1, kill: moment(next) });
    for (let cut = 0; cut <= CUTS; cut++) {
      // Half of them in the first moments, where names and keys are made; the last is where the next life begins.
      const among = cut < CUTS / 2 ? Math.min(80, life.changes.length) : life.changes.length;
      const end = cut === CUTS ? life.changes.length : Math.floor(next() * among);
      const left = join(root, `${run}-${cut}`);
      await life.cut(end, left, next);
      const known = [...acked, ...ackedIn(saidBy(life.changes.slice(0, end)))];
      if (cut === CUTS) folder = left;
      else {
        const found = await wrongAfter(left, known);
        if (found !== null) wrong.push(`life ${run}, change ${end}: ${found}`);
        await rm(left, { recursive: true });
        judged += 1;
        acknowledged += known.length;
      }
    }
    acked.push(...life.acked);
  }
  for (const each of wrong) console.log(each);
  await rm(root, { recursive: true });
  const result = `${judged} moments, ${acknowledged} acknowledged before them, ${wrong.length} with a loss, damage or a broken chain`;
  return { fault: 'power cut at any moment of a life', runs, result, ok: wrong.length === 0 && acknowledged > 0 };
}

/** 100 honest lives of a gateway must give no finding: an alarm that cries wolf is turned off. */
async function honest(postgres: TestPostgres, { runs, seed }: FaultOptions): Promise<FaultRow> {
  const next = random(seed + 3);
  let findings = 0;
  let events = 0;
  for (let run = 0; run < runs; run++) {
    const database = await postgres.database();
    const folder = await testFolder();
    const clock = handClock(Date.now() * 1000 - 70 * 86_400_000_000);
    const audit = {
      content: { retentionDays: 400 },
      segmentBytes: 2048 + Math.floor(next() * 30_000),
      checkpointEvents: 1 + Math.floor(next() * 20),
    };
    const between = async (): Promise<void> => {
      clock.set(next() < 0.3 ? (next() - 0.5) * 7_200_000 : 0);
      if (next() < 0.2) {
        await postgres.stop();
        await postgres.start();
      }
    };
    await fill(database, { boots: 1 + Math.floor(next() * 3), callsPerBoot: 1 + Math.floor(next() * 3), folder, clock, audit, between });
    clock.pass(68 * 86_400_000);
    await fill(database, { boots: 1, callsPerBoot: 1, folder, clock, audit, between });
    await officeHours(database, folder, clock, next);
    const report = await verifyAudit({
      ...{ connection: database.as('auditor'), anchors: [join(folder, 'anchors.txt')], publicKeys: [join(folder, 'keys/signing.vkey')] },
    });
    const inSql = await database.query<{ problem: string }>('SELECT problem FROM audit.broken', [], 'auditor');
    const spool = await verifySpool({ folder });
    for (const broken of [report, spool]) if (!broken.ok) console.log(formatReport(broken));
    for (const { problem } of inSql) console.log(`audit.broken: ${problem}`);
    findings += report.found + inSql.length + spool.found;
    events += report.events;
    await rm(folder, { recursive: true });
  }
  return { fault: 'none: honest lives', runs, result: `${events} events, ${findings} findings`, ok: findings === 0 };
}

async function officeHours(database: TestDatabase, folder: string, clock: ReturnType<typeof handClock>, next: () => number): Promise<void> {
  const log = keepingLogger();
  const store = createStore({ connectionString: database.url('gw_writer'), log });
  await store.start();
  const audit = createAudit({ folder, gateway: 'gw1', store, clock, log, content: { retentionDays: 400 }, reservedBytes: 4096 });
  await audit.start();
  const desk = { audit, store, clock, keysFolder: join(folder, 'keys') };
  if (next() < 0.5) await eraseSubject(desk, CANARY.from, 'request');
  if (next() < 0.5) await dropMonths(desk, 1, (sql, values) => asRole(database.as('gw_retention'), sql, values));
  await audit.append(stepEvent('evening'));
  await audit.shipped(10_000);
  await audit.stop();
  await store.stop();
}

/** In the order in which they run; each with its share of the runs. */
const FAULTS = [
  ['kill', 1, kills],
  ['outage', 0.2, outages],
  ['full', 0.2, fullDisk],
  ['power', 0.2, powerCuts],
  ['moments', 0.1, powerMoments],
  ['honest', 0.2, honest],
] as const;

export async function run(options: FaultOptions): Promise<readonly FaultRow[]> {
  const postgres = await startPostgres();
  const rows: FaultRow[] = [];
  try {
    for (const [name, share, fault] of FAULTS) {
      if (!name.startsWith(options.only)) continue;
      const row = await fault(postgres, { ...options, runs: Math.max(1, Math.round(options.runs * share)) });
      console.log(`${new Date().toISOString()}  ${row.fault}: ${row.result}`);
      rows.push(row);
    }
    return rows;
  } finally {
    await postgres.close();
  }
}
