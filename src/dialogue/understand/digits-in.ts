import { LANGUAGES } from '../language/index.ts';

/** The digits that a sentence names, in order; '' when there is none. */
export function digitsIn(text: string, language: string): string {
  const pack = LANGUAGES[language];
  return pack === undefined ? '' : pack.digits(pack.tokens(text));
}
