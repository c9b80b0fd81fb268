import type { Thresholds } from './messages.ts';

export const WINDOW_MS = 32;
/** 16 kHz samples. */
export const WINDOW = 512;

export interface Edge {
  readonly t: 'speech-start' | 'speech-end';
  readonly sample: number;
}

/**
 * Probabilities of one call's windows -> edges. A start names the first window of the run above `stop` that led to it, an end the
 * last window above `stop`: what is weak at the rims of a word belongs to it.
 */
export class Hysteresis {
  readonly #thresholds: Thresholds;
  #speaking = false;
  #runFrom: number | null = null;
  #sureMs = 0;
  #quietMs = 0;
  #voicedEnd = 0;

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  /** The next window begins at `sample`. */
  push(probability: number, sample: number): Edge | null {
    const { start, stop, minSpeechMs, minSilenceMs } = this.#thresholds;
    if (probability >= stop) {
      this.#runFrom ??= sample;
      this.#voicedEnd = sample + WINDOW;
      this.#quietMs = 0;
      if (probability >= start) this.#sureMs += WINDOW_MS;
      if (this.#speaking || this.#sureMs < minSpeechMs || this.#sureMs === 0) return null;
      this.#speaking = true;
      return { t: 'speech-start', sample: this.#runFrom };
    }
    this.#quietMs += WINDOW_MS;
    if (this.#speaking && this.#quietMs >= minSilenceMs) return this.flush();
    if (!this.#speaking) this.#forget();
    return null;
  }

  /** No more windows for now: what is open ends. */
  flush(): Edge | null {
    const spoke = this.#speaking;
    this.#speaking = false;
    this.#forget();
    return spoke ? { t: 'speech-end', sample: this.#voicedEnd } : null;
  }

  #forget(): void {
    this.#runFrom = null;
    this.#sureMs = 0;
  }
}
