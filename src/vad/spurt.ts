import type { GateEvent, Prosody, VadEvent } from '../contracts/index.ts';
import type { CallNews } from './messages.ts';

/** A voice that the model finds so soon after the gate's first loud sample began with it: 160 ms. The model hears vowels best. */
const SAME_VOICE = 2560;

/** A voice that the model finds so close to a sound that the gate noticed is that sound: 160 ms, which the worker listens on for. */
const NEAR_REACH = 2560;

export type SpurtOrder =
  | { readonly t: 'open'; readonly opening: number; readonly sample: number }
  | { readonly t: 'near'; readonly sample: number }
  | { readonly t: 'close'; readonly sample: number };

/**
 * One call in the main process: the gate's edges and the worker's news -> events.
 *   A voice begins when the model says so; a gate that opens again while the model still hears the same voice begins it at once.
 *   It ends when the gate hears a pause or the model does, whichever is first: turns are prepared in early pauses.
 *   While we speak, a voice that the gate neither lets through nor notices is our own echo.
 * Whatever happens to the worker, starts and ends alternate, samples do not go back, and nothing that the gate heard is lost: where
 * the model cannot answer, the gate's edge stands.
 */
export class Spurt {
  readonly #emit: (event: VadEvent) => void;
  #opening = 0;
  #gateOpen = false;
  #gateEnd = 0;
  #nearFrom = -Infinity;
  #prosody: Prosody | undefined;
  #openedAt = 0;
  /** The worker has not yet said all it has to say about the gate's openings since `#from`; `#answered`: there was a voice in them. */
  #owed = false;
  #from = 0;
  #answered = false;
  /** The gate decides about the opening that is under way. */
  #byGate = false;
  #modelSpeaking = false;
  #playing = false;
  #speaking = false;
  #lastSample = 0;
  #discarded = 0;

  constructor(emit: (event: VadEvent) => void) {
    this.#emit = emit;
  }

  get playing(): boolean {
    return this.#playing;
  }

  set playing(on: boolean) {
    this.#playing = on;
  }

  /** The gate is open, or the model still looks at what it let through. */
  get busy(): boolean {
    return this.#owed;
  }

  /** Openings in which the model found no voice. */
  get discarded(): number {
    return this.#discarded;
  }

  /** What the worker is to be told; null without a worker, and where it does not matter. */
  gate(edge: GateEvent, hasWorker: boolean): SpurtOrder | null {
    if (edge.t === 'speech-start') return this.#opened(edge, hasWorker);
    if (!this.#gateOpen) return null;
    this.#gateOpen = false;
    this.#gateEnd = edge.sample;
    this.#prosody = edge.prosody;
    this.#pause(edge.atUs);
    return hasWorker ? { t: 'close', sample: edge.sample } : null;
  }

  /** Something is to be heard from here on; what the worker is to be told, null where it listens anyway. */
  near(sample: number): SpurtOrder | null {
    this.#nearFrom = sample;
    return this.#gateOpen ? null : { t: 'near', sample };
  }

  news(news: CallNews): void {
    if (news.t === 'shed') this.giveUp(news.atUs);
    else if (news.t === 'drained') this.#drained(news);
    else {
      this.#modelSpeaking = news.t === 'speech-start';
      if (this.#byGate) return;
      if (news.t === 'speech-start') this.#began(news.sample, news.atUs);
      else this.#say('speech-end', news.sample, news.atUs, 'model');
    }
  }

  /** The model will not answer for what is under way: the gate does. True when there was something under way. */
  giveUp(atUs: number): boolean {
    const owed = this.#owed;
    this.#owed = false;
    this.#modelSpeaking = false;
    if (this.#gateOpen) {
      this.#byGate = true;
      this.#say('speech-start', this.#answered ? this.#openedAt : this.#from, atUs, 'gate');
    } else {
      // A voice that only the model heard, or one that it had not yet judged.
      if (owed && !this.#answered) this.#say('speech-start', this.#from, atUs, 'gate');
      this.#pause(atUs);
    }
    return owed;
  }

  #opened({ sample, atUs }: GateEvent, hasWorker: boolean): SpurtOrder | null {
    if (this.#gateOpen) return null;
    this.#gateOpen = true;
    this.#opening++;
    this.#openedAt = sample;
    if (!this.#owed) [this.#from, this.#answered] = [sample, false];
    this.#byGate = !hasWorker;
    this.#owed = hasWorker;
    if (!hasWorker || this.#modelSpeaking) this.#say('speech-start', sample, atUs, hasWorker ? 'model' : 'gate');
    return hasWorker ? { t: 'open', opening: this.#opening, sample } : null;
  }

  #began(sample: number, atUs: number): void {
    const begin = sample > this.#openedAt && sample - this.#openedAt <= SAME_VOICE ? this.#openedAt : sample;
    const judged = this.#owed && begin < this.#gateEnd;
    const near = begin >= this.#nearFrom - NEAR_REACH && begin < this.#nearFrom + NEAR_REACH;
    if (!this.#gateOpen && this.#playing && !judged && !near) return;
    this.#answered = true;
    this.#say('speech-start', begin, atUs, 'model');
    if (!this.#gateOpen && judged) this.#pause(atUs);
  }

  #drained({ opening, atUs }: CallNews): void {
    if (opening !== this.#opening || this.#gateOpen || !this.#owed) return;
    this.#owed = false;
    if (!this.#answered) this.#discarded++;
    // A voice that the gate no longer hears goes on only while the model says so.
    if (!this.#modelSpeaking) this.#say('speech-end', this.#gateEnd, atUs, 'model');
  }

  /** The gate has heard a pause, and how the voice sounded before it. */
  #pause(atUs: number): void {
    this.#say('speech-end', this.#gateEnd, atUs, 'gate', this.#prosody);
  }

  #say(t: GateEvent['t'], sample: number, atUs: number, by: VadEvent['by'], prosody?: Prosody): void {
    if (this.#speaking === (t === 'speech-start')) return;
    this.#speaking = !this.#speaking;
    this.#lastSample = Math.max(this.#lastSample, sample);
    this.#emit({ t, sample: this.#lastSample, atUs, by, ...(t === 'speech-end' && prosody !== undefined ? { prosody } : {}) });
  }
}
