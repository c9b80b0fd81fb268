import type { Expectation, Prosody, TurnEffect } from '../contracts/index.ts';
import { TURN_DEFAULTS, type TurnOptions } from './options.ts';

/** Caller samples per millisecond. */
export const SAMPLES_PER_MS = 16;
/** The gate reports late: a sample's own time counts, as long as it is believable. */
const MAX_GATE_DELAY_MS = 1000;

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
 * ducked     it plays softly: somebody speaks into it
 * paused     it is halted: somebody goes on speaking into it
 * stopping   we told it to stop
 * listening  it is the caller's turn
 */
export type Agent = 'waiting' | 'queued' | 'speaking' | 'ducked' | 'paused' | 'stopping' | 'listening';

export interface Reply {
  readonly interruptible: boolean;
  readonly expect: Expectation | null;
  readonly silenceMs: number | null;
  /** The turn that it answers stays, whatever the caller does. */
  readonly final: boolean;
}

/** The turn committed last, while it can still be taken back. */
export interface Undo {
  readonly group: readonly Stretch[];
  readonly text: string;
  /** What was asked when it began. */
  readonly reply: Reply;
  readonly doneSample: number;
  /** All that was asked for had been said, as far as anybody can tell. */
  readonly sure: boolean;
  /** Its reply was there when it was committed. */
  readonly prepared: boolean;
}

export interface Speculation {
  readonly attempt: number;
  readonly text: string;
  readonly ready: boolean;
}

/** How this caller speaks. */
export interface History {
  /** Moving mean of the pauses inside turns. */
  readonly pauseMs: number;
  readonly pauses: number;
  /** Turns for which we are careful after we cut in. */
  readonly cautionTurns: number;
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
  /** When our reply began to sound. */
  readonly startedMs: number;
  /** The question at the end of our reply sounds, or has sounded. */
  readonly asking: boolean;
  readonly reply: Reply;
  /** A reply that came while the one before was being stopped. */
  readonly next: Reply | null;
  /** Oldest first. Only the last one may be open. */
  readonly stretches: readonly Stretch[];
  /** Samples before this belong to turns already committed or dropped. */
  readonly doneSample: number;
  /** A voice may have begun then; null when it has, or was none. */
  readonly hintMs: number | null;
  readonly digits: string;
  readonly digitMs: number;
  /** Stretches without a word, in a row. */
  readonly noises: number;
  /** The partial decode that is running, and when the last one was asked for. */
  readonly partial: { readonly decode: number | null; readonly askedMs: number };
  /** Words of the open stretch so far, from a partial decode; null when none has answered. */
  readonly soFar: string | null;
  /** Evidence that belongs to the pause that is open now. */
  readonly pauseEvidence: { readonly prosody: Prosody | null; readonly detector: number | null };
  readonly speculation: Speculation | null;
  /** Speculations so far, and those of this turn. */
  readonly attempts: number;
  readonly tries: number;
  readonly undo: Undo | null;
  /** Words of a turn that was taken back and is not committed again yet. */
  readonly retracted: string | null;
  readonly history: History;
  /** Moving mean of the recogniser's queue. */
  readonly queueMs: number;
  /** Turn that got the last opener; fillers within the wait that is open, and when the last one began. */
  readonly filler: { readonly turn: number; readonly count: number; readonly atMs: number };
  /** Since when a tool runs. */
  readonly workingMs: number | null;
  readonly secure: boolean;
  /** The wake that was last asked for. */
  readonly wakeMs: number | null;
}

/** One word for where the call is. */
export type Phase =
  'listening' | 'holding' | 'speculating' | 'armed' | 'answering' | 'speaking' | 'ducked' | 'paused' | 'retracting' | 'digits' | 'ended';

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
    startedMs: 0,
    asking: false,
    reply: { interruptible: true, expect: null, silenceMs: null, final: false },
    next: null,
    stretches: [],
    doneSample: 0,
    hintMs: null,
    digits: '',
    digitMs: 0,
    noises: 0,
    partial: { decode: null, askedMs: 0 },
    soFar: null,
    pauseEvidence: { prosody: null, detector: null },
    speculation: null,
    attempts: 0,
    tries: 0,
    undo: null,
    retracted: null,
    history: { pauseMs: 0, pauses: 0, cautionTurns: 0 },
    queueMs: 0,
    filler: { turn: -2, count: 0, atMs: 0 },
    workingMs: null,
    secure: false,
    wakeMs: null,
  };
}

export function setAgent(draft: Draft, agent: Agent): void {
  draft.agent = agent;
  if (!holdsFloor(draft)) draft.hintMs = null;
  draft.agentMs = draft.nowMs;
}

export function reason(draft: Draft, rule: string, figures: Readonly<Record<string, number | string | boolean>> = {}): void {
  draft.effects.push({ t: 'reason', rule, figures });
}

/** Our reply sounds, softly perhaps, or is halted. */
export function holdsFloor({ agent }: Readonly<Draft>): boolean {
  return agent === 'speaking' || agent === 'ducked' || agent === 'paused';
}

/** When this sample was spoken. */
export function sampleMs({ nowMs }: Readonly<Draft>, sample: number): number {
  return Math.min(nowMs, Math.max(sample / SAMPLES_PER_MS, nowMs - MAX_GATE_DELAY_MS));
}

/** Voice in this stretch so far, without the pauses. */
export function voicedMsOf(stretch: Stretch, nowMs: number): number {
  return stretch.voicedMs + (stretch.voicing ? nowMs : stretch.endMs) - stretch.voiceMs;
}
