/** So many requests at once and no more; finals go first; a queue that is full refuses instead of growing. */
import { ParleyError } from '../../contracts/index.ts';

interface Waiting {
  readonly kind: 'partial' | 'final';
  readonly go: () => void;
}

export class Lanes {
  readonly #most: number;
  readonly #mostWaiting: number;
  #running = 0;
  #waiting: Waiting[] = [];

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Runs `act` when a lane is free. Errors: STT_FAILED when the queue is full; a wait that is given up throws the signal's reason. */
  async run<T>(kind: 'partial' | 'final', signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    await this.#enter(kind, signal);
    try {
      signal.throwIfAborted();
      return await act();
    } finally {
      this.#leave();
    }
  }

  #enter(kind: 'partial' | 'final', signal: AbortSignal): Promise<void> {
    if (this.#running < this.#most) {
      this.#running++;
      return Promise.resolve();
    }
    if (this.#waiting.length >= this.#mostWaiting)
      return Promise.reject(new ParleyError('STT_FAILED', `${this.#waiting.length} decodes wait already: the recogniser is overloaded`));
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(signal.reason as Error);
      };
      const entry: Waiting = {
        kind,
        go: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      this.#waiting.push(entry);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #leave(): void {
    const final = this.#waiting.findIndex(({ kind }) => kind === 'final');
    const [next] = this.#waiting.splice(Math.max(0, final), 1);
    if (next === undefined) this.#running--;
    else next.go();
  }
}
