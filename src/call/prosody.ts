/** How a voice sounded just before a pause: does its pitch fall, does it die away? Pure; 16 kHz samples of telephone speech. */
import type { Prosody } from '../contracts/index.ts';

const RATE_HZ = 16_000;
/** Telephone lines cut the fundamental of low voices; its period stays in the harmonics. */
const LOWEST_HZ = 75;
const HIGHEST_HZ = 400;
const WINDOW = 640;
const STEP = 320;
/** Normalised correlation above which a window has a pitch. */
const CLEAR = 0.5;
/** Half the samples are enough to find a period, and cost a quarter. */
const STRIDE = 2;
const LEAST_PITCHES = 4;

export function prosodyOf(pcm: Int16Array): Prosody {
  const pitches: { readonly atMs: number; readonly semitones: number }[] = [];
  for (let from = 0; from + 2 * WINDOW <= pcm.length; from += STEP) {
    const pitchHz = pitchOf(pcm, from);
    if (pitchHz !== null) pitches.push({ atMs: (from * 1000) / RATE_HZ, semitones: 12 * Math.log2(pitchHz) });
  }
  return { pitchSlope: slopeOf(pitches), levelDropDb: levelDrop(pcm) };
}

/** Fundamental of 40 ms by autocorrelation; null for noise and silence. */
function pitchOf(pcm: Int16Array, from: number): number | null {
  let best = 0;
  let bestLag = 0;
  for (let lag = Math.floor(RATE_HZ / HIGHEST_HZ); lag <= RATE_HZ / LOWEST_HZ; lag += STRIDE) {
    let [product, here, there] = [0, 1, 1];
    for (let i = from; i < from + WINDOW; i += STRIDE) {
      const [a, b] = [pcm[i] ?? 0, pcm[i + lag] ?? 0];
      product += a * b;
      here += a * a;
      there += b * b;
    }
    const correlation = product / Math.sqrt(here * there);
    // Twice the period correlates as well; the shorter one is meant unless the longer is clearly better.
    if (correlation > best + (bestLag === 0 ? 0 : 0.05)) [best, bestLag] = [correlation, lag];
  }
  return best >= CLEAR && bestLag > 0 ? RATE_HZ / bestLag : null;
}

/** Semitones per second by least squares over the last pitches. */
function slopeOf(pitches: readonly { readonly atMs: number; readonly semitones: number }[]): number | null {
  if (pitches.length < LEAST_PITCHES) return null;
  const meanMs = pitches.reduce((sum, { atMs }) => sum + atMs, 0) / pitches.length;
  const mean = pitches.reduce((sum, { semitones }) => sum + semitones, 0) / pitches.length;
  let [product, square] = [0, 0];
  for (const { atMs, semitones } of pitches) {
    product += (atMs - meanMs) * (semitones - mean);
    square += (atMs - meanMs) ** 2;
  }
  // Octave errors are no melody.
  return square === 0 ? null : Math.max(-30, Math.min(30, (product / square) * 1000));
}

/** Level of the last 100 ms against the 300 ms before. */
function levelDrop(pcm: Int16Array): number | null {
  const last = 1600;
  if (pcm.length < 4 * last) return null;
  const energy = (from: number, to: number): number => {
    let sum = 1;
    for (let i = from; i < to; i++) sum += (pcm[i] ?? 0) ** 2;
    return sum / (to - from);
  };
  return 10 * Math.log10(energy(pcm.length - last, pcm.length) / energy(pcm.length - 4 * last, pcm.length - last));
}
