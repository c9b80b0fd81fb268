/** The detector's desk in virtual time, with a model that can be seen through. */
import type { Test } from 'tap';
import { Desk } from '../../src/vad/desk.ts';
import { AudioReader } from '../../src/vad/memory.ts';
import type { CallNews } from '../../src/vad/messages.ts';
import type { Memory } from '../../src/vad/model.ts';
import { createTestRing, type TestRing } from './stt-ring.ts';

/** A model that takes positive samples for speech, and notices when a call gets another call's memory. */
class FakeModel {
  readonly #windows = Array.from({ length: 64 }, () => new Float32Array(256));
  readonly sizes: number[] = [];
  mixed = 0;
  /** Runs wait for this. */
  gate: Promise<void> = Promise.resolve();

  window(index: number): Float32Array {
    return this.#windows[index] ?? new Float32Array();
  }

  async run(memories: readonly Memory[]): Promise<Float32Array> {
    this.sizes.push(memories.length);
    const levels = memories.map((_, index) => this.#windows[index]?.[128] ?? 0);
    await this.gate;
    return Float32Array.from(memories, ({ state }, index) => {
      const level = levels[index] ?? 0;
      if ((state[0] ?? 0) !== 0 && Math.abs((state[0] ?? 0) - level) > 1e-4) this.mixed++;
      state[0] = level;
      return level > 0 ? 1 : 0;
    });
  }
}

export interface DeskRig {
  readonly desk: Desk;
  readonly model: FakeModel;
  readonly ring: TestRing;
  readonly news: CallNews[];
  readonly beats: () => number;
  readonly pass: (ms: number, each?: (ms: number) => void) => Promise<void>;
  readonly alarmed: () => boolean;
}

export function deskRig(t: Test, slots: number): DeskRig {
  const ring = createTestRing(slots, 1 << 15);
  t.teardown(() => ring.free());
  const model = new FakeModel();
  const news: CallNews[] = [];
  let beats = 0;
  let nowUs = 1_000_000;
  let alarmUs: number | null = null;
  const desk = new Desk({
    model,
    audio: new AudioReader(ring.audio.fd, ring.audio.bytes),
    thresholds: { start: 0.5, stop: 0.35, minSpeechMs: 32, minSilenceMs: 160 },
    preRollMs: 96,
    mostBehind: 2,
    mostListening: 2,
    cpuMs: () => 0,
    send: (message) => {
      if (message.t !== 'news') return;
      beats++;
      news.push(...message.news);
    },
    nowUs: () => nowUs,
    alarm: (ms) => (alarmUs = ms === null ? null : nowUs + ms * 1000),
  });
  const pass = async (ms: number, each?: (ms: number) => void): Promise<void> => {
    for (let passed = 1; passed <= ms; passed++) {
      nowUs += 1000;
      each?.(passed);
      if (alarmUs !== null && alarmUs <= nowUs) {
        alarmUs = null;
        desk.work();
      }
      for (let i = 0; i < 8; i++) await new Promise(setImmediate);
    }
  };
  return { desk, model, ring, news, beats: () => beats, pass, alarmed: () => alarmUs !== null };
}
