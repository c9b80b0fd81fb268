/** Rational resampling by a windowed sinc (Kaiser), one filter per output phase. Offline only: clips of a few seconds. */

/** Zero crossings of the sinc on each side, at the lower of the two rates. */
const LOBES = 24;
const KAISER_BETA = 8;
/** Pass band edge as a share of the lower Nyquist frequency: leaves room for the filter's slope before aliases. */
const PASS = 0.93;

/** Resamples mono PCM. The filter is symmetrical: no delay; sample n of the result is at time n / toHz. */
export function resample(pcm: Int16Array, fromHz: number, toHz: number): Float64Array {
  if (fromHz === toHz) return Float64Array.from(pcm);
  const divisor = gcd(fromHz, toHz);
  const up = toHz / divisor;
  const down = fromHz / divisor;
  // Cut-off in cycles per input sample.
  const cut = (Math.min(fromHz, toHz) / 2 / fromHz) * PASS;
  const half = Math.ceil(LOBES / (2 * cut));
  const phases = Array.from({ length: up }, (_, phase) => taps(phase / up, cut, half));
  const out = new Float64Array(Math.ceil((pcm.length * up) / down));
  for (let n = 0; n < out.length; n++) {
    const position = n * down;
    const centre = Math.floor(position / up);
    const filter = phases[position % up] ?? new Float64Array(0);
    let sum = 0;
    for (let k = 0; k < filter.length; k++) sum += (filter[k] ?? 0) * (pcm[centre + k - half + 1] ?? 0);
    out[n] = sum;
  }
  return out;
}

/** Filter for an output instant `fraction` of an input sample after the centre; tap k weighs input centre + k - half + 1. */
function taps(fraction: number, cut: number, half: number): Float64Array {
  const filter = new Float64Array(2 * half);
  let sum = 0;
  for (let k = 0; k < filter.length; k++) {
    const x = k - half + 1 - fraction;
    const window = bessel0(KAISER_BETA * Math.sqrt(Math.max(0, 1 - (x / half) ** 2))) / bessel0(KAISER_BETA);
    const sinc = x === 0 ? 1 : Math.sin(2 * Math.PI * cut * x) / (2 * Math.PI * cut * x);
    filter[k] = sinc * window;
    sum += sinc * window;
  }
  // Gain exactly 1 at 0 Hz in every phase, else a constant would ripple.
  return filter.map((tap) => tap / sum);
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
