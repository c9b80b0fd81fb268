/**
 * Log-mel features as Whisper's encoders want them (openai/whisper audio.py; Smart Turn uses the same over 8 s): periodic Hann window
 * of 400 samples every 160, power spectrum, 80 Slaney mel bands up to 8 kHz, log10 no lower than 8 below the loudest, (x + 4) / 4.
 */
export const BANDS = 80;
const RATE_HZ = 16_000;
const SIZE = 400;
const HOP = 160;
const BINS = SIZE / 2 + 1;
const LEAST = 1e-10;
const RANGE = 8;

const COS = Float64Array.from({ length: SIZE }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const SIN = Float64Array.from({ length: SIZE }, (_, i) => -Math.sin((2 * Math.PI * i) / SIZE));
const HANN = Float64Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));

/** Discrete Fourier transform of SIZE real samples, by factors 2 and 5. */
class Spectrum {
  readonly re = new Float64Array(SIZE);
  readonly im = new Float64Array(SIZE);
  readonly #re = new Float64Array(5);
  readonly #im = new Float64Array(5);

  of(samples: Float64Array): void {
    this.#transform(samples, { length: SIZE, stride: 1, from: 0, to: 0 });
  }

  #transform(samples: Float64Array, part: { length: number; stride: number; from: number; to: number }): void {
    const { length, stride, from, to } = part;
    if (length === 1) {
      [this.re[to], this.im[to]] = [samples[from] ?? 0, 0];
      return;
    }
    const factor = length % 2 === 0 ? 2 : 5;
    const inner = length / factor;
    for (let r = 0; r < factor; r++)
      this.#transform(samples, { length: inner, stride: stride * factor, from: from + r * stride, to: to + r * inner });
    for (let k = 0; k < inner; k++) this.#butterfly(to + k, { factor, inner, turn: k * stride });
  }

  #butterfly(at: number, { factor, inner, turn }: { factor: number; inner: number; turn: number }): void {
    const [re, im] = [this.#re, this.#im];
    for (let r = 0; r < factor; r++) {
      const [c, s] = [COS[(r * turn) % SIZE] ?? 0, SIN[(r * turn) % SIZE] ?? 0];
      const [x, y] = [this.re[at + r * inner] ?? 0, this.im[at + r * inner] ?? 0];
      [re[r], im[r]] = [x * c - y * s, x * s + y * c];
    }
    for (let q = 0; q < factor; q++) {
      let [sumRe, sumIm] = [0, 0];
      for (let r = 0; r < factor; r++) {
        const angle = ((q * r * SIZE) / factor) % SIZE;
        const [c, s] = [COS[angle] ?? 0, SIN[angle] ?? 0];
        sumRe += (re[r] ?? 0) * c - (im[r] ?? 0) * s;
        sumIm += (re[r] ?? 0) * s + (im[r] ?? 0) * c;
      }
      [this.re[at + q * inner], this.im[at + q * inner]] = [sumRe, sumIm];
    }
  }
}

const melOf = (hz: number): number => (hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4));
const hzOf = (mel: number): number => (mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((Math.log(6.4) * (mel - 15)) / 27));

interface Band {
  readonly first: number;
  readonly weights: readonly number[];
}

/** Triangles of equal area, side by side on the mel scale. */
const FILTERS: readonly Band[] = (() => {
  const edges = Array.from({ length: BANDS + 2 }, (_, i) => hzOf((melOf(RATE_HZ / 2) * i) / (BANDS + 1)));
  return Array.from({ length: BANDS }, (_, band) => {
    const [low = 0, middle = 0, high = 0] = edges.slice(band, band + 3);
    const all = Array.from({ length: BINS }, (_, bin) => {
      const hz = (bin * RATE_HZ) / SIZE;
      return (Math.max(0, Math.min((hz - low) / (middle - low), (high - hz) / (high - middle))) * 2) / (high - low);
    });
    const first = all.findIndex((weight) => weight > 0);
    return first < 0 ? { first: 0, weights: [] } : { first, weights: all.slice(first, all.findLastIndex((weight) => weight > 0) + 1) };
  });
})();

/** Features [BANDS x frames], band after band, of `frames` x 160 samples. */
export function logMel(samples: Float32Array, frames: number): Float32Array {
  const features = new Float32Array(BANDS * frames);
  const spectrum = new Spectrum();
  const window = new Float64Array(SIZE);
  const power = new Float64Array(BINS);
  let loudest = -Infinity;
  for (let frame = 0; frame < frames; frame++) {
    const from = frame * HOP - SIZE / 2;
    for (let i = 0; i < SIZE; i++) window[i] = mirrored(samples, from + i) * (HANN[i] ?? 0);
    spectrum.of(window);
    for (let bin = 0; bin < BINS; bin++) power[bin] = (spectrum.re[bin] ?? 0) ** 2 + (spectrum.im[bin] ?? 0) ** 2;
    FILTERS.forEach(({ first, weights }, band) => {
      const energy = weights.reduce((sum, weight, i) => sum + weight * (power[first + i] ?? 0), 0);
      const level = Math.log10(Math.max(LEAST, energy));
      loudest = Math.max(loudest, level);
      features[band * frames + frame] = level;
    });
  }
  return features.map((level) => (Math.max(level, loudest - RANGE) + 4) / 4);
}

/** Both ends reflect, as librosa and torch pad. */
function mirrored(samples: Float32Array, at: number): number {
  const last = samples.length - 1;
  const inside = at < 0 ? -at : at > last ? 2 * last - at : at;
  return samples[inside] ?? 0;
}

/** Zero mean, unit variance. */
export function normalised(samples: Float32Array): Float32Array {
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  const variance = samples.reduce((sum, sample) => sum + (sample - mean) ** 2, 0) / samples.length;
  const scale = 1 / Math.sqrt(variance + 1e-7);
  return samples.map((sample) => (sample - mean) * scale);
}
