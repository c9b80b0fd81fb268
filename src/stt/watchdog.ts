/**
 * Tells a worker that hangs from one that is slow: while decodes are in flight it must answer pings, and its figure of
 * operations computed must grow. A large model on a small machine may take long, but it never stands still.
 */
export interface WatchdogOptions {
  readonly hangMs: number;
  readonly ping: () => void;
  readonly busy: () => boolean;
  readonly onHang: () => void;
}

const PINGS_PER_LIMIT = 5;

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #timer: NodeJS.Timeout;
  #progress = -1;
  #advancedAtMs = performance.now();

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#look();
    }, options.hangMs / PINGS_PER_LIMIT);
    this.#timer.unref();
  }

  /** An answer to a ping. */
  pong(running: number, progress: number): void {
    if (running === 0 || progress !== this.#progress) this.#advancedAtMs = performance.now();
    this.#progress = progress;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (!this.#options.busy()) {
      this.#advancedAtMs = performance.now();
      return;
    }
    if (performance.now() - this.#advancedAtMs < this.#options.hangMs) {
      this.#options.ping();
      return;
    }
    this.stop();
    this.#options.onHang();
  }
}
