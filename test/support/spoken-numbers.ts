/** Numbers as people read them out, in four languages: a generated table for the masking tests. */
import type { Random } from './seeded.ts';

const UNITS: Readonly<Record<string, readonly string[]>> = {
  en: 'zero one two three four five six seven eight nine'.split(' '),
  de: 'null eins zwei drei vier fünf sechs sieben acht neun'.split(' '),
  fr: 'zéro un deux trois quatre cinq six sept huit neuf'.split(' '),
  es: 'cero uno dos tres cuatro cinco seis siete ocho nueve'.split(' '),
};
const TEENS: Readonly<Record<string, readonly string[]>> = {
  en: 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' '),
  de: 'zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn'.split(' '),
  fr: 'dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf'.split(' '),
  es: 'diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve'.split(' '),
};
const TENS: Readonly<Record<string, readonly string[]>> = {
  en: 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' '),
  de: 'zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig'.split(' '),
  fr: 'vingt trente quarante cinquante soixante soixante-dix quatre-vingt quatre-vingt-dix'.split(' '),
  es: 'veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa'.split(' '),
};

export const LANGUAGES_SPOKEN = ['en', 'de', 'fr', 'es'] as const;

/** Digits as words, one by one or in pairs, with a pause here and there. */
export function readOut(digits: string, language: string, random: Random): string {
  const words: string[] = [];
  for (let i = 0; i < digits.length;) {
    const pair = digits.slice(i, i + 2);
    const inPairs = pair.length === 2 && !pair.startsWith('0') && random.chance(0.3);
    words.push(inPairs ? pairWord(Number(pair), language) : unit(pair, language));
    i += inPairs ? 2 : 1;
    if (i < digits.length && random.chance(0.1)) words.push(random.pick([',', '-', 'and', 'und', 'et', 'y', 'uh', '...'].slice(0, 2)));
  }
  return words.join(' ');
}

/** As a recogniser may write them: in groups, with spaces, hyphens or nothing between. */
export function writtenOut(digits: string, random: Random): string {
  const separator = random.pick(['', ' ', '-', ', ']);
  const size = random.pick([1, 2, 3, 4]);
  return separator === '' ? digits : (digits.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).join(separator);
}

const unit = (pair: string, language: string): string => UNITS[language]?.[Number(pair[0])] ?? '';

function pairWord(value: number, language: string): string {
  const ones = UNITS[language]?.[value % 10] ?? '';
  if (value < 20) return TEENS[language]?.[value - 10] ?? '';
  const ten = TENS[language]?.[Math.floor(value / 10) - 2] ?? '';
  if (language === 'fr' && [7, 9].includes(Math.floor(value / 10))) {
    const base = value < 80 ? 'soixante' : 'quatre-vingt';
    const rest = TEENS['fr']?.[value % 10] ?? '';
    return value === 71 ? 'soixante et onze' : `${base}-${rest}`;
  }
  if (value % 10 === 0) return ten;
  if (language === 'de') return `${value % 10 === 1 ? 'ein' : ones}und${ten}`;
  if (language === 'fr') return value % 10 === 1 && value < 80 ? `${ten} et un` : `${ten}-${ones}`;
  if (language === 'es') return value < 30 ? spanishTwenties(value) : `${ten} y ${ones}`;
  return random2(value) ? `${ten}-${ones}` : `${ten} ${ones}`;
}

const random2 = (value: number): boolean => value % 2 === 0;

function spanishTwenties(value: number): string {
  return `veinti${['', 'uno', 'dós', 'trés', 'cuatro', 'cinco', 'séis', 'siete', 'ocho', 'nueve'][value % 10] ?? ''}`;
}

/** With a right check digit. */
export function cardNumber(random: Random): string {
  const length = random.pick([16, 16, 16, 15, 13, 19]);
  const body = random.pick(['4', '5', '3']) + random.digits(length - 2);
  for (let check = 0; check < 10; check++) if (luhn(body + String(check)) % 10 === 0) return body + String(check);
  return body;
}

function luhn(digits: string): number {
  return digits
    .split('')
    .reverse()
    .reduce((sum, char, i) => {
      const digit = Number(char) * (i % 2 === 1 ? 2 : 1);
      return sum + (digit > 9 ? digit - 9 : digit);
    }, 0);
}

export function germanIban(random: Random): string {
  const account = random.digits(18);
  const rest = `${account}131400`.split('').reduce((sum, digit) => Number(`${sum}${digit}`) % 97, 0);
  return `DE${String(98 - rest).padStart(2, '0')}${account}`;
}
