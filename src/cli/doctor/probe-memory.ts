/** An audio memory of the doctor's own, with one utterance in every slot: layout of native/core/audio/audio_memory.h. RAM only. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AudioMemory } from '../../contracts/index.ts';

const PAGE = 4096;
const CONTROL_BYTES = 128;
const FLAG_BLOCK = 32;
const RING_SAMPLES = 1 << 18;

export interface ProbeMemory {
  readonly audio: AudioMemory;
  readonly generation: number;
  /** Lets every call have come so far, in samples: for engines that follow the audio. */
  arrived(samples: number): void;
  free(): void;
}

/** `pcm`: 16 kHz, at most 16 s; all of it has arrived. */
export function probeMemory(pcm: Int16Array, slots: number): ProbeMemory {
  const flagsOffset = CONTROL_BYTES + RING_SAMPLES * 2;
  const stride = Math.ceil((flagsOffset + RING_SAMPLES / FLAG_BLOCK) / PAGE) * PAGE;
  const bytes = PAGE + stride * slots;
  const folder = mkdtempSync('/dev/shm/parley-doctor-');
  const fd = openSync(join(folder, 'memory'), 'w+', 0o600);
  rmSync(folder, { recursive: true });
  ftruncateSync(fd, bytes);
  const header = Buffer.alloc(64);
  header.writeBigUInt64LE(0x44554159454c5250n, 0);
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(16_000, 12);
  header.writeUInt32LE(slots, 16);
  header.writeUInt32LE(RING_SAMPLES, 20);
  header.writeBigUInt64LE(BigInt(stride), 24);
  header.writeBigUInt64LE(BigInt(PAGE), 32);
  header.writeUInt32LE(CONTROL_BYTES, 40);
  header.writeUInt32LE(flagsOffset, 44);
  header.writeUInt32LE(FLAG_BLOCK, 48);
  writeSync(fd, header, 0, header.length, 0);
  const said = pcm.subarray(0, RING_SAMPLES);
  const control = Buffer.alloc(CONTROL_BYTES);
  control.writeUInt32LE(1, 0);
  const arrived = (samples: number): void => {
    control.writeBigUInt64LE(BigInt(samples), 64);
    for (let slot = 0; slot < slots; slot++) writeSync(fd, control, 0, control.length, PAGE + slot * stride);
  };
  arrived(said.length);
  for (let slot = 0; slot < slots; slot++)
    writeSync(fd, Buffer.from(said.buffer, said.byteOffset, said.byteLength), 0, said.byteLength, PAGE + slot * stride + CONTROL_BYTES);
  return { audio: { fd, bytes }, generation: 1, arrived, free: () => closeSync(fd) };
}
