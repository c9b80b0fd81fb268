/**
 * The capacity governor at work: fed with what callers wait for, asked before a call is taken, its decisions in the log. The decisions
 * themselves are made in governor.ts, which is pure.
 */
import type { Clock, Timers } from '../contracts/index.ts';
import {
  type Action,
  type Decision,
  govern,
  type GovernorEvent,
  type GovernorPolicy,
  type GovernorState,
  newGovernor,
  type Saving,
  type Wait,
} from './governor.ts';
import type { Journal } from './journal.ts';

export interface CapacityOptions {
  /** Null: every call is taken, nothing is saved on. */
  readonly policy: GovernorPolicy | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly journal: Journal;
}

/** How often the event loop is looked at, and the governor with it. */
const LOOK_MS = 250;

export class Capacity {
  readonly #options: CapacityOptions;
  #state: GovernorState | null;
  #decision: Decision = { action: 'admit', savings: [], changed: false, reasons: [], held: false };
  #stop: (() => void) | null = null;

  constructor(options: CapacityOptions) {
    this.#options = options;
    this.#state = options.policy === null ? null : newGovernor(options.policy);
  }

  /** Watches the event loop, while there are calls. */
  #watch(): void {
    const dueMs = this.#nowMs() + LOOK_MS;
    this.#stop = this.#options.timers.after(LOOK_MS, () => {
      this.#watch();
      this.waited('loopLag', Math.max(0, this.#nowMs() - dueMs));
    });
  }

  waited(wait: Wait, ms: number): void {
    this.#tell({ t: 'waited', atMs: this.#nowMs(), wait, ms });
  }

  calls(open: number): void {
    if (open > 0 && this.#stop === null && this.#state !== null) this.#watch();
    if (open === 0) {
      this.#stop?.();
      this.#stop = null;
    }
    this.#tell({ t: 'calls', atMs: this.#nowMs(), open });
  }

  engine(engine: string, up: boolean): void {
    this.#tell({ t: 'engine', atMs: this.#nowMs(), engine, up });
  }

  /** For the next new call. */
  admit(): Action {
    this.#tell({ t: 'look', atMs: this.#nowMs() });
    return this.#decision.action;
  }

  /** For the calls that are open: what is saved on now. All of it while new calls go to people. */
  saves(saving: Saving): boolean {
    const { action, savings } = this.#decision;
    return action === 'people' ? this.#decision.reasons.some(({ why }) => why !== 'engine-down') : savings.includes(saving);
  }

  #nowMs(): number {
    return this.#options.clock.monoUs() / 1000;
  }

  #tell(event: GovernorEvent): void {
    if (this.#state === null) return;
    const [state, decision] = govern(this.#state, event);
    this.#state = state;
    this.#decision = decision;
    if (!decision.changed) return;
    const { action, savings, reasons } = decision;
    const named = reasons.map((reason) => {
      if (reason.why === 'engine-down') return { why: reason.engine, value: 0, limit: 0 };
      if (reason.why === 'calls') return { why: 'calls', value: reason.open, limit: reason.limit };
      return { why: reason.wait, value: Math.round(reason.p95Ms), limit: reason.limitMs };
    });
    this.#options.journal.write({ type: 'capacity.changed', body: { action, savings, reasons: named, openCalls: state.open } });
  }
}
