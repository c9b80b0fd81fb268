import type { Expectation, TurnEffect } from '../contracts/index.ts';
import { TURN_DEFAULTS, type TurnOptions } from './options.ts';

/** Caller samples per millisecond. */
export const SAMPLES_PER_MS = 16;

/** A piece of the caller's speech that has not been committed: from its first voiced sample, with the pauses inside it. */
export interface Stretch {
  readonly fromSample: number;
  /** Last voiced sample; `fromSample` until the first pause. */
  readonly toSample: number;
  /** The gate is open. */
  readonly voicing: boolean;
  /** When the voice that is heard now, or was heard last, began. */
  readonly voiceMs: number;
  /** Voice before that, in this stretch. */
  readonly voicedMs: number;
  /** Time of the last voiced sample. */
  readonly endMs: number;
  /** The last pause inside. */
  readonly pause: { readonly toSample: number; readonly resumeSample: number } | null;
  /** The decode that is running or has answered. */
  readonly decode: number | null;
  readonly askedMs: number;
  readonly heard: Heard | null;
  /** Closed because it was too long: committed without a wait. */
  readonly cut: boolean;
  /** What follows a cut: our reply goes on over it, until the caller begins anew. */
  readonly remainder: boolean;
  /** We stopped our reply for it. */
  readonly stoppedUs: boolean;
}

export type Heard = { readonly t: 'words'; readonly text: string; readonly confidence: number } | { readonly t: 'nothing' | 'failed' };

/**
 * waiting    the dialogue owes a reply         (greeting, or after a commit)
 * queued     it gave one, no sample of it is out
 * speaking   it plays
 * stopping   we told it to stop
 * listening  it is the caller's turn
 */
export type Agent = 'waiting' | 'queued' | 'speaking' | 'stopping' | 'listening';

export interface Reply {
  readonly interruptible: boolean;
  readonly expect: Expectation | null;
  readonly silenceMs: number | null;
}

export interface TurnState {
  readonly options: TurnOptions;
  readonly ended: boolean;
  /** Time of the latest event; never goes back. */
  readonly nowMs: number;
  /** Number of the last committed turn. */
  readonly turn: number;
  /** Id of the last decode asked for. */
  readonly decodes: number;
  readonly agent: Agent;
  /** Since when `agent` is what it is. */
  readonly agentMs: number;
  readonly reply: Reply;
  /** A reply that came while the one before was being stopped. */
  readonly next: Reply | null;
  /** Oldest first. Only the last one may be open. */
  readonly stretches: readonly Stretch[];
  /** Samples before this belong to turns already committed or dropped. */
  readonly doneSample: number;
  readonly digits: string;
  readonly digitMs: number;
  /** Stretches without a word, in a row. */
  readonly noises: number;
  /** The wake that was last asked for. */
  readonly wakeMs: number | null;
}

/** What the rules work on: a private copy of the state and the effects so far. */
export type Draft = { -readonly [K in keyof TurnState]: TurnState[K] } & { readonly effects: TurnEffect[] };

/** The state of a call that has just been answered: the dialogue is about to greet. */
export function initialTurn(options: Partial<TurnOptions> = {}): TurnState {
  return {
    options: { ...TURN_DEFAULTS, ...options },
    ended: false,
    nowMs: 0,
    turn: 0,
    decodes: 0,
    agent: 'waiting',
    agentMs: 0,
    reply: { interruptible: true, expect: null, silenceMs: null },
    next: null,
    stretches: [],
    doneSample: 0,
    digits: '',
    digitMs: 0,
    noises: 0,
    wakeMs: null,
  };
}

export function setAgent(draft: Draft, agent: Agent): void {
  draft.agent = agent;
  draft.agentMs = draft.nowMs;
}

export function reason(draft: Draft, rule: string, figures: Readonly<Record<string, number | string | boolean>> = {}): void {
  draft.effects.push({ t: 'reason', rule, figures });
}
