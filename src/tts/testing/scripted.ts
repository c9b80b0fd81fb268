import { ParleyError, type SpeechClip, type SpeechOptions, type TextToSpeech } from '../../contracts/index.ts';
import { isSpeakable, plainText } from '../text.ts';

const RATE_HZ = 22050;
const WORD_MS = 200;
const GAP_MS = 50;

/** A tone of its own for every word: the same text always gives the same samples, another text gives others. */
function toneOf(word: string): number {
  let hash = 7;
  for (const character of word.toLowerCase()) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return 300 + (hash % 120) * 10;
}

/** A synthesiser without a voice: words are tones of 200 ms, 50 ms apart. Shipped for tests and simulations. */
export class ScriptedTts implements TextToSpeech {
  readonly name = 'scripted';
  readonly description = 'scripted synthesiser: tones instead of words (test fixture)';
  readonly maxChars = 2000;
  /** Every text asked for, in order. */
  readonly spoken: string[] = [];
  #failures = 0;
  #running = false;
  #held = false;
  #waiting: (() => void)[] = [];

  start(): Promise<void> {
    this.#running = true;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#running = false;
    this.release();
    return Promise.resolve();
  }

  /** The next `count` texts fail. */
  failNext(count = 1): void {
    this.#failures = count;
  }

  /** From now on texts wait until `release()`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  async synthesise(text: string, options: SpeechOptions): Promise<SpeechClip> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.spoken.push(text);
    if (text.length > this.maxChars)
      throw new ParleyError('TTS_FAILED', `the text has ${text.length} characters, ${this.maxChars} are allowed`);
    if (this.#held) await this.#wait(signal);
    if (!this.#running) throw new ParleyError('TTS_FAILED', 'the synthesiser is not running');
    if (this.#failures > 0) {
      this.#failures--;
      throw new ParleyError('TTS_FAILED', 'failed as the script wants');
    }
    return { pcm: tones(plainText(text)), rateHz: RATE_HZ, firstMs: 0, totalMs: 0 };
  }

  #wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal?.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  }
}

function tones(text: string): Int16Array {
  const words = text.split(' ').filter(isSpeakable);
  const word = (RATE_HZ * WORD_MS) / 1000;
  const step = word + Math.round((RATE_HZ * GAP_MS) / 1000);
  const pcm = new Int16Array(words.length * step);
  words.forEach((spelling, index) => {
    const tone = toneOf(spelling);
    for (let i = 0; i < word; i++) pcm[index * step + i] = Math.round(8000 * Math.sin((2 * Math.PI * tone * (i + 1)) / RATE_HZ));
  });
  return pcm;
}

export function createScriptedTts(): ScriptedTts {
  return new ScriptedTts();
}
