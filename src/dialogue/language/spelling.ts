/** Letters and signs said one by one, as in names, addresses and codes. */
import { fold } from './fold.ts';
import { phraseTree } from './phrase-tree.ts';

export interface SpellingWords {
  /** Names of letters beside the letters themselves: "zett", "double u", "i grec"; folded. */
  readonly letters: readonly (readonly [name: string, letter: string])[];
  /** Words of spelling alphabets: "anton", "alpha". */
  readonly alphabet: readonly (readonly [word: string, letter: string])[];
  /** "s AS IN sugar": the word after it says nothing new. */
  readonly asIn: readonly string[];
  /** "double t", "zweimal t". */
  readonly twice: readonly string[];
  /** Signs of addresses: "at", "klammeraffe", "punto", "guion bajo". */
  readonly signs: readonly (readonly [name: string, sign: string])[];
  /** What people say before a name: "my name is". */
  readonly nameLead: readonly string[];
  /** "spelled": what comes after is letters. */
  readonly spelled: readonly string[];
}

type NumberAt = (tokens: readonly string[], at: number) => { readonly value: number; readonly to: number } | null;

export interface Speller {
  /** The letters and digits from token `at` on, as far as they go; null when there is none. */
  letters(tokens: readonly string[], at: number): { readonly value: string; readonly to: number } | null;
  readonly words: SpellingWords;
}

export function createSpeller(words: SpellingWords, number: NumberAt): Speller {
  const names = phraseTree([...words.letters, ...words.alphabet]);
  const asIn = phraseTree(words.asIn.map((phrase) => [phrase, true] as const));
  const twice = phraseTree(words.twice.map((phrase) => [phrase, true] as const));
  const one = (tokens: readonly string[], folded: readonly string[], at: number): { value: string; to: number } | null => {
    const double = twice.find(folded, at);
    const named = names.find(folded, at);
    // "double u" is a letter.
    if (double !== null && (named?.to ?? 0) <= double.to) {
      const next = one(tokens, folded, double.to);
      return next?.value.length === 1 ? { value: next.value.repeat(2), to: next.to } : null;
    }
    const word = tokens[at] ?? '';
    if (/^\d+$/.test(word)) return { value: word, to: at + 1 };
    const letter = /^\p{L}$/u.test(word) ? { value: word, to: at + 1 } : null;
    const found = named !== null && named.to > (letter?.to ?? 0) ? named : (letter ?? named);
    if (found !== null) {
      const example = asIn.find(folded, found.to);
      return { value: found.value, to: example !== null && example.to < tokens.length ? example.to + 1 : found.to };
    }
    const digit = number(tokens, at);
    return digit !== null && digit.value < 100 ? { value: String(digit.value), to: digit.to } : null;
  };
  return {
    words,
    letters(tokens, at) {
      const folded = tokens.map(fold);
      let value = '';
      let to = at;
      for (let next = one(tokens, folded, to); next !== null; next = one(tokens, folded, to)) {
        value += next.value;
        to = next.to;
      }
      return value === '' ? null : { value, to };
    },
  };
}
