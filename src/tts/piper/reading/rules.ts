/**
 * How a language reads numbers, dates, times, money and signs aloud. espeak-ng speaks plain numbers well; what it gets wrong
 * ("$5" as "dollar five", a date as three numbers) is written out here before it sees the text.
 * A language is a table (en.ts, de.ts, fr.ts, es.ts); the patterns are the same for all.
 */

export interface Money {
  /** One, many. */
  readonly unit: readonly [string, string];
}

export interface Language {
  readonly decimalMark: '.' | ',';
  /** Between groups of three digits; a space (also a narrow one) is understood everywhere. */
  readonly groupMark: '.' | ',' | null;
  /** Between a number and its decimals. */
  readonly point: string;
  /** Whether two decimals are read as one number (fr, es) or digit by digit (en, de). */
  readonly decimalsTogether: boolean;
  readonly minus: string;
  readonly plus: string;
  readonly percent: string;
  /** '€' and 'EUR' are looked up here. */
  readonly money: Readonly<Record<string, Money>>;
  /** 5.50 of a currency: "5 euros 50", "5 dollars 50". */
  readonly units: Readonly<Record<string, readonly [string, string]>>;
  readonly signs: Readonly<Record<string, string>>;
  /** As they stand in a text, with their dot. A key that ends in # counts only before a number, one that ends in ^ only before a capital. */
  readonly abbreviations: Readonly<Record<string, string>>;
  /** day 1..31, month 1..12; `before` is the word in front, for languages that decline. */
  date(day: number, month: number, year: number, before: string): string;
  /** hour 0..23, minute 0..59; `half` is what stood behind it (am, pm) or null. */
  time(hour: number, minute: number, half: 'am' | 'pm' | null): string;
  /** Order of 03/04/2026. */
  readonly slashOrder: 'day-first' | 'month-first';
  /** 1st, 2., 1er: how an ordinal is written and read, or null to leave it to espeak-ng. */
  ordinal(number: number, suffix: string, before: string): string | null;
  readonly ordinalPattern: RegExp | null;
  /** "example.com": the word for the dot. */
  readonly dot: string;
  readonly at: string;
}

export const digitsOf = (digits: string): string => Array.from(digits).join(' ');

/** A number as it is written ("1.234,50") → as it is spoken ("1234 Komma 5 0"). */
export function number(written: string, language: Language): string {
  const negative = /^[-−]/.test(written);
  const bare = written.replace(/^[-−+]/, '').replace(/[\u0020\u00a0\u202f']/g, '');
  const grouped = language.groupMark === null ? bare : bare.replaceAll(language.groupMark, '');
  const [whole = '', decimals] = grouped.split(language.decimalMark);
  const sign = negative ? `${language.minus} ` : '';
  if (decimals === undefined || decimals === '') return `${sign}${whole}`;
  const together = language.decimalsTogether && decimals.length === 2 && !decimals.startsWith('0');
  return `${sign}${whole} ${language.point} ${together ? decimals : digitsOf(decimals)}`;
}

/** An amount of money, or null when the currency is unknown. */
export function money(written: string, currency: string, language: Language): string | null {
  const names = language.money[currency];
  if (names === undefined) return null;
  const bare = written.replace(/[\u0020\u00a0\u202f']/g, '');
  const grouped = language.groupMark === null ? bare : bare.replaceAll(language.groupMark, '');
  const [whole = '0', decimals = ''] = grouped.split(language.decimalMark);
  const unit = /^[-−+]?0*1$/.test(whole) ? names.unit[0] : names.unit[1];
  const small = decimals === '' || /^0+$/.test(decimals) ? '' : ` ${Number(decimals.padEnd(2, '0').slice(0, 2))}`;
  if (decimals.length > 2) return `${number(written, language)} ${names.unit[1]}`;
  return `${number(whole, language)} ${unit}${small}`;
}
