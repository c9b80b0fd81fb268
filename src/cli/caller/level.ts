/**
 * Where speech begins and ends: 10 ms of RMS above -45 dBov (0 dBov = a full-scale square wave). The same measure for the caller's own clips
 * and for what it hears, so that both ends of a latency are judged alike.
 */
export const RATE_HZ = 8000;
export const WINDOW_SAMPLES = 80;
/** -45 dBov as an amplitude of 16-bit PCM: 32768 * 10^(-45/20). */
export const VOICED_LEVEL = 184.3;

/** True when the RMS of pcm[from, to) is above -45 dBov. */
export function voiced(pcm: Int16Array, from = 0, to = pcm.length): boolean {
  return rms(pcm, from, to) > VOICED_LEVEL;
}

export function rms(pcm: Int16Array, from = 0, to = pcm.length): number {
  if (to <= from) return 0;
  let sum = 0;
  for (let i = from; i < to; i++) {
    const sample = pcm[i] ?? 0;
    sum += sample * sample;
  }
  return Math.sqrt(sum / (to - from));
}

export interface VoicedRange {
  /** Index of the first and of the last voiced sample (both inside). */
  readonly first: number;
  readonly last: number;
}

/** First and last voiced sample of a clip, or null when it holds none. */
export function voicedRange(pcm: Int16Array): VoicedRange | null {
  let first = -1;
  let last = -1;
  for (let from = 0; from < pcm.length; from += WINDOW_SAMPLES) {
    const to = Math.min(from + WINDOW_SAMPLES, pcm.length);
    if (!voiced(pcm, from, to)) continue;
    const edge = loudEdges(pcm, from, to);
    if (first < 0) first = edge.first;
    last = edge.last;
  }
  return first < 0 ? null : { first, last };
}

/** In a voiced window: the first and the last sample whose own size is above the level. */
export function loudEdges(pcm: Int16Array, from: number, to: number): VoicedRange {
  let first = from;
  while (first < to - 1 && Math.abs(pcm[first] ?? 0) <= VOICED_LEVEL) first++;
  let last = to - 1;
  while (last > first && Math.abs(pcm[last] ?? 0) <= VOICED_LEVEL) last--;
  return { first, last };
}
