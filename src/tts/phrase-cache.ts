import type { SpeechClip, TextToSpeech } from '../contracts/index.ts';

export interface PhraseCache extends TextToSpeech {
  /**
   * Renders texts that every call needs (greeting, questions, apologies) ahead. A text that fails is left out: it is
   * synthesised when it is needed. Returns how many are in the cache now.
   */
  prerender(texts: readonly string[], language: string, signal?: AbortSignal): Promise<number>;
  readonly stats: { readonly entries: number; readonly hits: number; readonly misses: number };
}

class CachedSpeech implements PhraseCache {
  readonly name: string;
  readonly description: string;
  readonly maxChars: number;
  readonly #tts: TextToSpeech;
  readonly #maxEntries: number;
  /** Insertion order is age: a hit moves its entry to the end. */
  readonly #clips = new Map<string, SpeechClip>();
  #hits = 0;
  #misses = 0;

  constructor(tts: TextToSpeech, maxEntries: number) {
    this.name = tts.name;
    this.description = tts.description;
    this.maxChars = tts.maxChars;
    this.#tts = tts;
    this.#maxEntries = maxEntries;
  }

  get stats(): PhraseCache['stats'] {
    return { entries: this.#clips.size, hits: this.#hits, misses: this.#misses };
  }

  start(): Promise<void> {
    return this.#tts.start();
  }

  stop(): Promise<void> {
    this.#clips.clear();
    return this.#tts.stop();
  }

  synthesise(text: string, options: { language: string; signal?: AbortSignal }): Promise<SpeechClip> {
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason as Error);
    const key = keyOf(text, options.language);
    const clip = this.#clips.get(key);
    if (!clip) {
      this.#misses++;
      return this.#tts.synthesise(text, options);
    }
    this.#hits++;
    this.#clips.delete(key);
    this.#clips.set(key, clip);
    return Promise.resolve({ ...clip, firstMs: 0, totalMs: 0 });
  }

  async prerender(texts: readonly string[], language: string, signal?: AbortSignal): Promise<number> {
    for (const text of texts) {
      if (signal?.aborted === true) break;
      const key = keyOf(text, language);
      if (this.#clips.has(key)) continue;
      const clip = await this.#tts.synthesise(text, { language, ...(signal ? { signal } : {}) }).catch(() => undefined);
      if (!clip) continue;
      this.#clips.set(key, clip);
      const oldest = this.#clips.keys().next();
      if (this.#clips.size > this.#maxEntries && oldest.done !== true) this.#clips.delete(oldest.value);
    }
    return this.#clips.size;
  }
}

const keyOf = (text: string, language: string): string => `${language}\n${text}`;

/**
 * A synthesiser that knows some phrases by heart. Only what was rendered ahead is kept: what is said to one caller is not
 * remembered for the next. A hit shares its samples; nobody may write to `pcm`.
 */
export function createPhraseCache(tts: TextToSpeech, options: { readonly maxEntries: number }): PhraseCache {
  return new CachedSpeech(tts, options.maxEntries);
}
