/**
 * Speaks batches of texts: a text plays while it is made, the next is made while the one before plays; the media engine paces. A text can be
 * prepared and held, and goes out when its turn is committed. What is halted goes on from the beginning of the last word.
 * Knows clips and positions, nothing of dialogue or turns.
 */
import {
  CALLER_RATE_HZ,
  type ClipWriter,
  type EngineUse,
  type MediaEvent,
  type MediaSession,
  type TextToSpeech,
  type Timers,
} from '../contracts/index.ts';
import { type Heard, heardOf, resumeSample } from './ledger.ts';
import type { Say } from './ports.ts';
import { Utterance } from './utterance.ts';

export interface Spoken {
  readonly say: Say;
  /** How much of it really went out. */
  readonly sentMs: number;
  readonly heard: Heard;
  readonly interrupted: boolean;
  /** Who made it, where the engines keep account. */
  readonly engines: readonly EngineUse[];
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
  readonly utterance: Utterance;
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

const DUCK_DB = -12;
/** A stop acts within one slot of 20 ms and is told in the next batch of events. */
const LAST_WORD_MS = 200;

export class Speaker {
  readonly #media: MediaSession;
  readonly #tts: TextToSpeech;
  readonly #language: string;
  readonly #hooks: SpeakerHooks;
  readonly #clockMs: () => number;
  readonly #thrifty: () => boolean;
  /** By clip, in the order of the queue. */
  readonly #open = new Map<number, Item>();
  /** What goes on when the engine has let go of all clips. */
  #again: Item[] | null = null;
  /** Resolves when the engine has let go of what was stopped: what is opened earlier would be stopped too. */
  #quiet: { readonly done: Promise<void>; readonly resolve: () => void } | null = null;
  /** Replaced by every stop: texts of an older batch are not begun any more. */
  #abort = new AbortController();
  #closed = false;

  constructor(options: {
    media: MediaSession;
    tts: TextToSpeech;
    language: string;
    hooks: SpeakerHooks;
    clockMs: () => number;
    /** Whether texts may be spoken by the cheapest engine now. */
    thrifty?: () => boolean;
  }) {
    this.#media = options.media;
    this.#tts = options.tts;
    this.#language = options.language;
    this.#hooks = options.hooks;
    this.#clockMs = options.clockMs;
    this.#thrifty = options.thrifty ?? ((): boolean => false);
  }

  /** Holds a text in the media engine, as far as it is made. Null when `signal` or a stop came first. Errors: TTS_FAILED. */
  async prepare(say: Say, signal: AbortSignal): Promise<Prepared | null> {
    const utterance = await this.#utter(say, AbortSignal.any([signal, this.#abort.signal]));
    if (utterance === null) return null;
    const item = this.#item(utterance);
    await this.#quiet?.done;
    if (isAborted(signal) || this.#closed) {
      utterance.cancel();
      return null;
    }
    this.#play(item, true);
    return { say, ttsMs: utterance.firstMs, item };
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
    const failed = items.find(({ utterance }) => utterance.failure !== null);
    // What was made of it has been heard; the rest nobody can say.
    if (failed !== undefined && !isAborted(signal) && !interrupted.includes(true)) throw failed.utterance.failure;
    const heard = items.map((item) => heardOf(item.utterance.speech, item.sentSamples).text).filter((text) => text !== '');
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
    const utterance = await this.#utter(say, signal);
    if (utterance === null) return null;
    await this.#hooks.before(say);
    await this.#quiet?.done;
    if (isAborted(signal)) return null;
    this.#hooks.synthesised(say, utterance.firstMs);
    const item = this.#item(utterance);
    if (this.#again !== null) this.#again.push(item);
    else this.#play(item, false);
    return item;
  }

  #utter(say: Say, signal: AbortSignal): Promise<Utterance | null> {
    const { language = this.#language, voice } = say;
    const how = { tts: this.#tts, language, signal, clockMs: this.#clockMs, thrifty: this.#thrifty() };
    return Utterance.begin(say, voice === undefined ? how : { ...how, voice });
  }

  #item(utterance: Utterance): Item {
    let resolve: (interrupted: boolean) => void = () => undefined;
    const over = new Promise<boolean>((settle) => (resolve = settle));
    const { say } = utterance;
    const item: Item = {
      say,
      utterance,
      fromSample: 0,
      sentSamples: 0,
      started: false,
      fade: false,
      writer: null,
      over,
      finish: (interrupted) => {
        if (item.writer !== null) this.#open.delete(item.writer.clip);
        const { speech, engines } = utterance;
        utterance.cancel();
        const sentMs = Math.round((item.sentSamples * 1000) / speech.rateHz);
        // What was held and dropped has never been.
        if (item.started || !interrupted || sentMs > 0) {
          this.#hooks.ended({ say, sentMs, heard: heardOf(speech, item.sentSamples), interrupted, engines });
        }
        resolve(interrupted);
      },
    };
    return item;
  }

  #play(item: Item, held: boolean): void {
    const { utterance, fromSample } = item;
    const { rateHz } = utterance.speech;
    const asks = utterance.questionSample;
    const marks = asks >= fromSample ? { marks: [asks - fromSample] } : {};
    const writer = this.#media.openClip({ rateHz, held, ...marks });
    item.writer = writer;
    this.#open.set(writer.clip, item);
    utterance.flow(writer, fromSample, item.fade);
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
    const { speech, madeSamples, failure } = item.utterance;
    const played = Math.round((playedSamples * speech.rateHz) / CALLER_RATE_HZ);
    // Rounding between rates must not cost the last word of what was played to its end.
    const wholly = failure === null ? speech.lengthSamples : madeSamples;
    item.sentSamples = outcome === 'played' ? wholly : Math.max(item.sentSamples, item.fromSample + played);
    if (outcome === 'stopped' && this.#again !== null) this.#again.push(item);
    else item.finish(outcome === 'stopped');
    if (this.#open.size === 0) this.#becameQuiet();
  }

  #becameQuiet(): void {
    const again = this.#again ?? [];
    this.#again = null;
    for (const item of again) {
      item.fade = item.sentSamples > 0;
      item.fromSample = item.fade ? resumeSample(item.utterance.speech, item.sentSamples) : 0;
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

  /** The call ends: silence, and the engine has told how much of each text was sent, if it does so in time. */
  async finish(timers: Timers): Promise<void> {
    if (this.#open.size > 0) this.stop();
    const told = this.#quiet?.done;
    if (told === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = timers.after(LAST_WORD_MS, resolve);
      void told.then(() => {
        cancel();
        resolve();
      });
    });
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

// A function, so that the compiler does not narrow `aborted` across an await.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
