/**
 * EXPERIMENT: an in-band mark of synthetic speech. A pseudo-random sequence of one second, repeated, shaped by the level of the speech
 * itself (so that it hides under it), is added to the voice; a detector that knows the sequence folds what it hears into one second and
 * correlates. Not in the product: bench/README.md says what it reaches and what it does not.
 */
const RATE_HZ = 8000;
const PERIOD = 8192;
/** Level of the mark below the speech around it. */
export const MARK_DB = -22;
const ENVELOPE = 160;

/** +1 and -1, band limited by differencing: more where the ear and G.711 are less exact. */
function sequence(seed: number): Float64Array {
  let state = seed >>> 0 || 1;
  const chips = Float64Array.from({ length: PERIOD }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 1) === 0 ? 1 : -1;
  });
  return chips.map((chip, i) => (chip - (chips[(i + PERIOD - 1) % PERIOD] ?? 0)) / Math.SQRT2);
}

const envelope = (pcm: ArrayLike<number>): Float64Array => {
  const out = new Float64Array(pcm.length);
  for (let from = 0; from < pcm.length; from += ENVELOPE) {
    const to = Math.min(pcm.length, from + ENVELOPE);
    let sum = 0;
    for (let i = from; i < to; i++) sum += (pcm[i] ?? 0) ** 2;
    out.fill(Math.sqrt(sum / (to - from)), from, to);
  }
  return out;
};

/** The speech with its mark; 8 kHz. */
export function marked(pcm: Int16Array, seed: number, levelDb = MARK_DB): Int16Array {
  const chips = sequence(seed);
  const levels = envelope(pcm);
  const gain = 10 ** (levelDb / 20);
  return pcm.map((sample, i) => {
    const value = sample + (levels[i] ?? 0) * gain * (chips[i % PERIOD] ?? 0);
    return Math.max(-32_768, Math.min(32_767, Math.round(value)));
  });
}

/** How far the best alignment stands above what chance gives, in standard deviations. */
export function markScore(pcm: Int16Array, seed: number): number {
  const chips = sequence(seed);
  // Speech is predictable from sample to sample, the mark is not: what is left of it after a prediction is mostly noise.
  const residue = whitened(pcm);
  const folded = new Float64Array(PERIOD);
  residue.forEach((value, i) => (folded[i % PERIOD] = (folded[i % PERIOD] ?? 0) + value));
  const scores = correlate(folded, whitened(chips));
  const mean = scores.reduce((sum, score) => sum + score, 0) / PERIOD;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / PERIOD);
  return (Math.max(...scores) - mean) / deviation;
}

/** Linear prediction of order 10, block by block of 20 ms (autocorrelation, Levinson-Durbin), each block to the same level. */
function whitened(pcm: ArrayLike<number>): Float64Array {
  const order = 10;
  const out = new Float64Array(pcm.length);
  for (let from = 0; from + ENVELOPE <= pcm.length; from += ENVELOPE) {
    const r = Array.from({ length: order + 1 }, (_, lag) => {
      let sum = lag === 0 ? 1 : 0;
      for (let i = from + lag; i < from + ENVELOPE; i++) sum += (pcm[i] ?? 0) * (pcm[i - lag] ?? 0);
      return sum;
    });
    const a = levinson(r);
    let energy = 1e-9;
    for (let i = from; i < from + ENVELOPE; i++) {
      let value = pcm[i] ?? 0;
      for (let k = 1; k <= order; k++) value += (a[k] ?? 0) * (pcm[i - k] ?? 0);
      out[i] = value;
      energy += value * value;
    }
    const scale = Math.sqrt(ENVELOPE / energy);
    for (let i = from; i < from + ENVELOPE; i++) out[i] = (out[i] ?? 0) * scale;
  }
  return out;
}

function levinson(r: readonly number[]): number[] {
  let a = [1];
  let error = r[0] ?? 1;
  for (let n = 1; n < r.length; n++) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += (a[k] ?? 0) * (r[n - k] ?? 0);
    const reflection = -sum / error;
    const next = [...a, 0];
    a = next.map((value, k) => value + reflection * (next[n - k] ?? 0));
    error *= 1 - reflection * reflection;
  }
  return a;
}

/** Circular, by FFT: scores of all alignments. */
function correlate(one: Float64Array, other: Float64Array): Float64Array {
  const [ar, ai] = fft(one);
  const [br, bi] = fft(other);
  const re = ar.map((value, i) => value * (br[i] ?? 0) + (ai[i] ?? 0) * (bi[i] ?? 0));
  const im = ar.map((value, i) => (ai[i] ?? 0) * (br[i] ?? 0) - value * (bi[i] ?? 0));
  // The inverse is the forward transform of the conjugate.
  const [back] = fft(
    re,
    im.map((value) => -value),
  );
  return back;
}

function fft(re: Float64Array, im: Float64Array = new Float64Array(re.length)): [Float64Array, Float64Array] {
  const n = re.length;
  if (n === 1) return [re.slice(), im.slice()];
  const half = (of: Float64Array, odd: number): Float64Array => Float64Array.from({ length: n / 2 }, (_, i) => of[2 * i + odd] ?? 0);
  const [er, ei] = fft(half(re, 0), half(im, 0));
  const [or, oi] = fft(half(re, 1), half(im, 1));
  const outRe = new Float64Array(n);
  const outIm = new Float64Array(n);
  for (let k = 0; k < n / 2; k++) {
    const angle = (-2 * Math.PI * k) / n;
    const tr = Math.cos(angle) * (or[k] ?? 0) - Math.sin(angle) * (oi[k] ?? 0);
    const ti = Math.sin(angle) * (or[k] ?? 0) + Math.cos(angle) * (oi[k] ?? 0);
    outRe[k] = (er[k] ?? 0) + tr;
    outIm[k] = (ei[k] ?? 0) + ti;
    outRe[k + n / 2] = (er[k] ?? 0) - tr;
    outIm[k + n / 2] = (ei[k] ?? 0) - ti;
  }
  return [outRe, outIm];
}

export const MARK_RATE_HZ = RATE_HZ;
