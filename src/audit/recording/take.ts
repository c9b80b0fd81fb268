/**
 * One recording as it is made: both lines held in memory until what was said in them is known, then handed out in chunks with
 * everything silent that must not be kept. Counts samples of the recording from 0; knows nothing of files, keys or clocks.
 */
import { CALLER_RATE_HZ, type RecordedLine } from '../../contracts/index.ts';
import type { LineReader } from './memory.ts';
import type { TakeOptions } from './messages.ts';

/** Samples [from, to) of the recording. */
interface Stretch {
  readonly line: RecordedLine;
  readonly from: number;
  readonly to: number;
}

export interface Piece {
  /** caller, agent, caller, agent ... */
  readonly frames: Int16Array;
  readonly silenced: number;
}

/** Audio copied at once: a quarter of a second. */
const READ_SAMPLES = 4096;

export class Take {
  readonly #options: TakeOptions;
  readonly #reader: LineReader;
  readonly #step: number;
  readonly #lines: Readonly<Record<RecordedLine, Int16Array>>;
  readonly #capacity: number;
  readonly #holdSamples: number;
  readonly #chunkSamples: number;
  readonly #read = new Int16Array(READ_SAMPLES);
  #silences: Stretch[] = [];
  #paused = false;
  /** One past the newest sample held, of each line. */
  readonly #ends = { caller: 0, agent: 0 };
  #written = 0;

  constructor(options: TakeOptions, reader: LineReader, times: { holdMs: number; chunkMs: number }) {
    this.#options = options;
    this.#reader = reader;
    this.#step = CALLER_RATE_HZ / options.rateHz;
    this.#holdSamples = Math.round((times.holdMs * options.rateHz) / 1000);
    this.#chunkSamples = Math.round((times.chunkMs * options.rateHz) / 1000);
    this.#capacity = this.#holdSamples + 2 * this.#chunkSamples + 2 * options.rateHz;
    this.#lines = { caller: new Int16Array(this.#capacity), agent: new Int16Array(this.#capacity) };
  }

  pause(on: boolean): void {
    this.#paused = on;
  }

  /** In 16 kHz samples of the line. False when some of it was handed out already. */
  silence(line: RecordedLine, fromSample: number, toSample: number): boolean {
    const origin = line === 'caller' ? 0 : (this.#reader.positions(this.#options.slot, this.#options.generation)?.sentOrigin ?? 0);
    const from = Math.floor((fromSample + origin - this.#options.fromSample) / this.#step);
    const to = Math.ceil((toSample + origin - this.#options.fromSample) / this.#step);
    if (to <= 0) return true;
    this.#silences.push({ line, from: Math.max(0, from), to });
    return Math.max(0, from) >= this.#written;
  }

  /** Takes over what has come. False when the call is over. */
  capture(): boolean {
    const { slot, generation, fromSample } = this.#options;
    const at = this.#reader.positions(slot, generation);
    if (at === null) return false;
    this.#captureLine('caller', at.caller - fromSample, (from, out) => this.#reader.caller(slot, generation, from + fromSample, out));
    const sentFrom = fromSample - at.sentOrigin;
    this.#captureLine('agent', at.sent - sentFrom, (from, out) => this.#readSent(from + sentFrom, out));
    return true;
  }

  #readSent(from: number, out: Int16Array): boolean {
    const before = Math.min(out.length, Math.max(0, -from));
    out.fill(0, 0, before);
    return before === out.length || this.#reader.sent(this.#options.slot, this.#options.generation, from + before, out.subarray(before));
  }

  /** `available`: 16 kHz samples of the line since the beginning. */
  #captureLine(line: RecordedLine, available: number, read: (from: number, out: Int16Array) => boolean): void {
    const pcm = this.#lines[line];
    const end = Math.floor(available / this.#step);
    while (this.#ends[line] < end) {
      const count = Math.min(end - this.#ends[line], READ_SAMPLES / this.#step);
      // More than fits has not been handed out: a thread that stood still for half a minute. What is oldest is lost.
      if (this.#ends[line] + count - this.#written > this.#capacity) return;
      const wide = this.#read.subarray(0, count * this.#step);
      read(this.#ends[line] * this.#step, wide);
      for (let i = 0; i < count; i++) pcm[(this.#ends[line] + i) % this.#capacity] = this.#paused ? 0 : (wide[i * this.#step] ?? 0);
      this.#ends[line] += count;
    }
  }

  /** The next whole chunk that has been held long enough; null when there is none. */
  next(): Piece | null {
    return this.#ends.caller - this.#holdSamples >= this.#written + this.#chunkSamples ? this.#take(this.#chunkSamples) : null;
  }

  /** At the end: what is left, chunk by chunk. `unheardFromSample`: caller audio that was never understood. */
  rest(unheardFromSample: number | null): Piece | null {
    if (unheardFromSample !== null) this.silence('caller', unheardFromSample, Number.MAX_SAFE_INTEGER);
    const count = Math.min(this.#chunkSamples, this.#ends.caller - this.#written);
    return count <= 0 ? null : this.#take(count);
  }

  #take(count: number): Piece {
    const frames = new Int16Array(2 * count);
    for (let i = 0; i < count; i++) {
      const place = (this.#written + i) % this.#capacity;
      frames[2 * i] = this.#lines.caller[place] ?? 0;
      if (this.#written + i < this.#ends.agent) frames[2 * i + 1] = this.#lines.agent[place] ?? 0;
    }
    const silenced = this.#blank(frames, count);
    this.#written += count;
    this.#silences = this.#silences.filter(({ to }) => to > this.#written);
    return { frames, silenced };
  }

  /** How many of the samples are silent in either line on purpose. */
  #blank(frames: Int16Array, count: number): number {
    const blank = new Uint8Array(count);
    for (const { line, from, to } of this.#silences) {
      const first = Math.max(0, from - this.#written);
      const last = Math.min(count, to - this.#written);
      for (let i = first; i < last; i++) {
        frames[2 * i + (line === 'caller' ? 0 : 1)] = 0;
        blank[i] = 1;
      }
    }
    return blank.reduce((sum, one) => sum + one, 0);
  }

  /** Nothing of it is left in memory. */
  wipe(): void {
    this.#lines.caller.fill(0);
    this.#lines.agent.fill(0);
    this.#read.fill(0);
    this.#options.key.fill(0);
  }
}
