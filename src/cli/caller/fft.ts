/** A radix-2 complex FFT in place, and cross-correlation by blocks (overlap-save). */

export class Fft {
  readonly size: number;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  readonly #reversed: Uint32Array;

  /** `size` must be a power of two. */
  constructor(size: number) {
    this.size = size;
    this.#cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.#sin = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    this.#reversed = new Uint32Array(size);
    const bits = Math.log2(size);
    for (let i = 1; i < size; i++) this.#reversed[i] = ((this.#reversed[i >> 1] ?? 0) >> 1) | ((i & 1) << (bits - 1));
  }

  /** Forward transform of re + i im, in place, unscaled. Swap the two arguments for the inverse (then divide by size). */
  transform(re: Float64Array, im: Float64Array): void {
    const { size } = this;
    for (let i = 0; i < size; i++) {
      const j = this.#reversed[i] ?? 0;
      if (j <= i) continue;
      const [r, m] = [re[i] ?? 0, im[i] ?? 0];
      re[i] = re[j] ?? 0;
      im[i] = im[j] ?? 0;
      re[j] = r;
      im[j] = m;
    }
    for (let span = 1; span < size; span *= 2) this.#butterflies(re, im, span);
  }

  #butterflies(re: Float64Array, im: Float64Array, span: number): void {
    const { size } = this;
    const cos = this.#cos;
    const sin = this.#sin;
    const stride = size / (2 * span);
    for (let start = 0; start < size; start += 2 * span) {
      for (let k = 0, w = 0; k < span; k++, w += stride) {
        const a = start + k;
        const b = a + span;
        const c = cos[w] as number;
        const s = sin[w] as number;
        const br = re[b] as number;
        const bi = im[b] as number;
        const tr = br * c + bi * s;
        const ti = bi * c - br * s;
        const ar = re[a] as number;
        const ai = im[a] as number;
        re[b] = ar - tr;
        im[b] = ai - ti;
        re[a] = ar + tr;
        im[a] = ai + ti;
      }
    }
  }
}

interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Correlates many short probes with one long signal: its spectra are computed once. */
export class Correlator {
  readonly #fft: Fft;
  readonly #step: number;
  readonly #length: number;
  readonly #blocks: Spectrum[] = [];

  constructor(signal: Float64Array, maxProbe: number, blockSize = 65_536) {
    const size = Math.max(blockSize, 2 ** Math.ceil(Math.log2(2 * maxProbe)));
    this.#fft = new Fft(size);
    this.#step = size - maxProbe;
    this.#length = signal.length;
    for (let at = 0; at < signal.length; at += this.#step) {
      const re = new Float64Array(size);
      re.set(signal.subarray(at, at + size));
      const im = new Float64Array(size);
      this.#fft.transform(re, im);
      this.#blocks.push({ re, im });
    }
  }

  /** sum over k of signal[n + k] * probe[k], for every n; two probes for the price of one, as real and imaginary part. */
  correlate(probe: Float64Array, second: Float64Array = new Float64Array(0)): [Float64Array, Float64Array] {
    const { size } = this.#fft;
    const qr = new Float64Array(size);
    const qi = new Float64Array(size);
    qr.set(probe);
    qi.set(second);
    this.#fft.transform(qr, qi);
    const out: [Float64Array, Float64Array] = [new Float64Array(this.#length), new Float64Array(this.#length)];
    const re = new Float64Array(size);
    const im = new Float64Array(size);
    this.#blocks.forEach((block, index) => {
      for (let f = 0; f < size; f++) {
        const mirror = f === 0 ? 0 : size - f;
        const hr = block.re[f] as number;
        const hi = block.im[f] as number;
        const pr = qr[mirror] as number;
        const pi = qi[mirror] as number;
        re[f] = hr * pr - hi * pi;
        im[f] = hr * pi + hi * pr;
      }
      this.#fft.transform(im, re); // swapped: the inverse
      const at = index * this.#step;
      const count = Math.min(this.#step, this.#length - at);
      for (let n = 0; n < count; n++) {
        out[0][at + n] = (re[n] as number) / size;
        out[1][at + n] = (im[n] as number) / size;
      }
    });
    return out;
  }
}
