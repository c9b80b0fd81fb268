/** Asks the end-of-turn detector at every pause, and again while it lasts. What comes too late, or fails, is no evidence. */
import type { EndOfTurnDetector, MediaSession, Timers } from '../contracts/index.ts';

const AGAIN_MS = 100;
/** Longer pauses are decided by then. */
const MOST_ASKS = 10;

export interface DoubtOptions {
  readonly detector: EndOfTurnDetector;
  readonly session: MediaSession;
  readonly timers: Timers;
  readonly onProbability: (probability: number) => void;
}

export class Doubt {
  readonly #options: DoubtOptions;
  #abort: AbortController | null = null;
  #cancel: (() => void) | null = null;

  constructor(options: DoubtOptions) {
    this.#options = options;
  }

  /** The voice paused. */
  begin(): void {
    this.end();
    const abort = new AbortController();
    this.#abort = abort;
    this.#ask(abort.signal, MOST_ASKS);
  }

  /** The voice goes on, or the pause has been decided. */
  end(): void {
    this.#abort?.abort(new Error('the pause is over'));
    this.#abort = null;
    this.#cancel?.();
    this.#cancel = null;
  }

  #ask(signal: AbortSignal, left: number): void {
    const { detector, session, timers, onProbability } = this.#options;
    const again = (): void => {
      if (!signal.aborted && left > 1) this.#cancel = timers.after(AGAIN_MS, () => this.#ask(signal, left - 1));
    };
    detector.ask(session, session.stats().sample, signal).then(
      (probability) => {
        if (!signal.aborted && probability >= 0 && probability <= 1) onProbability(probability);
        again();
      },
      // No evidence this time; a moment later there may be some.
      again,
    );
  }
}
