/**
 * A chain of engines of one kind behind one door: language models, recognisers, synthesisers alike. The runner of race, breaker and bulkhead.
 */
import { ParleyError, type Clock, type ErrorCode, type Timers } from '../contracts/index.ts';
import { abortReason } from './abort.ts';
import { Gate, type Pass } from './gate.ts';
import type { BreakerOptions } from './breaker.ts';
import type { BulkheadOptions } from './bulkhead.ts';
import type { RateOptions } from './rate.ts';
import { newRace, race, type RaceEvent, type RaceState } from './race.ts';

export interface ChainLink<E> {
  readonly name: string;
  readonly engine: E;
  readonly breaker: BreakerOptions;
  readonly bulkhead: BulkheadOptions;
  readonly rate?: RateOptions;
  /** Until `started`; for engines that keep no time budget of their own. */
  readonly startMs?: number;
}

export interface ChainOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Ask the second engine as well when the first has not started by then. */
  readonly hedgeAfterMs?: number;
  readonly onState?: (engine: string, state: 'up' | 'down') => void;
}

/** What one engine did with a request. */
export interface Attempt {
  readonly engine: string;
  readonly outcome: 'answered' | 'given-up' | ErrorCode;
  readonly waitedMs: number;
  readonly tookMs: number;
}

export interface Started<T> {
  readonly value: T;
  /** Resolves when the engine is free again, with how it went: a stream may still fail after it has started. */
  readonly finished: Promise<'ok' | 'failed' | 'given-up'>;
}

export interface Outcome<T> {
  readonly value: T;
  readonly engine: string;
  readonly index: number;
  readonly attempts: readonly Attempt[];
}

export type Ask<E, T> = (engine: E, signal: AbortSignal) => Promise<Started<T>>;

/** For engines that answer once: free when they have answered. */
export function whole<E, T>(act: (engine: E, signal: AbortSignal) => Promise<T>): Ask<E, T> {
  return async (engine, signal) => ({ value: await act(engine, signal), finished: Promise.resolve('ok') });
}

export class EngineChain<E> {
  readonly #links: readonly ChainLink<E>[];
  readonly #gates: readonly Gate[];
  readonly #options: ChainOptions;

  constructor(links: readonly [ChainLink<E>, ...ChainLink<E>[]], options: ChainOptions) {
    this.#links = links;
    this.#options = options;
    const { clock, timers, onState } = options;
    this.#gates = links.map(
      ({ name, breaker, bulkhead, rate }) =>
        new Gate({
          name,
          breaker,
          bulkhead,
          clock,
          timers,
          ...(rate === undefined ? {} : { rate }),
          onState: (state) => onState?.(name, state),
        }),
    );
  }

  /** For metrics and the capacity governor. */
  load(): readonly { readonly engine: string; readonly mode: Gate['mode']; readonly running: number; readonly waiting: number }[] {
    return this.#gates.map((gate, i) => ({
      engine: this.#links[i]?.name ?? '',
      mode: gate.mode,
      running: gate.running,
      waiting: gate.waiting,
    }));
  }

  /** The first engine that would be asked now. */
  preferred(): E | null {
    const index = this.#gates.findIndex((gate) => gate.mode !== 'open');
    return this.#links[Math.max(0, index)]?.engine ?? null;
  }

  /**
   * `order`: which engines may be asked, and in which order, by index; all as they are listed when left out.
   * Errors: what the last engine said; an aborted request throws the signal's reason. `attempts` of a failure: `attemptsOf(error)`.
   */
  run<T>(ask: Ask<E, T>, signal?: AbortSignal, order: readonly number[] = this.#links.map((_, index) => index)): Promise<Outcome<T>> {
    return new Run(this.#links, this.#gates, this.#options, ask, order).go(signal);
  }
}

const failures = new WeakMap<Error, readonly Attempt[]>();

export function attemptsOf(error: unknown): readonly Attempt[] {
  return error instanceof Error ? (failures.get(error) ?? []) : [];
}

class Run<E, T> {
  readonly #links: readonly ChainLink<E>[];
  readonly #gates: readonly Gate[];
  readonly #options: ChainOptions;
  readonly #ask: Ask<E, T>;
  readonly #controllers = new Map<number, AbortController>();
  readonly #attempts: Attempt[] = [];
  #state: RaceState;
  #stopHedge: () => void = () => undefined;
  #lastError: Error = new ParleyError('ENGINE_OPEN', 'no engine could be asked');
  #settle: { resolve: (outcome: Outcome<T>) => void; reject: (error: Error) => void } | null = null;
  #winner: T | undefined;
  /** The race counts engines as they are asked; this is where they stand in the list. */
  readonly #order: readonly number[];

  constructor(links: readonly ChainLink<E>[], gates: readonly Gate[], options: ChainOptions, ask: Ask<E, T>, order: readonly number[]) {
    this.#links = links;
    this.#gates = gates;
    this.#options = options;
    this.#ask = ask;
    this.#order = order.filter((index) => links[index] !== undefined);
    this.#state = newRace(this.#order.length);
  }

  async go(signal: AbortSignal | undefined): Promise<Outcome<T>> {
    if (signal?.aborted === true) throw abortReason(signal);
    const onAbort = (): void => {
      this.#step({ t: 'abort' });
      if (signal !== undefined) this.#settle?.reject(abortReason(signal));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<Outcome<T>>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#step({ t: 'begin' });
      });
    } finally {
      this.#stopHedge();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #step(event: RaceEvent): void {
    const [state, effects] = race(this.#state, event);
    this.#state = state;
    for (const effect of effects) {
      switch (effect.t) {
        case 'start':
          void this.#attempt(effect.engine);
          break;
        case 'give-up':
          this.#controllers.get(effect.engine)?.abort(new Error('another engine was faster, or nobody waits any more'));
          break;
        case 'arm-hedge':
          if (this.#options.hedgeAfterMs !== undefined)
            this.#stopHedge = this.#options.timers.after(this.#options.hedgeAfterMs, () => this.#step({ t: 'hedge' }));
          break;
        case 'win':
          this.#settle?.resolve({
            value: this.#winner as T,
            engine: this.#links[this.#order[effect.engine] ?? -1]?.name ?? '',
            index: this.#order[effect.engine] ?? -1,
            attempts: this.#attempts,
          });
          break;
        case 'lost':
          failures.set(this.#lastError, this.#attempts);
          this.#settle?.reject(this.#lastError);
          break;
      }
    }
  }

  async #attempt(index: number): Promise<void> {
    const link = this.#links[this.#order[index] ?? -1];
    const gate = this.#gates[this.#order[index] ?? -1];
    if (link === undefined || gate === undefined) return;
    const controller = new AbortController();
    this.#controllers.set(index, controller);
    const sinceUs = this.#options.clock.monoUs();
    let pass: Pass | null = null;
    const note = (outcome: Attempt['outcome']): void => {
      const tookMs = (this.#options.clock.monoUs() - sinceUs) / 1000;
      this.#attempts.push({ engine: link.name, outcome, waitedMs: pass?.waitedMs ?? tookMs, tookMs });
    };
    try {
      pass = await gate.enter(controller.signal);
      const started = await this.#started(link, controller);
      if (!this.#state.running.includes(index)) {
        // It answered, but nobody waits for it any more.
        controller.abort(new Error('another engine was faster'));
        note('given-up');
        pass.done('given-up');
        return;
      }
      const { done } = pass;
      started.finished.then(done, () => done('failed'));
      note('answered');
      this.#winner = started.value;
      this.#step({ t: 'won', engine: index });
    } catch (error) {
      const givenUp = !this.#state.running.includes(index);
      note(givenUp ? 'given-up' : error instanceof ParleyError ? error.code : 'ENGINE_FAILED');
      pass?.done(givenUp ? 'given-up' : isEngineFault(error) ? 'failed' : 'ok');
      this.#lastError = error instanceof Error ? error : new Error('engine failed');
      this.#step({ t: 'failed', engine: index });
    }
  }

  #started(link: ChainLink<E>, controller: AbortController): Promise<Started<T>> {
    const asked = this.#ask(link.engine, controller.signal);
    const { startMs } = link;
    if (startMs === undefined) return asked;
    return new Promise((resolve, reject) => {
      const stop = this.#options.timers.after(startMs, () => {
        const error = new ParleyError('ENGINE_TIMEOUT', `${link.name} did not answer within ${startMs} ms`);
        controller.abort(error);
        reject(error);
      });
      asked.then(resolve, reject).finally(stop);
    });
  }
}

/** A request that is wrong in itself says nothing about the engine. */
function isEngineFault(error: unknown): boolean {
  return !(error instanceof ParleyError) || error.retryable;
}
