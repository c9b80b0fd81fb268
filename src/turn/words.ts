/** What a text says about whose turn it is, by the word lists of the language. */
import type { Expectation } from '../contracts/index.ts';
import { DE } from './lexicon/de.ts';
import { EN } from './lexicon/en.ts';
import { ES } from './lexicon/es.ts';
import { FR } from './lexicon/fr.ts';
import type { TurnWords } from './lexicon/types.ts';

/** A question that began earlier has been followed by something else. */
const LAST_WORDS = 8;
/** More words than this behind an announcement are its content. */
const ANNOUNCED_WORDS = 4;

export type { TurnWords };
export const TURN_WORDS = { en: EN, de: DE, fr: FR, es: ES } as const satisfies Record<string, TurnWords>;

const NO_WORDS: TurnWords = {
  answers: [],
  digits: [],
  doubles: [],
  values: [],
  openers: [],
  openPhrases: [],
  fillers: [],
  holds: [],
  closers: [],
  names: [],
  announcements: [],
  questions: [],
  backchannels: [],
  stops: [],
};

/** The word lists of a language tag ("de", "en-US"); English where there are none. */
export function turnWords(language: string): TurnWords {
  const code = language.toLowerCase().split('-')[0] ?? '';
  return Object.hasOwn(TURN_WORDS, code) ? TURN_WORDS[code as keyof typeof TURN_WORDS] : EN;
}

/** The same with words of the operator's beside them. A language that is not built in has those alone. */
export function moreWords(language: string, more: { readonly [K in keyof TurnWords]?: TurnWords[K] | undefined }): TurnWords {
  const code = language.toLowerCase().split('-')[0] ?? '';
  const own = Object.values(more).some((phrases) => (phrases ?? []).length > 0);
  const known: TurnWords = own && !Object.hasOwn(TURN_WORDS, code) ? NO_WORDS : turnWords(language);
  const names = Object.keys(NO_WORDS) as (keyof TurnWords)[];
  return Object.fromEntries(names.map((name) => [name, [...known[name], ...(more[name] ?? [])]])) as unknown as TurnWords;
}

/** What the recogniser wrote, without its marks for sounds: "[BLANK_AUDIO]", "(music)". Empty when there are no words. */
export function spokenText(text: string): string {
  const words = text
    .replace(/\[[^\]]*\]|\([^)]*\)/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return /[\p{L}\p{N}]/u.test(words) ? words : '';
}

/** Small words without marks: texts with the same tokens say the same. */
export function tokensOf(text: string): readonly string[] {
  return (
    text
      .toLowerCase()
      .replace(/['’]/g, '')
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}

export function endsWithPhrase(tokens: readonly string[], phrases: readonly string[]): boolean {
  const text = ` ${tokens.join(' ')}`;
  return phrases.some((phrase) => text.endsWith(` ${phrase}`));
}

/** A question or a request, with its content, is the last thing that was said. */
export function endsAsking(tokens: readonly string[], words: TurnWords): boolean {
  const text = ` ${tokens.slice(-LAST_WORDS).join(' ')}`;
  return words.questions.some((phrase) => text.includes(` ${phrase} `));
}

/** Words of a name that is being said; 0 when none is. */
export function nameWords(tokens: readonly string[], words: TurnWords): number {
  const counted = wordsAfter(tokens, words.names).map(
    (name) => name.filter((word) => !words.fillers.includes(word) && !words.openers.includes(word)).length,
  );
  return counted.length === 0 ? 0 : Math.min(...counted);
}

/** The caller has said what it is about, and nothing of it yet: no number, no day, few words. */
export function announces(tokens: readonly string[], words: TurnWords): boolean {
  const isValue = (word: string): boolean => words.values.includes(word) || /\d/.test(word);
  return wordsAfter(tokens, words.announcements).some((rest) => rest.length <= ANNOUNCED_WORDS && !rest.some(isValue));
}

/** For each of these phrases that was said: the words behind the last time it was, at least one. */
function wordsAfter(tokens: readonly string[], phrases: readonly string[]): readonly (readonly string[])[] {
  const text = ` ${tokens.join(' ')}`;
  return phrases.flatMap((phrase) => {
    const at = text.lastIndexOf(` ${phrase} `);
    return at < 0 ? [] : [text.slice(at + phrase.length + 2).split(' ')];
  });
}

/** Digits said so far; -1 when the last words are no digits, so that it is no number (any more). */
export function digitsIn(tokens: readonly string[], words: TurnWords): number {
  let digits = 0;
  let times = 1;
  let last = false;
  for (const token of tokens) {
    last = true;
    if (words.doubles.includes(token)) times = token.startsWith('tri') ? 3 : 2;
    else if (/^\d+$/.test(token)) digits += token.length;
    else if (words.digits.includes(token)) [digits, times] = [digits + times, 1];
    else last = false;
  }
  return last || tokens.length === 0 ? digits : -1;
}

/** True when nothing can follow: the answer has all that was asked for. */
export function isComplete(text: string, expect: Expectation | null, words: TurnWords): boolean {
  const tokens = tokensOf(text);
  if (expect?.kind === 'yes-no') return tokens.length > 0 && tokens.length <= 3 && tokens.every((token) => isAnswer(token, words));
  return expect?.kind === 'digits' && digitsIn(tokens, words) === expect.max;
}

const isAnswer = (token: string, words: TurnWords): boolean => words.answers.includes(token) || words.closers.includes(token);

/** The caller asks us to wait, and says nothing else. */
export function isHold(tokens: readonly string[], words: TurnWords): boolean {
  return endsWithPhrase(tokens, words.holds);
}

/**
 * What somebody means who speaks while we speak.
 *   nothing      no words
 *   backchannel  "mm-hm": goes on listening
 *   answer       a yes or no to the yes/no question that our speech asks
 *   early        the same before the question has sounded: most likely a backchannel
 *   stop         takes the floor with one word
 *   words        takes the floor with content
 */
export type Meaning = 'nothing' | 'backchannel' | 'answer' | 'early' | 'stop' | 'words';

export function meaningOf(text: string, expect: Expectation | null, words: TurnWords): Meaning {
  const tokens = tokensOf(text);
  if (tokens.length === 0) return 'nothing';
  if (words.stops.includes(tokens.join(' ')) || words.stops.includes(tokens[0] ?? '')) return 'stop';
  if (expect?.kind === 'yes-no' && isComplete(text, expect, words)) return 'answer';
  if (isBackchannel(tokens, words) || tokens.every((token) => words.fillers.includes(token))) return 'backchannel';
  return 'words';
}

/** "yeah okay", "uh huh uh huh": phrases of the list, one after the other; the last one may have just begun ("i" of "i see"). */
export function isBackchannel(tokens: readonly string[], words: TurnWords): boolean {
  if (tokens.length === 0) return true;
  const rest = tokens.join(' ');
  return words.backchannels.some((phrase) => {
    if (phrase.startsWith(`${rest} `)) return true;
    const length = phrase.split(' ').length;
    return tokens.slice(0, length).join(' ') === phrase && isBackchannel(tokens.slice(length), words);
  });
}
