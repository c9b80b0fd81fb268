import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When the next write to disk begins. A write costs the loop as much as two events do, and the disk a flush: under load events wait for
 * each other a little, so that they go together. Who writes now and then never waits.
 */
const BURST = 20;
/** Beyond the burst one write begins in each of these: what waits is on disk well within 10 ms. */
const EVERY_MS = 2;

export class CommitPace {
  #credit = BURST;
  #atMs = performance.now();

  async turn(): Promise<void> {
    this.#earn();
    if (this.#credit < 1) {
      await sleep((1 - this.#credit) * EVERY_MS);
      this.#earn();
    }
    this.#credit = Math.max(0, this.#credit - 1);
  }

  #earn(): void {
    const nowMs = performance.now();
    this.#credit = Math.min(BURST, this.#credit + (nowMs - this.#atMs) / EVERY_MS);
    this.#atMs = nowMs;
  }
}
