/** Caller audio as a WAV file: RIFF, PCM, 16 bit, mono, 16 kHz. */
const RATE_HZ = 16_000;
const HEADER_BYTES = 44;

export function wavOf(pcm: Int16Array): Buffer {
  const dataBytes = pcm.length * 2;
  const file = Buffer.alloc(HEADER_BYTES + dataBytes);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(RATE_HZ, 24);
  file.writeUInt32LE(RATE_HZ * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(dataBytes, 40);
  // Samples lie little-endian in memory on every machine that Parley's native part is built for.
  Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).copy(file, HEADER_BYTES);
  return file;
}
