/**
 * The detector under load as it runs in production: worker process, shared memory, real time. CPU of both processes, feeder excluded.
 * It may lag by a second before it sheds, so that on a busy machine the work is done late and measured, not left out.
 */
import { fork } from 'node:child_process';
import { readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GateEvent } from '../../src/contracts/index.ts';
import { createVad } from '../../src/vad/index.ts';
import { keepingLogger } from '../../test/support/quiet-log.ts';
import { createTestRing } from '../../test/support/stt-ring.ts';
import { caller, overLine, toRing } from './audio.ts';

const RING = 1 << 15;
/** A cycle of talk: this much of it is speech. */
const CYCLE_MS = 5000;
/** The rings are filled ahead with 2.05 s that the detector takes for heard: nothing is due until the feeder has passed them. */
const WARM_UP_MS = 3000;

export interface Load {
  readonly calls: number;
  readonly seconds: number;
  /** Part of the time in which the gate is open, with nothing else looked at; 1: the model listens all the time, as in our silence. */
  readonly talk: number;
  readonly model: string;
}

export interface LoadResult {
  readonly callsPerCore: number;
  /** Windows that were looked at, of those that the audio of always-open gates has. */
  readonly seen: number;
  readonly perRun: number;
  readonly shed: number;
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

export async function underLoad({ calls, seconds, talk, model }: Load): Promise<LoadResult> {
  const ring = createTestRing(calls, RING);
  const voices = Array.from({ length: 8 }, (_, index) => {
    const speech = caller(index + 1, 6).pcm;
    return toRing(overLine(speech, new Float32Array(speech.length), 0, 0).caller).subarray(16_000, 16_000 + RING);
  });
  const vad = createVad({ engine: 'silero', model, mostBehind: 30, mostListening: talk === 1 ? calls : 0, logger: keepingLogger() });
  const sessions = Array.from({ length: calls }, (_, slot) => {
    const generation = ring.open(slot);
    ring.write(slot, voices[slot % voices.length] ?? new Int16Array());
    const session = vad.open({ callId: String(slot), slot, generation });
    session.playing(talk < 1);
    return { session, slot, open: false, near: false };
  });
  await vad.start(ring.audio);
  const header = Buffer.alloc(48);
  readSync(ring.audio.fd, header, 0, 48, 0);
  const places = [calls, Number(header.readBigUInt64LE(24)), Number(header.readBigUInt64LE(32)), RING].map(String);
  const feeder = fork(join(import.meta.dirname, 'feeder.ts'), places, { stdio: ['ignore', 'ignore', 'inherit', ring.audio.fd, 'ipc'] });
  const beganMs = await new Promise<number>((resolve) => feeder.once('message', (at) => resolve(Number(at) - performance.timeOrigin)));
  const sampleNow = (): number => Math.floor((performance.now() - beganMs) / 20) * 320;
  const edge = (t: GateEvent['t'], sample: number): GateEvent => ({ t, sample, atUs: nowUs() });
  const drive = (): void => {
    const atMs = performance.now();
    for (const state of sessions) {
      const talksAt = (ms: number): boolean => ((ms + (state.slot * CYCLE_MS) / calls) % CYCLE_MS) / CYCLE_MS < talk;
      // It is noticed 30 ms before the gate opens: in quiet, white noise and echo about once for each opening.
      const near = talksAt(atMs + 30);
      if (near && !state.near && talk < 1) state.session.near(Math.max(0, sampleNow() - 480));
      state.near = near;
      const open = talksAt(atMs);
      if (open === state.open || talk === 1) continue;
      state.open = open;
      // A gate opens 60 ms after the first loud sample and closes 200 ms after the last one.
      state.session.gate(open ? edge('speech-start', Math.max(0, sampleNow() - 960)) : edge('speech-end', sampleNow() - 3200));
    }
  };
  const timer = setInterval(drive, 10);
  await sleep(WARM_UP_MS);
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000 + vad.stats().cpuMs;
  };
  const before = { cpuMs: cpuMs(), atMs: performance.now(), stats: vad.stats() };
  await sleep(seconds * 1000);
  const wallMs = performance.now() - before.atMs;
  const used = (cpuMs() - before.cpuMs) / wallMs;
  clearInterval(timer);
  const after = vad.stats();
  const windows = after.windows - before.stats.windows;
  const runs = after.runs - before.stats.runs;
  await vad.stop();
  feeder.disconnect();
  ring.free();
  return {
    callsPerCore: calls / used,
    seen: (windows * 32) / (wallMs * calls * talk),
    perRun: windows / runs,
    shed: after.shed - before.stats.shed,
  };
}
