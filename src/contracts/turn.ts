/**
 * The arrow between the audio time line and the dialogue: `decide(state, event) -> [state, effects]`, pure.
 * All times are milliseconds on the media clock since the session opened; samples are 16 kHz caller samples.
 */

/** What the dialogue just asked for: tells the turn engine how an answer may look. */
export type Expectation =
  | { readonly kind: 'digits'; readonly min: number; readonly max: number }
  | { readonly kind: 'yes-no' | 'choice' | 'day' | 'time' | 'number' | 'free' };

export type TurnEvent =
  | { readonly t: 'speech-start'; readonly atMs: number; readonly sample: number }
  | { readonly t: 'speech-end'; readonly atMs: number; readonly sample: number }
  | { readonly t: 'tick'; readonly atMs: number }
  /** A decode came back. */
  | { readonly t: 'words'; readonly atMs: number; readonly decode: number; readonly text: string; readonly confidence: number }
  | { readonly t: 'decode-failed'; readonly atMs: number; readonly decode: number }
  | { readonly t: 'dtmf'; readonly atMs: number; readonly digit: string }
  /** The dialogue gave a reply: these clips are queued; the last one finishes the agent's turn. `silenceMs` as in `listen`. */
  | { readonly t: 'reply'; readonly atMs: number; readonly interruptible: boolean; readonly expect: Expectation | null; readonly silenceMs?: number }
  | { readonly t: 'agent-start'; readonly atMs: number }
  /** All audio of the reply was sent, or it was stopped. */
  | { readonly t: 'agent-end'; readonly atMs: number; readonly interrupted: boolean }
  | { readonly t: 'ended'; readonly atMs: number };

export type TurnEffect =
  /** Ask the recogniser for the words of [fromSample, toSample). */
  | { readonly t: 'decode'; readonly decode: number; readonly fromSample: number; readonly toSample: number; readonly kind: 'partial' | 'final' }
  /** Give up a decode. */
  | { readonly t: 'abort-decode'; readonly decode: number }
  /** The caller's turn is over: tell the dialogue. */
  | { readonly t: 'commit'; readonly turn: number; readonly text: string; readonly confidence: number; readonly fromSample: number; readonly toSample: number; readonly waitMs: number }
  /** Keys instead of words. */
  | { readonly t: 'commit-digits'; readonly turn: number; readonly digits: string }
  /** Nobody spoke for `silentMs` while we were listening. */
  | { readonly t: 'silence'; readonly silentMs: number }
  /** The recogniser failed on the caller's words. */
  | { readonly t: 'not-understood'; readonly turn: number }
  /** Stop our own speech: the caller has the floor. */
  | { readonly t: 'stop-speaking' }
  /** Call decide with a tick at this time; a later one replaces an earlier one. */
  | { readonly t: 'wake'; readonly atMs: number }
  /** Why, for the log and for replay. */
  | { readonly t: 'reason'; readonly rule: string; readonly figures: Readonly<Record<string, number | string | boolean>> };
