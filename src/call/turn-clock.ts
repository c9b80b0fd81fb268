/** Collects the moments of the turn that is being answered, for its waterfall. */
import type { Clock, TurnEffect, Waterfall } from '../contracts/index.ts';
import { type TurnMarks, waterfall } from './waterfall.ts';

export class TurnClock {
  readonly #clock: Clock;
  #marks: TurnMarks | null = null;
  #decode: { readonly queueMs: number; readonly decodeMs: number } | null = null;
  #chosenMs: number | null = null;
  #tried = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  decoded(queueMs: number, decodeMs: number): void {
    this.#decode = { queueMs, decodeMs };
  }

  /** A reply was prepared ahead. */
  tried(): void {
    this.#tried = true;
  }

  because({ rule, figures }: Extract<TurnEffect, { t: 'reason' }>): void {
    if (rule === 'committed') this.#chosenMs = Number(figures['chosenMs']);
  }

  /** `held`: the prepared reply was ready; null when there was none for these words. */
  committed(turn: number, waitMs: number, held: boolean | null): void {
    const nowUs = this.#clock.monoUs();
    const missed = this.#tried ? 'miss' : 'off';
    this.#tried = false;
    this.#marks = {
      turn,
      endUs: nowUs - waitMs * 1000,
      committedUs: nowUs,
      chosenWaitMs: this.#chosenMs,
      speculation: held === null ? missed : held ? 'hit' : 'late',
      sttQueueMs: this.#decode?.queueMs ?? null,
      sttMs: this.#decode?.decodeMs ?? null,
      repliedUs: null,
      thinkMs: null,
      synthesisedUs: null,
      bridgedUs: null,
      ttsMs: null,
      startedUs: null,
    };
  }

  replied(thinkMs: number | null): void {
    if (this.#marks === null || this.#marks.repliedUs !== null) return;
    this.#marks.repliedUs = this.#clock.monoUs();
    this.#marks.thinkMs = thinkMs;
  }

  synthesised(ttsMs: number): void {
    if (this.#marks === null || this.#marks.synthesisedUs !== null) return;
    this.#marks.synthesisedUs = this.#clock.monoUs();
    this.#marks.ttsMs = Math.round(ttsMs * 10) / 10;
  }

  /** An opener is out. */
  bridged(atUs: number): void {
    if (this.#marks !== null) this.#marks.bridgedUs ??= atUs;
  }

  /** Our first sample is out: the turn's waterfall, once. */
  started(atUs: number): { turn: number; waterfall: Waterfall } | null {
    if (this.#marks === null || this.#marks.startedUs !== null) return null;
    this.#marks.startedUs = atUs;
    return { turn: this.#marks.turn, waterfall: waterfall(this.#marks) };
  }

  clear(): void {
    this.#marks = null;
    this.#tried = false;
  }
}
