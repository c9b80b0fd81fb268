const FRAME_MS = 5;
/** -54 dBFS over 5 ms: quieter than any consonant of a synthetic voice. */
const QUIET = 65;

function isQuiet(pcm: Int16Array, from: number, to: number): boolean {
  let sum = 0;
  for (let i = from; i < to; i++) sum += (pcm[i] ?? 0) ** 2;
  return sum <= QUIET * QUIET * (to - from);
}

/**
 * Cuts silence: all but 5 ms in front (a caller would hear it as our slowness), all but `keepMs` behind.
 * Returns a copy; empty when all is silence.
 */
export function trimSilence(pcm: Int16Array, rateHz: number, keepMs = 80): Int16Array {
  const frame = Math.max(1, Math.round((rateHz * FRAME_MS) / 1000));
  const frames = Math.ceil(pcm.length / frame);
  const quiet = (index: number): boolean => isQuiet(pcm, index * frame, Math.min(pcm.length, (index + 1) * frame));
  let first = 0;
  while (first < frames && quiet(first)) first++;
  if (first === frames) return new Int16Array(0);
  let last = frames - 1;
  while (last > first && quiet(last)) last--;
  const from = Math.max(0, first - 1) * frame;
  const to = Math.min(pcm.length, (last + 1) * frame + Math.round((rateHz * keepMs) / 1000));
  return pcm.slice(from, to);
}
