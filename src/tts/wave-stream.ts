/** espeak-ng's --stdout: a WAV header, then samples for as long as the program lives. */

const HEADER_BYTES = 44;

/** Turns the byte stream into 16-bit samples, whatever the chunks. */
export class WaveStream {
  #header = HEADER_BYTES;
  #head = Buffer.alloc(0);
  #odd: Buffer = Buffer.alloc(0);

  /** The rate of the header, 0 as long as it has not come. */
  rateHz = 0;

  push(chunk: Buffer): Int16Array {
    let bytes = chunk;
    if (this.#header > 0) {
      const taken = bytes.subarray(0, this.#header);
      this.#head = Buffer.concat([this.#head, taken]);
      this.#header -= taken.length;
      bytes = bytes.subarray(taken.length);
      if (this.#header === 0) this.rateHz = this.#head.toString('latin1', 0, 4) === 'RIFF' ? this.#head.readUInt32LE(24) : -1;
    }
    if (this.#odd.length > 0) bytes = Buffer.concat([this.#odd, bytes]);
    this.#odd = bytes.subarray(bytes.length - (bytes.length % 2));
    // Little-endian like every machine that we run on; copied, because a view needs an even place.
    const samples = new Int16Array(bytes.length >> 1);
    new Uint8Array(samples.buffer).set(bytes.subarray(0, samples.byteLength));
    return samples;
  }
}
