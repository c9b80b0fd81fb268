/** The turn engine without a phone: events in order with the ticks it asks for, and calls whose events come in any order. */
import fc from 'fast-check';
import type { Expectation, TurnEffect, TurnEvent } from '../../src/contracts/index.ts';
import { decide, initialTurn, type TurnOptions, type TurnState } from '../../src/turn/index.ts';

const HANGOVER_MS = 200;

/** Plays events in order, with the ticks that the engine asks for between them; returns effects as short lines. */
export class Line {
  state: TurnState;
  readonly trace: string[] = [];
  readonly effects: TurnEffect[] = [];
  #wakeMs: number | null = null;

  constructor(options: Partial<TurnOptions> = {}) {
    this.state = initialTurn(options);
  }

  tell(event: TurnEvent): this {
    this.until(event.atMs);
    this.#decide(event);
    return this;
  }

  /** Lets time pass. */
  until(atMs: number): this {
    while (this.#wakeMs !== null && this.#wakeMs <= atMs) {
      const wakeMs = this.#wakeMs;
      this.#wakeMs = null;
      this.#decide({ t: 'tick', atMs: wakeMs });
    }
    return this;
  }

  #decide(event: TurnEvent): void {
    const [state, effects] = decide(this.state, event);
    this.state = state;
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.t === 'wake') this.#wakeMs = effect.atMs;
      else this.trace.push(`${event.atMs} ${brief(effect)}`);
    }
  }

  /** The caller speaks from `fromMs` to `toMs`; the gate says so its hangover later. */
  speech(fromMs: number, toMs: number): this {
    this.tell({ t: 'speech-start', atMs: fromMs + 60, sample: fromMs * 16 });
    return this.tell({ t: 'speech-end', atMs: toMs + HANGOVER_MS, sample: toMs * 16 });
  }

  words(atMs: number, text: string, decode = this.state.decodes, confidence = 0.9): this {
    return this.tell({ t: 'words', atMs, decode, text, confidence });
  }

  /** Our reply is queued at `fromMs`, heard at once and over at `toMs`. */
  reply(fromMs: number, toMs: number, options: { interruptible?: boolean; expect?: Expectation; silenceMs?: number } = {}): this {
    const { interruptible = true, expect = { kind: 'free' } } = options;
    const silence = options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs };
    this.tell({ t: 'reply', atMs: fromMs, interruptible, expect, ...silence });
    this.tell({ t: 'agent-start', atMs: fromMs });
    return this.tell({ t: 'agent-end', atMs: toMs, interrupted: false });
  }
}

function brief(effect: TurnEffect): string {
  switch (effect.t) {
    case 'decode':
      return `decode ${effect.decode} [${effect.fromSample / 16}, ${effect.toSample / 16})`;
    case 'abort-decode':
      return `abort-decode ${effect.decode}`;
    case 'commit':
      return `commit ${effect.turn} "${effect.text}" wait ${effect.waitMs}`;
    case 'commit-digits':
      return `commit-digits ${effect.turn} ${effect.digits}`;
    case 'silence':
      return `silence ${effect.silentMs}`;
    case 'not-understood':
      return `not-understood ${effect.turn}`;
    case 'reason':
      return `because ${effect.rule}`;
    case 'wake':
      return `wake ${effect.atMs}`;
    case 'stop-speaking':
      return effect.t;
  }
}

export type Wild = { readonly afterMs: number; readonly event: (atMs: number, state: TurnState) => TurnEvent };
const wild = (weight: number, event: fc.Arbitrary<Wild['event']>) => ({ weight, arbitrary: event });
const sampleNear = (atMs: number, backMs: number): number => Math.max(0, Math.round((atMs - backMs) * 16));
const expectation = fc.constantFrom<(Expectation | null)[]>(
  null,
  { kind: 'free' },
  { kind: 'yes-no' },
  { kind: 'digits', min: 2, max: 4 },
  { kind: 'choice' },
);
const wildEvent: fc.Arbitrary<Wild['event']> = fc.oneof(
  wild(
    4,
    fc.nat(100).map((back) => (atMs) => ({ t: 'speech-start', atMs, sample: sampleNear(atMs, back) })),
  ),
  wild(
    4,
    fc.nat(300).map((back) => (atMs) => ({ t: 'speech-end', atMs, sample: sampleNear(atMs, back) })),
  ),
  wild(
    5,
    fc
      .tuple(fc.constantFrom('', 'yes', 'one two', '[noise]', 'a table'), fc.nat(1))
      .map(([text, back]) => (atMs, state) => ({ t: 'words', atMs, decode: state.decodes - back, text, confidence: 0.5 })),
  ),
  wild(
    1,
    fc.constant((atMs, state) => ({ t: 'decode-failed', atMs, decode: state.decodes })),
  ),
  wild(
    2,
    fc.constantFrom('0', '1', '2', '9', '#', '*').map((digit) => (atMs) => ({ t: 'dtmf', atMs, digit })),
  ),
  wild(
    3,
    fc.tuple(fc.boolean(), expectation).map(([interruptible, expect]) => (atMs) => ({ t: 'reply', atMs, interruptible, expect })),
  ),
  wild(
    3,
    fc.constant((atMs) => ({ t: 'agent-start', atMs })),
  ),
  wild(
    3,
    fc.boolean().map((interrupted) => (atMs) => ({ t: 'agent-end', atMs, interrupted })),
  ),
  wild(
    4,
    fc.constant((atMs) => ({ t: 'tick', atMs })),
  ),
);
export const wildCall = fc.array(fc.record({ afterMs: fc.oneof(fc.nat(50), fc.nat(900), fc.nat(25000)), event: wildEvent }), {
  maxLength: 60,
});

/** Runs a wild call with the ticks it asks for; returns every event with its effects. */
export function play(
  call: readonly Wild[],
): { readonly event: TurnEvent; readonly effects: readonly TurnEffect[]; readonly before: TurnState }[] {
  const steps: { event: TurnEvent; effects: readonly TurnEffect[]; before: TurnState }[] = [];
  let state = initialTurn({ maxUtteranceMs: 6000 });
  let atMs = 0;
  const wake: { atMs: number | null } = { atMs: null };
  const tell = (event: TurnEvent): void => {
    const [next, effects] = decide(state, event);
    steps.push({ event, effects, before: state });
    state = next;
    for (const effect of effects) if (effect.t === 'wake') wake.atMs = effect.atMs;
  };
  for (const { afterMs, event } of call) {
    atMs += afterMs;
    for (let i = 0; wake.atMs !== null && wake.atMs <= atMs && i < 1000; i++) {
      const tick: TurnEvent = { t: 'tick', atMs: wake.atMs };
      wake.atMs = null;
      tell(tick);
    }
    tell(event(atMs, state));
  }
  return steps;
}
