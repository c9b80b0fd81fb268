import type { SpellingWords } from './spelling.ts';

/** What a language brings: tables and the few functions that tables cannot express. One pack per language, found by its code. */

/** Something found among the words of a sentence: tokens [from, to). */
export interface Found<T> {
  readonly value: T;
  readonly from: number;
  readonly to: number;
}

/** A clock time as it was said. */
export interface SaidTime {
  readonly hour: number;
  readonly minute: number;
  /** Said so that it cannot be another half of the day: "in the evening", "19:30". */
  readonly half: 'am' | 'pm' | 'exact' | null;
}

export type Intent = 'person' | 'machine' | 'repeat' | 'hold' | 'goodbye' | 'hello' | 'dont-know';

export interface WordLists {
  readonly yes: readonly string[];
  readonly no: readonly string[];
  /** "... is right", "... is wrong": verdicts on what was read back. */
  readonly right: readonly string[];
  readonly wrong: readonly string[];
  /** Words that may stand between a value and its verdict: "is". */
  readonly links: readonly string[];
  readonly not: readonly string[];
  /** A sentence that begins with one of these is a question. */
  readonly question: readonly string[];
  /** Carry no meaning in a search. */
  readonly stop: readonly string[];
}

export interface MoneyWords {
  readonly currencies: readonly (readonly [phrase: string, code: string])[];
  /** "cents". */
  readonly minor: readonly string[];
  /** Between the parts: "five euros AND twenty cents". */
  readonly and: readonly string[];
  /** One and several, by ISO 4217 code. */
  readonly spoken: Readonly<Record<string, readonly [one: string, more: string]>>;
  /** The word for the sign of the pound. */
  readonly pound: string;
}

export interface LanguagePack {
  readonly code: string;
  readonly words: WordLists;
  /** Phrases of each intent, in the small pattern language of understand/phrases.ts. Earlier intents win. */
  readonly intents: Readonly<Record<Intent, readonly string[]>>;
  readonly spelling: SpellingWords;
  readonly money: MoneyWords;
  /** Texts of the runner itself; a flow overrides them by key. */
  readonly prompts: Readonly<Record<BuiltinPrompt, string>>;
  /** Lower-case words of a sentence, without punctuation; "7:30" and "27th" stay whole. */
  tokens(text: string): readonly string[];
  /** A whole number that begins at token `at`. */
  number(tokens: readonly string[], at: number): Found<number> | null;
  /** The digits in a sentence, "double five" included. */
  digits(tokens: readonly string[]): string;
  /** Every day named; `today` is 'YYYY-MM-DD'. Values are ISO dates from today on. */
  days(tokens: readonly string[], today: string): readonly Found<string>[];
  /** Every time named with a mark of time ("at seven", "half past", "19:30"); with `bare` a mere number counts too. */
  times(tokens: readonly string[], bare: boolean): readonly Found<SaidTime>[];
  /** The same word in another form: "hours", "hour". */
  stem(word: string): string;
  sayNumber(value: number): string;
  sayDigits(digits: string): string;
  sayDay(iso: string): string;
  /** `time` is 'HH:MM'. */
  sayTime(time: string): string;
  sayYesNo(yes: boolean): string;
}

/** Prompts that the runner says by itself. */
export const BUILTIN_PROMPTS = [
  'not_understood',
  'still_there',
  'silence_goodbye',
  'give_up',
  'give_up_goodbye',
  'too_long',
  'i_am_a_machine',
  'hold_on',
  'goodbye',
  'transferring',
  'transfer_failed',
  'no_person',
  'dont_know',
  'dont_know_offer',
  'all_right',
  'out_of_range',
  'which_part',
  'one_moment',
  'interrupted',
  'tool_failed',
  'asking_approval',
  'not_approved',
  'shall_i',
] as const;
export type BuiltinPrompt = (typeof BUILTIN_PROMPTS)[number];
