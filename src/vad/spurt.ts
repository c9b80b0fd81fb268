import type { GateEvent, VadEvent } from '../contracts/index.ts';
import type { CallNews } from './messages.ts';

/** A voice that the model finds so soon after the gate's first loud sample began with it: 160 ms. The model hears vowels best. */
const SAME_VOICE = 2560;

export type Order =
  { readonly t: 'open'; readonly opening: number; readonly sample: number } | { readonly t: 'close'; readonly sample: number };

/**
 * One call on the main thread: the gate's edges and the worker's news -> events. Whatever happens to the worker, starts and ends
 * alternate, samples do not go back, and nothing that the gate heard is lost: where the model cannot answer, the gate's edge stands.
 */
export class Spurt {
  readonly #emit: (event: VadEvent) => void;
  #opening = 0;
  #gateOpen = false;
  /** The model has not yet said all it has to say about the gate's openings since `#from`. */
  #owed = false;
  #from = 0;
  #gateEnd = 0;
  #byGate = false;
  #speaking = false;
  #lastSample = 0;

  constructor(emit: (event: VadEvent) => void) {
    this.#emit = emit;
  }

  /** The gate is open, or the model still looks at what it let through. */
  get busy(): boolean {
    return this.#owed;
  }

  /** What the worker is to be told; null without a worker, and where it does not matter. */
  gate(edge: GateEvent, hasWorker: boolean): Order | null {
    if (edge.t === 'speech-start') return this.#opened(edge, hasWorker);
    if (!this.#gateOpen) return null;
    this.#gateOpen = false;
    this.#gateEnd = edge.sample;
    if (this.#byGate) this.#say('speech-end', edge.sample, edge.atUs, 'gate');
    return hasWorker ? { t: 'close', sample: edge.sample } : null;
  }

  news(news: CallNews): void {
    if (news.t === 'shed') this.giveUp(news.atUs);
    else if (this.#byGate || !this.#owed) return;
    else if (news.t === 'speech-start') this.#say(news.t, this.#begin(news.sample), news.atUs, 'model');
    else if (news.t === 'speech-end') this.#say(news.t, news.sample, news.atUs, 'model');
    else if (news.opening === this.#opening && !this.#gateOpen) {
      this.#owed = false;
      this.#say('speech-end', this.#gateEnd, news.atUs, 'model');
    }
  }

  /** The model will not answer for what is under way: the gate does. True when there was something under way. */
  giveUp(atUs: number): boolean {
    if (!this.#owed) return false;
    this.#owed = false;
    this.#byGate = true;
    this.#say('speech-start', this.#from, atUs, 'gate');
    if (!this.#gateOpen) this.#say('speech-end', this.#gateEnd, atUs, 'gate');
    return true;
  }

  #begin(sample: number): number {
    return sample > this.#from && sample - this.#from <= SAME_VOICE ? this.#from : sample;
  }

  #opened(edge: GateEvent, hasWorker: boolean): Order | null {
    if (this.#gateOpen) return null;
    this.#gateOpen = true;
    this.#opening++;
    if (!this.#owed) this.#from = edge.sample;
    this.#byGate = !hasWorker;
    this.#owed = hasWorker;
    if (hasWorker) return { t: 'open', opening: this.#opening, sample: edge.sample };
    this.#say('speech-start', edge.sample, edge.atUs, 'gate');
    return null;
  }

  #say(t: GateEvent['t'], sample: number, atUs: number, by: VadEvent['by']): void {
    if (this.#speaking === (t === 'speech-start')) return;
    this.#speaking = !this.#speaking;
    this.#lastSample = Math.max(this.#lastSample, sample);
    this.#emit({ t, sample: this.#lastSample, atUs, by });
  }
}
