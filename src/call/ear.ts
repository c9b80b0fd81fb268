/**
 * Hears pauses early. The talk gate tells of a pause after 200 ms; whoever answers in 250 must know after 60. While the gate is open
 * the ear looks at the caller's audio every 10 ms and tells when the voice pauses and goes on, with how it sounded before the pause.
 * It never opens by itself: what is voice at all, echo and noise, is the gate's business.
 */
import type { MediaEngine, MediaSession, Prosody, Timers } from '../contracts/index.ts';
import { prosodyOf } from './prosody.ts';

export type Edge =
  | { readonly t: 'speech-start'; readonly sample: number }
  | { readonly t: 'speech-end'; readonly sample: number; readonly prosody?: Prosody };

export interface EarOptions {
  readonly media: MediaEngine;
  readonly session: MediaSession;
  readonly timers: Timers;
  readonly onEdge: (edge: Edge) => void;
  /** Is our own voice on the line? Its echo must not keep the caller's pauses from being heard. */
  readonly weSpeak: () => boolean;
}

/** 10 ms of 16 kHz. */
const FRAME = 160;
const LOOK_MS = 10;
/** Unvoiced frames that are a pause, and voiced ones of the last four that end it. */
const PAUSE_FRAMES = 6;
const RESUME_FRAMES = 3;
/** -49 dBov: the gate's smallest voice. */
const LEAST_RMS = 120;
/** Above the noise floor, in amplitude: 9 dB. */
const OVER_NOISE = 2.8;
/** While we speak, what is 20 dB below the caller's own peak is our echo. */
const UNDER_PEAK = 0.1;
/** At most so much is looked at after a stall. */
const MOST_SAMPLES = 16_000;
const FLOOR_FRAMES = 100;

export class Ear {
  readonly #options: EarOptions;
  #cancel: (() => void) | null = null;
  #gateOpen = false;
  #voice = false;
  /** Next sample to look at. */
  #at = 0;
  #lastVoiced = 0;
  #recent = 0;
  #peak = 0;
  #floor: number[] = [];

  constructor(options: EarOptions) {
    this.#options = options;
  }

  /** Feed every edge of the gate here. */
  gate(edge: { readonly t: 'speech-start' | 'speech-end'; readonly sample: number }): void {
    if (edge.t === 'speech-start') {
      this.#gateOpen = true;
      this.#at = Math.max(this.#at, edge.sample);
      this.#lastVoiced = Math.max(edge.sample, this.#lastVoiced);
      this.#peak = 0;
      if (!this.#voice) this.#tell({ t: 'speech-start', sample: edge.sample });
      this.#look();
    } else {
      this.#gateOpen = false;
      if (this.#voice) this.#tell({ t: 'speech-end', sample: edge.sample });
      this.#cancel?.();
      this.#cancel = null;
    }
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#gateOpen = false;
  }

  #look(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#frames();
    if (!this.#gateOpen) return;
    this.#cancel = this.#options.timers.after(LOOK_MS, () => this.#look());
  }

  #frames(): void {
    const { media, session } = this.#options;
    const to = session.stats().sample;
    const from = Math.max(this.#at, to - MOST_SAMPLES);
    const count = Math.floor((to - from) / FRAME);
    if (count <= 0) return;
    const pcm = media.read(session, from, from + count * FRAME);
    this.#at = from + count * FRAME;
    for (let i = 0; (i + 1) * FRAME <= pcm.length; i++) this.#frame(pcm.subarray(i * FRAME, (i + 1) * FRAME), from + (i + 1) * FRAME);
  }

  #frame(pcm: Int16Array, endSample: number): void {
    let sum = 0;
    for (const sample of pcm) sum += sample * sample;
    const rms = Math.sqrt(sum / FRAME);
    const voiced = rms > this.#threshold();
    if (voiced) {
      this.#lastVoiced = endSample;
      this.#peak = Math.max(this.#peak * 0.995, rms);
    } else this.#learnFloor(rms);
    this.#recent = ((this.#recent << 1) | (voiced ? 1 : 0)) & 0xf;
    if (this.#voice && endSample - this.#lastVoiced >= PAUSE_FRAMES * FRAME) {
      this.#tell({ t: 'speech-end', sample: this.#lastVoiced, prosody: this.#prosody() });
    } else if (!this.#voice && popcount(this.#recent) >= RESUME_FRAMES) {
      this.#tell({ t: 'speech-start', sample: endSample - 4 * FRAME });
    }
  }

  #threshold(): number {
    const noise = this.#floor.length === 0 ? 0 : Math.min(...this.#floor) * OVER_NOISE;
    return Math.max(LEAST_RMS, noise, this.#options.weSpeak() ? this.#peak * UNDER_PEAK : 0);
  }

  #learnFloor(rms: number): void {
    this.#floor.push(rms);
    if (this.#floor.length > FLOOR_FRAMES) this.#floor.shift();
  }

  #prosody(): Prosody {
    const { media, session } = this.#options;
    const from = Math.max(0, this.#lastVoiced - 8000);
    return prosodyOf(media.read(session, from, this.#lastVoiced));
  }

  #tell(edge: Edge): void {
    this.#voice = edge.t === 'speech-start';
    this.#recent = 0;
    this.#options.onEdge(edge);
  }
}

function popcount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}
