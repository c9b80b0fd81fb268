/**
 * Mono PCM at another rate, by straight lines between samples. Only for the rest of a sentence that a second engine has to finish at the
 * rate of the first one: everything else is resampled by the media engine.
 */
export function atRate(pcm: Int16Array, fromHz: number, toHz: number): Int16Array {
  if (fromHz === toHz || pcm.length === 0) return pcm;
  const out = new Int16Array(Math.max(1, Math.round((pcm.length * toHz) / fromHz)));
  for (let n = 0; n < out.length; n++) {
    const place = (n * fromHz) / toHz;
    const left = Math.min(pcm.length - 1, Math.floor(place));
    const [a = 0, b = a] = [pcm[left], pcm[Math.min(pcm.length - 1, left + 1)]];
    out[n] = Math.round(a + (b - a) * (place - left));
  }
  return out;
}
