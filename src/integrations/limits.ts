/** Bounds of one tool for all calls together: places, a rate, and a breaker that leaves a broken tool alone. Time is a parameter. */
export interface Limits {
  readonly concurrency: number;
  readonly perMinute: number;
}

const FAILURES = 5;
const OPEN_MS = 10_000;

export class ToolGate {
  readonly #limits: Limits;
  #running = 0;
  #failures = 0;
  #openUntilMs = 0;
  #isProbing = false;
  /** When each of the last calls began, oldest first. */
  #begun: number[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** True when a call may go now; it must be followed by `leave`. */
  enter(nowMs: number): boolean {
    this.#begun = this.#begun.filter((atMs) => atMs > nowMs - 60_000);
    const isOpen = this.#failures >= FAILURES && (nowMs < this.#openUntilMs || this.#isProbing);
    if (isOpen || this.#running >= this.#limits.concurrency || this.#begun.length >= this.#limits.perMinute) return false;
    this.#isProbing = this.#failures >= FAILURES;
    this.#running += 1;
    this.#begun.push(nowMs);
    return true;
  }

  leave(nowMs: number, isHealthy: boolean): void {
    this.#running -= 1;
    this.#isProbing = false;
    this.#failures = isHealthy ? 0 : this.#failures + 1;
    if (this.#failures >= FAILURES) this.#openUntilMs = nowMs + OPEN_MS;
  }
}
