import { ParleyError, type Logger, type SpeechClip, type SpeechOptions, type TextToSpeech } from '../contracts/index.ts';
import { SpareSpeaker } from './spare-speaker.ts';
import { isSpeakable, plainText, spokenText } from './text.ts';
import { trimSilence } from './trim.ts';

export interface EspeakOptions {
  /** Default: espeak-ng in PATH. */
  readonly program?: string;
  /** espeak-ng voice by language; a language that is not named is tried as a voice itself. */
  readonly voices?: Readonly<Record<string, string>>;
  /** The language whose voice is started and checked by `start()` (default "en"). */
  readonly language?: string;
  /** Words per minute, 80 to 450 (default 160). */
  readonly rateWpm?: number;
  /** A text without its audio for so long has failed (default 5000). */
  readonly timeoutMs?: number;
  readonly logger: Logger;
}

const MAX_CHARS = 2000;
const RATE_HZ = 22050;
/** Waiting processes at once: one for each voice and rate in use. */
const MOST_SPEAKERS = 12;
const RATE_WPM = { default: 160, least: 80, most: 450 };
const VOICES: Readonly<Record<string, string>> = {
  en: 'en-us',
  'en-gb': 'en-gb',
  de: 'de',
  fr: 'fr',
  es: 'es',
  it: 'it',
  nl: 'nl',
  pl: 'pl',
  pt: 'pt',
};
const VOICE_NAME = /^[A-Za-z][A-Za-z0-9_+-]{0,39}$/;

class Espeak implements TextToSpeech {
  readonly name = 'espeak-ng';
  readonly description: string;
  readonly maxChars = MAX_CHARS;
  readonly #options: EspeakOptions;
  readonly #logger: Logger;
  readonly #speakers = new Map<string, SpareSpeaker>();
  #stopped = false;

  constructor(options: EspeakOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ engine: 'espeak-ng' });
    this.description = `espeak-ng, voice ${this.#voice(options.language ?? 'en')}, ${options.rateWpm ?? RATE_WPM.default} words per minute`;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    const voice = this.#voice(this.#options.language ?? 'en');
    // A word of its own tells that program and voice are there.
    await this.#speaker(voice, 1).say('a');
    this.#logger.info('synthesiser is ready', { voice });
  }

  async synthesise(text: string, options: SpeechOptions): Promise<SpeechClip> {
    const { signal, language, voice, rate = 1 } = options;
    signal?.throwIfAborted();
    if (text.length > MAX_CHARS) throw new ParleyError('TTS_FAILED', `the text has ${text.length} characters, ${MAX_CHARS} are allowed`);
    const startedAtMs = performance.now();
    const plain = spokenText(plainText(text), language);
    if (!isSpeakable(plain)) return { pcm: new Int16Array(0), rateHz: RATE_HZ, firstMs: 0, totalMs: 0 };
    const speaker = this.#speaker(voice === undefined ? this.#voice(language) : checked(voice), rate);
    const spoken = await abortable(speaker.say(plain), signal);
    return {
      pcm: trimSilence(spoken.pcm, spoken.rateHz),
      rateHz: spoken.rateHz,
      firstMs: spoken.firstMs,
      totalMs: performance.now() - startedAtMs,
    };
  }

  stop(): Promise<void> {
    this.#stopped = true;
    for (const speaker of this.#speakers.values()) speaker.close();
    this.#speakers.clear();
    return Promise.resolve();
  }

  #voice(language: string): string {
    const voices = { ...VOICES, ...this.#options.voices };
    const tag = language.toLowerCase();
    return checked(voices[language] ?? voices[tag] ?? voices[tag.split('-')[0] ?? ''] ?? language);
  }

  #speaker(voice: string, rate: number): SpareSpeaker {
    const { program = 'espeak-ng', timeoutMs = 5000, rateWpm: usual = RATE_WPM.default } = this.#options;
    // In steps of a tenth: every other rate would be one more process.
    const wpm = Math.round((usual * Math.round((Number.isFinite(rate) ? rate : 1) * 10)) / 10);
    const rateWpm = Math.min(RATE_WPM.most, Math.max(RATE_WPM.least, wpm));
    const key = `${voice} ${rateWpm}`;
    const known = this.#speakers.get(key);
    if (known) return known;
    if (this.#stopped) throw new ParleyError('TTS_FAILED', 'the synthesiser is stopped');
    if (this.#speakers.size >= MOST_SPEAKERS) {
      throw new ParleyError('TTS_FAILED', `more than ${MOST_SPEAKERS} voices and rates are in use at once`);
    }
    const speaker = new SpareSpeaker({ program, voice, rateWpm, timeoutMs });
    this.#speakers.set(key, speaker);
    return speaker;
  }
}

/** A name that can be an argument and nothing else. */
function checked(voice: string): string {
  if (VOICE_NAME.test(voice)) return voice;
  throw new ParleyError('TTS_FAILED', `"${voice.slice(0, 40)}" is no name of an espeak-ng voice; set one in tts.voices`);
}

/** Rejects with the signal's reason at once; the speaker finishes what it says and nobody listens. */
function abortable<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}

/**
 * espeak-ng as a program of its own (GPL: only ever spoken to through pipes), 22,050 Hz mono, a waiting process per text.
 * Errors: TTS_FAILED, at `start` when the program or the voice is missing, later per text.
 */
export function createEspeak(options: EspeakOptions): TextToSpeech {
  return new Espeak(options);
}
