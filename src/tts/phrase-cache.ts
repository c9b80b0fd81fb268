import type { SpeechChunk, SpeechClip, SpeechOptions, TextToSpeech } from '../contracts/index.ts';

export interface PhraseCache extends TextToSpeech {
  /**
   * Renders texts that every call needs (greeting, questions, apologies) ahead. A text that fails is left out: it is
   * synthesised when it is needed. Returns how many are in the cache now.
   */
  prerender(texts: readonly string[], language: string, signal?: AbortSignal): Promise<number>;
  /** The same for a voice or a rate that is not the usual one. */
  prerender(texts: readonly string[], options: SpeechOptions): Promise<number>;
  readonly stats: { readonly entries: number; readonly hits: number; readonly misses: number };
}

class CachedSpeech implements PhraseCache {
  readonly name: string;
  readonly maxChars: number;
  /** Only when the engine streams: then what is not in the cache comes as it is made. */
  readonly stream?: NonNullable<TextToSpeech['stream']>;
  readonly #tts: TextToSpeech;
  readonly #maxEntries: number;
  /** Insertion order is age: a hit moves its entry to the end. */
  readonly #clips = new Map<string, SpeechClip>();
  #hits = 0;
  #misses = 0;

  constructor(tts: TextToSpeech, maxEntries: number) {
    this.name = tts.name;
    this.maxChars = tts.maxChars;
    this.#tts = tts;
    this.#maxEntries = maxEntries;
    if (tts.stream) {
      const live = tts.stream.bind(tts);
      this.stream = (text, options) => {
        const clip = this.#take(text, options);
        return clip ? whole(clip) : live(text, options);
      };
    }
  }

  get description(): string {
    return this.#tts.description;
  }

  get external(): NonNullable<TextToSpeech['external']> | null {
    return this.#tts.external ?? null;
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

  synthesise(text: string, options: SpeechOptions): Promise<SpeechClip> {
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason as Error);
    const clip = this.#take(text, options);
    return clip ? Promise.resolve({ ...clip, firstMs: 0, totalMs: 0 }) : this.#tts.synthesise(text, options);
  }

  async prerender(texts: readonly string[], how: string | SpeechOptions, signal?: AbortSignal): Promise<number> {
    const options: SpeechOptions = typeof how === 'string' ? { language: how, ...(signal ? { signal } : {}) } : how;
    for (const text of texts) {
      if (options.signal?.aborted === true) break;
      const key = keyOf(text, options);
      if (this.#clips.has(key)) continue;
      const clip = await this.#tts.synthesise(text, options).catch(() => undefined);
      if (!clip) continue;
      this.#clips.set(key, clip);
      const oldest = this.#clips.keys().next();
      if (this.#clips.size > this.#maxEntries && oldest.done !== true) this.#clips.delete(oldest.value);
    }
    return this.#clips.size;
  }

  #take(text: string, options: SpeechOptions): SpeechClip | undefined {
    const key = keyOf(text, options);
    const clip = this.#clips.get(key);
    if (!clip) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    this.#clips.delete(key);
    this.#clips.set(key, clip);
    // What it cost when it was rendered is not what this call costs; nothing of this call leaves.
    return clip.use === undefined ? clip : { ...clip, use: { engine: clip.use.engine, tookMs: 0, cached: true } };
  }
}

const keyOf = (text: string, { language, voice = '', rate = 1 }: SpeechOptions): string => [language, voice, rate, text].join('\n');

// eslint-disable-next-line @typescript-eslint/require-await -- a clip that is there already, in the shape of a stream
async function* whole(clip: SpeechClip): AsyncGenerator<SpeechChunk> {
  const { pcm, rateHz, marks = [], use } = clip;
  yield { pcm: pcm.slice(), rateHz, fromSample: 0, marks, ...(use === undefined ? {} : { use }) };
}

/**
 * A synthesiser that knows some phrases by heart. Only what was rendered ahead is kept: what is said to one caller is not
 * remembered for the next. A hit shares its samples; nobody may write to `pcm`.
 */
export function createPhraseCache(tts: TextToSpeech, options: { readonly maxEntries: number }): PhraseCache {
  return new CachedSpeech(tts, options.maxEntries);
}
