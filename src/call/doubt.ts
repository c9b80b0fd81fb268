/** Asks the end-of-turn detector at every pause, and again while it lasts. What comes too late, or fails, is no evidence. */
import type { EndOfTurnDetector, MediaEngine, MediaSession, Timers } from '../contracts/index.ts';

const AGAIN_MS = 100;
/** Longer pauses are decided by then. */
const MOST_ASKS = 10;

export interface DoubtOptions {
  readonly detector: EndOfTurnDetector;
  readonly media: MediaEngine;
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
    const { detector, media, session, timers, onProbability } = this.#options;
    const to = session.stats().sample;
    const pcm = media.read(session, Math.max(0, to - detector.windowMs * 16), to);
    const again = (): void => {
      if (!signal.aborted && left > 1) this.#cancel = timers.after(AGAIN_MS, () => this.#ask(signal, left - 1));
    };
    detector.probability(pcm, signal).then(
      (probability) => {
        if (!signal.aborted && probability >= 0 && probability <= 1) onProbability(probability);
        again();
      },
      // A detector that fails is asked again at the next pause.
      () => undefined,
    );
  }
}
