/** The labelled set: callers with known onsets under clean, noisy, echoing and lossy lines; and our own echo alone. */
import { activeRms, agent, caller, echoOf, mix, noise, overLine, RATE_HZ, sounds, toRing, type Line } from './audio.ts';
import { gateEdges, type GateSettings } from './gate.ts';
import type { SimCall, SimEvent } from './sim.ts';

export const CONDITIONS = ['clean', 'white 15 dB', 'car 10 dB', 'echo -20 dB', 'loss 5 %', 'car 10 dB + loss 5 %'] as const;

export interface Labelled extends SimCall {
  readonly condition: (typeof CONDITIONS)[number];
  readonly line: Line;
  /** 16 kHz samples. */
  readonly utterances: readonly { readonly from: number; readonly to: number }[];
}

/** The same lines with another gate. */
export function withGate<T extends { readonly line: Line }>(calls: readonly T[], settings: GateSettings): T[] {
  return calls.map((call) => ({ ...call, edges: gateEdges(call.line, settings) }));
}

function toCall(line: Line): SimCall & { readonly line: Line } {
  return { pcm: toRing(line.caller), edges: gateEdges(line), line };
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
export function echoSet(paths: number, seconds: number, db: number): (SimCall & { readonly line: Line })[] {
  return Array.from({ length: paths }, (_, index) => {
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
    else if (event.t === 'speech-end' || event.t === 'drained') {
      // Speech that the detector ended before this utterance began is another one's.
      if (speaking !== null && event.known > from + 1600) return Math.max(from, speaking);
      speaking = null;
    }
  }
  return speaking === null ? null : Math.max(from, speaking);
}
