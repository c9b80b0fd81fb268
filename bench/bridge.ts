/**
 * From the native thread to JavaScript: what the event loop pays per call-frame while calls run (events come batched, audio never
 * comes), and whether a frame leaves anything for the garbage collector. Beside it what one crossing per frame would cost.
 * Options: --calls N (1000), --seconds N (5), --port N (40000).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createMediaEngine } from '../src/media/index.ts';
import { buildBench, load, round } from './support/core-bench.ts';
import { benchResult } from './support/result.ts';
import type { BenchResult } from './support/result.ts';

const FIRST_PORT = 20000;
const COPIES = 200_000;

/** The cheapest a frame could cost if each were handed over: a view on a buffer, copied. */
function copyNs(): number {
  const ring = new Int16Array(1 << 17);
  const frame = new Int16Array(320);
  let least = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = process.hrtime.bigint();
    for (let n = 0; n < COPIES; n++) frame.set(ring.subarray((n * 320) & 0xffff, ((n * 320) & 0xffff) + 320));
    least = Math.min(least, Number(process.hrtime.bigint() - start) / COPIES);
  }
  return least;
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const calls = Number(options['calls'] ?? 1000);
  const seconds = Number(options['seconds'] ?? 5);
  const port = Number(options['port'] ?? 40000);
  buildBench('parley_media_load');
  buildBench('parley_media');
  const engine = createMediaEngine({
    host: '127.0.0.1',
    portMin: FIRST_PORT,
    portMax: FIRST_PORT + 2 * calls + 1,
    maxCalls: calls,
    historyMs: 2000,
  });
  let events = 0;
  const sessions = Array.from({ length: calls }, (_, n) => {
    const session = engine.open({ callId: `bench-${n}`, receive: 'ulaw', send: 'ulaw' });
    session.onEvent(() => events++);
    session.setRemote('127.0.0.1', port);
    return session;
  });
  const far = load(port, seconds + 2, Math.min(...sessions.map((session) => session.localPort)), calls, 2);
  await sleep(1000);
  const stats = (): Readonly<Record<string, number>> => engine.stats();
  const [before, cpuBefore, heapBefore, eventsBefore] = [stats(), process.cpuUsage(), process.memoryUsage().heapUsed, events];
  await sleep(seconds * 1000);
  const [after, cpu, heapAfter] = [stats(), process.cpuUsage(cpuBefore), process.memoryUsage().heapUsed];
  const difference = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  const frames = difference('packetsReceived') + difference('packetsSent');
  // All of the process but the media thread: the loop, the collector, and Node's own idling.
  const loopNs = ((cpu.user + cpu.system - difference('cpuUs')) * 1000) / frames;
  const seen = events - eventsBefore;
  await far;
  engine.close();
  return benchResult('bridge', [
    { metric: 'frames in and out', value: frames, unit: '' },
    { metric: 'events delivered', value: seen, unit: '' },
    {
      metric: 'event loop per frame, events included',
      value: round(loopNs / 1000, 4),
      unit: 'us',
      peer: `copying each frame ${round(copyNs() / 1000, 3)} us`,
      goal: '<= 0.2',
      met: loopNs <= 200,
    },
    {
      metric: 'heap growth per frame',
      value: round(Math.max(0, heapAfter - heapBefore) / frames, 2),
      unit: 'bytes',
      goal: '< 8 (none per frame)',
      met: (heapAfter - heapBefore) / frames < 8,
    },
  ]);
}
