import type { GateEvent, VadEvent } from '../../src/contracts/index.ts';
import { Spurt } from '../../src/vad/spurt.ts';

export type SpurtStep = 'open' | 'close' | 'start' | 'end' | 'drained' | 'shed' | 'lost' | 'back' | 'play' | 'silent' | 'near';

/** A call's main-thread side, with a gate and a worker that do as the script says. */
export class SpurtLine {
  readonly events: VadEvent[] = [];
  readonly #spurt = new Spurt((event) => this.events.push(event));
  #sample = 1000;
  #worker = true;
  #gateOpen = false;
  #opening = 0;

  step(step: SpurtStep, later: number): void {
    this.#sample += later;
    if (step === 'open' || step === 'close') this.#gate(step === 'open');
    else if (step === 'play' || step === 'silent') this.#spurt.playing = step === 'play';
    else if (step === 'near') this.#spurt.near(this.#sample);
    else if (step === 'lost' || step === 'back') this.#work(step === 'back');
    else if (this.#worker && this.#opening > 0) this.#news(step, this.#sample - later / 2);
  }

  /** Without a worker, events say what the gate says. */
  get rightWithoutWorker(): boolean {
    return this.#worker || (this.events.length % 2 === 1) === this.#gateOpen;
  }

  #gate(open: boolean): void {
    this.#gateOpen = open;
    const edge: GateEvent = { t: open ? 'speech-start' : 'speech-end', sample: this.#sample, atUs: this.#sample };
    const order = this.#spurt.gate(edge, this.#worker);
    if (order?.t === 'open') this.#opening = order.opening;
  }

  #work(up: boolean): void {
    if (!up && this.#worker) this.#spurt.giveUp(this.#sample);
    // A new worker is told of the next opening.
    this.#worker = up;
  }

  #news(step: 'start' | 'end' | 'drained' | 'shed', sample: number): void {
    const news = { call: 1, opening: this.#opening, atUs: this.#sample };
    if (step === 'start' || step === 'end') this.#spurt.news({ ...news, t: `speech-${step}`, sample });
    else this.#spurt.news({ ...news, t: step });
  }
}
