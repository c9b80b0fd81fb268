import { TURN_WORDS, type TurnWords } from './words.ts';

export interface TurnOptions {
  /** Silence after the caller's last voiced sample that ends the turn. */
  readonly waitMs: number;
  /** The same after an answer that is plainly complete: yes or no to a yes/no question, the last digit of a number. */
  readonly quickWaitMs: number;
  /** Voice this long while an interruptible reply plays stops the reply. */
  readonly bargeInMs: number;
  /** Voice shorter than `bargeInMs` that ended longer than this before the end of our reply was no answer to it. */
  readonly tailMs: number;
  /** Silence while we listen, after which the dialogue is told. */
  readonly silenceMs: number;
  /** Longer utterances are cut, at their last pause where there is one in the second half. */
  readonly maxUtteranceMs: number;
  /** Pause after a key that ends a number. */
  readonly interDigitMs: number;
  /** Audio decoded before the first and after the last voiced sample; must not exceed the talk gate's hangover. */
  readonly padMs: number;
  /** A recogniser that has not answered after this has failed. */
  readonly decodeTimeoutMs: number;
  /** A reply that has not begun after this is lost: we listen again, so that nobody waits for ever. */
  readonly replyTimeoutMs: number;
  /** A reply whose end has not come after this is over. */
  readonly speakTimeoutMs: number;
  /** Words that end an answer early; of the language of the call. */
  readonly words: TurnWords;
}

export const TURN_DEFAULTS: TurnOptions = {
  waitMs: 600,
  quickWaitMs: 250,
  bargeInMs: 240,
  tailMs: 700,
  silenceMs: 7000,
  maxUtteranceMs: 20_000,
  interDigitMs: 2500,
  padMs: 150,
  decodeTimeoutMs: 10_000,
  replyTimeoutMs: 15_000,
  speakTimeoutMs: 120_000,
  words: TURN_WORDS.en,
};
