/**
 * Which frames to compute next. Pure.
 *
 * A chunk [from, to) of frames is computed inside a window with a margin on both sides, and the margin's output is thrown
 * away: so every kept value has seen all the frames it depends on. A window is never narrower than 65 frames (or the whole):
 * onnxruntime blocks the sums of narrower matrix products in another way, which changes the last bit of the result
 * (measured: 40 frames differ from the whole sentence by up to 5e-7, 65 and more are bit-identical). What a window of that
 * width yields beyond the wanted chunk costs nothing, so it is kept: the first chunk is as long as the narrowest window allows.
 */
export const NARROWEST = 65;

export interface Window {
  /** Frames computed: [from, to). */
  readonly from: number;
  readonly to: number;
  /** Frames kept: [keepFrom, keepTo). */
  readonly keepFrom: number;
  readonly keepTo: number;
}

/** The window that keeps at least frames [done, done + atLeast) of `total`, and as many as are exact in it. */
export function nextWindow(done: number, atLeast: number, total: number, margin: number): Window {
  let keepTo = Math.min(total, done + Math.max(1, atLeast));
  let from = Math.max(0, done - margin);
  const to = Math.min(total, Math.max(keepTo + margin, from + NARROWEST));
  // What is exact in this window anyway is kept.
  keepTo = to === total ? total : Math.max(keepTo, to - margin);
  from = Math.max(0, Math.min(from, to - NARROWEST));
  return { from, to, keepFrom: done, keepTo };
}

/** Frames wanted in the vocoder's chunk after `done`: short first, so that sound begins; then longer, so that margins cost little. */
export function chunkFrames(done: number, mostFrames: number): number {
  return done === 0 ? 1 : Math.min(mostFrames, Math.max(2 * done, 1));
}
