/**
 * A recorded call through the present turn engine: the same events, other decisions? Open loop: what the caller, the recogniser and
 * the dialogue did stays as it was, so that after a decision that differs the record answers questions that were not asked, and lacks
 * answers to new ones; both are counted. Ticks are made anew: a wait that changed is seen at its own time. Pure.
 */
import type { TurnEffect, TurnEvent } from '../contracts/index.ts';
import { decide } from './decide.ts';
import { initialTurn, type TurnState } from './state.ts';
import type { TurnOptions } from './options.ts';

export interface RecordedStep {
  readonly event: TurnEvent;
  readonly effects: readonly TurnEffect[];
}

export interface Decision {
  readonly atMs: number;
  readonly what: string;
  /** Of the reason given with it. */
  readonly why: string;
}

export interface Difference {
  /** gone: only in the record; new: only now; moved: at another time. */
  readonly t: 'gone' | 'new' | 'moved';
  readonly before: Decision | null;
  readonly now: Decision | null;
}

export interface Replay {
  readonly decisions: number;
  readonly differences: readonly Difference[];
  /** Decodes that were not asked for at the time: nobody knows their answers. */
  readonly unanswered: number;
}

const DECISIVE: readonly TurnEffect['t'][] = [
  'commit',
  'retract',
  'commit-digits',
  'silence',
  'not-understood',
  'stop-speaking',
  'duck',
  'pause',
  'resume',
  'speculate',
  'filler',
];
/** Alarms ring late by a few milliseconds, and later on a busy machine. */
const SAME_MS = 60;
/** The same decision, made earlier or later. */
const MOVED_MS = 3000;
const MAX_TICKS = 10_000;
const SAME_SAMPLES = 640;

type Decode = Extract<TurnEffect, { t: 'decode' }>;

export function replayTurns(steps: readonly RecordedStep[], options: Partial<TurnOptions>): Replay {
  const line = new Line(options);
  const before: Decision[] = [];
  for (const { event, effects } of steps) {
    before.push(...decisionsIn(effects, event.atMs));
    line.tell(event, effects);
  }
  const lastMs = steps.at(-1)?.event.atMs ?? 0;
  line.until(lastMs);
  return { decisions: before.length, differences: compare(before, line.decisions), unanswered: line.unanswered };
}

class Line {
  readonly decisions: Decision[] = [];
  /** Decodes of then and of now that have not been matched. */
  #then: Decode[] = [];
  readonly #asked: Decode[] = [];
  #state: TurnState;
  #wakeMs: number | null = null;
  /** Ids of the record to ids of now. */
  readonly #decodes = new Map<number, number>();
  readonly #attempts = new Map<number, number>();

  constructor(options: Partial<TurnOptions>) {
    this.#state = initialTurn(options);
  }

  tell(event: TurnEvent, recorded: readonly TurnEffect[]): void {
    this.until(event.atMs);
    // Their ticks were for their waits.
    if (event.t !== 'tick') this.#decide(this.#translated(event));
    this.#pair(recorded);
  }

  until(atMs: number): void {
    for (let ticks = 0; this.#wakeMs !== null && this.#wakeMs <= atMs && ticks < MAX_TICKS; ticks++) {
      const wakeMs = this.#wakeMs;
      this.#wakeMs = null;
      this.#decide({ t: 'tick', atMs: wakeMs });
    }
  }

  #decide(event: TurnEvent): void {
    const [state, effects] = decide(this.#state, event);
    this.#state = state;
    for (const effect of effects) if (effect.t === 'wake') this.#wakeMs = effect.atMs;
    this.decisions.push(...decisionsIn(effects, event.atMs));
    for (const effect of effects) if (effect.t === 'decode') this.#asked.push(effect);
  }

  #translated(event: TurnEvent): TurnEvent {
    if (event.t === 'words' || event.t === 'decode-failed') return { ...event, decode: this.#decodes.get(event.decode) ?? -1 };
    if (event.t === 'prepared') return { ...event, attempt: this.#attempts.get(event.attempt) ?? -1 };
    return event;
  }

  /** Tells which question of now is the one of then: the same kind of decode, ending within 40 ms of the same audio. */
  #pair(recorded: readonly TurnEffect[]): void {
    for (const effect of recorded) {
      if (effect.t === 'decode') this.#then.push(effect);
      if (effect.t === 'speculate') this.#attempts.set(effect.attempt, this.#state.speculation?.attempt ?? -1);
    }
    this.#then = this.#then.filter((then) => {
      const index = this.#asked.findIndex((now) => now.kind === then.kind && Math.abs(now.toSample - then.toSample) <= SAME_SAMPLES);
      const [now] = index < 0 ? [] : this.#asked.splice(index, 1);
      if (now !== undefined) this.#decodes.set(then.decode, now.decode);
      return now === undefined;
    });
  }

  get unanswered(): number {
    return this.#asked.filter(({ kind }) => kind === 'final').length;
  }
}

function decisionsIn(effects: readonly TurnEffect[], atMs: number): Decision[] {
  let why = '';
  return effects.flatMap((effect) => {
    if (effect.t === 'reason') why = effect.rule;
    if (!DECISIVE.includes(effect.t)) return [];
    return [{ atMs, what: 'turn' in effect ? `${effect.t} ${effect.turn}` : effect.t, why }];
  });
}

function compare(before: readonly Decision[], now: readonly Decision[]): Difference[] {
  const left = [...now];
  const differences: Difference[] = [];
  const take = (decision: Decision, withinMs: number): Decision | null => {
    const index = left.findIndex(({ what, atMs }) => what === decision.what && Math.abs(atMs - decision.atMs) <= withinMs);
    return index < 0 ? null : (left.splice(index, 1)[0] ?? null);
  };
  const unmatched = before.filter((decision) => take(decision, SAME_MS) === null);
  for (const decision of unmatched) {
    const moved = take(decision, MOVED_MS);
    differences.push({ t: moved === null ? 'gone' : 'moved', before: decision, now: moved });
  }
  differences.push(...left.map((decision) => ({ t: 'new' as const, before: null, now: decision })));
  const timeOf = ({ before: was, now: is }: Difference): number => (was ?? is)?.atMs ?? 0;
  return differences.sort((a, b) => timeOf(a) - timeOf(b));
}
