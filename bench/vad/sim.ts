/** The detector in virtual time: hours of audio of many calls in seconds, with the events that a real call would see. */
import type { VadEvent } from '../../src/contracts/index.ts';
import { Desk } from '../../src/vad/desk.ts';
import type { Thresholds } from '../../src/vad/messages.ts';
import type { Model } from '../../src/vad/model.ts';
import { Spurt } from '../../src/vad/spurt.ts';
import type { Edge } from './gate.ts';

const STEP = 320;

export interface SimCall {
  /** 16 kHz. */
  readonly pcm: Int16Array;
  /** Of the talk gate. */
  readonly edges: readonly Edge[];
  /** We speak all the time: nothing but the gate opens the model's ear. */
  readonly playing: boolean;
}

export interface SimEvent {
  readonly t: VadEvent['t'];
  readonly by: VadEvent['by'];
  readonly sample: number;
  /** When it became known, in 16 kHz samples of the call. */
  readonly known: number;
}

export const DEFAULT_THRESHOLDS: Thresholds = { start: 0.5, stop: 0.35, minSpeechMs: 32, minSilenceMs: 160 };

export interface SimOptions {
  readonly thresholds?: Thresholds;
  readonly preRollMs?: number;
}

/** The model listens to everything and there is no gate: what the others are compared with. */
export const bare = (calls: readonly SimCall[]): SimCall[] => calls.map(({ pcm }) => ({ pcm, edges: [], playing: false }));
/** The gate opens the model's ear, whoever speaks. */
export const gated = (calls: readonly SimCall[]): SimCall[] => calls.map((call) => ({ ...call, playing: true }));

export async function simulate(
  model: Pick<Model, 'run' | 'window'>,
  calls: readonly SimCall[],
  options: SimOptions = {},
): Promise<{ events: SimEvent[][]; windows: number }> {
  const events: SimEvent[][] = calls.map(() => []);
  let nowUs = 0;
  let alarmUs = Infinity;
  let windows = 0;
  let written = 0;
  const samples = (us: number): number => (us * 16) / 1000;
  const spurts = calls.map(({ playing }, call) => {
    const spurt = new Spurt(({ t, by, sample, atUs }) => events[call]?.push({ t, by, sample, known: samples(atUs) }));
    spurt.playing = playing;
    return spurt;
  });
  const pending: Promise<Float32Array>[] = [];
  const desk = new Desk({
    model: {
      window: (index) => model.window(index),
      run: (memories) => {
        const run = model.run(memories);
        pending.push(run);
        return run;
      },
    },
    audio: {
      written: (slot) => Math.min(written, calls[slot]?.pcm.length ?? 0),
      read: (slot, _generation, from, out) => {
        const first = Math.max(0, from);
        out.fill(0, 0, first - from);
        out.set(calls[slot]?.pcm.subarray(first, from + out.length) ?? [], first - from);
        return 'ok';
      },
    },
    thresholds: options.thresholds ?? DEFAULT_THRESHOLDS,
    preRollMs: options.preRollMs ?? 96,
    mostBehind: 2,
    mostListening: Infinity,
    send: (message) => {
      if (message.t !== 'news') return;
      windows = message.counts.windows;
      for (const item of message.news) spurts[item.call]?.news(item);
    },
    nowUs: () => nowUs,
    cpuMs: () => 0,
    alarm: (ms) => (alarmUs = ms === null ? Infinity : nowUs + ms * 1000),
  });
  const settle = async (): Promise<void> => {
    for (let run = pending.shift(); run !== undefined; run = pending.shift()) {
      await run;
      await new Promise(setImmediate);
    }
  };
  for (const [call, { playing }] of calls.entries()) if (!playing) desk.receive({ t: 'listen', call, slot: call, generation: 1 });
  const next = calls.map(() => 0);
  const longest = Math.max(...calls.map(({ pcm }) => pcm.length));
  const edgesOf = (call: number): void => {
    const edges = calls[call]?.edges ?? [];
    for (let edge = edges[next[call] ?? 0]; edge !== undefined && edge.known <= written; edge = edges[next[call] ?? 0]) {
      next[call] = (next[call] ?? 0) + 1;
      const order = edge.near
        ? spurts[call]?.near(edge.sample)
        : spurts[call]?.gate({ t: edge.open ? 'speech-start' : 'speech-end', sample: edge.sample, atUs: nowUs }, true);
      if (order?.t === 'close') desk.receive({ ...order, call });
      else if (order) desk.receive({ ...order, call, slot: call, generation: 1 });
    }
  };
  while (written < longest) {
    const stepUs = ((written + STEP) * 1000) / 16;
    if (alarmUs < stepUs) {
      nowUs = alarmUs;
      alarmUs = Infinity;
      desk.work();
      await settle();
      continue;
    }
    nowUs = stepUs;
    written += STEP;
    for (let call = 0; call < calls.length; call++) edgesOf(call);
    await settle();
  }
  await desk.stop();
  return { events, windows };
}
