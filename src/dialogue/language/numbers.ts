/** Numbers of a language from the ways to say 0 to 999 and its words for thousand and million. */
import type { Found } from './pack.ts';
import { phraseTree } from './phrase-tree.ts';

export interface NumberWords {
  /** Every way to say a number below a thousand, folded, words apart by one space. */
  readonly small: Iterable<readonly [phrase: string, value: number]>;
  readonly thousand: readonly string[];
  readonly million: readonly string[];
  /** May stand between thousand and the rest. */
  readonly and: readonly string[];
}

export interface Numbers {
  /** `words` are folded. */
  readonly number: (words: readonly string[], at: number) => Found<number> | null;
  readonly isSmall: (word: string) => boolean;
}

export function createNumbers({ small, thousand, million, and }: NumberWords): Numbers {
  const known = [...small];
  const tree = phraseTree(known);
  const single = new Set(known.map(([phrase]) => phrase));
  const below = (words: readonly string[], at: number): { value: number; to: number } | null => {
    const word = words[at] ?? '';
    return /^\d{1,3}$/.test(word) ? { value: Number(word), to: at + 1 } : tree.find(words, at);
  };
  /** "three [scale] five": the part before the scale may be missing where the scale alone is a number ("mille"). */
  const upTo = (
    words: readonly string[],
    at: number,
    scale: readonly string[],
    unit: number,
    inner: typeof below,
  ): ReturnType<typeof below> => {
    const first = inner(words, at);
    const scaleAt = first?.to ?? at;
    if (!scale.includes(words[scaleAt] ?? '')) return first;
    const head = (first?.value ?? 1) * unit;
    const rest = inner(words, and.includes(words[scaleAt + 1] ?? '') ? scaleAt + 2 : scaleAt + 1);
    return rest === null || rest.value >= unit ? { value: head, to: scaleAt + 1 } : { value: head + rest.value, to: rest.to };
  };
  const thousands = (words: readonly string[], at: number): ReturnType<typeof below> => upTo(words, at, thousand, 1000, below);
  return {
    number(words, at) {
      const word = words[at] ?? '';
      if (/^\d{4,9}$/.test(word)) return { value: Number(word), from: at, to: at + 1 };
      const found = upTo(words, at, million, 1_000_000, thousands);
      return found === null ? null : { value: found.value, from: at, to: found.to };
    },
    isSmall: (word) => single.has(word),
  };
}
