/**
 * Replies ahead of their commit. The dialogue is pure, so a step on the present state costs nothing and changes nothing; its first
 * text is synthesised and held in the media engine. Nothing of it is logged, heard or done until the turn is committed with the same
 * words; thrown away, it has never been.
 */
import type { DialogueEffect, DialogueEvent, Errand } from '../contracts/index.ts';
import type { Errands, Thought } from './errands.ts';
import { sayIn, type Say } from './ports.ts';
import type { Prepared, Speaker } from './speaker.ts';

/** A step of the dialogue and what it costs: the state after it and what is to be said and done. */
export interface Step {
  /** The state that it began with: the reply fits this one only. */
  readonly before: unknown;
  readonly after: unknown;
  readonly effects: readonly DialogueEffect[];
  /** Time of the language model, where there is one. */
  readonly thinkMs: number | null;
}

export interface Ahead {
  readonly attempt: number;
  /** The first step: what follows when its turn is committed. */
  readonly step: Promise<Step>;
  /** Thoughts of the language model that are under way, by the ids of their errands. */
  readonly thoughts: ReadonlyMap<string, Thought>;
  /** Resolves when the first text is held; null when there is nothing to hold. */
  readonly prepared: Promise<Prepared | null>;
  /** What is held already. */
  held: Prepared | null;
  readonly abort: AbortController;
}

/** A model that asks for thought after thought gets no more ahead of a turn that may never come. */
const MAX_THOUGHTS = 3;

export type Think = (before: unknown, event: DialogueEvent, signal: AbortSignal) => Promise<Step>;

export interface SpeculatorOptions {
  readonly speaker: Speaker;
  readonly think: Think;
  readonly errands: Errands;
  readonly onPrepared: (attempt: number, ready: boolean) => void;
}

export class Speculator {
  readonly #options: SpeculatorOptions;
  #ahead: Ahead | null = null;

  constructor(options: SpeculatorOptions) {
    this.#options = options;
  }

  begin(attempt: number, before: unknown, event: DialogueEvent): void {
    this.abandon();
    const { think, onPrepared } = this.#options;
    const abort = new AbortController();
    const step = think(before, event, abort.signal);
    const thoughts = new Map<string, Thought>();
    const prepared = step.then((first) => this.#follow(first, thoughts, abort.signal));
    const ahead: Ahead = { attempt, step, thoughts, prepared, held: null, abort };
    this.#ahead = ahead;
    prepared.then(
      (held) => {
        ahead.held = held;
        if (abort.signal.aborted && held !== null) this.#options.speaker.drop(held);
        else if (this.#ahead === ahead) onPrepared(attempt, true);
      },
      () => {
        // What fails ahead of the commit is tried again after it, where a failure counts.
        if (this.#ahead !== ahead) return;
        this.#ahead = null;
        onPrepared(attempt, false);
      },
    );
  }

  /** From thought to thought until there is something to say. A tool is never called ahead. */
  async #follow(first: Step, thoughts: Map<string, Thought>, signal: AbortSignal): Promise<Prepared | null> {
    let step = first;
    while (sayIn(step.effects) === null && thoughts.size < MAX_THOUGHTS) {
      const errand = step.effects.find((effect): effect is Extract<Errand, { t: 'think' }> => effect.t === 'think');
      if (errand === undefined) break;
      const thought = this.#options.errands.ahead(errand, signal);
      thoughts.set(errand.id, thought);
      step = await this.#options.think(step.after, await thought.answer, signal);
    }
    return this.#prepare(sayIn(step.effects), signal);
  }

  async #prepare(say: Say | null, signal: AbortSignal): Promise<Prepared | null> {
    // The notice is logged before it is spoken; it is never a guess.
    if (say === null || say.kind === 'notice') return null;
    return this.#options.speaker.prepare(say, signal);
  }

  /** The turn was committed with the words of this attempt: it is the caller's now, done or still running. */
  take(attempt: number | null): Ahead | null {
    const ahead = this.#ahead;
    this.#ahead = null;
    if (ahead === null || ahead.attempt === attempt) return ahead;
    this.#throwAway(ahead);
    return null;
  }

  abandon(): void {
    if (this.#ahead !== null) this.#throwAway(this.#ahead);
    this.#ahead = null;
  }

  #throwAway(ahead: Ahead): void {
    ahead.abort.abort(new Error('the caller went on'));
    if (ahead.held !== null) this.#options.speaker.drop(ahead.held);
  }
}
