/**
 * The arrow from a committed turn to what is said and done: `step(state, event) -> [state, effects]`, pure.
 */
import type { Expectation } from './turn.ts';

export type DialogueEvent =
  | { readonly t: 'start'; readonly variables: Readonly<Record<string, string>> }
  | { readonly t: 'heard'; readonly text: string; readonly confidence: number }
  | { readonly t: 'digits'; readonly digits: string }
  | { readonly t: 'silence' }
  /** The recogniser failed: the caller said something that nobody could hear. */
  | { readonly t: 'not-understood' }
  /** All that was said has been played, or the caller broke in. `heard`: the text up to the last word that the caller heard. */
  | { readonly t: 'said'; readonly interrupted: boolean; readonly heard?: string }
  | { readonly t: 'transfer-failed'; readonly reason: string };

export interface SlotValue {
  /** Canonical form: '2026-11-27', '19:00', '4', 'yes', '1234'. */
  readonly value: string;
  /** As spoken back to the caller. */
  readonly spoken: string;
}

export type DialogueEffect =
  | {
      readonly t: 'say';
      readonly text: string;
      /** Prompt key in the flow file: what the log keeps instead of words. */
      readonly prompt: string;
      readonly kind: 'notice' | 'question' | 'answer' | 'confirm' | 'apology' | 'goodbye' | 'statement';
      /** False for the notice that this is a machine: talking over it does not stop it. */
      readonly interruptible: boolean;
    }
  /** After what was said: listen for this. `silenceMs`: patience before `silence` is reported, where it is not the usual one. */
  | { readonly t: 'listen'; readonly expect: Expectation; readonly silenceMs?: number }
  | { readonly t: 'transfer'; readonly desk: string }
  /** The flow is over. 'leave' goes on in the dialplan, 'hangup' ends the call. */
  | { readonly t: 'end'; readonly how: 'hangup' | 'leave'; readonly outcome: string }
  /** For the log. `value` is content: it goes to the vault or nowhere. */
  | { readonly t: 'slot'; readonly slot: string; readonly value: SlotValue; readonly corrected: boolean }
  | { readonly t: 'step'; readonly step: string; readonly reason: string };

/** A running flow, immutable. The runner in dialogue/ knows what is inside. */
export interface Dialogue<S> {
  readonly flow: string;
  /** sha256 of the flow file and what it includes. */
  readonly version: string;
  readonly language: string;
  /** Every text that may be said without variables: rendered ahead. */
  readonly fixedTexts: readonly string[];
  begin(): S;
  step(state: S, event: DialogueEvent): readonly [S, readonly DialogueEffect[]];
  slots(state: S): Readonly<Record<string, SlotValue>>;
}
