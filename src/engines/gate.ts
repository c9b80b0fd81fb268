/** Runs breaker, rate limit and bulkhead of one engine: whoever gets a pass may ask the engine, and says how it went. */
import { ParleyError, type Clock, type Timers } from '../contracts/index.ts';
import { abortReason } from './abort.ts';
import { ask, closedBreaker, told, wouldRefuse, type BreakerOptions, type BreakerState } from './breaker.ts';
import { reserve, type RateOptions, type RateState } from './rate.ts';
import { bulkhead, EMPTY_BULKHEAD, type BulkheadEvent, type BulkheadOptions, type BulkheadState } from './bulkhead.ts';

export interface GateOptions {
  /** The engine's name, for messages. */
  readonly name: string;
  readonly breaker: BreakerOptions;
  readonly bulkhead: BulkheadOptions;
  /** Where a provider allows only so much. The wait for it is bounded by the bulkhead's. */
  readonly rate?: RateOptions;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onState?: (state: 'up' | 'down') => void;
}

export interface Pass {
  readonly waitedMs: number;
  /** Exactly the first call counts. */
  readonly done: (how: 'ok' | 'failed' | 'given-up') => void;
}

export class Gate {
  readonly #options: GateOptions;
  #breaker: BreakerState;
  #bulkhead: BulkheadState = EMPTY_BULKHEAD;
  #rate: RateState = 0;
  #nextId = 1;
  readonly #waiting = new Map<number, (admitted: boolean) => void>();

  constructor(options: GateOptions) {
    this.#options = options;
    this.#breaker = closedBreaker(options.breaker);
  }

  get mode(): BreakerState['mode'] {
    return this.#breaker.mode;
  }
  get running(): number {
    return this.#bulkhead.running.length;
  }
  get waiting(): number {
    return this.#bulkhead.waiting.length;
  }

  /** Errors: ENGINE_OPEN, ENGINE_BUSY, or the signal's reason. */
  async enter(signal: AbortSignal): Promise<Pass> {
    const sinceMs = this.#nowMs();
    if (signal.aborted) throw abortReason(signal);
    if (wouldRefuse(this.#breaker, sinceMs)) throw this.#openError();
    await this.#rateLimit(sinceMs, signal);
    const id = this.#nextId++;
    await this.#place(id, signal);
    const [breaker, verdict] = ask(this.#breaker, this.#nowMs());
    this.#breaker = breaker;
    if (verdict === 'no') {
      this.#step({ t: 'leave', id });
      throw this.#openError();
    }
    let open = true;
    return {
      waitedMs: this.#nowMs() - sinceMs,
      done: (how) => {
        if (!open) return;
        open = false;
        this.#step({ t: 'leave', id });
        this.#tell(how, verdict === 'probe');
      },
    };
  }

  #nowMs(): number {
    return this.#options.clock.monoUs() / 1000;
  }

  #openError(): ParleyError {
    return new ParleyError('ENGINE_OPEN', `${this.#options.name} failed too often and is left alone for a while`);
  }

  /** A request that would wait too long is refused and takes nothing from the limit. */
  async #rateLimit(atMs: number, signal: AbortSignal): Promise<void> {
    const { rate, bulkhead: places, timers } = this.#options;
    if (rate === undefined) return;
    const [next, waitMs] = reserve(this.#rate, atMs, rate);
    if (waitMs > places.waitMs) throw this.#busyError();
    this.#rate = next;
    if (waitMs === 0) return;
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        stop();
        reject(abortReason(signal));
      };
      const stop = timers.after(waitMs, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #busyError(): ParleyError {
    const { name, bulkhead: places } = this.#options;
    return new ParleyError('ENGINE_BUSY', `${name} has no free place and the wait of ${places.waitMs} ms is over`);
  }

  #tell(how: 'ok' | 'failed' | 'given-up', probe: boolean): void {
    const before = this.#breaker.mode;
    this.#breaker = told(this.#breaker, { t: how, probe, atMs: this.#nowMs() }, this.#options.breaker);
    const after = this.#breaker.mode;
    if (before === 'closed' && after === 'open') this.#options.onState?.('down');
    if (before !== 'closed' && after === 'closed') this.#options.onState?.('up');
  }

  #place(id: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(id);
        this.#step({ t: 'leave', id });
        reject(abortReason(signal));
      };
      this.#waiting.set(id, (admitted) => {
        this.#waiting.delete(id);
        signal.removeEventListener('abort', onAbort);
        if (admitted) resolve();
        else reject(this.#busyError());
      });
      signal.addEventListener('abort', onAbort, { once: true });
      this.#step({ t: 'enter', id, atMs: this.#nowMs() });
    });
  }

  #step(event: BulkheadEvent): void {
    const [state, effects] = bulkhead(this.#bulkhead, event, this.#options.bulkhead);
    this.#bulkhead = state;
    for (const effect of effects) {
      if (effect.t === 'wake') this.#options.timers.after(effect.atMs - this.#nowMs(), () => this.#step({ t: 'tick', atMs: effect.atMs }));
      else this.#waiting.get(effect.id)?.(effect.t === 'admit');
    }
  }
}
