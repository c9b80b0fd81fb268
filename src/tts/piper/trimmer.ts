/**
 * Cuts the silence in front of a speech while it streams by: the caller would hear it as our slowness. Marks move along.
 * Everything after the first sound passes unchanged. Pure.
 */
import type { SpeechChunk, SpeechMark } from '../../contracts/index.ts';

/** -54 dBFS: quieter than any consonant of a synthetic voice. */
const QUIET = 65;
/** Kept in front of the first sound, so that its onset stays whole. */
const KEEP_MS = 10;
/** A voice that begins with more than this is left as it is. */
const MOST_MS = 2000;

export class LeadTrimmer {
  readonly #rateHz: number;
  #cut = 0;
  #sent = 0;
  #started = false;
  /** Quiet samples that may be the onset. */
  #held = new Int16Array(0);
  #marks: SpeechMark[] = [];
  /** Samples that came in. */
  #received = 0;

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /** `marks` count from the first sample of this piece. */
  *add(pcm: Int16Array, marks: readonly SpeechMark[]): Generator<SpeechChunk, void, undefined> {
    for (const mark of marks) this.#marks.push({ ...mark, fromSample: mark.fromSample + this.#received });
    this.#received += pcm.length;
    if (this.#started) yield this.#chunk(pcm);
    else {
      const all = new Int16Array(this.#held.length + pcm.length);
      all.set(this.#held);
      all.set(pcm, this.#held.length);
      const sound = all.findIndex((sample) => Math.abs(sample) > QUIET);
      const keep = Math.round((KEEP_MS * this.#rateHz) / 1000);
      const from = Math.max(0, (sound < 0 ? all.length : sound) - keep);
      this.#cut += from;
      this.#started = sound >= 0 || this.#cut > (MOST_MS * this.#rateHz) / 1000;
      this.#held = all.slice(from);
      if (this.#started) yield this.#chunk(this.#held);
    }
  }

  /** A speech of nothing but silence ends with what was held. */
  *end(): Generator<SpeechChunk, void, undefined> {
    if (!this.#started && this.#held.length > 0) yield this.#chunk(this.#held);
  }

  #chunk(pcm: Int16Array): SpeechChunk {
    const marks = this.#marks.map((mark) => ({ ...mark, fromSample: Math.max(0, mark.fromSample - this.#cut) }));
    this.#marks = [];
    const chunk = { pcm, rateHz: this.#rateHz, fromSample: this.#sent, marks };
    this.#sent += pcm.length;
    return chunk;
  }
}
