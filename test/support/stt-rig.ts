/** Whisper over a ring of the test's own, and ways to do harm to its worker. */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';

import { ParleyError, type SpeechToText, type SttSession } from '../../src/contracts/index.ts';
import { createWhisper, type WhisperOptions } from '../../src/stt/index.ts';
import { callerAudio } from './phone-speech.ts';
import { keepingLogger } from './quiet-log.ts';
import { createTestRing, type TestRing } from './stt-ring.ts';

export const PROGRAM = '.runtime/whisper/parley-whisper';
export const MODEL = 'models/builtin/ggml-phone-test.bin';

/** The text, or the code of the error. */
export const outcome = (promise: Promise<{ text: string }>): Promise<string> =>
  promise.then(
    (result) => result.text,
    (error: unknown) => (error instanceof ParleyError ? error.code : String(error)),
  );

export interface Rig {
  readonly stt: SpeechToText;
  readonly ring: TestRing;
  readonly log: ReturnType<typeof keepingLogger>;
  readonly states: string[];
  readonly say: (slot: number, text: string | Int16Array) => { fromSample: number; toSample: number };
  readonly open: (slot: number) => SttSession;
}

export async function rig(t: Test, options: Partial<WhisperOptions> = {}, ringSamples = 1 << 17): Promise<Rig> {
  const log = keepingLogger();
  const ring = createTestRing(8, ringSamples);
  const stt = createWhisper({ program: PROGRAM, model: MODEL, logger: log, ...options });
  const states: string[] = [];
  stt.onState((state) => states.push(state));
  await stt.start(ring.audio);
  t.teardown(async () => {
    await stt.stop();
    ring.free();
  });
  return {
    stt,
    ring,
    log,
    states,
    say: (slot, text) => {
      const audio = typeof text === 'string' ? callerAudio(text) : text;
      const fromSample = ring.written(slot);
      ring.write(slot, audio);
      return { fromSample, toSample: fromSample + audio.length };
    },
    open: (slot) => stt.open({ callId: `call-${slot}`, slot, generation: ring.open(slot), language: 'en' }),
  };
}

/** Children of ours that run the worker program. */
export function workers(): number[] {
  const table = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' });
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, name]) => parent === String(process.pid) && name?.startsWith('parley-whisper') === true)
    .map(([pid]) => Number(pid));
}

export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<boolean> {
  for (let waited = 0; waited < ms; waited += 20) {
    if (await condition()) return true;
    await pause(20);
  }
  return false;
}
