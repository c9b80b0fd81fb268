/** The turn engine of one call: its state, its record for a replay, and the clock that wakes it. Decides nothing, carries out nothing. */
import type { Timers, TurnEffect, TurnEvent } from '../contracts/index.ts';
import { decide, initialTurn, type TurnOptions, type TurnState } from '../turn/index.ts';
import type { TurnRecorder } from './recorder.ts';

export type TurnAct = Exclude<TurnEffect, { t: 'wake' }>;

type Timeless<E> = E extends unknown ? Omit<E, 'atMs'> : never;
/** An event of the turn engine that happens at this moment. */
export type Happening = Timeless<TurnEvent>;

export interface TurnDeskOptions {
  readonly turn: TurnOptions;
  /** Turns of the caller before this process. */
  readonly turns: number;
  readonly recorder: TurnRecorder | null;
  readonly timers: Timers;
  /** Milliseconds on the media clock. */
  readonly nowMs: () => number;
  readonly carryOut: (effect: TurnAct) => void;
}

export class TurnDesk {
  readonly #options: TurnDeskOptions;
  #state: TurnState;
  #wake: (() => void) | null = null;
  readonly #waiting: TurnEvent[] = [];
  #closed = false;

  constructor(options: TurnDeskOptions) {
    this.#options = options;
    this.#state = { ...initialTurn(options.turn), turn: options.turns };
  }

  /** Told while a decision is carried out, an event waits until that is done: its effects never overtake. */
  tell(event: TurnEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > 1) return;
    try {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        this.#decide(next);
        this.#waiting.shift();
      }
    } finally {
      this.#waiting.length = 0;
    }
  }

  /** It happens at this moment. */
  now(event: Happening): void {
    this.tell({ ...event, atMs: this.#options.nowMs() });
  }

  #decide(event: TurnEvent): void {
    if (this.#closed) return;
    const [state, effects] = decide(this.#state, event);
    this.#state = state;
    this.#options.recorder?.event(event, effects);
    for (const effect of effects) {
      if (effect.t === 'wake') this.#wakeAt(effect.atMs);
      else this.#options.carryOut(effect);
    }
  }

  #wakeAt(atMs: number): void {
    const { timers, nowMs } = this.#options;
    this.#wake?.();
    this.#wake = timers.after(Math.max(0, atMs - nowMs()), () => {
      this.#wake = null;
      this.tell({ t: 'tick', atMs: Math.max(atMs, nowMs()) });
    });
  }

  /** No decision any more. The record stays open for what the end of the call still has to say: see `settle`. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
    this.#wake = null;
  }

  /** The record is complete. */
  settle(): void {
    this.#options.recorder?.close();
  }
}
