/** What a call needs from the stages, and what it tells the rest of the program. */
import type {
  AuditLog,
  CallEvent,
  Clock,
  Codec,
  Dialogue,
  Logger,
  MediaEngine,
  PbxDriver,
  SpeechToText,
  TextToSpeech,
  Timers,
} from '../contracts/index.ts';
import type { TurnOptions } from '../turn/index.ts';

export interface Stages {
  readonly pbx: PbxDriver;
  readonly media: MediaEngine;
  readonly stt: SpeechToText;
  readonly tts: TextToSpeech;
  readonly audit: AuditLog;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  /** The flow that the dialplan named, or the default one for ''. Undefined when there is no such flow. */
  readonly flow: (name: string) => Dialogue<unknown> | undefined;
  /** A desk of the configuration: where in the dialplan a person is reached. */
  /** May a new call be taken? What cannot be logged goes to people, is refused, or goes on unlogged: the operator's choice. */
  readonly admit: () => 'continue' | 'people' | 'block';
  readonly desk: (name: string) => { readonly context: string; readonly extension: string } | undefined;
}

export interface CallOptions {
  readonly receive: Codec;
  readonly send: Codec;
  readonly turn: TurnOptions;
  /** How long a drain waits for open calls before it gives them back to the dialplan. */
  readonly drainMs: number;
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
