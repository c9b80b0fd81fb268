/** English numbers, days and times: heard as callers say them, said as people say them. */
import { addDays, isDate, parseIso, toIso, weekday } from '../calendar.ts';
import { EN_INTENTS, EN_PROMPTS, EN_WORDS, MONTHS, ORDINALS, SHORT_FORMS, TENS, UNITS, WEEKDAYS } from './en-words.ts';
import type { Found, LanguagePack } from './pack.ts';
import { times } from './en-times.ts';

export const ENGLISH: LanguagePack = {
  code: 'en',
  words: EN_WORDS,
  intents: EN_INTENTS,
  prompts: EN_PROMPTS,
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
    .replace(/\b(\d{1,2})\.(\d{2})\b/g, '$1:$2')
    .replace(/(\d)(am|pm|oclock)\b/g, '$1 $2');
  const words = plain.match(/\d{1,2}:\d{2}|\d+(?:st|nd|rd|th)\b|\d+|[\p{L}]+/gu) ?? [];
  return words.flatMap((word) => (SHORT_FORMS[word] ?? word).split(' '));
}

/** "four", "4", "twenty five", "one hundred and twenty", "two thousand". */
function number(words: readonly string[], at: number): Found<number> | null {
  const first = words[at];
  if (first === undefined) return null;
  if (/^\d{1,9}$/.test(first)) return { value: Number(first), from: at, to: at + 1 };
  let to = at;
  let total = 0;
  let group = belowHundred(words, to);
  if (group === null) return null;
  to = group.to;
  let value = group.value;
  for (;;) {
    const scale = words[to] === 'hundred' ? 100 : words[to] === 'thousand' ? 1000 : 0;
    if (scale === 0) break;
    value *= scale;
    to += 1;
    if (scale === 1000) {
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

function days(words: readonly string[], today: string): readonly Found<string>[] {
  const now = parseIso(today);
  if (now === undefined) return [];
  const found: Found<string>[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const after = (count: number, to: number): void => {
      found.push({ value: toIso(addDays(now, count)), from: i, to });
    };
    const day = WEEKDAYS.indexOf(word.replace(/s$/, ''));
    const date = dayOfMonth(words, i, today);
    if (word === 'day' && words[i + 1] === 'after' && words[i + 2] === 'tomorrow') {
      after(2, i + 3);
      i += 2;
    } else if (word === 'today' || word === 'tonight') after(0, i + 1);
    else if (word === 'tomorrow') after(1, i + 1);
    else if (day >= 0) after(((day - weekday(now) + 6) % 7) + 1, i + 1);
    else if (date !== null) {
      found.push(date);
      i = date.to - 1;
    }
  }
  return found;
}

/** "the twenty seventh", "27th of november", "27 november", "november 27". Without a month: the next such day. */
function dayOfMonth(words: readonly string[], at: number, today: string): Found<string> | null {
  const month = MONTHS.indexOf(words[at] ?? '');
  if (month >= 0) {
    const day = ordinal(words, words[at + 1] === 'the' ? at + 2 : at + 1) ?? number(words, at + 1);
    return day === null ? null : next(day.value, month + 1, at, day.to, today);
  }
  return dayThenMonth(words, at, today);
}

function dayThenMonth(words: readonly string[], at: number, today: string): Found<string> | null {
  const written = ordinal(words, at);
  const day = written ?? number(words, at);
  if (day === null) return null;
  const to = written !== null && words[day.to] === 'of' ? day.to + 1 : day.to;
  const month = MONTHS.indexOf(words[to] ?? '');
  if (month >= 0) return next(day.value, month + 1, at, to + 1, today);
  // Without a month it takes an article: "the fifth", but neither "fifth" nor "the first time".
  const isDay = written !== null && words[at - 1] === 'the' && words[day.to] !== 'time';
  return isDay ? next(day.value, null, at, day.to, today) : null;
}

function ordinal(words: readonly string[], at: number): Found<number> | null {
  const word = words[at] ?? '';
  const written = /^(\d+)(?:st|nd|rd|th)$/.exec(word);
  if (written !== null) return { value: Number(written[1]), from: at, to: at + 1 };
  const tens = TENS[word];
  const unit = ORDINALS[words[at + 1] ?? ''];
  if (tens !== undefined && unit !== undefined && unit < 10) return { value: tens + unit, from: at, to: at + 2 };
  // "second" alone is more often a moment than a date.
  const value = word === 'second' ? undefined : ORDINALS[word];
  return value === undefined ? null : { value, from: at, to: at + 1 };
}

/** The first such day from today on. */
function next(day: number, month: number | null, from: number, to: number, today: string): Found<string> | null {
  const now = parseIso(today);
  if (now === undefined) return null;
  for (let ahead = 0; ahead < 60; ahead++) {
    const months = now.month - 1 + ahead;
    const date = { year: now.year + Math.floor(months / 12), month: (months % 12) + 1, day };
    if ((month === null || date.month === month) && isDate(date) && toIso(date) >= today) return { value: toIso(date), from, to };
  }
  return null;
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
