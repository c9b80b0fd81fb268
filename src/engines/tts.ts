/**
 * Several synthesisers as one. The next engine speaks the text when the first one fails or is late. When an engine breaks off in the middle
 * of a speech that plays already, the next one goes on with the first word that was not made yet.
 */
import { ParleyError } from '../contracts/index.ts';
import type {
  Clock,
  EngineUse,
  ExternalProcessor,
  SpeechChunk,
  SpeechClip,
  SpeechMark,
  SpeechOptions,
  TextToSpeech,
  Timers,
} from '../contracts/index.ts';
import { abortReason } from './abort.ts';
import type { BreakerOptions } from './breaker.ts';
import type { BulkheadOptions } from './bulkhead.ts';
import { EngineChain, whole, type Attempt, type Started } from './chain.ts';
import type { SpeechPrice } from './cost.ts';
import type { RateOptions } from './rate.ts';
import { Starting } from './starting.ts';
import { atRate } from './at-rate.ts';
import { speechUse } from './use.ts';

export interface TtsLink {
  readonly tts: TextToSpeech;
  /** Names it in events; the engine's own name when left out. Two engines of a chain have different names. */
  readonly name?: string;
  readonly breaker?: BreakerOptions;
  readonly bulkhead?: BulkheadOptions;
  readonly rate?: RateOptions;
  /** A text without its first audio for so long is asked of the next engine. */
  readonly timeoutMs?: number;
  readonly price?: SpeechPrice;
  /** Speaking rate of all that it says: 1 is the voice's own. */
  readonly speed?: number;
  /** Asked first for texts that may be spoken cheaply. */
  readonly thrifty?: boolean;
}

interface ChainedTtsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly hedgeAfterMs?: number;
  readonly onEngine?: (engine: string, state: 'up' | 'down') => void;
}

interface Reading {
  readonly first: IteratorResult<SpeechChunk>;
  readonly iterator: AsyncIterator<SpeechChunk>;
  readonly free: (how: 'ok' | 'failed' | 'given-up') => void;
}

const BREAKER: BreakerOptions = { failures: 3, openMs: 5_000, maxOpenMs: 60_000 };
const BULKHEAD: BulkheadOptions = { places: 64, queue: 64, waitMs: 1_000 };

export class ResilientTts implements TextToSpeech {
  readonly name: string;
  readonly external: ExternalProcessor | null;
  readonly maxChars: number;
  readonly #links: readonly TtsLink[];
  readonly #chain: EngineChain<TextToSpeech>;
  readonly #options: ChainedTtsOptions;
  readonly #starting: Starting;

  constructor(links: readonly [TtsLink, ...TtsLink[]], options: ChainedTtsOptions) {
    const onEngine = options.onEngine ?? ((): void => undefined);
    const [first, ...others] = links.map((link) => ({
      name: nameOf(link),
      engine: link.tts,
      breaker: link.breaker ?? BREAKER,
      bulkhead: link.bulkhead ?? BULKHEAD,
      ...(link.rate === undefined ? {} : { rate: link.rate }),
      ...(link.timeoutMs === undefined ? {} : { startMs: link.timeoutMs }),
    }));
    if (first === undefined) throw new RangeError('a chain has at least one engine');
    this.name = links.map(nameOf).join(', ');
    this.external = links.find(({ tts }) => (tts.external ?? null) !== null)?.tts.external ?? null;
    this.maxChars = Math.min(...links.map(({ tts }) => tts.maxChars));
    this.#links = links;
    this.#options = options;
    this.#chain = new EngineChain([first, ...others], { ...options, onState: onEngine });
    this.#starting = new Starting(options.timers, onEngine);
  }

  get description(): string {
    return this.#links.map(({ tts }) => tts.description).join(', then ');
  }

  load(): ReturnType<EngineChain<TextToSpeech>['load']> {
    return this.#chain.load();
  }

  start(): Promise<void> {
    return this.#starting.start(this.#links.map((link) => ({ name: nameOf(link), start: () => link.tts.start() })));
  }

  async stop(): Promise<void> {
    this.#starting.stop();
    await Promise.all(this.#links.map(({ tts }) => tts.stop()));
  }

  async synthesise(text: string, options: SpeechOptions): Promise<SpeechClip> {
    this.#check(text);
    const sinceMs = this.#stopwatch();
    const { value, index, attempts } = await this.#chain.run(
      whole((tts, signal) => tts.synthesise(text, this.#fitting(tts, options, signal))),
      options.signal,
      this.#order(options),
    );
    const audioMs = (1000 * value.pcm.length) / value.rateHz;
    return { ...value, use: this.#use(index, attempts, { tookMs: sinceMs(), firstMs: value.firstMs, audioMs, characters: text.length }) };
  }

  async *stream(text: string, options: SpeechOptions): AsyncGenerator<SpeechChunk, void, undefined> {
    this.#check(text);
    let rateHz = 0;
    let madeSamples = 0;
    const marks: SpeechMark[] = [];
    let fromChar = 0;
    let order = this.#order(options);
    for (;;) {
      const [offset, base] = [fromChar, madeSamples];
      const sinceMs = this.#stopwatch();
      const { value, index, attempts } = await this.#chain.run(
        (tts, signal) => this.#begin(tts, text.slice(offset), options, signal),
        options.signal,
        order,
      );
      const firstMs = sinceMs();
      let use: { use?: EngineUse } = { use: this.#use(index, attempts, { tookMs: firstMs, firstMs, characters: text.length - offset }) };
      let how: 'ok' | 'failed' | 'given-up' = 'given-up';
      try {
        for (let item = value.first; item.done !== true; item = await value.iterator.next()) {
          rateHz ||= item.value.rateHz;
          const chunk = moved(item.value, { rateHz, madeSamples: base, fromChar: offset });
          marks.push(...chunk.marks);
          madeSamples = chunk.fromSample + chunk.pcm.length;
          yield { ...chunk, ...use };
          use = {};
        }
        how = 'ok';
        const audioMs = (1000 * (madeSamples - base)) / (rateHz || 1);
        const whole = this.#use(index, attempts, { tookMs: sinceMs(), firstMs, audioMs, characters: text.length - offset });
        if (madeSamples > base) yield { pcm: new Int16Array(0), rateHz, fromSample: madeSamples, marks: [], use: whole };
        return;
      } catch (error) {
        if (options.signal?.aborted === true) throw error;
        how = 'failed';
        const next = marks.find((mark) => mark.fromSample >= madeSamples);
        order = order.filter((other) => other !== index);
        // Without marks nobody knows where to go on; a word that was begun is not said twice.
        if (order.length === 0 || marks.length === 0) throw error;
        if (next === undefined) return;
        fromChar = next.fromChar;
        marks.splice(marks.indexOf(next));
      } finally {
        value.free(how);
        void value.iterator.return?.().then(undefined, () => undefined);
      }
    }
  }

  #check(text: string): void {
    if (text.length > this.maxChars)
      throw new ParleyError('TTS_FAILED', `the text has ${text.length} characters, ${this.maxChars} are allowed`);
  }

  #stopwatch(): () => number {
    const sinceUs = this.#options.clock.monoUs();
    return () => (this.#options.clock.monoUs() - sinceUs) / 1000;
  }

  #order({ thrifty = false }: SpeechOptions): readonly number[] {
    const all = this.#links.map((_, index) => index);
    return thrifty ? [...all].sort((a, b) => Number(this.#links[b]?.thrifty ?? false) - Number(this.#links[a]?.thrifty ?? false)) : all;
  }

  /** A voice is one engine's own: the others take theirs of the language. */
  #fitting(tts: TextToSpeech, { voice, rate = 1, ...options }: SpeechOptions, signal: AbortSignal): SpeechOptions {
    const link = this.#links.find((each) => each.tts === tts);
    const speed = rate * (link?.speed ?? 1);
    return {
      ...options,
      ...(voice === undefined || link !== this.#links[0] ? {} : { voice }),
      ...(speed === 1 ? {} : { rate: speed }),
      signal,
    };
  }

  /** Started = the first chunk is there. */
  async #begin(tts: TextToSpeech, text: string, options: SpeechOptions, signal: AbortSignal): Promise<Started<Reading>> {
    const controller = new AbortController();
    const own = options.signal;
    const onLost = (): void => controller.abort(abortReason(signal));
    const onAbort = (): void => controller.abort(own?.reason);
    signal.addEventListener('abort', onLost, { once: true });
    own?.addEventListener('abort', onAbort, { once: true });
    let settle: (how: 'ok' | 'failed' | 'given-up') => void = () => undefined;
    const finished = new Promise<'ok' | 'failed' | 'given-up'>((resolve) => (settle = resolve));
    const free: Reading['free'] = (how) => {
      own?.removeEventListener('abort', onAbort);
      settle(how);
    };
    const given = this.#fitting(tts, options, controller.signal);
    const pieces: AsyncIterable<SpeechChunk> = tts.stream?.(text, given) ?? inOnePiece(tts, text, given);
    const iterator = pieces[Symbol.asyncIterator]();
    try {
      const first = await iterator.next();
      return { value: { first, iterator, free }, finished };
    } catch (error) {
      free('failed');
      throw error;
    }
  }

  #use(
    index: number,
    attempts: readonly Attempt[],
    work: { readonly tookMs: number; readonly firstMs: number; readonly audioMs?: number; readonly characters: number },
  ): EngineUse {
    const link = this.#links[index];
    const external = link?.tts.external ?? null;
    return speechUse({ engine: link === undefined ? '' : nameOf(link), attempts, ...work, external, price: link?.price });
  }
}

function nameOf({ name, tts }: TtsLink): string {
  return name ?? tts.name;
}

async function* inOnePiece(tts: TextToSpeech, text: string, options: SpeechOptions): AsyncGenerator<SpeechChunk, void, undefined> {
  const { pcm, rateHz, marks = [] } = await tts.synthesise(text, options);
  if (pcm.length > 0) yield { pcm, rateHz, fromSample: 0, marks };
}

/** A chunk of the rest of a text, as a chunk of the whole text at the rate that it began with. */
function moved(
  { pcm, rateHz: given, fromSample, marks }: SpeechChunk,
  { rateHz, madeSamples, fromChar }: { rateHz: number; madeSamples: number; fromChar: number },
): SpeechChunk {
  if (madeSamples === 0 && fromChar === 0) return { pcm, rateHz: given, fromSample, marks };
  const scaled = (sample: number): number => madeSamples + Math.round((sample * rateHz) / given);
  return {
    pcm: atRate(pcm, given, rateHz),
    rateHz,
    fromSample: scaled(fromSample),
    marks: marks.map((mark) => ({
      ...mark,
      fromChar: mark.fromChar + fromChar,
      toChar: mark.toChar + fromChar,
      fromSample: scaled(mark.fromSample),
    })),
  };
}
