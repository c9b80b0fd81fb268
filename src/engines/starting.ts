/** Starts the engines of a chain: one is enough to begin with, the others are tried again until they are up. */
import type { Timers } from '../contracts/index.ts';

interface Startable {
  readonly name: string;
  start(): Promise<void>;
}

const FIRST_MS = 5_000;
const MOST_MS = 60_000;

export class Starting {
  readonly #timers: Timers;
  readonly #onState: (engine: string, state: 'up' | 'down') => void;
  readonly #cancel = new Set<() => void>();
  #stopped = false;

  constructor(timers: Timers, onState: (engine: string, state: 'up' | 'down') => void) {
    this.#timers = timers;
    this.#onState = onState;
  }

  /** Errors: the first engine's, when none starts. */
  async start(engines: readonly Startable[]): Promise<void> {
    this.#stopped = false;
    const results = await Promise.allSettled(engines.map((engine) => engine.start()));
    const failed = results.filter((result) => result.status === 'rejected');
    if (failed.length === results.length) throw failed[0]?.reason;
    for (const [index, engine] of engines.entries()) if (results[index]?.status === 'rejected') this.#later(engine, FIRST_MS);
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancel) cancel();
    this.#cancel.clear();
  }

  #later(engine: Startable, ms: number): void {
    if (this.#stopped) return;
    this.#onState(engine.name, 'down');
    const cancel = this.#timers.after(ms, () => {
      this.#cancel.delete(cancel);
      engine.start().then(
        () => this.#onState(engine.name, 'up'),
        () => this.#later(engine, Math.min(2 * ms, MOST_MS)),
      );
    });
    this.#cancel.add(cancel);
  }
}
