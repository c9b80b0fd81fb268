/**
 * The small pattern language of intents. A pattern is words apart by spaces:
 *   a|b     one of these words          *       up to five words, any
 *   word?   may be left out             ^  $    begin and end of what was said
 *   (a b|c d)   one of these phrases
 */
import type { Intent, LanguagePack } from '../language/index.ts';

export type IntentFinder = (tokens: readonly string[]) => Intent | null;

export function createIntentFinder(pack: LanguagePack): IntentFinder {
  const patterns = (Object.entries(pack.intents) as [Intent, readonly string[]][]).flatMap(([intent, phrases]) =>
    phrases.map((phrase) => ({ intent, pattern: compilePhrase(phrase) })),
  );
  return (tokens) => {
    const said = tokens.map((word) => `${word} `).join('');
    return patterns.find(({ pattern }) => pattern.test(said))?.intent ?? null;
  };
}

/** Matches a text whose every word is followed by a space. Repetition is bounded, so matching is linear in the text. */
export function compilePhrase(phrase: string): RegExp {
  const parts = phrase.match(/\([^)]*\)|\S+/g) ?? [];
  const body = parts.map((part) => {
    if (part === '^' || part === '$') return part;
    if (part === '*') return '(?:[^ ]+ ){0,5}?';
    if (part.startsWith('(')) {
      const phrases = part.slice(1, -1).split('|');
      return `(?:${phrases.map((words) => words.trim().split(/\s+/).map(oneWord).join('')).join('|')})`;
    }
    return part.endsWith('?') ? `(?:${oneWord(part.slice(0, -1))})?` : oneWord(part);
  });
  return new RegExp(`${parts[0] === '^' ? '' : '(?:^|(?<= ))'}${body.join('')}`, 'u');
}

function oneWord(words: string): string {
  return `(?:${words
    .split('|')
    .map((word) => word.replace(/[^\p{L}\p{N}_]/gu, ''))
    .join('|')}) `;
}
