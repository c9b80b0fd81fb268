/** Sounds and the means to recognise them. */

export function tone(samples: number, options: { rateHz?: number; hz?: number; amplitude?: number } = {}): Int16Array {
  const { rateHz = 8000, hz = 440, amplitude = 8000 } = options;
  return Int16Array.from({ length: samples }, (_, n) => Math.round(amplitude * Math.sin((2 * Math.PI * hz * n) / rateHz)));
}

export function rms(pcm: Int16Array): number {
  return Math.sqrt(pcm.reduce((sum, s) => sum + s * s, 0) / Math.max(1, pcm.length));
}

/** Amplitude of one frequency (Goertzel by definition: projection on sine and cosine). */
export function amplitudeAt(pcm: Int16Array, hz: number, rateHz: number): number {
  let re = 0;
  let im = 0;
  pcm.forEach((s, n) => {
    re += s * Math.cos((2 * Math.PI * hz * n) / rateHz);
    im += s * Math.sin((2 * Math.PI * hz * n) / rateHz);
  });
  return (2 * Math.hypot(re, im)) / Math.max(1, pcm.length);
}

/** L16 network order (RFC 3551 4.5.11). */
export function toL16(pcm: Int16Array): Buffer {
  const bytes = Buffer.alloc(pcm.length * 2);
  pcm.forEach((s, n) => bytes.writeInt16BE(s, n * 2));
  return bytes;
}

export function fromL16(bytes: Buffer): Int16Array {
  return Int16Array.from({ length: bytes.length >> 1 }, (_, n) => bytes.readInt16BE(n * 2));
}

/** G.711 mu-law by its definition, independent of the code under test. */
export function ulawToPcm(code: number): number {
  const inverted = ~code & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 7)) - 0x84;
  return (inverted & 0x80) !== 0 ? -magnitude : magnitude;
}

const ULAW_BY_LEVEL = Array.from({ length: 256 }, (_, code) => ({ code, level: ulawToPcm(code) })).sort((a, b) => a.level - b.level);

/** The nearest mu-law code, by search. */
export function pcmToUlaw(pcm: Int16Array): Buffer {
  return Buffer.from(
    pcm.map((s) => {
      let low = 0;
      let high = ULAW_BY_LEVEL.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((ULAW_BY_LEVEL[middle]?.level ?? 0) <= s) low = middle;
        else high = middle;
      }
      const below = ULAW_BY_LEVEL[low];
      const above = ULAW_BY_LEVEL[high];
      return Math.abs((below?.level ?? 0) - s) <= Math.abs((above?.level ?? 0) - s) ? (below?.code ?? 0) : (above?.code ?? 0);
    }),
  );
}
