/**
 * Both lines of a call out of the audio memory, by pread (layout: native/core/audio/audio_memory.h). What a caller says while he
 * gives a secret is zeroed here, before anything else sees it: the memory marks it block by block.
 */
import { readSync } from 'node:fs';

const MAGIC = 0x44554159454c5250n;
const HEADER_BYTES = 64;
const CONTROL_BYTES = 80;
const AT = { generation: 0, start: 8, sentStart: 16, sentOrigin: 24, write: 64, sentWrite: 72 } as const;
const SECURE_FLAG = 0x04;

export interface LinePositions {
  /** One past the newest sample of each line. */
  readonly caller: number;
  readonly sent: number;
  /** The caller's sample at which sent sample 0 went out. */
  readonly sentOrigin: number;
}

export class LineReader {
  readonly #fd: number;
  readonly #ringSamples: number;
  readonly #blockSamples: number;
  readonly #stride: number;
  readonly #slotsOffset: number;
  readonly #offsets: { readonly pcm: number; readonly flags: number; readonly sent: number };
  readonly #bytes = new Uint8Array(CONTROL_BYTES);
  readonly #control = new DataView(this.#bytes.buffer);

  /** Errors: Error when `fd` is no audio memory, or one that does not keep what is sent. */
  constructor(fd: number) {
    const raw = new Uint8Array(HEADER_BYTES);
    const header = new DataView(raw.buffer);
    if (readSync(fd, raw, 0, HEADER_BYTES, 0) < HEADER_BYTES || header.getBigUint64(0, true) !== MAGIC)
      throw new Error(`file descriptor ${fd} is no audio memory`);
    this.#fd = fd;
    this.#ringSamples = header.getUint32(20, true);
    this.#stride = Number(header.getBigUint64(24, true));
    this.#slotsOffset = Number(header.getBigUint64(32, true));
    this.#offsets = { pcm: header.getUint32(40, true), flags: header.getUint32(44, true), sent: header.getUint32(52, true) };
    this.#blockSamples = header.getUint32(48, true);
    if (this.#offsets.sent === 0) throw new Error('the audio memory does not keep what is sent');
  }

  /** Null when the call is over. */
  positions(slot: number, generation: number): LinePositions | null {
    if (!this.#readControl(slot) || this.#control.getUint32(AT.generation, true) !== generation) return null;
    return { caller: this.#at('write'), sent: this.#at('sentWrite'), sentOrigin: this.#at('sentOrigin') };
  }

  /** Fills `out` from `from` on; false when that audio is not there (any more): `out` is silence then. */
  caller(slot: number, generation: number, from: number, out: Int16Array): boolean {
    this.#copy(slot, this.#offsets.pcm, from, out);
    this.#blankSecrets(slot, from, out);
    return this.#holds(slot, generation, from, 'start', out);
  }

  sent(slot: number, generation: number, from: number, out: Int16Array): boolean {
    this.#copy(slot, this.#offsets.sent, from, out);
    return this.#holds(slot, generation, from, 'sentStart', out);
  }

  #holds(slot: number, generation: number, from: number, start: 'start' | 'sentStart', out: Int16Array): boolean {
    const isThere =
      out.length <= this.#ringSamples &&
      this.#readControl(slot) &&
      this.#control.getUint32(AT.generation, true) === generation &&
      from >= this.#at(start);
    if (!isThere) out.fill(0);
    return isThere;
  }

  #copy(slot: number, offset: number, from: number, out: Int16Array): void {
    for (let done = 0; done < out.length;) {
      const place = (from + done) & (this.#ringSamples - 1);
      const count = Math.min(out.length - done, this.#ringSamples - place);
      const view = new Uint8Array(out.buffer, out.byteOffset + done * 2, count * 2);
      readSync(this.#fd, view, 0, count * 2, this.#slotAt(slot) + offset + place * 2);
      done += count;
    }
  }

  #blankSecrets(slot: number, from: number, out: Int16Array): void {
    const size = this.#blockSamples;
    const first = Math.floor(from / size);
    const flags = new Uint8Array(Math.floor((from + out.length - 1) / size) - first + 1);
    const blocks = this.#ringSamples / size;
    for (let done = 0; done < flags.length;) {
      const place = (first + done) % blocks;
      const count = Math.min(flags.length - done, blocks - place);
      readSync(this.#fd, flags, done, count, this.#slotAt(slot) + this.#offsets.flags + place);
      done += count;
    }
    flags.forEach((flag, i) => {
      if ((flag & SECURE_FLAG) !== 0) out.fill(0, Math.max(0, (first + i) * size - from), Math.max(0, (first + i + 1) * size - from));
    });
  }

  #slotAt(slot: number): number {
    return this.#slotsOffset + slot * this.#stride;
  }

  #at(field: keyof typeof AT): number {
    return Number(this.#control.getBigUint64(AT[field], true));
  }

  #readControl(slot: number): boolean {
    return readSync(this.#fd, this.#bytes, 0, CONTROL_BYTES, this.#slotAt(slot)) === CONTROL_BYTES;
  }
}
