/** WAV files of 16-bit mono PCM, as much as the servers need. */
export interface Wav {
  readonly rateHz: number;
  readonly pcm: Int16Array;
}

/** Errors: a sentence that says what is wrong with the file. */
export function readWav(file: Buffer): Wav {
  if (file.length < 12 || file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE')
    throw new Error('not a WAV file');
  let rateHz = 0;
  for (let at = 12; at + 8 <= file.length;) {
    const id = file.toString('latin1', at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === 'fmt ' && body + 16 <= file.length) {
      if (file.readUInt16LE(body) !== 1 || file.readUInt16LE(body + 2) !== 1 || file.readUInt16LE(body + 14) !== 16)
        throw new Error('only 16-bit mono PCM');
      rateHz = file.readUInt32LE(body + 4);
    }
    if (id === 'data') {
      if (rateHz === 0) throw new Error('data before fmt');
      // A writer that streams does not know the size.
      const end = Math.min(file.length, body + size);
      const pcm = new Int16Array(Math.floor((end - body) / 2));
      for (let i = 0; i < pcm.length; i++) pcm[i] = file.readInt16LE(body + 2 * i);
      return { rateHz, pcm };
    }
    at = body + size + (size % 2);
  }
  throw new Error('no data in the WAV file');
}

export function writeWav({ rateHz, pcm }: Wav): Buffer {
  const file = Buffer.alloc(44 + pcm.length * 2);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(36 + pcm.length * 2, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rateHz, 24);
  file.writeUInt32LE(rateHz * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(pcm.length * 2, 40);
  for (let i = 0; i < pcm.length; i++) file.writeInt16LE(pcm[i] ?? 0, 44 + 2 * i);
  return file;
}
