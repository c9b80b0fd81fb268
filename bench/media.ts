/**
 * The media thread under load: CPU per call-frame against the same job in plain Node, pacing against a bare timer in the same
 * run, a stalled event loop, memory per call. The far end is a native program on the same machine (it takes a share of the cores).
 * The same with one socket for all calls, where each far end has a port of its own.
 * Options: --calls N (300) for the comparison, --many N (1000), --seconds N (6), --port N (40000).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaEngine, MediaSession } from '../src/contracts/index.ts';
import { createMediaEngine } from '../src/media/index.ts';
import { buildBench, load, round } from './support/core-bench.ts';
import type { LoadReport } from './support/core-bench.ts';
import { benchResult } from './support/result.ts';
import type { BenchResult, BenchRow } from './support/result.ts';

interface Sizes {
  readonly calls: number;
  readonly many: number;
  readonly seconds: number;
  readonly port: number;
}
const STRIDE = 2;
const FIRST_PORT = 20000;

function engineOf(calls: number, sharedSocket: boolean): MediaEngine {
  return createMediaEngine({
    host: '127.0.0.1',
    portMin: FIRST_PORT,
    portMax: FIRST_PORT + 2 * calls + 1,
    maxCalls: calls,
    historyMs: 2000,
    sharedSocket,
  });
}

/** Private memory only: the audio rings are shared and counted as what they are, history. */
function privateKb(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? NaN);
}

/** Calls come one after the other, as in life. */
async function openAll(engine: MediaEngine, count: number, loadPort: number, ownPorts: boolean): Promise<MediaSession[]> {
  const sessions: MediaSession[] = [];
  while (sessions.length < count) {
    const session = engine.open({ callId: `bench-${sessions.length}`, receive: 'ulaw', send: 'ulaw' });
    session.setRemote('127.0.0.1', loadPort + (ownPorts ? sessions.length : 0));
    sessions.push(session);
    if (sessions.length % 10 === 0) await sleep(2);
  }
  return sessions;
}

/** Each call plays 24 kHz sound for the whole measurement: the costly case of playout. */
function playAll(sessions: readonly MediaSession[], seconds: number): void {
  const second = Int16Array.from({ length: 24000 }, (_, n) => 8000 * Math.sin(n / 9));
  for (const session of sessions) {
    const clip = session.openClip({ rateHz: 24000, held: false });
    for (let s = 0; s < seconds; s++) clip.write(second);
    clip.end();
  }
}

interface Measured {
  readonly usPerFrame: number;
  readonly threadPercent: number;
  readonly stats: Readonly<Record<string, number>>;
  readonly far: LoadReport;
  readonly stallLate: number;
  readonly heard: number;
  readonly kbPerCall: number;
}

async function measureEngine(
  count: number,
  sizes: Sizes,
  { stalls = false, shared = false }: { stalls?: boolean; shared?: boolean } = {},
): Promise<Measured> {
  // The engine's own base (queues, payload blocks) is counted too: an upper bound.
  const before = privateKb();
  const engine = engineOf(count, shared);
  const sessions = await openAll(engine, count, sizes.port, shared);
  const first = Math.min(...sessions.map((s) => s.localPort));
  const far = load(sizes.port, sizes.seconds + 1.5, first, count, shared ? 0 : STRIDE, shared);
  await sleep(1000);
  const kbPerCall = (privateKb() - before) / count;
  playAll(sessions, sizes.seconds);
  await sleep(200);
  const from = engine.stats();
  const startedMs = performance.now();
  let stallLate = 0;
  if (stalls) {
    await sleep(300);
    const late = engine.stats()['framesLate'] ?? 0;
    for (let i = 0; i < 2; i++) {
      const until = performance.now() + 500;
      while (performance.now() < until);
      await sleep(100);
    }
    stallLate = (engine.stats()['framesLate'] ?? 0) - late;
  }
  await sleep(Math.max(0, sizes.seconds * 1000 - 1000 - (performance.now() - startedMs)));
  const to = engine.stats();
  const wallUs = (performance.now() - startedMs) * 1000;
  const difference = (name: string): number => (to[name] ?? 0) - (from[name] ?? 0);
  const report = await far;
  const heard = sessions.reduce((sum, session) => sum + session.stats().packetsReceived, 0);
  engine.close();
  return {
    usPerFrame: (2 * difference('cpuUs')) / (difference('packetsSent') + difference('packetsReceived')),
    threadPercent: (100 * difference('cpuUs')) / wallUs,
    stats: to,
    far: report,
    stallLate,
    heard,
    kbPerCall,
  };
}

interface NodeReport {
  readonly cpuUs: number;
  readonly frames: number;
  readonly received: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

async function measureNode(count: number, sizes: Sizes): Promise<NodeReport> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      join(import.meta.dirname, 'support', 'node-media.ts'),
      ...[FIRST_PORT, count, STRIDE, sizes.port, sizes.seconds].map(String),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  const far = load(sizes.port, sizes.seconds + 1, FIRST_PORT, count, STRIDE);
  const closed = once(child, 'close');
  const [line] = (await once(lines, 'line')) as [string];
  await Promise.all([far, closed]);
  return JSON.parse(line) as NodeReport;
}

function pacing(name: string, measured: Measured): BenchRow[] {
  const { stats, far } = measured;
  const fifo = stats['fifo'] === 1;
  const p99 = stats['sendLatenessP99Us'] ?? NaN;
  return [
    { metric: `${name}: SCHED_FIFO granted`, value: fifo ? 1 : 0, unit: '' },
    { metric: `${name}: send lateness p50`, value: stats['sendLatenessP50Us'] ?? NaN, unit: 'us', peer: `bare timer ${far.bareP50Us} us` },
    {
      metric: `${name}: send lateness p99`,
      value: p99,
      unit: 'us',
      peer: `bare timer ${far.bareP99Us} us`,
      ...(fifo ? { goal: '< 300', met: p99 < 300 } : {}),
    },
    {
      metric: `${name}: send lateness p99.9`,
      value: stats['sendLatenessP999Us'] ?? NaN,
      unit: 'us',
      peer: `bare timer ${far.bareP999Us} us`,
    },
    {
      metric: `${name}: packets of the far end not heard`,
      value: far.sent - measured.heard,
      unit: `of ${far.sent}`,
      goal: '0',
      met: far.sent === measured.heard,
    },
  ];
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const sizes = {
    calls: Number(options['calls'] ?? 300),
    many: Number(options['many'] ?? 1000),
    seconds: Number(options['seconds'] ?? 6),
    port: Number(options['port'] ?? 40000),
  };
  buildBench('parley_media_load');
  buildBench('parley_media');
  const node = await measureNode(sizes.calls, sizes);
  const few = await measureEngine(sizes.calls, sizes, { stalls: true });
  const many = await measureEngine(sizes.many, sizes);
  const fewShared = await measureEngine(sizes.calls, sizes, { shared: true });
  const manyShared = await measureEngine(sizes.many, sizes, { shared: true });
  const sharedUs = fewShared.usPerFrame;
  // A call-frame is one packet in and one out.
  const nodeUs = (2 * node.cpuUs) / (node.frames + node.received);
  const ratio = few.usPerFrame / nodeUs;
  const p999 = few.stats['sendLatenessP999Us'] ?? NaN;
  const rows: BenchRow[] = [
    {
      metric: `${sizes.calls} calls: CPU per call-frame`,
      value: round(few.usPerFrame, 2),
      unit: 'us',
      peer: `plain Node ${round(nodeUs, 1)} us`,
      ratio: round(ratio),
      goal: '<= 0.167x',
      met: ratio <= 1 / 6,
    },
    {
      metric: `${sizes.calls} calls: pacing p99.9`,
      value: p999,
      unit: 'us',
      peer: `plain Node ${round(node.p999Us, 0)} us`,
      ratio: round(p999 / node.p999Us),
    },
    ...pacing(`${sizes.calls} calls`, few),
    {
      metric: 'frames late by > 10 ms during two 500 ms stalls of the event loop',
      value: few.stallLate,
      unit: '',
      goal: '0',
      met: few.stallLate === 0,
    },
    { metric: `${sizes.many} calls: CPU per call-frame`, value: round(many.usPerFrame, 2), unit: 'us' },
    {
      metric: `${sizes.many} calls: media thread`,
      value: round(many.threadPercent, 1),
      unit: '% of a core',
      goal: '<= 35',
      met: many.threadPercent <= 35,
    },
    ...pacing(`${sizes.many} calls`, many),
    {
      metric: `${sizes.calls} calls on one socket: CPU per call-frame`,
      value: round(sharedUs, 2),
      unit: 'us',
      peer: `plain Node ${round(nodeUs, 1)} us`,
      ratio: round(sharedUs / nodeUs),
    },
    {
      metric: `${sizes.many} calls on one socket: media thread`,
      value: round(manyShared.threadPercent, 1),
      unit: '% of a core',
      peer: `${round(manyShared.usPerFrame, 2)} us per call-frame`,
    },
    ...pacing(`${sizes.many} calls on one socket`, manyShared),
    {
      metric: `${sizes.many} calls: private memory per call`,
      value: round(many.kbPerCall, 1),
      unit: 'KB',
      goal: '<= 20',
      met: many.kbPerCall <= 20,
    },
  ];
  return benchResult('media', rows);
}
