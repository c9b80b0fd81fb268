/**
 * The arrow between the audio time line and the dialogue: `decide(state, event) -> [state, effects]`, pure.
 * All times are milliseconds on the media clock since the session opened; samples are 16 kHz caller samples.
 */

/** What the dialogue just asked for: tells the turn engine how an answer may look. */
export type Expectation =
  | { readonly kind: 'digits'; readonly min: number; readonly max: number }
  | { readonly kind: 'yes-no' | 'choice' | 'day' | 'time' | 'number' | 'free' };

/** How the voice sounded just before a pause; null where there was too little voice to tell. */
export interface Prosody {
  /** Slope of the fundamental over the last voiced 300 to 500 ms, semitones per second: a fall is negative. */
  readonly pitchSlope: number | null;
  /** Level of the last voiced 100 ms against the stretch before it, dB: a voice that dies away is negative. */
  readonly levelDropDb: number | null;
  /** Syllables per second over up to the last 1.6 s of the stretch. */
  readonly syllablesPerS?: number | null;
}

export type TurnEvent =
  | { readonly t: 'speech-start'; readonly atMs: number; readonly sample: number }
  /** A voice may begin at `sample`: enough to speak softer, not enough to believe. A speech-start follows soon, or it was nothing. */
  | { readonly t: 'speech-hint'; readonly atMs: number; readonly sample: number }
  /** The voice paused: `sample` is one past the last voiced one. Sent as soon as a pause is known; speech may go on at any time. */
  | { readonly t: 'speech-end'; readonly atMs: number; readonly sample: number; readonly prosody?: Prosody }
  | { readonly t: 'tick'; readonly atMs: number }
  /** A decode came back. `queueMs`: how long it waited for the engine. */
  | {
      readonly t: 'words';
      readonly atMs: number;
      readonly decode: number;
      readonly text: string;
      readonly confidence: number;
      readonly queueMs?: number;
    }
  | { readonly t: 'decode-failed'; readonly atMs: number; readonly decode: number }
  /** Evidence of an end-of-turn detector, in the pause that is open now: probability that the caller is done. */
  | { readonly t: 'detector'; readonly atMs: number; readonly probability: number }
  | { readonly t: 'dtmf'; readonly atMs: number; readonly digit: string }
  /** While on, the caller types a secret: nothing is decoded, only the end is awaited. */
  | { readonly t: 'secure'; readonly atMs: number; readonly on: boolean }
  /** A speculation's first clause is held in the media engine (`ready`), or it came to nothing. */
  | { readonly t: 'prepared'; readonly atMs: number; readonly attempt: number; readonly ready: boolean }
  /** The caller is understood by the words of this language from here on. */
  | { readonly t: 'language'; readonly atMs: number; readonly language: string }
  /** An effect outside the call has been asked for: the turn that was committed last cannot be taken back any more. */
  | { readonly t: 'final'; readonly atMs: number }
  /** The dialogue waits for a tool. */
  | { readonly t: 'working'; readonly atMs: number }
  /**
   * The dialogue gave a reply: these clips are queued; the last one finishes the agent's turn. `silenceMs` as in `listen`.
   * `final`: the turn that it answers cannot be taken back any more (an effect outside the call has happened).
   */
  | {
      readonly t: 'reply';
      readonly atMs: number;
      readonly interruptible: boolean;
      readonly expect: Expectation | null;
      readonly silenceMs?: number;
      readonly final?: boolean;
    }
  | { readonly t: 'agent-start'; readonly atMs: number }
  /** The question with which the reply ends begins to sound: from now on "yes" is an answer. */
  | { readonly t: 'asking'; readonly atMs: number }
  /** All audio of the reply was sent, or it was stopped. */
  | { readonly t: 'agent-end'; readonly atMs: number; readonly interrupted: boolean }
  | { readonly t: 'ended'; readonly atMs: number };

export type TurnEffect =
  /** Ask the recogniser for the words of [fromSample, toSample). */
  | {
      readonly t: 'decode';
      readonly decode: number;
      readonly fromSample: number;
      readonly toSample: number;
      readonly kind: 'partial' | 'final';
    }
  /** Give up a decode. */
  | { readonly t: 'abort-decode'; readonly decode: number }
  /** The caller may be done: prepare the reply to these words and hold it. Nothing of it may be heard, logged or have an effect. */
  | { readonly t: 'speculate'; readonly attempt: number; readonly text: string; readonly confidence: number }
  /** Throw that speculation away. */
  | { readonly t: 'abandon'; readonly attempt: number }
  /** The caller's turn is over: tell the dialogue. `attempt`: the speculation whose reply fits, to be released. */
  | {
      readonly t: 'commit';
      readonly turn: number;
      readonly text: string;
      readonly confidence: number;
      readonly fromSample: number;
      readonly toSample: number;
      readonly waitMs: number;
      readonly attempt: number | null;
    }
  /** The caller was not done: silence, and the turn has never been. It comes back as a commit of the same number, with all its words. */
  | { readonly t: 'retract'; readonly turn: number; readonly heardMs: number }
  /** Keys instead of words. */
  | { readonly t: 'commit-digits'; readonly turn: number; readonly digits: string }
  /** Nobody spoke for `silentMs` while we were listening. */
  | { readonly t: 'silence'; readonly silentMs: number }
  /** The recogniser failed on the caller's words. */
  | { readonly t: 'not-understood'; readonly turn: number }
  /** Stop our own speech: the caller has the floor. */
  | { readonly t: 'stop-speaking' }
  /** Somebody speaks into our speech: softer, or as before again. */
  | { readonly t: 'duck' }
  | { readonly t: 'unduck' }
  /** Our speech halts where it is; `resume` goes on from the beginning of the last word, or in place after a moment that nobody noticed. */
  | { readonly t: 'pause' }
  | { readonly t: 'resume'; readonly inPlace?: boolean }
  /** The reply is late: bridge it. `opener` right after a commit, `wait` while a tool runs. */
  | { readonly t: 'filler'; readonly kind: 'opener' | 'wait' }
  /** Call decide with a tick at this time; a later one replaces an earlier one. */
  | { readonly t: 'wake'; readonly atMs: number }
  /** Why, for the log and for replay. */
  | { readonly t: 'reason'; readonly rule: string; readonly figures: Readonly<Record<string, number | string | boolean>> };
