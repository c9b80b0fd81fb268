/** What an engine did for a call, for the call's events: who, how long, what it cost, and who else got the data. Never a word of anybody. */
import type { ErrorCode } from './errors.ts';
import type { ExternalProcessor } from './llm.ts';

export type EngineKind = 'stt' | 'llm' | 'tts';

/** An engine beyond the operator's machines: who gets what it is given, and why that is lawful. */
export interface OutsideEngine {
  readonly kind: EngineKind;
  /** Its name in the chain. */
  readonly engine: string;
  readonly external: ExternalProcessor;
}

export interface EngineCost {
  readonly amount: number;
  /** ISO 4217. */
  readonly currency: string;
}

/** An engine that was asked before the one that did the work. */
export interface EngineAttempt {
  readonly engine: string;
  readonly outcome: 'given-up' | ErrorCode;
  readonly tookMs: number;
}

export interface EngineUse {
  /** Its name in the chain: whisper, deepgram, ollama, espeak-ng. */
  readonly engine: string;
  /** From the request to the last of its answer; for speech that plays while it is made, to the first of it. Waiting for a place included. */
  readonly tookMs: number;
  /** Of that, until the first of its answer. */
  readonly firstMs?: number;
  readonly waitedMs?: number;
  /** What was worked on: audio heard or made, characters spoken, tokens read and written. */
  readonly audioMs?: number;
  readonly characters?: number;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  /** Said from the phrase cache: nothing was computed. */
  readonly cached?: boolean;
  /** By the price in the configuration; absent where none is given. */
  readonly cost?: EngineCost;
  /** The data left the operator's machines for this processor; absent: it did not. */
  readonly external?: ExternalProcessor;
  /** Those that could not, in the order in which they were asked. */
  readonly before?: readonly EngineAttempt[];
}

/** One answer of a language model, for the events of its call and for the capacity governor. */
export interface EngineAnswer {
  /** The id of the call. */
  readonly callKey: string;
  readonly outcome: string;
  readonly firstMs: number | null;
  /** Null when no engine answered. */
  readonly use: EngineUse | null;
}
