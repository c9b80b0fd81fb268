/** Finds a steady tone in any bytes, whatever audio they may be: G.711, 16-bit samples of either order, floats; mono or one of two channels. */
import { ulawToPcm } from './pcm.ts';

/** Short enough to lie between two headers of packets. */
const WINDOW = 128;
/** Of each block some windows are looked at: a tone of a second fills several blocks. */
const BLOCK_BYTES = 4096;
const APART_BYTES = 2000;
/** Share of a window's energy that lies on the tone. A tone has nearly all of it, ciphertext and text a hundredth. */
const SHARE = 0.8;
/** Windows that must have it: a table of numbers may look like a few hundredths of a second of anything. */
const LEAST_WINDOWS = 4;
const RATES_HZ = [8000, 16_000, 48_000] as const;

type Decoder = (bytes: Buffer) => Float64Array;

const every = (bytes: Buffer, step: number, from: number, read: (at: number) => number): Float64Array =>
  Float64Array.from({ length: Math.max(0, Math.floor((bytes.length - from - 8) / step)) }, (_, n) => read(from + n * step));

/** G.711 A-law by its definition. */
function alawToPcm(code: number): number {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const magnitude = exponent === 0 ? ((bits & 0x0f) << 4) + 8 : (((bits & 0x0f) << 4) + 0x108) << (exponent - 1);
  return (bits & 0x80) !== 0 ? magnitude : -magnitude;
}

const DECODERS: readonly Decoder[] = [
  (bytes) => every(bytes, 1, 0, (at) => ulawToPcm(bytes.readUInt8(at))),
  (bytes) => every(bytes, 1, 0, (at) => alawToPcm(bytes.readUInt8(at))),
  ...[0, 1].flatMap((odd): readonly Decoder[] => [
    (bytes) => every(bytes, 2, odd, (at) => bytes.readInt16LE(at)),
    (bytes) => every(bytes, 2, odd, (at) => bytes.readInt16BE(at)),
    (bytes) => every(bytes, 4, odd, (at) => bytes.readInt16LE(at)),
    (bytes) => every(bytes, 4, odd + 2, (at) => bytes.readInt16LE(at)),
  ]),
  ...[0, 1, 2, 3].map(
    (odd): Decoder =>
      (bytes) =>
        every(bytes, 4, odd, (at) => Math.max(-4, Math.min(4, bytes.readFloatLE(at) || 0))),
  ),
];

/** Whether something of it is this tone. */
export function holdsTone(bytes: Buffer, hz: number): boolean {
  const found = new Map<Decoder, number>();
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const end = Math.min(bytes.length, block + BLOCK_BYTES);
    if (bytes.subarray(block, end).every((byte) => byte === 0)) continue;
    for (let from = block; from < end; from += APART_BYTES) {
      const piece = bytes.subarray(from, from + WINDOW * 4 + 16);
      for (const decode of DECODERS) {
        const window = decode(piece).subarray(0, WINDOW);
        if (window.length < WINDOW || !RATES_HZ.some((rate) => shareOf(window, hz / rate) > SHARE)) continue;
        found.set(decode, (found.get(decode) ?? 0) + 1);
        if ((found.get(decode) ?? 0) >= LEAST_WINDOWS) return true;
      }
    }
  }
  return false;
}

/** Energy at this frequency (cycles per sample) among all that is not constant; 0 for silence. */
function shareOf(window: Float64Array, cycles: number): number {
  const mean = window.reduce((sum, sample) => sum + sample, 0) / window.length;
  const turn = 2 * Math.cos(2 * Math.PI * cycles);
  let [before, last, energy] = [0, 0, 0];
  for (const sample of window) {
    const value = sample - mean;
    energy += value * value;
    [before, last] = [last, value + turn * last - before];
  }
  if (energy < 1e-6) return 0;
  const power = last * last + before * before - turn * last * before;
  return (2 * power) / (window.length * energy);
}
