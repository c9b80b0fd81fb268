/** The detector's desk and model in virtual time: hours of audio of many calls in seconds, with the events that a real call would see. */
import { Desk } from '../../src/vad/desk.ts';
import type { CallNews, Thresholds } from '../../src/vad/messages.ts';
import type { Model } from '../../src/vad/model.ts';
import type { Edge } from './gate.ts';

const STEP = 320;

export interface SimCall {
  /** 16 kHz. */
  readonly pcm: Int16Array;
  readonly edges: readonly Edge[];
}

export interface SimEvent {
  readonly t: CallNews['t'];
  readonly sample: number;
  /** When it became known, in 16 kHz samples of the call. */
  readonly known: number;
}

export const ALWAYS_ON: readonly Edge[] = [{ open: true, sample: 0, known: STEP }];

export const DEFAULT_THRESHOLDS: Thresholds = { start: 0.5, stop: 0.35, minSpeechMs: 32, minSilenceMs: 160 };

export async function simulate(
  model: Pick<Model, 'run' | 'window'>,
  calls: readonly SimCall[],
  options: { readonly thresholds?: Thresholds; readonly preRollMs?: number } = {},
): Promise<{ events: SimEvent[][]; windows: number }> {
  const events: SimEvent[][] = calls.map(() => []);
  let nowUs = 0;
  let alarmUs = Infinity;
  let windows = 0;
  let written = 0;
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
    send: (message) => {
      if (message.t !== 'news') return;
      windows = message.counts.windows;
      for (const item of message.news) {
        const known = (item.atUs * 16) / 1000;
        events[item.call]?.push({ t: item.t, sample: 'sample' in item ? item.sample : known, known });
      }
    },
    nowUs: () => nowUs,
    alarm: (ms) => (alarmUs = ms === null ? Infinity : nowUs + ms * 1000),
  });
  const settle = async (): Promise<void> => {
    for (let run = pending.shift(); run !== undefined; run = pending.shift()) {
      await run;
      await new Promise(setImmediate);
    }
  };
  const next = calls.map(() => 0);
  const longest = Math.max(...calls.map(({ pcm }) => pcm.length));
  for (let opening = 1; written < longest;) {
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
    for (const [call, { edges }] of calls.entries()) {
      for (let edge = edges[next[call] ?? 0]; edge !== undefined && edge.known <= written; edge = edges[next[call] ?? 0]) {
        next[call] = (next[call] ?? 0) + 1;
        if (edge.open) desk.receive({ t: 'open', call, opening: opening++, slot: call, generation: 1, sample: edge.sample });
        else desk.receive({ t: 'close', call, sample: edge.sample });
      }
    }
    await settle();
  }
  await desk.stop();
  return { events, windows };
}
