import type { AudioMemory } from './media.ts';

/**
 * The slot for an end-of-turn model of the operator's (audio in, probability out, as Smart Turn has it). Asked at every pause of the
 * caller, again while it lasts; its answers enter the score of the wait as one piece of evidence among others. It reads the audio memory
 * in a process of its own: no audio passes through here.
 */
export interface EndOfTurnDetector {
  readonly name: string;
  /** What an auditor and the console show: model and its hash. */
  readonly description: string;
  /** Resolves when the model is loaded. Errors: TURN_DETECTOR. */
  start(audio: AudioMemory): Promise<void>;
  /**
   * The probability, 0 to 1, that the turn of this call is over, from the audio that ends before `toSample`. Rejects when nobody answers
   * in time, when the audio is gone, and for a question that a newer one of the call has replaced: then there is no evidence.
   */
  ask(call: { readonly slot: number; readonly generation: number }, toSample: number, signal: AbortSignal): Promise<number>;
  /** Idempotent. Nothing runs when it resolves. */
  stop(): Promise<void>;
}
