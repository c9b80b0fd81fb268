/** 16 kHz to 8 kHz for the model. */

/** Half-band low-pass of 11 taps: the centre, and the odd taps of one side (the even ones are zero). -6 dB at 4 kHz. */
const CENTRE = 0.5;
const SIDE = [0.3072, -0.0694, 0.0122] as const;
/** Samples before the first one that it needs; it delays by half of them. */
export const HISTORY = 10;

/** `wide` holds HISTORY samples, then 2 x `narrow`. PCM becomes -1..1. */
export function decimate(wide: Int16Array, narrow: Float32Array): void {
  const [a, b, c] = SIDE;
  for (let i = 0; i < narrow.length; i++) {
    const at = 2 * i + HISTORY / 2;
    const sum =
      CENTRE * (wide[at] ?? 0) +
      a * ((wide[at - 1] ?? 0) + (wide[at + 1] ?? 0)) +
      b * ((wide[at - 3] ?? 0) + (wide[at + 3] ?? 0)) +
      c * ((wide[at - 5] ?? 0) + (wide[at + 5] ?? 0));
    narrow[i] = sum / 32768;
  }
}
