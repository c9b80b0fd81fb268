/** English numbers, days and times: heard as callers say them, said as people say them. */
import { parseIso, weekday } from '../calendar.ts';
import { createDayFinder } from './day-finder.ts';
import { EN_INTENTS, EN_PROMPTS, EN_WORDS, MONTHS, ORDINALS, SHORT_FORMS, TENS, UNITS, WEEKDAYS } from './en-words.ts';
import { table } from '../table.ts';
import type { Found, LanguagePack } from './pack.ts';
import { EN_MONEY, EN_SPELLING } from './en-spelling.ts';
import { times } from './en-times.ts';

const days = createDayFinder(
  {
    weekdays: WEEKDAYS.map((name) => [name, `${name}s`]),
    months: MONTHS.map((name) => [name]),
    relative: [
      ['day after tomorrow', 2],
      ['today', 0],
      ['tonight', 0],
      ['this evening', 0],
      ['this afternoon', 0],
      ['tomorrow', 1],
      ['a week from today', 7],
      ['a week from tomorrow', 8],
      ['a week tomorrow', 8],
      ['in a week', 7],
      ['in a fortnight', 14],
      ['in a couple of days', 2],
    ],
    notAfter: {},
    ahead: { before: ['in'], units: { day: 1, days: 1, week: 7, weeks: 7 } },
    loosely: {},
    nextWeek: ['next week', 'of next week'],
    weekLater: ['week', 'in a week'],
    ordinals: ordinals(),
    links: ['of', 'on', 'the'],
    articles: ['the'],
    dayAfter: [],
    notBefore: ['time'],
  },
  { number },
);

const SCALES = table<number>({ hundred: 100, thousand: 1000, million: 1_000_000 });

export const ENGLISH: LanguagePack = {
  code: 'en',
  words: EN_WORDS,
  intents: EN_INTENTS,
  prompts: EN_PROMPTS,
  spelling: EN_SPELLING,
  money: EN_MONEY,
  tokens,
  number,
  digits,
  days,
  times: (words, bare) => times(words, bare, number),
  stem: (word) => word.replace(/(?<=\w{3})(ing|ed|es|s)$/, ''),
  sayNumber,
  sayDigits: (value) => [...value.matchAll(/\d/g)].map(([digit]) => sayNumber(Number(digit))).join(' '),
  sayDay,
  sayTime,
  sayYesNo: (yes) => (yes ? 'yes' : 'no'),
};

function tokens(text: string): readonly string[] {
  const plain = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\b([ap])\.?\s?m\b\.?/g, '$1m')
    .replace(/o['’]clock/g, 'oclock')
    .replace(/['’]/g, '')
    .replace(/(\d),(?=\d{3}\b)/g, '$1')
    .replace(/\b(\d+)\.(\d{2})\b/g, '$1:$2')
    .replace(/(\d)(am|pm|oclock|p)\b/g, '$1 $2')
    .replace(/[$](\d[\d:]*)/g, '$1 dollars ')
    .replace(/£(\d[\d:]*)/g, '$1 pounds ')
    .replace(/€(\d[\d:]*)/g, '$1 euros ')
    .replace(/€/g, ' euros ');
  const words = plain.match(/\d+:\d{2}|\d+(?:st|nd|rd|th)\b|\d+|[\p{L}]+/gu) ?? [];
  return words.flatMap((word) => (SHORT_FORMS[word] ?? word).split(' '));
}

/** "four", "4", "twenty five", "one hundred and twenty", "two thousand". */
function number(words: readonly string[], at: number): Found<number> | null {
  const first = words[at];
  if (first === undefined) return null;
  if (/^\d{1,9}$/.test(first)) return { value: Number(first), from: at, to: at + 1 };
  let to = at;
  let total = 0;
  // "a hundred"
  const isOne = first === 'a' && ['hundred', 'thousand', 'million'].includes(words[at + 1] ?? '');
  let group = isOne ? { value: 1, from: at, to: at + 1 } : belowHundred(words, to);
  if (group === null) return null;
  to = group.to;
  let value = group.value;
  for (;;) {
    const scale = SCALES[words[to] ?? ''] ?? 0;
    if (scale === 0) break;
    value *= scale;
    to += 1;
    if (scale >= 1000) {
      total += value;
      value = 0;
    }
    group = belowHundred(words, words[to] === 'and' ? to + 1 : to);
    if (group === null) break;
    value += group.value;
    to = group.to;
  }
  return { value: total + value, from: at, to };
}

function belowHundred(words: readonly string[], at: number): Found<number> | null {
  const word = words[at] ?? '';
  const unit = UNITS[word];
  if (unit !== undefined) return { value: unit, from: at, to: at + 1 };
  const tens = TENS[word];
  if (tens === undefined) return null;
  const next = UNITS[words[at + 1] ?? ''];
  const hasUnit = next !== undefined && next > 0 && next < 10;
  return { value: tens + (hasUnit ? next : 0), from: at, to: at + (hasUnit ? 2 : 1) };
}

function digits(words: readonly string[]): string {
  let out = '';
  for (let i = 0; i < words.length;) {
    const word = words[i] ?? '';
    const times = word === 'double' ? 2 : word === 'triple' ? 3 : 1;
    const at = times > 1 ? i + 1 : i;
    const found = ['oh', 'o', 'nought'].includes(words[at] ?? '')
      ? { value: 0, to: at + 1 }
      : /^\d+$/.test(words[at] ?? '')
        ? null
        : number(words, at);
    if (/^\d+$/.test(words[at] ?? '')) {
      out += (words[at] ?? '').repeat(times);
      i = at + 1;
    } else if (found !== null) {
      out += String(found.value).repeat(times);
      i = found.to;
    } else i += 1;
  }
  return out;
}

function ordinals(): [string, number][] {
  const said = Object.entries(ORDINALS)
    .filter((entry): entry is [string, number] => entry[0] !== 'second' && entry[1] !== undefined)
    .flatMap(([word, day]): [string, number][] =>
      day < 10
        ? [
            [word, day],
            [`twenty ${word}`, 20 + day],
            [`thirty ${word}`, 30 + day],
          ]
        : [[word, day]],
    );
  const written = Array.from({ length: 31 }, (_, i): [string, number] => [ordinalOf(i + 1), i + 1]);
  // "second" alone is more often a moment than a date.
  return [...said, ['twenty second', 22], ['second of', 2], ...written];
}

function sayNumber(value: number): string {
  const word = Object.keys(UNITS).find((unit) => UNITS[unit] === value);
  if (word !== undefined) return word;
  const tens = Object.keys(TENS).find((ten) => TENS[ten] === value - (value % 10));
  return tens === undefined || value > 99 ? String(value) : value % 10 === 0 ? tens : `${tens} ${sayNumber(value % 10)}`;
}

/** Weekday and date, never "tomorrow": it must fit behind "on", and a read-back is for certainty. */
function sayDay(iso: string): string {
  const date = parseIso(iso);
  if (date === undefined) return iso;
  const name = capital(WEEKDAYS[weekday(date)] ?? '');
  return `${name} the ${ordinalOf(date.day)} of ${capital(MONTHS[date.month - 1] ?? '')}`;
}

function sayTime(time: string): string {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  if (minute === 0 && hour === 12) return 'noon';
  if (minute === 0 && hour === 0) return 'midnight';
  const part = hour < 12 ? 'in the morning' : hour < 18 ? 'in the afternoon' : 'in the evening';
  const clock = (h: number): string => sayNumber(h % 12 === 0 ? 12 : h % 12);
  if (minute === 0) return `${clock(hour)} ${part}`;
  if (minute === 15) return `quarter past ${clock(hour)} ${part}`;
  if (minute === 30) return `half past ${clock(hour)} ${part}`;
  if (minute === 45) return `quarter to ${clock(hour + 1)} ${part}`;
  return `${clock(hour)} ${minute < 10 ? 'oh ' : ''}${sayNumber(minute)} ${part}`;
}

function ordinalOf(day: number): string {
  const suffix = day % 100 >= 11 && day % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th');
  return `${day}${suffix}`;
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
