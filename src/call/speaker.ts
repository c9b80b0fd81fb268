/**
 * Speaks a batch of texts: synthesis of the next runs while the one before plays; the media engine paces.
 * Knows clips and positions, nothing of dialogue or turns.
 */
import { CALLER_RATE_HZ, type DialogueEffect, type MediaEvent, type MediaSession, type TextToSpeech } from '../contracts/index.ts';

export type Say = Extract<DialogueEffect, { t: 'say' }>;

export interface Spoken {
  readonly say: Say;
  /** How much of it really went out. */
  readonly sentMs: number;
  readonly interrupted: boolean;
}

export interface SpeakerHooks {
  /** Awaited before the first sample of a text may go out. */
  readonly before: (say: Say) => Promise<void>;
  readonly synthesised: (say: Say, ttsMs: number) => void;
  readonly started: (say: Say, atUs: number) => void;
  readonly ended: (spoken: Spoken) => void;
}

interface Playing {
  readonly say: Say;
  readonly finish: (playedSamples: number, interrupted: boolean) => void;
}

export class Speaker {
  readonly #media: MediaSession;
  readonly #tts: TextToSpeech;
  readonly #language: string;
  readonly #hooks: SpeakerHooks;
  readonly #playing = new Map<number, Playing>();
  /** Replaced by every stop: texts of an older batch are not begun any more. */
  #abort = new AbortController();

  constructor(options: { media: MediaSession; tts: TextToSpeech; language: string; hooks: SpeakerHooks }) {
    this.#media = options.media;
    this.#tts = options.tts;
    this.#language = options.language;
    this.#hooks = options.hooks;
  }

  /** Resolves when all was sent, or when it was stopped. Errors: TTS_FAILED. */
  async speak(says: readonly Say[]): Promise<{ interrupted: boolean }> {
    const { signal } = this.#abort;
    const ends: Promise<boolean>[] = [];
    for (const say of says) {
      if (signal.aborted) break;
      const begun = await this.#begin(say, signal);
      if (begun === null) break;
      ends.push(begun.end);
    }
    const interrupted = await Promise.all(ends);
    return { interrupted: signal.aborted || interrupted.includes(true) };
  }

  /** Queues one text in the media engine; `end` resolves at its end. Null when a stop came first. */
  async #begin(say: Say, signal: AbortSignal): Promise<{ end: Promise<boolean> } | null> {
    let clip;
    try {
      clip = await this.#tts.synthesise(say.text, { language: this.#language, signal });
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
    await this.#hooks.before(say);
    if (isAborted(signal)) return null;
    this.#hooks.synthesised(say, clip.totalMs);
    const writer = this.#media.openClip({ rateHz: clip.rateHz, held: false });
    const end = new Promise<boolean>((resolve) => {
      this.#playing.set(writer.clip, {
        say,
        finish: (playedSamples, interrupted) => {
          this.#playing.delete(writer.clip);
          this.#hooks.ended({ say, sentMs: Math.round((playedSamples * 1000) / CALLER_RATE_HZ), interrupted });
          resolve(interrupted);
        },
      });
    });
    writer.write(clip.pcm);
    writer.end();
    return { end };
  }

  /** Feed every media event here. */
  onMedia(event: MediaEvent): void {
    if (event.t === 'clip-start') {
      const playing = this.#playing.get(event.clip);
      if (playing !== undefined) this.#hooks.started(playing.say, event.atUs);
    } else if (event.t === 'clip-end') {
      this.#playing.get(event.clip)?.finish(event.playedSamples, event.outcome === 'stopped');
    }
  }

  /** Silence within one 20 ms slot; what waits is dropped. */
  stop(): void {
    this.#abort.abort(new Error('stopped'));
    this.#abort = new AbortController();
    this.#media.stop();
  }

  /** The media session is gone: no clip-end will come any more. */
  close(): void {
    this.#abort.abort(new Error('closed'));
    for (const playing of [...this.#playing.values()]) playing.finish(0, true);
  }
}

// A function, so that the compiler does not narrow `aborted` across an await.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
