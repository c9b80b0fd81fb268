/** espeak-ng's --stdout: one WAV header when the program starts, then samples for as long as it lives. */

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
    return Int16Array.from({ length: bytes.length >> 1 }, (_, i) => bytes.readInt16LE(i * 2));
  }
}

/**
 * Finds the end of an utterance in the stream. After each text the speaker sends empty lines, for which espeak-ng makes
 * zeros for longer than any pause in speech, and then one vowel, which tells that all of those zeros have come (how many
 * they are depends on the text before them).
 */
export class UtteranceEnd {
  readonly #markSamples: number;
  readonly #vowelGapSamples: number;
  #run = 0;
  #stage: 'speech' | 'mark' | 'vowel' | 'over' = 'speech';

  /** `markSamples`: so many zeros are no pause in speech. `vowelGapSamples`: so many end the vowel. */
  constructor(markSamples: number, vowelGapSamples: number) {
    this.#markSamples = markSamples;
    this.#vowelGapSamples = vowelGapSamples;
  }

  /** True when the vowel has passed: the next sample belongs to the next text (or is silence before it). */
  get over(): boolean {
    return this.#stage === 'over';
  }

  /** How many of these samples, from the first, belong to the utterance or its pause. */
  push(samples: Int16Array): number {
    let belong = this.#stage === 'speech' ? samples.length : 0;
    for (let i = 0; i < samples.length && this.#stage !== 'over'; i++) {
      this.#run = samples[i] === 0 ? this.#run + 1 : 0;
      if (this.#stage === 'speech' && this.#run >= this.#markSamples) {
        this.#stage = 'mark';
        belong = i + 1;
      } else if (this.#stage === 'mark' && this.#run === 0) {
        this.#stage = 'vowel';
      } else if (this.#stage === 'vowel' && this.#run >= this.#vowelGapSamples) {
        this.#stage = 'over';
      }
    }
    return belong;
  }
}
