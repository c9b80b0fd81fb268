/**
 * The recogniser that knows the answer: finds where the audio that it was given lies in the caller's script, by its loudness over time,
 * and says the words that end inside. So a partial is a true prefix, and audio that was cut too early loses its last word, as with a real engine.
 */
import type { Draws } from './draws.ts';
import type { Wav } from './wav.ts';

/** Length of one step of an envelope. */
export const STEP_MS = 10;

export interface ScriptWord {
  readonly text: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** RMS of each 10 ms. */
export function envelopeOf({ rateHz, pcm }: Wav): number[] {
  const step = Math.round((rateHz * STEP_MS) / 1000);
  const steps = Math.floor(pcm.length / step);
  return Array.from({ length: steps }, (_, i) => {
    let sum = 0;
    for (let j = i * step; j < (i + 1) * step; j++) sum += (pcm[j] ?? 0) ** 2;
    return Math.sqrt(sum / step);
  });
}

/**
 * Offset of `heard` in `script`, in steps, by normalised cross-correlation; negative when it begins before the script. Null when nothing fits
 * (correlation under 0.5): silence, noise, another call's audio.
 */
export function alignment(heard: readonly number[], script: readonly number[]): number | null {
  let best = 0.5;
  let offset: number | null = null;
  // At least half of what was heard must lie inside the script.
  const slack = Math.floor(heard.length / 2);
  for (let lag = -slack; lag <= script.length - heard.length + slack; lag++) {
    const score = correlation(heard, script, lag);
    if (score > best) {
      best = score;
      offset = lag;
    }
  }
  return offset;
}

function correlation(heard: readonly number[], script: readonly number[], lag: number): number {
  let product = 0;
  let heardPower = 0;
  let scriptPower = 0;
  for (let i = 0; i < heard.length; i++) {
    const a = heard[i] ?? 0;
    const b = script[i + lag] ?? 0;
    product += a * b;
    heardPower += a * a;
    scriptPower += b * b;
  }
  return heardPower === 0 || scriptPower === 0 ? 0 : product / Math.sqrt(heardPower * scriptPower);
}

/** How often the last word of a partial is not yet right. */
const LATE_CHANGE = 0.03;

/** Words that end inside the audio, times relative to it. */
export function hearWords(
  wav: Wav,
  envelope: readonly number[],
  words: readonly ScriptWord[],
  draws: Pick<Draws, 'uniform'>,
): ScriptWord[] {
  const heard = envelopeOf(wav);
  const offset = alignment(heard, envelope);
  if (offset === null) return [];
  const fromMs = offset * STEP_MS;
  const toMs = fromMs + heard.length * STEP_MS;
  const inside = words.filter((word) => word.fromMs >= fromMs - STEP_MS && word.toMs <= toMs + STEP_MS);
  const more = words.some((word) => word.toMs > toMs + STEP_MS);
  return inside.map((word, i) => {
    const changes = more && i === inside.length - 1 && draws.uniform() < LATE_CHANGE;
    return {
      text: changes ? word.text.slice(0, -1) || 'uh' : word.text,
      fromMs: Math.max(0, word.fromMs - fromMs),
      toMs: word.toMs - fromMs,
    };
  });
}
