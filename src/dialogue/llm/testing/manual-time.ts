/** Time for tests: stands still until it is moved. */
import type { Clock, Timers } from '../../../contracts/index.ts';

interface Alarm {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

export class ManualTime implements Clock, Timers {
  #nowMs = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  get nowMs(): number {
    return this.#nowMs;
  }
  /** Alarms that are set. */
  get pending(): number {
    return this.#alarms.size;
  }
  monoUs(): number {
    return this.#nowMs * 1000;
  }
  wallUs(): number {
    return this.#nowMs * 1000;
  }

  after(ms: number, act: () => void): () => void {
    const alarm = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, act };
    this.#alarms.add(alarm);
    return () => void this.#alarms.delete(alarm);
  }

  /** Rings every alarm up to then, in order of time, and lets what it woke run before the next one. */
  async advance(ms: number): Promise<void> {
    const toMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const next = [...this.#alarms].filter((alarm) => alarm.atMs <= toMs).sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#alarms.delete(next);
      this.#nowMs = next.atMs;
      next.act();
    }
    this.#nowMs = toMs;
  }
}

/** Lets promise chains of a bounded depth run out. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}
