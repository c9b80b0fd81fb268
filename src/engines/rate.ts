/**
 * A rate limit, pure: the generic cell rate algorithm (ITU-T I.371). One number says when the engine would be free if every request were spread
 * out evenly; `burst` requests may come before their time.
 */
export interface RateOptions {
  readonly perMinute: number;
  /** At least 1. */
  readonly burst: number;
}

/** Theoretical arrival time of the next request, ms. */
export type RateState = number;

/** How long this request has to wait, and the state if it does. */
export function reserve(state: RateState, atMs: number, { perMinute, burst }: RateOptions): readonly [RateState, number] {
  const intervalMs = 60_000 / perMinute;
  const dueMs = Math.max(state, atMs);
  return [dueMs + intervalMs, Math.max(0, dueMs - (burst - 1) * intervalMs - atMs)];
}
