/** G.711 (ITU-T), both laws, written for the caller alone: it must not share a table with the engine that it checks. */

export type Law = 'ulaw' | 'alaw';

const ULAW_BIAS = 0x84;
const ULAW_CLIP = 32635;

function ulawOf(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), ULAW_CLIP) + ULAW_BIAS;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

function linearOfUlaw(code: number): number {
  const bits = ~code & 0xff;
  const exponent = (bits >> 4) & 7;
  const magnitude = ((((bits & 0x0f) << 3) + ULAW_BIAS) << exponent) - ULAW_BIAS;
  return bits & 0x80 ? -magnitude : magnitude;
}

function alawOf(sample: number): number {
  // 13 bits of magnitude and sign; negative values mirror at -1, as the standard's table does.
  const positive = sample >= 0;
  const magnitude = Math.min((positive ? sample : -sample - 1) >> 3, 4095);
  const exponent = magnitude < 32 ? 0 : 31 - Math.clz32(magnitude) - 4;
  const mantissa = (exponent === 0 ? magnitude >> 1 : magnitude >> exponent) & 0x0f;
  return ((positive ? 0x80 : 0) | (exponent << 4) | mantissa) ^ 0x55;
}

function linearOfAlaw(code: number): number {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = bits & 0x0f;
  const magnitude = exponent === 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

const DECODE: Readonly<Record<Law, Int16Array>> = {
  ulaw: Int16Array.from({ length: 256 }, (_, code) => linearOfUlaw(code)),
  alaw: Int16Array.from({ length: 256 }, (_, code) => linearOfAlaw(code)),
};

/** 16-bit linear to one byte per sample. */
export function encode(law: Law, pcm: Int16Array): Uint8Array {
  const one = law === 'ulaw' ? ulawOf : alawOf;
  return Uint8Array.from(pcm, (sample) => one(sample));
}

/** One byte per sample to 16-bit linear. */
export function decode(law: Law, bytes: Uint8Array): Int16Array {
  const table = DECODE[law];
  return Int16Array.from(bytes, (code) => table[code] ?? 0);
}

/** The byte that means silence. */
export function silenceByte(law: Law): number {
  return law === 'ulaw' ? 0xff : 0xd5;
}

/** What a telephone line leaves of the audio: there and back through the law. */
export function throughLine(pcm: Int16Array, law: Law = 'ulaw'): Int16Array {
  return decode(law, encode(law, pcm));
}
