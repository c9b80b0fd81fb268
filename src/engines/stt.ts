/**
 * Several recognisers as one. Finals go through the chain: the next engine hears the same samples when the first one fails or is late, as
 * long as they are in the audio memory. Partials are asked of the engine that would be asked first; one that is lost is no loss.
 */
import { ParleyError } from '../contracts/index.ts';
import type {
  AudioMemory,
  Clock,
  DecodeRequest,
  DecodeResult,
  ExternalProcessor,
  SpeechToText,
  SttSession,
  Timers,
} from '../contracts/index.ts';
import type { BreakerOptions } from './breaker.ts';
import type { BulkheadOptions } from './bulkhead.ts';
import { EngineChain, whole } from './chain.ts';
import type { SpeechPrice } from './cost.ts';
import type { RateOptions } from './rate.ts';
import { Starting } from './starting.ts';
import { speechUse } from './use.ts';

export interface SttLink {
  readonly stt: SpeechToText;
  /** Names it in events; the engine's own name when left out. Two engines of a chain have different names. */
  readonly name?: string;
  readonly breaker?: BreakerOptions;
  readonly bulkhead?: BulkheadOptions;
  readonly rate?: RateOptions;
  /** A final without its words for so long is asked of the next engine. */
  readonly timeoutMs?: number;
  readonly price?: SpeechPrice;
}

interface ChainedSttOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly hedgeAfterMs?: number;
  /** Each engine by itself; the port's own `onState` is about all of them together. */
  readonly onEngine?: (engine: string, state: 'up' | 'down') => void;
}

type Opening = Parameters<SpeechToText['open']>[0];

const BREAKER: BreakerOptions = { failures: 3, openMs: 5_000, maxOpenMs: 60_000 };
const BULKHEAD: BulkheadOptions = { places: 64, queue: 64, waitMs: 1_000 };
const SAMPLES_PER_MS = 16;

const givenUp = (): ParleyError => new ParleyError('STT_ABORTED', 'the decode was given up');

export class ResilientStt implements SpeechToText {
  readonly name: string;
  readonly description: string;
  readonly external: ExternalProcessor | null;
  readonly #links: readonly SttLink[];
  readonly #chain: EngineChain<SpeechToText>;
  readonly #options: ChainedSttOptions;
  readonly #starting: Starting;
  readonly #down = new Set<string>();
  #listener: (state: 'up' | 'down', why: string) => void = () => undefined;

  constructor(links: readonly [SttLink, ...SttLink[]], options: ChainedSttOptions) {
    const [first, ...others] = links.map((link) => ({
      name: nameOf(link),
      engine: link.stt,
      breaker: link.breaker ?? BREAKER,
      bulkhead: link.bulkhead ?? BULKHEAD,
      ...(link.rate === undefined ? {} : { rate: link.rate }),
      ...(link.timeoutMs === undefined ? {} : { startMs: link.timeoutMs }),
    }));
    if (first === undefined) throw new RangeError('a chain has at least one engine');
    this.name = links.map(nameOf).join(', ');
    this.description = links.map(({ stt }) => stt.description).join(', then ');
    this.external = links.find(({ stt }) => (stt.external ?? null) !== null)?.stt.external ?? null;
    this.#links = links;
    this.#options = options;
    this.#chain = new EngineChain([first, ...others], options);
    this.#starting = new Starting(options.timers, (engine, state) =>
      this.#engine(engine, state, state === 'up' ? 'started' : 'does not start'),
    );
    for (const link of links) link.stt.onState((state, why) => this.#engine(nameOf(link), state, why));
  }

  load(): ReturnType<EngineChain<SpeechToText>['load']> {
    return this.#chain.load();
  }

  onState(listener: (state: 'up' | 'down', why: string) => void): void {
    this.#listener = listener;
  }

  start(audio: AudioMemory): Promise<void> {
    return this.#starting.start(this.#links.map((link) => ({ name: nameOf(link), start: () => link.stt.start(audio) })));
  }

  open(options: Opening): SttSession {
    const sessions = new Map<SpeechToText, SttSession>();
    const over = new AbortController();
    const sessionOf = (stt: SpeechToText): SttSession => {
      const session = sessions.get(stt) ?? stt.open(options);
      sessions.set(stt, session);
      return session;
    };
    for (const { stt } of this.#links.slice(0, 1)) sessionOf(stt);
    return {
      decode: async (request, signal) => {
        if (over.signal.aborted) throw new ParleyError('STT_FAILED', 'the call is over');
        if (signal?.aborted === true) throw givenUp();
        const both = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
        try {
          return await this.#decode(sessionOf, request, both);
        } catch (error) {
          if (both.aborted) throw givenUp();
          throw error;
        }
      },
      close: () => {
        over.abort(givenUp());
        for (const session of sessions.values()) session.close();
        sessions.clear();
      },
    };
  }

  async stop(): Promise<void> {
    this.#starting.stop();
    await Promise.all(this.#links.map(({ stt }) => stt.stop()));
  }

  async #decode(sessionOf: (stt: SpeechToText) => SttSession, request: DecodeRequest, signal: AbortSignal): Promise<DecodeResult> {
    const audioMs = (request.toSample - request.fromSample) / SAMPLES_PER_MS;
    if (audioMs < 0) throw new ParleyError('STT_FAILED', 'the range ends before it begins');
    const sinceUs = this.#options.clock.monoUs();
    const sinceMs = (): number => (this.#options.clock.monoUs() - sinceUs) / 1000;
    if (request.kind === 'partial') {
      const stt = this.#chain.preferred() ?? this.#links[0]?.stt;
      const link = this.#links.find((each) => each.stt === stt);
      if (stt === undefined || link === undefined) throw new ParleyError('STT_FAILED', 'there is no recogniser');
      const result = await sessionOf(stt).decode(request, signal);
      return { ...result, use: this.#use(link, [], sinceMs(), audioMs) };
    }
    const { value, index, attempts } = await this.#chain.run(
      whole((stt, given) => sessionOf(stt).decode(request, given)),
      signal,
    );
    const link = this.#links[index];
    const waitedMs = attempts.find(({ outcome }) => outcome === 'answered')?.waitedMs ?? 0;
    const queueMs = value.queueMs + waitedMs;
    return link === undefined ? value : { ...value, queueMs, use: this.#use(link, attempts, sinceMs(), audioMs) };
  }

  #use(
    link: SttLink,
    attempts: Parameters<typeof speechUse>[0]['attempts'],
    tookMs: number,
    audioMs: number,
  ): ReturnType<typeof speechUse> {
    return speechUse({ engine: nameOf(link), attempts, tookMs, audioMs, external: link.stt.external ?? null, price: link.price });
  }

  /** One engine has died or is back. All together are down when none is left. */
  #engine(engine: string, state: 'up' | 'down', why: string): void {
    this.#options.onEngine?.(engine, state);
    const wereAll = this.#down.size === this.#links.length;
    if (state === 'down') this.#down.add(engine);
    else this.#down.delete(engine);
    const areAll = this.#down.size === this.#links.length;
    if (this.#links.length === 1 || wereAll !== areAll) this.#listener(state, this.#links.length === 1 ? why : `${engine}: ${why}`);
  }
}

function nameOf({ name, stt }: SttLink): string {
  return name ?? stt.name;
}
