/**
 * Speaks batches of texts: synthesis of the next runs while the one before plays; the media engine paces. A text can be prepared
 * and held, and goes out when its turn is committed. What is halted goes on from the beginning of the last word.
 * Knows clips and positions, nothing of dialogue or turns.
 */
import {
  CALLER_RATE_HZ,
  type ClipWriter,
  type MediaEvent,
  type MediaSession,
  type SpeechClip,
  type TextToSpeech,
} from '../contracts/index.ts';
import { type Heard, heardOf, questionSample, resumeSample, type Speech } from './ledger.ts';
import type { Say } from './ports.ts';

export interface Spoken {
  readonly say: Say;
  /** How much of it really went out. */
  readonly sentMs: number;
  readonly heard: Heard;
  readonly interrupted: boolean;
}

export interface SpeakerHooks {
  /** Awaited before the first sample of a text may go out. */
  readonly before: (say: Say) => Promise<void>;
  readonly synthesised: (say: Say, ttsMs: number) => void;
  readonly started: (say: Say, atUs: number) => void;
  /** The question at the end of the text begins to sound. */
  readonly asking: (atUs: number) => void;
  readonly ended: (spoken: Spoken) => void;
}

/** A text that is ready and held. */
export interface Prepared {
  readonly say: Say;
  readonly ttsMs: number;
  readonly item: Item;
}

interface Item {
  readonly say: Say;
  readonly speech: Speech;
  readonly pcm: Int16Array;
  /** Sample of the speech with which the present clip begins. */
  fromSample: number;
  /** Samples of the speech that went out. */
  sentSamples: number;
  started: boolean;
  /** Fades in where it was halted. */
  fade: boolean;
  writer: ClipWriter | null;
  readonly over: Promise<boolean>;
  readonly finish: (interrupted: boolean) => void;
}

const FADE_MS = 20;
const DUCK_DB = -12;

export class Speaker {
  readonly #media: MediaSession;
  readonly #tts: TextToSpeech;
  readonly #language: string;
  readonly #hooks: SpeakerHooks;
  /** By clip, in the order of the queue. */
  readonly #open = new Map<number, Item>();
  /** What goes on when the engine has let go of all clips. */
  #again: Item[] | null = null;
  /** Resolves when the engine has let go of what was stopped: what is opened earlier would be stopped too. */
  #quiet: { readonly done: Promise<void>; readonly resolve: () => void } | null = null;
  /** Replaced by every stop: texts of an older batch are not begun any more. */
  #abort = new AbortController();
  #closed = false;

  constructor(options: { media: MediaSession; tts: TextToSpeech; language: string; hooks: SpeakerHooks }) {
    this.#media = options.media;
    this.#tts = options.tts;
    this.#language = options.language;
    this.#hooks = options.hooks;
  }

  /** Synthesises a text and holds it in the media engine. Null when `signal` or a stop came first. Errors: TTS_FAILED. */
  async prepare(say: Say, signal: AbortSignal): Promise<Prepared | null> {
    const clip = await this.#synthesise(say, AbortSignal.any([signal, this.#abort.signal]));
    if (clip === null) return null;
    const item = this.#item(say, clip);
    await this.#quiet?.done;
    if (isAborted(signal) || this.#closed) return null;
    this.#play(item, true);
    return { say, ttsMs: clip.totalMs, item };
  }

  /** Whether it still waits in the media engine. */
  holds({ item }: Prepared): boolean {
    return item.writer !== null && this.#open.has(item.writer.clip);
  }

  /** Takes back what is held. Nothing of it was heard. */
  drop(prepared: Prepared): void {
    if (this.holds(prepared)) this.#stopAll();
  }

  /** Resolves when all was sent, or when it was stopped. `prepared` is the first text, held until now. Errors: TTS_FAILED. */
  async speak(says: readonly Say[], prepared: Prepared | null = null): Promise<{ interrupted: boolean; heard: string }> {
    const { signal } = this.#abort;
    const items: Item[] = [];
    for (const say of says) {
      if (isAborted(signal)) break;
      const item = prepared?.say === say ? await this.#release(prepared, signal) : await this.#begin(say, signal);
      if (item === null) break;
      items.push(item);
    }
    const interrupted = await Promise.all(items.map((item) => item.over));
    const heard = items.map((item) => heardOf(item.speech, item.sentSamples).text).filter((text) => text !== '');
    return { interrupted: isAborted(signal) || interrupted.includes(true), heard: heard.join(' ') };
  }

  async #release(prepared: Prepared, signal: AbortSignal): Promise<Item | null> {
    const { item, say, ttsMs } = prepared;
    await this.#hooks.before(say);
    if (isAborted(signal)) return null;
    this.#hooks.synthesised(say, ttsMs);
    item.writer?.release();
    return item;
  }

  /** Queues one text in the media engine. Null when a stop came first. */
  async #begin(say: Say, signal: AbortSignal): Promise<Item | null> {
    const clip = await this.#synthesise(say, signal);
    if (clip === null) return null;
    await this.#hooks.before(say);
    await this.#quiet?.done;
    if (isAborted(signal)) return null;
    this.#hooks.synthesised(say, clip.totalMs);
    const item = this.#item(say, clip);
    if (this.#again !== null) this.#again.push(item);
    else this.#play(item, false);
    return item;
  }

  async #synthesise(say: Say, signal: AbortSignal): Promise<SpeechClip | null> {
    try {
      const { language = this.#language, voice } = say;
      return await this.#tts.synthesise(say.text, { language, signal, ...(voice === undefined ? {} : { voice }) });
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }

  #item(say: Say, { pcm, rateHz, marks }: SpeechClip): Item {
    let resolve: (interrupted: boolean) => void = () => undefined;
    const over = new Promise<boolean>((settle) => (resolve = settle));
    const speech: Speech = { text: say.text, lengthSamples: pcm.length, rateHz, ...(marks === undefined ? {} : { marks }) };
    const item: Item = {
      say,
      speech,
      pcm,
      fromSample: 0,
      sentSamples: 0,
      started: false,
      fade: false,
      writer: null,
      over,
      finish: (interrupted) => {
        if (item.writer !== null) this.#open.delete(item.writer.clip);
        const sentMs = Math.round((item.sentSamples * 1000) / rateHz);
        // What was held and dropped has never been.
        if (item.started || !interrupted || sentMs > 0) {
          this.#hooks.ended({ say, sentMs, heard: heardOf(speech, item.sentSamples), interrupted });
        }
        resolve(interrupted);
      },
    };
    return item;
  }

  #play(item: Item, held: boolean): void {
    const { rateHz } = item.speech;
    const pcm = item.pcm.subarray(item.fromSample);
    const asks = isQuestion(item.say) ? questionSample(item.speech) : -1;
    const marks = asks >= item.fromSample ? { marks: [asks - item.fromSample] } : {};
    const writer = this.#media.openClip({ rateHz, held, ...marks });
    item.writer = writer;
    this.#open.set(writer.clip, item);
    writer.write(item.fade ? fadedIn(pcm, (FADE_MS * rateHz) / 1000) : pcm);
    writer.end();
  }

  /** Feed every media event here. */
  onMedia(event: MediaEvent): void {
    if (event.t === 'clip-start') {
      const item = this.#open.get(event.clip);
      if (item === undefined || item.started) return;
      item.started = true;
      this.#hooks.started(item.say, event.atUs);
    } else if (event.t === 'clip-mark') {
      if (this.#open.has(event.clip)) this.#hooks.asking(event.atUs);
    } else if (event.t === 'clip-end') this.#clipEnded(event);
  }

  #clipEnded({ clip, outcome, playedSamples }: Extract<MediaEvent, { t: 'clip-end' }>): void {
    const item = this.#open.get(clip);
    if (item === undefined) return;
    this.#open.delete(clip);
    const played = Math.round((playedSamples * item.speech.rateHz) / CALLER_RATE_HZ);
    // Rounding between rates must not cost the last word of what was played to its end.
    item.sentSamples = outcome === 'played' ? item.speech.lengthSamples : Math.max(item.sentSamples, item.fromSample + played);
    if (outcome === 'stopped' && this.#again !== null) this.#again.push(item);
    else item.finish(outcome === 'stopped');
    if (this.#open.size === 0) this.#becameQuiet();
  }

  #becameQuiet(): void {
    const again = this.#again ?? [];
    this.#again = null;
    for (const item of again) {
      item.fade = item.sentSamples > 0;
      item.fromSample = item.fade ? resumeSample(item.speech, item.sentSamples) : 0;
      this.#play(item, false);
    }
    this.#quiet?.resolve();
    this.#quiet = null;
  }

  duck(on: boolean): void {
    this.#media.gain(on ? DUCK_DB : 0);
  }

  pause(): void {
    this.#media.pause();
  }

  /** Goes on from the beginning of the word in which it was halted, or right there. The engine tells the exact place by stopping. */
  resume(inPlace = false): void {
    this.#media.gain(0);
    if (inPlace || this.#open.size === 0) {
      this.#media.resume();
      return;
    }
    this.#again = [];
    this.#stopAll();
    this.#media.resume();
  }

  /** Silence within one 20 ms slot; what waits is dropped. */
  stop(): void {
    this.#abort.abort(new Error('stopped'));
    this.#abort = new AbortController();
    for (const item of this.#again?.splice(0) ?? []) item.finish(true);
    this.#again = null;
    this.#stopAll();
    this.#media.resume();
    this.#media.gain(0);
  }

  #stopAll(): void {
    if (this.#open.size === 0 || this.#closed) return;
    if (this.#quiet === null) {
      let resolve: () => void = () => undefined;
      const done = new Promise<void>((settle) => (resolve = settle));
      this.#quiet = { done, resolve };
    }
    this.#media.stop();
  }

  /** The media session is gone: no clip-end will come any more. */
  close(): void {
    this.#closed = true;
    this.#abort.abort(new Error('closed'));
    for (const item of [...this.#open.values(), ...(this.#again ?? [])]) item.finish(true);
    this.#open.clear();
    this.#quiet?.resolve();
  }
}

function isQuestion({ kind, text }: Say): boolean {
  return kind === 'question' || kind === 'confirm' || /\?\s*$/.test(text);
}

function fadedIn(pcm: Int16Array, fadeSamples: number): Int16Array {
  const faded = pcm.slice();
  const length = Math.min(Math.round(fadeSamples), faded.length);
  for (let i = 0; i < length; i++) faded[i] = Math.round(((faded[i] ?? 0) * i) / length);
  return faded;
}

// A function, so that the compiler does not narrow `aborted` across an await.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
