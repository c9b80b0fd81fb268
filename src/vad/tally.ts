import type { VadStats } from '../contracts/index.ts';
import type { WorkerCounts } from './messages.ts';

/** What is counted over all calls and all workers. */
export class Tally {
  shed = 0;
  unheard = 0;
  restarts = 0;
  #earlier: WorkerCounts = { windows: 0, runs: 0, listening: 0, cpuMs: 0 };
  #discarded = 0;
  #open = 0;
  #callMs = 0;
  #sinceMs = performance.now();

  opened(): void {
    this.#pass();
    this.#open++;
  }

  /** `discarded`: openings of this call in which there was no voice. */
  closed(discarded: number): void {
    this.#pass();
    this.#open--;
    this.#discarded += discarded;
  }

  /** The worker is gone, with these counts. */
  lost({ windows, runs, cpuMs }: WorkerCounts): void {
    const before = this.#earlier;
    this.#earlier = { windows: before.windows + windows, runs: before.runs + runs, listening: 0, cpuMs: before.cpuMs + cpuMs };
  }

  /** `discarded` and `counts`: of the calls that are open and the worker that runs. */
  stats({ sessions, discarded, counts }: { sessions: number; discarded: number; counts: WorkerCounts }): VadStats {
    this.#pass();
    const { windows, runs, cpuMs } = this.#earlier;
    return {
      ...{ sessions, listening: counts.listening, windows: windows + counts.windows, runs: runs + counts.runs },
      ...{ shed: this.shed, unheard: this.unheard, discarded: this.#discarded + discarded, restarts: this.restarts },
      ...{ cpuMs: Math.round(cpuMs + counts.cpuMs), callMs: Math.round(this.#callMs) },
    };
  }

  #pass(): void {
    const nowMs = performance.now();
    this.#callMs += this.#open * (nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
  }
}
