import type { Vad, VadEvent, VadSession, VadStats } from '../contracts/index.ts';
import { Spurt } from './spurt.ts';
import { Tally } from './tally.ts';

/** The talk gate alone: its edges pass through. For machines without a core to spare, and as a comparison. */
export class GateOnly implements Vad {
  readonly name = 'gate';
  readonly description = 'talk gate alone (energy), no model';
  readonly state = 'up';
  readonly #tally = new Tally();
  #sessions = 0;

  start(): Promise<void> {
    return Promise.resolve();
  }

  onState(): void {
    // There is nothing that could die.
  }

  open(): VadSession {
    let listener: (event: VadEvent) => void = () => undefined;
    let open = true;
    const spurt = new Spurt((event) => listener(event));
    this.#sessions++;
    this.#tally.opened();
    return {
      onEvent: (given) => {
        listener = given;
      },
      gate: (edge) => {
        if (!open) return;
        if (edge.t === 'speech-start') this.#tally.unheard++;
        spurt.gate(edge, false);
      },
      near: () => undefined,
      playing: () => undefined,
      close: () => {
        if (open) {
          this.#sessions--;
          this.#tally.closed(0);
        }
        open = false;
        listener = () => undefined;
      },
    };
  }

  stats(): VadStats {
    return this.#tally.stats({ sessions: this.#sessions, discarded: 0, counts: { windows: 0, runs: 0, listening: 0, cpuMs: 0 } });
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
