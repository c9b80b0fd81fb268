import type { Vad, VadEvent, VadSession, VadStats } from '../contracts/index.ts';
import { Spurt } from './spurt.ts';

/** The talk gate alone: its edges pass through. For machines without a core to spare, and as a comparison. */
export class GateOnly implements Vad {
  readonly name = 'gate';
  readonly description = 'talk gate alone (energy), no model';
  readonly state = 'up';
  #sessions = 0;
  #unheard = 0;

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
    return {
      onEvent: (given) => {
        listener = given;
      },
      gate: (edge) => {
        if (!open) return;
        if (edge.t === 'speech-start') this.#unheard++;
        spurt.gate(edge, false);
      },
      close: () => {
        if (open) this.#sessions--;
        open = false;
        listener = () => undefined;
      },
    };
  }

  stats(): VadStats {
    return { sessions: this.#sessions, windows: 0, runs: 0, shed: 0, unheard: this.#unheard, restarts: 0 };
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
