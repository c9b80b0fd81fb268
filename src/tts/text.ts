import { languageOf, readAloud } from './piper/reading/index.ts';

/** Text on its way to a synthesiser is data: whatever could be read as a command, markup or phonemes is taken out. */

const LONGEST_RUN = 3;

/**
 * One line of plain text: no control characters, no tags, no espeak phoneme brackets, no lone surrogates, single spaces.
 * `[[` and `<…>` mean something to espeak-ng and to SSML readers; here they never do.
 */
export function plainText(text: string): string {
  return (
    text
      // Colours of a terminal, pasted along with the text.
      .replace(/\u001B\[[0-9;]*[A-Za-z]/g, ' ')
      // A surrogate without its other half matches as a character of its own.
      .replace(/[\uD800-\uDFFF\uFFFD]/gu, ' ')
      .replace(/[\u0000-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF]/g, ' ')
      .replace(/<\/?[a-zA-Z!?][^<>]*>/g, ' ')
      .replace(/[<>[\]{}|\\^`~]/g, ' ')
      // A row of dots is a pause, a thousand of them are not.
      .replace(/([^\p{L}\p{N}\s])\1{3,}/gu, (run: string) => run.slice(0, LONGEST_RUN))
      .replace(/\s+/g, ' ')
      .trim()
  );
}

/**
 * Plain text with numbers, dates, times and prices as they are read in the language, the same for every engine: left to
 * itself espeak-ng reads 19:00 as "nineteen zero zero". A language without rules is left as it is.
 */
export function spokenText(plain: string, tag: string): string {
  if (languageOf(tag) === null) return plain;
  return readAloud(plain, tag).reduce((text, token) => {
    if (token.kind === 'stop') return `${text}${token.mark}`;
    return text === '' ? token.say : `${text} ${token.say}`;
  }, '');
}

/** True when there is anything to pronounce. */
export function isSpeakable(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}
