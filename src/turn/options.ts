import { TURN_WORDS, type TurnWords, turnWords } from './words.ts';

export interface TurnOptions {
  /** dynamic: the wait follows the evidence. fixed: always `waitMs`, or `quickWaitMs` after a complete answer. */
  readonly endpoint: 'dynamic' | 'fixed';
  /** Silence after the caller's last voiced sample that ends the turn, when the evidence speaks neither for nor against an end. */
  readonly waitMs: number;
  /** The same after an answer that is plainly complete: yes or no to a yes/no question, the last digit of a number. */
  readonly quickWaitMs: number;
  /** Bounds of the dynamic wait. */
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
  /** Multiplies every wait; 1 is as meant. */
  readonly waitFactor: number;
  /** Does what was asked for count as evidence? */
  readonly slotGrammar: boolean;
  /** Does the melody before a pause count as evidence? */
  readonly prosody: boolean;
  /** After "one moment" the caller gets this long. */
  readonly holdMs: number;
  /** While the caller speaks, words so far are asked for this often; 0: never. */
  readonly partialMs: number;
  /** Decode a pause at once, under the wait; otherwise when the wait is over. */
  readonly decodeEarly: boolean;
  /** Prepare replies while the caller may still go on. */
  readonly speculate: boolean;
  /** Speculations for one turn at most. */
  readonly maxTries: number;
  /** Queues longer than this switch speculation off: the engine time is needed for turns that have ended. */
  readonly queueLimitMs: number;
  /** A caller who goes on within this time of our start was not done: the turn is taken back. 0: never. */
  readonly retractMs: number;
  /** A hint of a voice that is no voice by then is forgotten. */
  readonly hintMs: number;
  /** Voice this long into an interruptible reply halts it; one real word does so earlier. */
  readonly bargeInMs: number;
  /** Voice this long ends it, unless the words are those of a listener. */
  readonly takeFloorMs: number;
  /** Silence after a halt until our reply goes on. */
  readonly resumeMs: number;
  /** A short answer to a yes/no question counts when it ends less than this before the end of our reply. */
  readonly tailMs: number;
  /** A reply that has not begun so long after the commit gets an opener; null: none. */
  readonly openerMs: number | null;
  /** While a tool runs, a second wait phrase after this. */
  readonly waitPhraseMs: number;
  /** Silence while we listen, after which the dialogue is told. */
  readonly silenceMs: number;
  /** Longer utterances are cut, at their last pause where there is one in the second half. */
  readonly maxUtteranceMs: number;
  /** Pause after a key that ends a number. */
  readonly interDigitMs: number;
  /** Audio decoded before the first and after the last voiced sample, as far as it has come. */
  readonly padMs: number;
  /** A recogniser that has not answered after this has failed. */
  readonly decodeTimeoutMs: number;
  /** A reply that has not begun after this is lost: we listen again, so that nobody waits for ever. */
  readonly replyTimeoutMs: number;
  /** A reply whose end has not come after this is over. */
  readonly speakTimeoutMs: number;
  /** What words say about the end of a turn; of the language of the call. */
  readonly words: TurnWords;
  /** Word lists in place of the built-in ones, by code of the language: those that have words of the operator's in them. */
  readonly ownWords: Readonly<Record<string, TurnWords>>;
}

export const TURN_DEFAULTS: TurnOptions = {
  endpoint: 'dynamic',
  waitMs: 380,
  quickWaitMs: 120,
  minWaitMs: 160,
  maxWaitMs: 2500,
  waitFactor: 1,
  slotGrammar: true,
  prosody: true,
  holdMs: 8000,
  partialMs: 250,
  decodeEarly: true,
  speculate: true,
  maxTries: 3,
  queueLimitMs: 30,
  retractMs: 700,
  hintMs: 160,
  bargeInMs: 210,
  takeFloorMs: 500,
  resumeMs: 700,
  tailMs: 700,
  openerMs: null,
  waitPhraseMs: 2500,
  silenceMs: 7000,
  maxUtteranceMs: 20_000,
  interDigitMs: 2500,
  padMs: 150,
  decodeTimeoutMs: 10_000,
  replyTimeoutMs: 15_000,
  speakTimeoutMs: 120_000,
  words: TURN_WORDS.en,
  ownWords: {},
};

/** The word lists of a language tag. */
export function wordsIn(language: string, { ownWords }: Pick<TurnOptions, 'ownWords'>): TurnWords {
  const code = language.toLowerCase().split('-')[0] ?? '';
  return ownWords[code] ?? turnWords(language);
}
