/** ITU-T G.711 mu-law for the bench's callers: a table each way. */
const BIAS = 0x84;
const CLIP = 32635;

function encodeOne(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 7);
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function decodeOne(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + BIAS) << ((code >> 4) & 7)) - BIAS;
  return (code & 0x80) === 0 ? magnitude : -magnitude;
}

const ENCODE = Uint8Array.from({ length: 65536 }, (_, i) => encodeOne(i - 32768));
const DECODE = Int16Array.from({ length: 256 }, (_, i) => decodeOne(i));

export const encode = (sample: number): number => ENCODE[Math.max(-32768, Math.min(32767, Math.round(sample))) + 32768]!;
export const decode = (payload: Uint8Array): Int16Array => Int16Array.from(payload, (byte) => DECODE[byte]!);
