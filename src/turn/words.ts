/** The few words that let an answer end early. One table per language; the dialogue's own tables are richer. */
import type { Expectation } from '../contracts/index.ts';

export interface TurnWords {
  /** One of these alone answers a yes/no question. */
  readonly answers: readonly string[];
  /** Words for one digit. */
  readonly digits: readonly string[];
}

export const TURN_WORDS = {
  en: {
    answers: ['yes', 'no', 'yeah', 'yep', 'nope', 'okay', 'ok', 'sure', 'correct', 'right'],
    digits: ['zero', 'oh', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
  },
  de: {
    answers: ['ja', 'nein', 'okay', 'ok', 'genau', 'richtig', 'stimmt', 'doch'],
    digits: ['null', 'eins', 'zwei', 'zwo', 'drei', 'vier', 'fünf', 'sechs', 'sieben', 'acht', 'neun'],
  },
} as const satisfies Record<string, TurnWords>;

/** What the recogniser wrote, without its marks for sounds: "[BLANK_AUDIO]", "(music)". Empty when there are no words. */
export function spokenText(text: string): string {
  const words = text
    .replace(/\[[^\]]*\]|\([^)]*\)/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return /[\p{L}\p{N}]/u.test(words) ? words : '';
}

/** True when nothing can follow: the answer has all that was asked for. */
export function isComplete(text: string, expect: Expectation | null, words: TurnWords): boolean {
  const tokens = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  if (expect?.kind === 'yes-no') return tokens.length === 1 && words.answers.includes(tokens[0]);
  if (expect?.kind !== 'digits') return false;
  let digits = 0;
  for (const token of tokens) {
    if (/^\d+$/.test(token)) digits += token.length;
    else if (words.digits.includes(token)) digits += 1;
  }
  return digits === expect.max;
}
