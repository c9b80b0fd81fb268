/**
 * The speech-to-text port. Audio does not pass through it: engines read the caller's samples from the audio memory
 * (AudioMemory of contracts/media) by absolute 16 kHz sample numbers.
 */
import type { EngineUse } from './engines.ts';
import type { ExternalProcessor } from './llm.ts';
import type { AudioMemory } from './media.ts';

export interface DecodeRequest {
  /** Caller samples [fromSample, toSample) at 16 kHz. */
  readonly fromSample: number;
  readonly toSample: number;
  /** partial: newest wins, may be dropped; final: must be answered. Finals overtake partials. */
  readonly kind: 'partial' | 'final';
  /** Words said so far by both sides, or domain words, to bias the decoder. */
  readonly prompt?: string;
}

export interface Word {
  readonly text: string;
  readonly fromSample: number;
  readonly toSample: number;
}

export interface DecodeResult {
  readonly text: string;
  /** 0 to 1, from token log probabilities. */
  readonly confidence: number;
  readonly words: readonly Word[];
  /** Time in the queue and in the engine. */
  readonly queueMs: number;
  readonly decodeMs: number;
  /** Who did it, where the engines keep account. */
  readonly use?: EngineUse;
}

/** One call's recogniser state. */
export interface SttSession {
  /** Errors: STT_FAILED (retryable: the worker died, or the audio has left the ring), STT_ABORTED. */
  decode(request: DecodeRequest, signal?: AbortSignal): Promise<DecodeResult>;
  close(): void;
}

export interface SpeechToText {
  readonly name: string;
  /** What an auditor and the console show: model file name, and the label of a test fixture. */
  readonly description: string;
  /** Who gets the callers' voices outside the operator's machines; null or absent: nobody. For the log of every call. */
  readonly external?: ExternalProcessor | null;
  /** Resolves when the model is loaded. Errors: STT_MODEL. */
  start(audio: AudioMemory): Promise<void>;
  open(options: { callId: string; slot: number; generation: number; language: string }): SttSession;
  /** Called on every crash or hang and every restart of the engine. */
  onState(listener: (state: 'up' | 'down', why: string) => void): void;
  stop(): Promise<void>;
}
