/**
 * A caller's samples out of the shared audio memory, for engines that are not handed its file descriptor. Layout and rules of reading:
 * native/core/audio/audio_memory.h. Reads happen on decode only and on the thread pool: never per frame, never on the event loop.
 */
import { read } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ParleyError, type AudioMemory } from '../../contracts/index.ts';

const MAGIC = 0x44554159454c5250n;
const VERSION = 1;
const HEADER_BYTES = 64;
const SLOT_BYTES = 128;
const RATE_HZ = 16_000;
const POLL_MS = 20;

interface Layout {
  readonly slots: number;
  readonly ringSamples: number;
  readonly slotStride: number;
  readonly slotsOffset: number;
  readonly pcmOffset: number;
}

interface Control {
  readonly generation: number;
  /** Oldest sample that is still whole. */
  readonly startSample: number;
  /** One past the newest. */
  readonly writeSample: number;
}

export interface AudioRange {
  readonly slot: number;
  readonly generation: number;
  readonly fromSample: number;
  readonly toSample: number;
}

const failed = (message: string): ParleyError => new ParleyError('STT_FAILED', message);

export class AudioReader {
  readonly #fd: number;
  readonly #layout: Layout;

  private constructor(fd: number, layout: Layout) {
    this.#fd = fd;
    this.#layout = layout;
  }

  /** Errors: STT_FAILED when it is no audio memory of this version, or a slot would lie outside it. */
  static async open(audio: AudioMemory): Promise<AudioReader> {
    const header = await readAt(audio.fd, HEADER_BYTES, 0);
    if (header.readBigUInt64LE(0) !== MAGIC || header.readUInt32LE(8) !== VERSION || header.readUInt32LE(12) !== RATE_HZ)
      throw failed('the audio memory has another layout: native part and gateway are of different versions');
    const layout = {
      slots: header.readUInt32LE(16),
      ringSamples: header.readUInt32LE(20),
      slotStride: Number(header.readBigUInt64LE(24)),
      slotsOffset: Number(header.readBigUInt64LE(32)),
      pcmOffset: header.readUInt32LE(40),
    };
    const { slots, ringSamples, slotStride, slotsOffset, pcmOffset } = layout;
    const fits = slotsOffset + slots * slotStride <= audio.bytes && pcmOffset + ringSamples * 2 <= slotStride;
    if (!fits || ringSamples === 0 || (ringSamples & (ringSamples - 1)) !== 0) throw failed('the audio memory has slots outside itself');
    return new AudioReader(audio.fd, layout);
  }

  /**
   * Copies [fromSample, toSample); waits up to `waitMs` for audio that is just being said. What it returns was whole and of this call when
   * the copy was done. Errors: STT_FAILED (call over, audio gone or not there, bad range); an aborted wait throws the signal's reason.
   */
  async read(range: AudioRange, waitMs: number, signal: AbortSignal): Promise<Int16Array> {
    const { slot, fromSample, toSample } = range;
    const { slots, ringSamples } = this.#layout;
    const whole = [slot, fromSample, toSample].every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!whole || slot >= slots || fromSample > toSample || toSample - fromSample > ringSamples)
      throw failed('these samples cannot be read: the range is no range, or longer than the memory');
    await this.#awaitAudio(range, waitMs, signal);
    const pcm = new Int16Array(toSample - fromSample);
    const bytes = Buffer.from(pcm.buffer);
    for (let done = 0; done < pcm.length;) {
      const place = (fromSample + done) % ringSamples;
      const count = Math.min(pcm.length - done, ringSamples - place);
      await readInto(this.#fd, bytes.subarray(done * 2, (done + count) * 2), this.#slotAt(slot) + this.#layout.pcmOffset + place * 2);
      done += count;
    }
    // The writer moves start_sample before it overwrites: what was copied is whole when its first sample still counts.
    check(await this.#control(slot), range);
    return pcm;
  }

  async #awaitAudio(range: AudioRange, waitMs: number, signal: AbortSignal): Promise<void> {
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      signal.throwIfAborted();
      const control = await this.#control(range.slot);
      check(control, range);
      if (range.toSample <= control.writeSample) return;
      if (waitedMs >= waitMs) throw failed(`the samples are not there: ${range.toSample - control.writeSample} are missing`);
      await pause(POLL_MS);
    }
  }

  #slotAt(slot: number): number {
    return this.#layout.slotsOffset + slot * this.#layout.slotStride;
  }

  async #control(slot: number): Promise<Control> {
    const block = await readAt(this.#fd, SLOT_BYTES, this.#slotAt(slot));
    return {
      generation: block.readUInt32LE(0),
      startSample: Number(block.readBigUInt64LE(8)),
      writeSample: Number(block.readBigUInt64LE(64)),
    };
  }
}

function check(control: Control, { generation, fromSample }: AudioRange): void {
  if (control.generation !== generation) throw failed('the call is over: its place in the audio memory belongs to another one');
  if (fromSample < control.startSample) throw failed('the samples have been overwritten: the decode came too late');
}

async function readAt(fd: number, length: number, position: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await readInto(fd, buffer, position);
  return buffer;
}

/** Exactly the buffer's length, positioned: the descriptor is shared with other readers. */
function readInto(fd: number, buffer: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, position, (error, count) => {
      if (error !== null) reject(failed(`the audio memory cannot be read (${error.code ?? 'unknown'})`));
      else if (count !== buffer.length) reject(failed('the audio memory ends too early'));
      else resolve();
    });
  });
}
