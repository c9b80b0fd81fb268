/**
 * Several language models as one: the next one answers when the first cannot, as long as nothing of its answer was passed on. An answer that
 * breaks off later is the reader's to repair: half of it may have been spoken.
 */
import { ParleyError } from '../contracts/index.ts';
import type {
  AnsweredBy,
  ChatDelta,
  ChatRequest,
  Clock,
  ErrorCode,
  ExternalProcessor,
  LanguageModel,
  Timers,
  EngineCost,
  EngineUse,
  TokenUsage,
  WarmRequest,
} from '../contracts/index.ts';
import { abortReason } from './abort.ts';
import type { BreakerOptions } from './breaker.ts';
import type { BulkheadOptions } from './bulkhead.ts';
import { attemptsOf, EngineChain, type Attempt, type Outcome, type Started } from './chain.ts';
import type { RateOptions } from './rate.ts';
import { costOf, type TokenPrice } from './cost.ts';
import { Starting } from './starting.ts';
import { attemptsBefore } from './use.ts';

export interface ResilientLink {
  readonly model: LanguageModel;
  readonly breaker?: BreakerOptions;
  readonly bulkhead?: BulkheadOptions;
  readonly rate?: RateOptions;
  readonly price?: TokenPrice;
  /** Asked first for answers that may be made cheaply. */
  readonly thrifty?: boolean;
  /** Asked only for requests that name it; stands in for no other. */
  readonly byName?: boolean;
}

/** Who answered, how long it took and what it cost: for the event of the turn. Holds no words. */
export interface AnswerRecord {
  readonly callKey: string;
  /** Null when no engine answered. */
  readonly engine: string | null;
  readonly external: ExternalProcessor | null;
  readonly outcome: 'done' | 'given-up' | ErrorCode;
  readonly attempts: readonly Attempt[];
  readonly firstMs: number | null;
  readonly totalMs: number;
  readonly usage: TokenUsage | null;
  readonly cost: EngineCost | null;
  /** The same for the events of the call; null when no engine answered. */
  readonly use: EngineUse | null;
}

export interface ResilientOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly hedgeAfterMs?: number;
  readonly onAnswer?: (record: AnswerRecord) => void;
  readonly onState?: (engine: string, state: 'up' | 'down') => void;
}

const BREAKER: BreakerOptions = { failures: 3, openMs: 5_000, maxOpenMs: 60_000 };
const BULKHEAD: BulkheadOptions = { places: 32, queue: 32, waitMs: 500 };

interface Reading {
  readonly first: IteratorResult<ChatDelta>;
  readonly iterator: AsyncIterator<ChatDelta>;
  readonly free: (how: 'ok' | 'failed' | 'given-up') => void;
}

export class ResilientModel implements LanguageModel {
  readonly name: string;
  readonly description: string;
  readonly external: ExternalProcessor | null;
  readonly #links: readonly ResilientLink[];
  readonly #chain: EngineChain<LanguageModel>;
  readonly #options: ResilientOptions;
  readonly #starting: Starting;

  constructor(links: readonly [ResilientLink, ...ResilientLink[]], options: ResilientOptions) {
    const [first, ...others] = links.map(({ model, breaker = BREAKER, bulkhead = BULKHEAD, rate }) => ({
      name: model.name,
      engine: model,
      breaker,
      bulkhead,
      ...(rate === undefined ? {} : { rate }),
    }));
    if (first === undefined) throw new RangeError('a chain has at least one engine');
    this.name = options.name;
    this.description = links.map(({ model }) => model.description).join(', then ');
    this.external = links.find(({ model }) => model.external !== null)?.model.external ?? null;
    this.#links = links;
    this.#options = options;
    this.#chain = new EngineChain([first, ...others], options);
    this.#starting = new Starting(options.timers, (engine, state) => options.onState?.(engine, state));
  }

  load(): ReturnType<EngineChain<LanguageModel>['load']> {
    return this.#chain.load();
  }

  /** Starts all; one that cannot start is tried again later. Errors: the first one's, when none can. */
  start(): Promise<void> {
    return this.#starting.start(this.#links.map(({ model }) => model));
  }

  async *chat(request: ChatRequest): AsyncGenerator<ChatDelta, void, undefined> {
    const sinceUs = this.#options.clock.monoUs();
    const sinceMs = (): number => (this.#options.clock.monoUs() - sinceUs) / 1000;
    let outcome: Outcome<Reading>;
    try {
      outcome = await this.#chain.run((model, signal) => begin(model, request, signal), request.signal, this.#order(request));
    } catch (error) {
      this.#record(request, {
        engine: null,
        link: null,
        outcome: codeOf(error, request.signal),
        attempts: attemptsOf(error),
        firstMs: null,
        totalMs: sinceMs(),
        usage: null,
      });
      throw error;
    }
    const { iterator, free, first } = outcome.value;
    const firstMs = sinceMs();
    let usage: TokenUsage | null = null;
    let how: AnswerRecord['outcome'] = 'given-up';
    try {
      for (let item = first; item.done !== true; item = await iterator.next()) {
        if (item.value.t === 'usage') usage = item.value.usage;
        if (item.value.t === 'done') how = 'done';
        yield item.value.t === 'done' ? { ...item.value, by: this.#by(outcome, usage, sinceMs()) } : item.value;
      }
    } catch (error) {
      how = codeOf(error, request.signal);
      throw error;
    } finally {
      free(how === 'done' ? 'ok' : how === 'given-up' ? 'given-up' : 'failed');
      void iterator.return?.().then(undefined, () => undefined);
      this.#record(request, {
        engine: outcome.engine,
        link: this.#links[outcome.index] ?? null,
        outcome: how,
        attempts: outcome.attempts,
        firstMs,
        totalMs: sinceMs(),
        usage,
      });
    }
  }

  async warm(request: WarmRequest): Promise<void> {
    await this.#chain.preferred()?.warm(request);
  }

  release(callKey: string): void {
    for (const { model } of this.#links) model.release(callKey);
  }

  async stop(): Promise<void> {
    this.#starting.stop();
    await Promise.all(this.#links.map(({ model }) => model.stop()));
  }

  /** What a flow chose goes before what the site saves on: who asked for a better model is not given a smaller one. */
  #order({ model, thrifty = false }: ChatRequest): readonly number[] {
    const chain = this.#links.flatMap(({ byName = false }, index) => (byName ? [] : [index]));
    const saving = (index: number): number => Number(this.#links[index]?.thrifty ?? false);
    const usual = thrifty ? [...chain].sort((a, b) => saving(b) - saving(a)) : chain;
    const chosen = model === undefined ? -1 : this.#links.findIndex((link) => link.model.name === model);
    return chosen < 0 ? usual : [chosen, ...usual.filter((index) => index !== chosen)];
  }

  #by({ engine, index }: Outcome<Reading>, usage: TokenUsage | null, totalMs: number): AnsweredBy {
    const price = this.#links[index]?.price;
    return price === undefined ? { engine } : { engine, cost: costOf(usage, totalMs, price) };
  }

  #record(
    request: ChatRequest,
    { link, ...facts }: Omit<AnswerRecord, 'callKey' | 'external' | 'cost' | 'use'> & { link: ResilientLink | null },
  ): void {
    const price = link?.price;
    const cost = price === undefined ? null : costOf(facts.usage, facts.totalMs, price);
    const external = link?.model.external ?? null;
    this.#options.onAnswer?.({ ...facts, callKey: request.callKey, external, cost, use: useOf({ ...facts, cost, external }) });
  }
}

function useOf(record: Omit<AnswerRecord, 'callKey' | 'use'>): EngineUse | null {
  const { engine, attempts, totalMs, firstMs, usage, cost, external } = record;
  if (engine === null) return null;
  const waitedMs = attempts.find(({ outcome }) => outcome === 'answered')?.waitedMs ?? 0;
  return {
    engine,
    tookMs: Math.round(totalMs),
    ...(firstMs === null ? {} : { firstMs: Math.round(firstMs) }),
    ...(waitedMs < 0.5 ? {} : { waitedMs: Math.round(waitedMs) }),
    ...(usage === null ? {} : { promptTokens: usage.promptTokens, completionTokens: usage.completionTokens }),
    ...(cost === null ? {} : { cost }),
    ...(external === null ? {} : { external }),
    ...attemptsBefore(attempts),
  };
}

/** Started = the first delta is there. Until then another engine can still take over unheard. */
async function begin(model: LanguageModel, request: ChatRequest, signal: AbortSignal): Promise<Started<Reading>> {
  // The attempt's signal ends with the race; after that the request's own signal counts.
  const controller = new AbortController();
  const own = request.signal;
  const onLost = (): void => controller.abort(abortReason(signal));
  const onAbort = (): void => controller.abort(own?.reason);
  signal.addEventListener('abort', onLost, { once: true });
  own?.addEventListener('abort', onAbort, { once: true });
  const forget = (): void => own?.removeEventListener('abort', onAbort);
  const iterator = model.chat({ ...request, signal: controller.signal })[Symbol.asyncIterator]();
  const { promise: finished, resolve } = withResolvers<'ok' | 'failed' | 'given-up'>();
  try {
    const first = await iterator.next();
    const free: Reading['free'] = (how) => {
      forget();
      resolve(how);
    };
    return { value: { first, iterator, free }, finished };
  } catch (error) {
    forget();
    throw error;
  }
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((given) => (resolve = given));
  return { promise, resolve };
}

function codeOf(error: unknown, signal: AbortSignal | undefined): AnswerRecord['outcome'] {
  if (signal?.aborted === true) return 'given-up';
  return error instanceof ParleyError ? error.code : 'LLM_FAILED';
}
