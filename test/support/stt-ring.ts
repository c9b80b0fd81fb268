/**
 * The audio memory without the media engine: same layout (native/core/audio/audio_memory.h), made in RAM, written by the test.
 */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

import type { AudioMemory } from '../../src/contracts/index.ts';

const PAGE = 4096;
const SLOTS_OFFSET = PAGE;
const CONTROL_BYTES = 128;
const FLAG_BLOCK = 32;

export interface TestRing {
  readonly audio: AudioMemory;
  /** Opens a call in a slot; returns its generation. */
  open(slot: number): number;
  /** Appends 16 kHz samples to the call. */
  write(slot: number, pcm: Int16Array): void;
  readonly written: (slot: number) => number;
  close(slot: number): void;
  free(): void;
}

export function createTestRing(slots = 4, ringSamples = 1 << 19): TestRing {
  const pcmOffset = CONTROL_BYTES;
  const flagsOffset = pcmOffset + ringSamples * 2;
  const stride = Math.ceil((flagsOffset + ringSamples / FLAG_BLOCK) / PAGE) * PAGE;
  const bytes = SLOTS_OFFSET + stride * slots;
  const dir = mkdtempSync('/dev/shm/parley-test-');
  const fd = openSync(path.join(dir, 'ring'), 'w+');
  rmSync(dir, { recursive: true });
  ftruncateSync(fd, bytes);

  const header = Buffer.alloc(64);
  header.writeBigUInt64LE(0x44554159454c5250n, 0);
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(16000, 12);
  header.writeUInt32LE(slots, 16);
  header.writeUInt32LE(ringSamples, 20);
  header.writeBigUInt64LE(BigInt(stride), 24);
  header.writeBigUInt64LE(BigInt(SLOTS_OFFSET), 32);
  header.writeUInt32LE(pcmOffset, 40);
  header.writeUInt32LE(flagsOffset, 44);
  header.writeUInt32LE(FLAG_BLOCK, 48);
  writeSync(fd, header, 0, header.length, 0);

  const generations = new Array<number>(slots).fill(0);
  const written = new Array<number>(slots).fill(0);
  const base = (slot: number): number => SLOTS_OFFSET + slot * stride;
  const put32 = (value: number, at: number): void => {
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32LE(value);
    writeSync(fd, buffer, 0, 4, at);
  };
  const put64 = (value: number, at: number): void => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(BigInt(value));
    writeSync(fd, buffer, 0, 8, at);
  };
  const step = (slot: number): number => {
    const generation = (generations[slot] ?? 0) + 1;
    generations[slot] = generation;
    put32(generation, base(slot));
    return generation;
  };
  return {
    audio: { fd, bytes },
    written: (slot) => written[slot] ?? 0,
    open: (slot) => {
      written[slot] = 0;
      put64(0, base(slot) + 8);
      put64(0, base(slot) + 64);
      return step(slot);
    },
    write: (slot, pcm) => {
      let at = written[slot] ?? 0;
      const end = at + pcm.length;
      put64(Math.max(0, end - ringSamples), base(slot) + 8);
      for (let done = 0; done < pcm.length;) {
        const place = at % ringSamples;
        const count = Math.min(pcm.length - done, ringSamples - place);
        const part = pcm.subarray(done, done + count);
        writeSync(fd, Buffer.from(part.buffer, part.byteOffset, part.byteLength), 0, part.byteLength, base(slot) + pcmOffset + place * 2);
        done += count;
        at += count;
      }
      written[slot] = end;
      put64(end, base(slot) + 64);
    },
    close: (slot) => void step(slot),
    free: () => {
      closeSync(fd);
    },
  };
}
