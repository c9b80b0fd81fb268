/**
 * Text → what is to be said: words with their place in the text, and stops between them. Pure.
 * Whatever is no word, number, known sign or stop (emoji, control characters, brackets, markup) is not read.
 */
import { german } from './de.ts';
import { british, english } from './en.ts';
import { spanish } from './es.ts';
import { french } from './fr.ts';
import { digitsOf, money, number, type Language } from './rules.ts';

export interface SpokenWord {
  readonly kind: 'word';
  /** Letters, digits and spaces only, for one line of espeak-ng. */
  readonly say: string;
  /** Characters [from, to) of the text. */
  readonly from: number;
  readonly to: number;
}

export interface Stop {
  readonly kind: 'stop';
  readonly mark: '.' | '?' | '!' | ',' | ':' | ';';
}

export type Token = SpokenWord | Stop;

const LANGUAGES: Readonly<Record<string, Language>> = {
  en: english,
  de: german,
  fr: french,
  es: spanish,
  'en-gb': british,
  'en-ie': british,
  'en-au': british,
};

/** The reading rules of a language tag; null for a language without: espeak-ng reads its numbers by itself. */
export function languageOf(tag: string): Language | null {
  const lower = tag.toLowerCase().replace('_', '-');
  return LANGUAGES[lower] ?? LANGUAGES[lower.split('-')[0] ?? ''] ?? null;
}

/** What a rule made of the text at one place, and how much of it. */
interface Match {
  readonly tokens: readonly (Stop | Omit<SpokenWord, 'from' | 'to'>)[];
  readonly length: number;
}

type Rule = (text: string, at: number, language: Language) => Match | null;

const LONGEST_WORD = 60;

export function readAloud(text: string, tag: string): Token[] {
  const language = languageOf(tag);
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const match = (language === null ? null : (firstOf(text, at, language) ?? sign(text, at, language))) ?? plain(text, at);
    for (const token of match.tokens) {
      if (token.kind === 'word') tokens.push({ ...token, from: at, to: at + match.length });
      else if (tokens.at(-1)?.kind === 'word') tokens.push(token);
      else if (tokens.length > 0) tokens[tokens.length - 1] = stronger(tokens.at(-1), token);
    }
    at += match.length;
  }
  return tokens;
}

const strength = (stop: Stop): number => (stop.mark === '.' || stop.mark === '?' || stop.mark === '!' ? 2 : 1);
const stronger = (a: Token | undefined, b: Stop): Token => (a?.kind === 'stop' && strength(b) <= strength(a) ? a : b);

function firstOf(text: string, at: number, language: Language): Match | null {
  // Numbers and abbreviations begin where a word could begin.
  if (at > 0 && /[\p{L}\p{N}]/u.test(text[at - 1] ?? '')) return null;
  for (const rule of RULES) {
    const match = rule(text, at, language);
    if (match !== null) return match;
  }
  return null;
}

const wordBefore = (text: string, at: number): string => /(\p{L}+)\s+$/u.exec(text.slice(Math.max(0, at - 20), at))?.[1] ?? '';

const say = (words: string, length: number): Match => ({ tokens: [{ kind: 'word', say: words }], length });

/** Groups of a pattern that matches exactly here. */
function here(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

const END = String.raw`(?![\p{L}\p{N}])`;

const abbreviation: Rule = (text, at, language) => {
  for (const [key, words] of Object.entries(language.abbreviations)) {
    const before = key.endsWith('#') ? /^ ?\d/ : key.endsWith('^') ? /^ ?\p{Lu}/u : null;
    const written = before === null ? key : key.slice(0, -1);
    if (!text.startsWith(written, at)) continue;
    const rest = text.slice(at + written.length, at + written.length + 3);
    if (before === null ? /\p{L}$/u.test(written) && /^[\p{L}\p{N}]/u.test(rest) : !before.test(rest)) continue;
    return say(words, written.length);
  }
  return null;
};

const ISO_DATE = new RegExp(String.raw`(\d{4})-(\d{2})-(\d{2})${END}`, 'uy');
const DOTTED_DATE = new RegExp(String.raw`(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})${END}`, 'uy');
const SLASHED_DATE = new RegExp(String.raw`(\d{1,2})/(\d{1,2})/(\d{4})${END}`, 'uy');

const date: Rule = (text, at, language) => {
  const build = (found: RegExpExecArray, year: number, month: number, day: number): Match | null =>
    month >= 1 && month <= 12 && day >= 1 && day <= 31 ? say(language.date(day, month, year, wordBefore(text, at)), found[0].length) : null;
  const iso = here(ISO_DATE, text, at);
  if (iso !== null) return build(iso, Number(iso[1]), Number(iso[2]), Number(iso[3]));
  const dotted = here(DOTTED_DATE, text, at);
  if (dotted !== null) return build(dotted, Number(dotted[3]), Number(dotted[2]), Number(dotted[1]));
  const slashed = here(SLASHED_DATE, text, at);
  if (slashed === null) return null;
  const [first, second] = [Number(slashed[1]), Number(slashed[2])];
  const [day, month] = language.slashOrder === 'day-first' ? [first, second] : [second, first];
  return build(slashed, Number(slashed[3]), month, day);
};

const TIME = new RegExp(String.raw`(\d{1,2})[:h](\d{2})(?: ?(a\.?m\.?|p\.?m\.?|Uhr|h|hrs))?${END}`, 'uiy');
const HOUR = new RegExp(String.raw`(\d{1,2}) ?(a\.?m\.?|p\.?m\.?)${END}`, 'uiy');

const time: Rule = (text, at, language) => {
  const exact = here(TIME, text, at);
  const found = exact ?? here(HOUR, text, at);
  if (found === null) return null;
  const minute = exact === null ? 0 : Number(exact[2]);
  const hour = Number(found[1]);
  const suffix = (exact === null ? found[2] : found[3])?.toLowerCase().replaceAll('.', '');
  const half = suffix === 'am' || suffix === 'pm' ? suffix : null;
  return hour > 23 || minute > 59 ? null : say(language.time(hour, minute, half), found[0].length);
};

/** Patterns that depend on the marks of the language, made once. */
interface Patterns {
  readonly number: RegExp;
  readonly priceAfterSign: RegExp;
  readonly priceBeforeSign: RegExp;
  readonly measure: RegExp;
}

const PATTERNS = new Map<Language, Patterns>();

function patternsOf(language: Language): Patterns {
  const known = PATTERNS.get(language);
  if (known !== undefined) return known;
  const escape = (mark: string): string => mark.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
  const group = `[\\u00a0\\u202f'${language.groupMark === null ? '' : escape(language.groupMark)}${language === french ? ' ' : ''}]`;
  const digits = String.raw`[-−]?(?:\d{1,3}(?:${group}\d{3})+(?!\d)|\d+)(?:${escape(language.decimalMark)}\d+)?`;
  const signs = Object.keys(language.money).map(escape).join('|');
  const units = ['%', ...Object.keys(language.units)].sort((a, b) => b.length - a.length).map(escape);
  const space = String.raw`[ \u00a0\u202f]?`;
  const made: Patterns = {
    number: new RegExp(digits, 'uy'),
    priceAfterSign: new RegExp(`(${signs})${space}(${digits})${END}`, 'uy'),
    priceBeforeSign: new RegExp(`(${digits})${space}(${signs})${END}`, 'uy'),
    measure: new RegExp(`(${digits})${space}(${units.join('|')})${END}`, 'uy'),
  };
  PATTERNS.set(language, made);
  return made;
}

const price: Rule = (text, at, language) => {
  const patterns = patternsOf(language);
  const after = here(patterns.priceAfterSign, text, at);
  const before = after === null ? here(patterns.priceBeforeSign, text, at) : null;
  const found = after ?? before;
  if (found === null) return null;
  const [amount = '', sign = ''] = after === null ? [found[1], found[2]] : [found[2], found[1]];
  const words = money(amount, sign, language);
  return words === null ? null : say(words, found[0].length);
};

const measure: Rule = (text, at, language) => {
  const found = here(patternsOf(language).measure, text, at);
  if (found === null) return null;
  const [all, amount = '', unit = ''] = found;
  const names = language.units[unit];
  const name = unit === '%' ? language.percent : names?.[amount === '1' ? 0 : 1];
  return name === undefined ? null : say(`${number(amount, language)} ${name}`, all.length);
};

const ordinal: Rule = (text, at, language) => {
  const found = language.ordinalPattern === null ? null : here(language.ordinalPattern, text, at);
  const words = found === null ? null : language.ordinal(Number(found[1]), found[2] ?? '', wordBefore(text, at));
  return found === null || words === null ? null : say(words, found[0].length);
};

const PHONE = /(?:\+\d|\(?0)[\d ()/\u00a0-]{4,28}\d(?![\p{L}\p{N}])/uy;
const LONG_DIGITS = /\d{8,5000}(?![\p{L}\p{N}])/uy;
/** As many digits as one word may have. */
const DIGITS_OF_A_WORD = /\d{1,20}/g;

/** Telephone, account and order numbers: digit by digit, a short stop where the text has a gap. */
const digits: Rule = (text, at, language) => {
  const found = here(PHONE, text, at) ?? here(LONG_DIGITS, text, at);
  if (found === null) return null;
  const tokens: (Stop | Omit<SpokenWord, 'from' | 'to'>)[] = [];
  for (const group of found[0].split(/[^\d]+/).filter((digits) => digits !== '')) {
    const plus = tokens.length === 0 && found[0].startsWith('+') ? `${language.plus} ` : '';
    if (tokens.length > 0) tokens.push({ kind: 'stop', mark: ',' });
    for (const [run] of group.matchAll(DIGITS_OF_A_WORD)) tokens.push({ kind: 'word', say: `${plus}${digitsOf(run)}` });
  }
  return { tokens, length: found[0].length };
};

const plainNumber: Rule = (text, at, language) => {
  const found = here(patternsOf(language).number, text, at);
  // "22nd", "2FA": letters right behind make it a word.
  if (found === null || /^[\p{L}]/u.test(text.slice(at + found[0].length))) return null;
  return say(number(found[0], language), found[0].length);
};

const ADDRESS = /[\p{L}\p{N}_-]{1,64}(?:[.@][\p{L}\p{N}_-]{1,64}){1,8}/uy;
const TOP_LEVEL = /[.@](?:com|org|net|info|edu|gov|io|eu|de|fr|es|uk|at|ch|us|nl|be|it)$/i;

/** Mail and web addresses. */
const address: Rule = (text, at, language) => {
  const found = here(ADDRESS, text, at);
  if (found === null || !(TOP_LEVEL.test(found[0]) || found[0].includes('@'))) return null;
  const words = found[0].replace(/[_-]/g, ' ').replaceAll('.', ` ${language.dot} `).replaceAll('@', ` ${language.at} `);
  return say(words, found[0].length);
};

const INITIALS = /(?:\p{Lu}\.){2,8}/uy;
const initials: Rule = (text, at) => {
  const found = here(INITIALS, text, at);
  return found === null ? null : say(found[0].replaceAll('.', ' ').trim(), found[0].length);
};

const sign: Rule = (text, at, language) => {
  const words = language.signs[text[at] ?? ''];
  return words === undefined ? null : say(words, 1);
};

const RULES: readonly Rule[] = [abbreviation, address, date, time, price, measure, ordinal, digits, plainNumber, initials];

/** Markup, and what would colour a terminal. */
const TAG = /<\/?[a-zA-Z!?][^<>]{0,200}>|\u001b\[[\d;]{0,20}[A-Za-z]/uy;
/** For languages without rules: espeak-ng knows which mark is which. */
const MARKED_NUMBER = /\d{1,40}(?:[.,]\d{1,40})+(?![\p{L}\p{N}])/uy;
const WORD = new RegExp(String.raw`[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:['’‑-][\p{L}\p{N}][\p{L}\p{M}\p{N}]*)*`, 'uy');
const STOPS = /[.!?…。！？,;:،؛؟、，；：—–()]+|\r?\n\s*\n\s*|(?<=\s)-(?=\s)/uy;

/** What every language has: words and stops. Anything else is passed over, one character at a time. */
function plain(text: string, at: number): Match {
  const tag = here(TAG, text, at);
  if (tag !== null) return { tokens: [], length: tag[0].length };
  const marked = here(MARKED_NUMBER, text, at);
  if (marked !== null) return say(marked[0], marked[0].length);
  const word = here(WORD, text, at);
  if (word !== null) {
    const written = word[0].slice(0, LONGEST_WORD);
    const length = /[\uD800-\uDBFF]$/.test(written) ? written.length - 1 : written.length;
    return say(written.slice(0, length).replaceAll('’', "'").replaceAll('‑', '-'), length);
  }
  const stops = here(STOPS, text, at);
  if (stops !== null) return { tokens: [{ kind: 'stop', mark: markOf(stops[0]) }], length: stops[0].length };
  return { tokens: [], length: (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1 };
}

function markOf(written: string): Stop['mark'] {
  if (/[?？؟]/.test(written)) return '?';
  if (/[!！]/.test(written)) return '!';
  if (/[.…。\n]/.test(written)) return '.';
  if (/[;；؛]/.test(written)) return ';';
  return /[:：]/.test(written) ? ':' : ',';
}
