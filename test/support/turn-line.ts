/** The turn engine without a phone: events in order with the ticks it asks for, and calls whose events come in any order. */
import fc from 'fast-check';
import type { Expectation, TurnEffect, TurnEvent } from '../../src/contracts/index.ts';
import { decide, initialTurn, type TurnOptions, type TurnState } from '../../src/turn/index.ts';

const HANGOVER_MS = 200;

/** One fixed wait and nothing ahead of it: the traces of single rules switch on what they are about. */
const PLAIN: Partial<TurnOptions> = { endpoint: 'fixed', waitMs: 600, quickWaitMs: 250, partialMs: 0, speculate: false, retractMs: 0 };

/** Plays events in order, with the ticks that the engine asks for between them; returns effects as short lines. */
export class Line {
  state: TurnState;
  readonly trace: string[] = [];
  readonly effects: TurnEffect[] = [];
  #wakeMs: number | null = null;

  constructor(options: Partial<TurnOptions> = {}) {
    this.state = initialTurn({ ...PLAIN, ...options });
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

  /** The caller speaks from `fromMs` to `toMs`; the pause is known early, as the pipeline tells it. */
  talk(fromMs: number, toMs: number): this {
    this.tell({ t: 'speech-start', atMs: fromMs + 60, sample: fromMs * 16 });
    return this.tell({ t: 'speech-end', atMs: toMs + 80, sample: toMs * 16 });
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
      return `${effect.kind === 'partial' ? 'partial' : 'decode'} ${effect.decode} [${effect.fromSample / 16}, ${effect.toSample / 16})`;
    case 'abort-decode':
      return `abort-decode ${effect.decode}`;
    case 'commit':
      return `commit ${effect.turn} "${effect.text}" wait ${effect.waitMs}${effect.attempt === null ? '' : ` attempt ${effect.attempt}`}`;
    case 'retract':
      return `retract ${effect.turn} heard ${effect.heardMs}`;
    case 'speculate':
      return `speculate ${effect.attempt} "${effect.text}"`;
    case 'abandon':
      return `abandon ${effect.attempt}`;
    case 'filler':
      return `filler ${effect.kind}`;
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
    case 'resume':
      return effect.inPlace === true ? 'resume in place' : 'resume';
    case 'stop-speaking':
    case 'duck':
    case 'unduck':
    case 'pause':
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
    2,
    fc.nat(60).map((back) => (atMs) => ({ t: 'speech-hint', atMs, sample: sampleNear(atMs, back) })),
  ),
  wild(
    5,
    fc
      .tuple(
        fc.constantFrom('', 'yes', 'one two', '[noise]', 'a table', 'uh huh', 'and', 'hold on', 'stop', 'one two three four'),
        fc.nat(1),
      )
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
  wild(
    2,
    fc.boolean().map((ready) => (atMs, state) => ({ t: 'prepared', atMs, attempt: state.attempts, ready })),
  ),
  wild(
    1,
    fc.double({ min: 0, max: 1, noNaN: true }).map((probability) => (atMs) => ({ t: 'detector', atMs, probability })),
  ),
  wild(
    1,
    fc.constantFrom('working', 'asking').map((t) => (atMs) => ({ t, atMs })),
  ),
  wild(
    1,
    fc.boolean().map((on) => (atMs) => ({ t: 'secure', atMs, on })),
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
  let state = initialTurn({ maxUtteranceMs: 6000, openerMs: 100 });
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
