/**
 * One time line for a call. The turn engine counts milliseconds of the caller's audio (sample 0 = 0 ms);
 * the media threads stamp events with CLOCK_MONOTONIC. The offset is learnt from events that carry both.
 */
import { CALLER_RATE_HZ } from '../contracts/index.ts';

const SAMPLES_PER_MS = CALLER_RATE_HZ / 1000;
/** Jitter is less. */
const AHEAD_MS = 60;

export class Timeline {
  /** Monotonic microseconds at caller sample 0. */
  #zeroUs: number;

  constructor(openedUs: number) {
    this.#zeroUs = openedUs;
  }

  /** The engine has written `sample` caller samples at `atUs`. */
  anchor(sample: number, atUs: number): void {
    this.#zeroUs = atUs - (sample / SAMPLES_PER_MS) * 1000;
  }

  /** Audio came faster than time: what was late, lost or silent has been filled in. The audio is right. */
  follow(sample: number, nowUs: number): void {
    if (sample / SAMPLES_PER_MS > this.ms(nowUs) + AHEAD_MS) this.anchor(sample, nowUs);
  }

  ms(atUs: number): number {
    return (atUs - this.#zeroUs) / 1000;
  }

  us(atMs: number): number {
    return this.#zeroUs + atMs * 1000;
  }

  usOfSample(sample: number): number {
    return this.us(sample / SAMPLES_PER_MS);
  }
}
