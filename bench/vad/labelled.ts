/** The labelled set: callers with known onsets under clean, noisy, echoing and lossy lines; and our own echo alone. */
import { activeRms, agent, caller, echoOf, mix, noise, overLine, RATE_HZ, sounds, toRing, type Line } from './audio.ts';
import { gateEdges } from './gate.ts';
import type { SimCall, SimEvent } from './sim.ts';

export const CONDITIONS = ['clean', 'white 15 dB', 'car 10 dB', 'echo -20 dB', 'loss 5 %', 'car 10 dB + loss 5 %'] as const;

export interface Labelled extends SimCall {
  readonly condition: (typeof CONDITIONS)[number];
  readonly line: Line;
  /** 16 kHz samples. */
  readonly utterances: readonly { readonly from: number; readonly to: number }[];
}

function toCall(line: Line): SimCall & { readonly line: Line } {
  return { pcm: toRing(line.caller), edges: gateEdges(line), playing: line.sent.some((sample) => Math.abs(sample) > 100), line };
}

/** `callers` calls of `seconds` for each condition. */
export function labelledSet(callers: number, seconds: number): Labelled[] {
  return CONDITIONS.flatMap((condition) =>
    Array.from({ length: callers }, (_, index) => {
      const speech = caller(index + 1, seconds);
      const level = activeRms(speech.pcm);
      const length = speech.pcm.length;
      const silent = new Float32Array(length);
      const sent = condition === 'echo -20 dB' ? agent(index + 100, seconds) : silent;
      const lineNoise = noise(index + 200, length, 8, 'white');
      const added = {
        clean: silent,
        'white 15 dB': noise(index + 300, length, level * 10 ** (-15 / 20), 'white'),
        'car 10 dB': noise(index + 300, length, level * 10 ** (-10 / 20), 'car'),
        'echo -20 dB': echoOf(sent, index + 400, -20),
        'loss 5 %': silent,
        'car 10 dB + loss 5 %': noise(index + 300, length, level * 10 ** (-10 / 20), 'car'),
      }[condition];
      const line = overLine(mix(speech.pcm, lineNoise, added), sent, index + 500, condition.includes('loss') ? 0.05 : 0);
      const utterances = speech.utterances.map(({ from, to }) => ({ from: from * 2, to: to * 2 }));
      return { ...toCall(line), condition, utterances };
    }),
  );
}

/** Nobody speaks but us; it comes back over `paths` different lines. */
export function echoSet(paths: number, seconds: number, db: number, first = 0): (SimCall & { readonly line: Line })[] {
  return Array.from({ length: paths }, (_, path) => {
    const index = first + path;
    const sent = agent(index + 1000, seconds);
    const lineNoise = noise(index + 1100, seconds * RATE_HZ, 8, 'white');
    return toCall(overLine(mix(echoOf(sent, index + 1200, db), lineNoise), sent, 0, 0));
  });
}

/** Nobody speaks: keys, knocks, music, ringing, breath. */
export function soundSet(calls: number, seconds: number): (SimCall & { readonly line: Line })[] {
  return Array.from({ length: calls }, (_, index) => {
    const pcm = mix(sounds(index + 2000, seconds), noise(index + 2100, seconds * RATE_HZ, 8, 'white'));
    return toCall(overLine(pcm, new Float32Array(pcm.length), 0, 0));
  });
}

/** When the detector said so: the first moment at which it was in speech between the onset and the utterance's end + 300 ms. */
export function onsetKnown(events: readonly SimEvent[], from: number, to: number): number | null {
  const limit = to + 4800;
  let speaking: number | null = null;
  for (const event of events) {
    if (event.known > limit) break;
    if (event.t === 'speech-start') speaking = event.known;
    else {
      // Speech that the detector ended before this utterance began is another one's.
      if (speaking !== null && event.known > from + 1600) return Math.max(from, speaking);
      speaking = null;
    }
  }
  return speaking === null ? null : Math.max(from, speaking);
}

/** Times in ms against the true rims of what was said; `strays`: starts that belong to no utterance. */
export function against(set: readonly Labelled[], events: readonly (readonly SimEvent[])[]) {
  const [onsets, overEcho, ends]: [number[], number[], number[]] = [[], [], []];
  let strays = 0;
  for (const [index, { condition, utterances }] of set.entries()) {
    const mine = events[index] ?? [];
    strays += mine.filter(
      ({ t, sample }) => t === 'speech-start' && !utterances.some(({ from, to }) => sample > from - 4800 && sample < to + 3200),
    ).length;
    for (const { from, to } of utterances) {
      const known = onsetKnown(mine, from, to);
      if (known !== null) (condition.includes('echo') ? overEcho : onsets).push((known - from) / 16);
      const end = lastPause(mine, to);
      if (end !== null && !condition.includes('echo')) ends.push((end - to) / 16);
    }
  }
  return { onsets, overEcho, ends, strays };
}

/** When the pause became known that no start followed within 600 ms of the utterance's end. */
function lastPause(events: readonly SimEvent[], to: number): number | null {
  const last = events.filter(({ t, known }) => t === 'speech-end' && known > to - 3200 && known < to + 16_000).at(-1);
  if (last === undefined) return null;
  return events.some(({ t, known }) => t === 'speech-start' && known > last.known && known < to + 9600) ? null : last.known;
}
