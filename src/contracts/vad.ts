/**
 * The voice activity port: which of what the talk gate let through is a voice. The gate (contracts/media) is cheap and hears
 * energy: a door, a cough and music open it too. An engine behind this port looks at that audio and reports speech alone, on the
 * same sample clock, so that its events can stand in for the gate's.
 */
import type { AudioMemory, MediaEvent } from './media.ts';

/** An edge of the talk gate. */
export type GateEvent = Extract<MediaEvent, { t: 'speech-start' | 'speech-end' }>;

/**
 * Same shape and meaning as the gate's events: `sample` is the first sample of the voice, or one past its last one; `atUs` is when
 * that became known. `by` says who decided. The gate does where the model cannot (worker down, backlog), and it tells of a pause in a
 * voice earlier than the model is sure of one.
 */
export type VadEvent = GateEvent & { readonly by: 'model' | 'gate' };

/** One call. Events alternate: start, end, start ...; their samples never go back. */
export interface VadSession {
  /** One listener. */
  onEvent(listener: (event: VadEvent) => void): void;
  /** Every edge of the call's talk gate, in order. */
  gate(edge: GateEvent): void;
  /** Something is to be heard from `sample` on that the gate does not let through yet: the engine may look at it. */
  near(sample: number): void;
  /**
   * Our own voice begins, or has ended and can no longer come back as an echo. While it plays, only what the talk gate lets through
   * can be the caller; while we are silent, an engine may listen by itself. A session begins in silence.
   */
  playing(on: boolean): void;
  /** Idempotent. No event comes after it returns. */
  close(): void;
}

export interface VadStats {
  /** Calls open, and those of them that the engine listens to without waiting for the gate. */
  readonly sessions: number;
  readonly listening: number;
  /** Windows of 32 ms that the model has looked at, and the runs they took. */
  readonly windows: number;
  readonly runs: number;
  /** Gate openings that were left to the gate because the model lagged behind, or the audio had left the ring. */
  readonly shed: number;
  /** Gate openings that were left to the gate because there was no worker. */
  readonly unheard: number;
  /** Gate openings that the model took for no voice. */
  readonly discarded: number;
  readonly restarts: number;
  /** CPU time of the worker, and the time for which calls were open, each call counted: their ratio is calls per core. */
  readonly cpuMs: number;
  readonly callMs: number;
}

export interface Vad {
  readonly name: string;
  /** What an auditor and the console show: model and its hash. */
  readonly description: string;
  /** 'down': no model for the moment; the gate's edges pass through. */
  readonly state: 'up' | 'down';
  /** Resolves when the model is loaded. Errors: VAD_MODEL. */
  start(audio: AudioMemory): Promise<void>;
  open(options: { callId: string; slot: number; generation: number }): VadSession;
  /** Called on every crash or hang and every restart of the engine. One listener. */
  onState(listener: (state: 'up' | 'down', why: string) => void): void;
  stats(): VadStats;
  /** Idempotent. Nothing runs when it resolves. */
  stop(): Promise<void>;
}
