/** What a call needs from the stages, and what it tells the rest of the program. */
import type {
  AuditLog,
  CallEvent,
  CallMemory,
  CallRecorder,
  Clock,
  Codec,
  Dialogue,
  DialogueEffect,
  DialogueEvent,
  EndOfTurnDetector,
  Errand,
  Logger,
  MediaEngine,
  OpenCalls,
  OutsideEngine,
  PbxDriver,
  PromptBeginning,
  SecretStore,
  SpeechToText,
  TextToSpeech,
  Timers,
  Vad,
} from '../contracts/index.ts';
import type { TurnOptions } from '../turn/index.ts';
import type { GovernorPolicy } from './governor.ts';

/** Carries out errands, inside the bounds of each. `tell` gets at most one `errand-slow`, then one answer; none after `signal`. */
export interface ErrandPort {
  begin(
    errand: Errand,
    about: { callId: string; context: Readonly<Record<string, string>>; signal: AbortSignal },
    tell: (event: DialogueEvent) => void,
  ): void;
  /** A model will be asked something that begins so: its server may read it now. Never fails. */
  warm?(callId: string, beginning: PromptBeginning, signal: AbortSignal): void;
  /** The call is over. */
  release(callId: string): void;
}

export interface Stages {
  readonly pbx: PbxDriver;
  readonly media: MediaEngine;
  readonly stt: SpeechToText;
  /** Which sounds are a voice; the talk gate alone decides when left out. */
  readonly vad?: Vad;
  readonly tts: TextToSpeech;
  readonly audit: AuditLog;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  /**
   * The flow that the dialplan named, or the default one for ''; `callKey` says which version a call gets while one is under trial.
   * A call that goes on after a restart gets the version that it began with, where that is still there. Undefined when there is no such
   * flow.
   */
  readonly flow: (name: string, callKey: string, version?: string) => Dialogue<unknown> | undefined;
  /** May a new call be taken? What cannot be logged goes to people, is refused, or goes on unlogged: the operator's choice. */
  /** `restricted`: this caller does not want to talk to a machine. */
  readonly admit: (from: string) => 'continue' | 'people' | 'block' | 'restricted';
  /** A desk of the configuration: where in the dialplan a person is reached. */
  readonly desk: (name: string) => { readonly context: string; readonly extension: string } | undefined;
  /** What outlives a crash of this process; nothing when left out. */
  readonly openCalls?: OpenCalls;
  /** Tools, models and colleagues; none when left out: errands fail at once then. */
  readonly errands?: ErrandPort;
  /** What is remembered of contacts from call to call; nothing when left out. */
  readonly memory?: CallMemory;
  /** What all calls together may still cost; no bound when left out or null. */
  readonly budget?: () => number | null;
  /** Where calls are recorded; none when left out: nothing is. */
  readonly recorder?: CallRecorder;
  /** Numbers and addresses in a text, as characters [from, to): kept out of recordings and replay records. */
  readonly findSecrets?: (text: string) => readonly { readonly from: number; readonly to: number }[];
  /** Where secrets of callers wait for their tool; none when left out: no secret can be taken. */
  readonly secrets?: SecretStore;
  /** Every engine that gets something of a call beyond the operator's machines, those of a chain one by one; none when left out. */
  readonly outside?: readonly OutsideEngine[];
  /** An end-of-turn model of the operator's; none when left out. */
  readonly detector?: EndOfTurnDetector;
  /**
   * Completes what a step of the dialogue left open, with a language model for instance. It may be asked ahead of a commit, for a
   * turn that never comes to be: it must have no effect outside. An aborted request rejects.
   */
  readonly think?: (
    effects: readonly DialogueEffect[],
    about: { callId: string; signal: AbortSignal },
  ) => Promise<readonly DialogueEffect[]>;
}

export type Say = Extract<DialogueEffect, { t: 'say' }>;

/** The first text of a reply. */
export function sayIn(effects: readonly DialogueEffect[]): Say | null {
  return effects.find((effect): effect is Say => effect.t === 'say') ?? null;
}

/** Texts that bridge a wait, in one language; used in turn, so that none comes twice in a row. */
export interface Fillers {
  readonly opener: readonly string[];
  readonly wait: readonly string[];
}

export interface CallOptions {
  readonly receive: Codec;
  readonly send: Codec;
  readonly turn: TurnOptions;
  /** How long a drain waits for open calls before it gives them back to the dialplan. */
  readonly drainMs: number;
  /** When too many callers wait: none when left out, every call is taken. */
  readonly capacity?: GovernorPolicy;
  /** By language tag: said, from the phrase cache, when nothing else can be said; then the dialplan takes the caller to a person. */
  readonly apologies?: Readonly<Record<string, string>>;
  /** By language; none when left out. */
  readonly fillers?: Readonly<Record<string, Fillers>>;
  /** Folder for the turn events of each call, for `parley replay`; none are kept when left out. */
  readonly turnRecords?: {
    readonly folder: string;
    /** With the words themselves; otherwise only what kind of words they are. */ readonly words: boolean;
  };
}

/** Shown, not logged: the log gets `agent.said` when it is known how much of it went out. */
export interface SpeakingEvent {
  readonly type: 'agent.speaking';
  readonly callId: string | null;
  readonly body: { readonly prompt: string; readonly kind: string };
  readonly content: { readonly text: string };
}

/** A call event as it happens, with its content: shown live to those who may see it, never stored from here. */
export interface LiveEvent {
  readonly atUs: number;
  readonly event: CallEvent | SpeakingEvent;
}

export type LiveListener = (event: LiveEvent) => void;
