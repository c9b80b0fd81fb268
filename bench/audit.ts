/**
 * The log: what an event costs the loop, how soon it is on disk, how fast the chain reaches Postgres (all checks on, fsync on), how
 * fast a spool catches up after an outage, how long a verification takes and how much memory it needs.
 * How long the erasure of a person takes among many. Options: --events N of the verification (1000000), --append N of each append run (40000),
 * --calls N that are kept when persons are erased (10000).
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAudit, eraseSubject, formatReport, verifyAudit, type Audit } from '../src/audit/index.ts';
import { eventHash, genesisHash, ZERO_HASH } from '../src/audit/chain.ts';
import type { CallEvent } from '../src/contracts/index.ts';
import { createStore, type EventRow, type Store } from '../src/store/index.ts';
import { memoryStore, realClock } from '../test/support/audit.ts';
import { startPostgres, type TestDatabase } from '../test/support/postgres.ts';
import { keepingLogger } from '../test/support/quiet-log.ts';
import { benchResult, percentile, type BenchResult, type BenchRow } from './support/result.ts';

const log = keepingLogger();
const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** A turn's latency: the longest body that a call writes often. */
const event = (callId: string, turn: number): CallEvent => ({
  type: 'turn.latency',
  callId,
  body: {
    turn,
    waterfall: { waitMs: 412, sttQueueMs: 3, sttMs: 121.4, dialogueMs: 1.2, ttsMs: 38.9, playoutMs: 20, perceivedMs: 596.5 },
  },
});

async function open(store: Store, folder: string): Promise<Audit> {
  const audit = createAudit({ folder, gateway: 'bench', store, clock: realClock, log, reservedBytes: 1024 * 1024 });
  await audit.start();
  return audit;
}

const shipped = async (audit: Audit): Promise<void> => {
  while (audit.backlog > 0) await sleep(2);
};

/** CPU time of the thread that runs the event loop, in ms: what other threads and a busy machine take is not in it. */
const loopCpuMs = (): number => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

interface Paced {
  readonly callUs: number[];
  readonly diskMs: number[];
  readonly loopMs: number;
  readonly cpuMs: number;
}

/** 1,000 events a second for some seconds: 100 calls. Null: nothing is logged, what the bench itself costs. */
async function paced(audit: Audit | null, seconds: number): Promise<Paced> {
  const callUs: number[] = [];
  const diskMs: number[] = [];
  const callId = randomUUID();
  const before = performance.eventLoopUtilization();
  const cpuBefore = loopCpuMs();
  const start = performance.now();
  for (let n = 0; n < seconds * 1000; n++) {
    const wait = start + n - performance.now();
    if (wait > 1) await sleep(wait);
    if (audit === null) continue;
    const from = performance.now();
    const done = audit.append(event(callId, n));
    callUs.push((performance.now() - from) * 1000);
    void done.then(() => diskMs.push(performance.now() - from));
  }
  const { active } = performance.eventLoopUtilization(before);
  const cpuMs = (loopCpuMs() - cpuBefore) / (seconds * 1000);
  await sleep(50);
  return { callUs, diskMs, loopMs: active / (seconds * 1000), cpuMs };
}

async function appendRun(audit: Audit, count: number): Promise<void> {
  const callId = randomUUID();
  for (let n = 0; n < count; n += 200) {
    await Promise.all(Array.from({ length: Math.min(200, count - n) }, (_, i) => audit.append(event(callId, n + i))));
  }
}

async function appends(database: TestDatabase, count: number): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
  const store = createStore({ connectionString: database.url('gw_writer'), log });
  await store.start();
  const audit = await open(store, folder);
  await appendRun(audit, 2000);
  await shipped(audit);
  const alone = await paced(null, 5);
  const { callUs, diskMs, loopMs, cpuMs } = await paced(audit, 5);
  const wholeMs = cpuMs - alone.cpuMs;
  const start = performance.now();
  await appendRun(audit, count);
  await shipped(audit);
  const rate = (count / (performance.now() - start)) * 1000;
  await audit.stop();
  await store.stop();

  const plain = await plainTable(database, count);
  const away = await open(memoryStore('down'), folder);
  await appendRun(away, count);
  await away.stop();
  const back = createStore({ connectionString: database.url('gw_writer'), log });
  await back.start();
  const late = await open(back, folder);
  const behind = late.backlog;
  const from = performance.now();
  await shipped(late);
  const catchUp = (behind / (performance.now() - from)) * 1000;
  await late.stop();
  await back.stop();
  await rm(folder, { recursive: true, force: true });
  const p99 = percentile(diskMs, 0.99);
  const cost = callUs.reduce((sum, us) => sum + us, 0) / callUs.length / 1000;
  return [
    { metric: 'append(), the call itself, mean', value: round(cost, 4), unit: 'ms', goal: '<= 0.1 ms', met: cost <= 0.1 },
    { metric: 'append(), the call itself, p99', value: round(percentile(callUs, 0.99) / 1000, 4), unit: 'ms' },
    {
      ...{ metric: "loop's CPU per event at 1,000/s: append, writes, shipping", value: round(wholeMs, 3), unit: 'ms' },
      ...{ goal: '<= 0.1 ms', met: wholeMs <= 0.1 },
    },
    { metric: 'event loop busy per event at 1,000/s, shipping and the bench included', value: round(loopMs, 3), unit: 'ms' },
    { metric: 'event on disk at 1,000/s, p50', value: round(percentile(diskMs, 0.5), 2), unit: 'ms' },
    { metric: 'event on disk at 1,000/s, p99', value: round(p99, 2), unit: 'ms', goal: '<= 10 ms', met: p99 <= 10 },
    {
      ...{ metric: 'append into Postgres with all checks', value: round(rate, 0), unit: 'events/s', goal: '>= 5000', met: rate >= 5000 },
      ...{ peer: `plain table, no chain, same batches: ${String(round(plain, 0))} rows/s`, ratio: rate / plain },
    },
    { metric: 'catch-up after an outage', value: round(catchUp, 0), unit: 'events/s', goal: '>= 5x 1,000/s', met: catchUp >= 5000 },
  ];
}

/** The same rows into a table with a primary key and no check at all. */
async function plainTable(database: TestDatabase, count: number): Promise<number> {
  const store = createStore({ connectionString: database.url('postgres'), log });
  await database.query(
    'CREATE TABLE public.plain (day date, stream_id uuid, seq bigint, ts_us bigint, call_id uuid, type text, body text, hash text, PRIMARY KEY (day, stream_id, seq))',
  );
  await database.query('GRANT ALL ON public.plain TO gw_writer');
  await store.start();
  const streamId = randomUUID();
  const body = JSON.stringify(event('', 1).body);
  const start = performance.now();
  for (let n = 0; n < count; n += 2000) {
    const rows = Array.from({ length: 2000 }, (_, i) => ({
      streamId,
      seq: n + i,
      body,
      callId: streamId,
      hash: '0'.repeat(64),
      type: 'turn.latency',
    }));
    await store.use((client) =>
      client.query(
        `INSERT INTO public.plain SELECT current_date, "streamId", seq, 0, "callId", type, body, hash
           FROM json_to_recordset($1) AS r("streamId" uuid, seq bigint, body text, "callId" uuid, hash text, type text)`,
        [JSON.stringify(rows)],
      ),
    );
  }
  const rate = (count / (performance.now() - start)) * 1000;
  await store.stop();
  return rate;
}

/** A chain of `count` events in ten streams, straight into the table. */
async function chain(database: TestDatabase, count: number): Promise<void> {
  const store = createStore({ connectionString: database.url('gw_writer'), log });
  await store.start();
  let prev: { seq: number; hash: Buffer } = { seq: 0, hash: ZERO_HASH };
  const body = JSON.stringify(event('', 1).body);
  const callId = randomUUID();
  for (let ordinal = 1; ordinal <= 10; ordinal++) {
    const day = `2026-11-${String(ordinal + 10)}`;
    const parts = { streamId: randomUUID(), writer: 'bench/verify', ordinal, day, prevLastSeq: prev.seq, prevLastHash: prev.hash };
    const genesis = genesisHash(parts);
    await store.insertAudit({ streams: [{ ...parts, genesis, sig: Buffer.alloc(64) }], events: [], subjectKeys: [], payloads: [] });
    prev = { seq: 0, hash: genesis };
    for (let left = count / 10; left > 0; left -= 5000) {
      const events: EventRow[] = [];
      for (let n = 0; n < Math.min(5000, left); n++) {
        const at = { streamId: parts.streamId, seq: prev.seq + 1, tsUs: prev.seq * 1000, monoUs: prev.seq * 1000, callId, subjectId: null };
        const row = { ...at, type: 'turn.latency', body, payloadSha256: null, day };
        events.push({ ...row, hash: eventHash(prev.hash, row) });
        prev = { seq: row.seq, hash: events.at(-1)?.hash ?? prev.hash };
      }
      await store.insertAudit({ streams: [], events, subjectKeys: [], payloads: [] });
    }
  }
  await store.stop();
}

async function verification(database: TestDatabase, count: number): Promise<BenchRow[]> {
  await chain(database, count);
  await database.query('VACUUM ANALYZE');
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
  const start = performance.now();
  const report = await verifyAudit({ connection: database.as('auditor') });
  const tookS = (performance.now() - start) / 1000;
  clearInterval(watch);
  if (!report.ok || report.events !== count) throw new Error(formatReport(report));
  const sqlStart = performance.now();
  const found = await database.query('SELECT * FROM audit.broken', [], 'auditor');
  const sqlS = (performance.now() - sqlStart) / 1000;
  if (found.length > 0) throw new Error('audit.broken found something in the chain of the bench');
  const goal = count >= 1_000_000 ? { goal: '<= 10 s', met: tookS <= 10 } : {};
  return [
    {
      ...{ metric: `verify ${String(count)} events by the command`, value: round(tookS, 2), unit: 's', ...goal },
      ...{ peer: `the same in plain SQL: ${String(round(sqlS, 2))} s`, ratio: tookS / sqlS },
    },
    { metric: 'memory that the verification adds', value: round((peak - before) / 1024 ** 2, 0), unit: 'MiB' },
  ];
}

const CALLS_OF_A_PERSON = 5;
const ERASED = 20;

/** Content of many calls is kept; twenty persons of five calls each are erased, one after the other: from the request to the signed certificate. */
async function erasures(database: TestDatabase, calls: number): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
  const store = createStore({ connectionString: database.url('gw_writer'), log });
  await store.start();
  const content = { retentionDays: 30 };
  const audit = createAudit({ folder, gateway: 'bench', store, clock: realClock, log, reservedBytes: 1024 * 1024, content });
  await audit.start();
  const persons = Math.ceil(calls / CALLS_OF_A_PERSON);
  const numberOf = (person: number): string => `+4930${String(1_000_000 + person)}`;
  for (let n = 0; n < calls; n += 100) {
    const batch = Array.from({ length: Math.min(100, calls - n) }, (_, i) => keptCall(audit, numberOf((n + i) % persons)));
    await Promise.all(batch);
  }
  await shipped(audit);
  await database.query('VACUUM ANALYZE');
  const desk = { audit, store, clock: realClock, keysFolder: join(folder, 'keys') };
  const tookMs: number[] = [];
  for (let person = 0; person < Math.min(ERASED, persons); person++) {
    const from = performance.now();
    const { subjects, certificate } = await eraseSubject(desk, numberOf(person), 'bench');
    tookMs.push(performance.now() - from);
    if (subjects === 0 || certificate === '') throw new Error('nobody was erased');
  }
  await audit.stop();
  await store.stop();
  await rm(folder, { recursive: true, force: true });
  const worst = Math.max(...tookMs) / 1000;
  const among = `a person of ${CALLS_OF_A_PERSON} calls erased among ${String(calls)} calls, with certificate`;
  return [
    { metric: `${among}: p50`, value: round(percentile(tookMs, 0.5), 0), unit: 'ms' },
    { metric: `${among}: the slowest of ${String(tookMs.length)}`, value: round(worst, 2), unit: 's', goal: '<= 1 s', met: worst <= 1 },
  ];
}

async function keptCall(audit: Audit, from: string): Promise<void> {
  const callId = randomUUID();
  const body = { pbxId: callId, flow: 'bench', flowVersion: 'v', to: '100' };
  const heard = { turn: 1, words: 4, confidence: 0.9, fromSample: 0, toSample: 16_000, waitMs: 400 };
  const over = { outcome: 'done', reason: 'end', durationMs: 1000, turns: 1, packetsReceived: 1, packetsSent: 1, dropped: 0 };
  await Promise.all([
    audit.append({ type: 'call.incoming', callId, body, content: { from } }),
    audit.append({ type: 'caller.said', callId, body: heard, content: { text: 'book a table please' } }),
    audit.append({ type: 'call.ended', callId, body: over }),
  ]);
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const postgres = await startPostgres({});
  try {
    const rows = [
      ...(await appends(await postgres.database(), Number(options['append'] ?? 40_000))),
      ...(await erasures(await postgres.database(), Number(options['calls'] ?? 10_000))),
      ...(await verification(await postgres.database(), Number(options['events'] ?? 1_000_000))),
    ];
    return benchResult('audit', rows);
  } finally {
    await postgres.close();
  }
}
