/**
 * A text on its way from the synthesiser: its samples and the places of its words as they become known. It flows into the clip that plays
 * it, into another one when it goes on after a halt, and ends by itself when nobody wants it any more. Knows nothing of turns or dialogue.
 */
import type { ClipWriter, EngineUse, SpeechChunk, SpeechMark, TextToSpeech } from '../contracts/index.ts';
import { questionSample, type Speech } from './ledger.ts';
import type { Say } from './ports.ts';

/** Of a text whose end is not made yet: what voices speak. Replaced by the true length. */
const CHARS_PER_SECOND = 14;
const FADE_MS = 20;
const SILENT_RATE_HZ = 16_000;

export interface UtteranceOptions {
  readonly tts: TextToSpeech;
  readonly language: string;
  readonly signal: AbortSignal;
  readonly clockMs: () => number;
  readonly thrifty: boolean;
  /** A voice of the engine; else that of the language. */
  readonly voice?: string;
}

export class Utterance {
  readonly say: Say;
  /** Until it could begin to play. */
  firstMs = 0;
  readonly #abort = new AbortController();
  readonly #pcm: Int16Array[] = [];
  readonly #marks: SpeechMark[] = [];
  readonly #engines = new Map<string, EngineUse>();
  #made = 0;
  #rateHz = 0;
  #state: 'open' | 'whole' | 'failed' = 'open';
  #error: unknown = null;
  #writer: ClipWriter | null = null;
  #ready: () => void = () => undefined;

  private constructor(say: Say) {
    this.say = say;
  }

  /** Resolves when it can begin to play; null when the signal came first. Errors: TTS_FAILED, when nothing was made. */
  static async begin(say: Say, options: UtteranceOptions): Promise<Utterance | null> {
    const { signal, clockMs } = options;
    if (signal.aborted) return null;
    const utterance = new Utterance(say);
    const sinceMs = clockMs();
    const ready = new Promise<void>((resolve) => (utterance.#ready = resolve));
    const onAbort = (): void => utterance.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    void utterance.#read(options, sinceMs).finally(() => signal.removeEventListener('abort', onAbort));
    await ready;
    utterance.firstMs = clockMs() - sinceMs;
    if (isAborted(signal)) return null;
    if (utterance.#state === 'failed' && utterance.#made === 0) throw utterance.#error;
    return utterance;
  }

  /** As far as it is known now. */
  get speech(): Speech {
    const { text } = this.say;
    const rateHz = this.#rateHz === 0 ? SILENT_RATE_HZ : this.#rateHz;
    const guessed = Math.max(this.#made + 1, Math.round((text.length * rateHz) / CHARS_PER_SECOND));
    const lengthSamples = this.#state === 'whole' ? this.#made : guessed;
    return { text, rateHz, lengthSamples, ...(this.#marks.length === 0 ? {} : { marks: this.#marks }) };
  }

  /** Samples that can have been played: all that were made. */
  get madeSamples(): number {
    return this.#made;
  }

  /** Who made it, in order. */
  get engines(): readonly EngineUse[] {
    return [...this.#engines.values()];
  }

  /** It broke off after it had begun to play. */
  get failure(): unknown {
    return this.#state === 'failed' ? this.#error : null;
  }

  /** Where the question at its end begins; -1 when it has none, or when it is not made yet. */
  get questionSample(): number {
    return this.#knowsQuestion() && isQuestion(this.say) ? questionSample(this.speech) : -1;
  }

  /** From this sample on into this clip, until it ends or flows elsewhere. */
  flow(writer: ClipWriter, fromSample: number, fade: boolean): void {
    this.#writer = null;
    let skip = fromSample;
    let faded = fade;
    for (const part of this.#pcm) {
      const rest = part.subarray(Math.min(skip, part.length));
      skip -= part.length - rest.length;
      if (rest.length === 0) continue;
      writer.write(faded ? fadedIn(rest, (FADE_MS * this.#rateHz) / 1000) : rest);
      faded = false;
    }
    if (this.#state === 'open') this.#writer = writer;
    else writer.end();
  }

  /** Nobody hears the rest: the engine need not make it. */
  cancel(): void {
    this.#writer = null;
    if (this.#state === 'open') this.#abort.abort(new Error('nobody hears it'));
  }

  async #read({ tts, language, voice, clockMs, thrifty }: UtteranceOptions, sinceMs: number): Promise<void> {
    const how = { language, signal: this.#abort.signal, ...(thrifty ? { thrifty } : {}), ...(voice === undefined ? {} : { voice }) };
    try {
      if (tts.stream === undefined) this.#take(await wholeOf(tts, this.say.text, how));
      else for await (const chunk of tts.stream(this.say.text, how)) this.#take(chunk);
      this.#state = 'whole';
    } catch (error) {
      this.#error = error;
      this.#state = 'failed';
    }
    const last = [...this.#engines.keys()].at(-1);
    const use = this.#engines.get(last ?? '');
    if (last !== undefined && use?.cached !== true)
      this.#engines.set(last, { ...use, engine: last, tookMs: Math.round(clockMs() - sinceMs) });
    this.#writer?.end();
    this.#writer = null;
    this.#ready();
  }

  #take({ pcm, rateHz, marks, use }: SpeechChunk): void {
    this.#rateHz ||= rateHz;
    this.#marks.push(...marks);
    if (use !== undefined) this.#engines.set(use.engine, use);
    this.#made += pcm.length;
    if (pcm.length > 0) {
      this.#pcm.push(pcm);
      this.#writer?.write(pcm);
    }
    if (this.#made > 0 && this.#knowsQuestion()) this.#ready();
  }

  /** A clip must be told at its beginning where the question in it begins. */
  #knowsQuestion(): boolean {
    if (!isQuestion(this.say) || this.#state !== 'open') return true;
    const last = [...this.say.text.matchAll(/[.!?…]+\s+/g)].at(-1);
    if (last === undefined) return true;
    return this.#marks.some((mark) => mark.fromChar >= last.index + last[0].length);
  }
}

async function wholeOf(tts: TextToSpeech, text: string, how: Parameters<TextToSpeech['synthesise']>[1]): Promise<SpeechChunk> {
  const { pcm, rateHz, marks = [], use } = await tts.synthesise(text, how);
  return { pcm, rateHz, fromSample: 0, marks, ...(use === undefined ? {} : { use }) };
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
