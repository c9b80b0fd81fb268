/** Days named in a sentence, for languages whose words are in tables. Dates are ISO texts. */
import { addDays, type CivilDate, isDate, parseIso, toIso, weekday } from '../calendar.ts';
import type { Numbers } from './numbers.ts';
import type { Found } from './pack.ts';
import { phraseTree } from './phrase-tree.ts';

export interface DayWords {
  /** Monday first; each with its other names. */
  readonly weekdays: readonly (readonly string[])[];
  readonly months: readonly (readonly string[])[];
  /** "today", "the day after tomorrow", "in a fortnight": days from today. */
  readonly relative: readonly (readonly [phrase: string, days: number])[];
  /** A relative word that means something else after one of these: "guten morgen", "la mañana". */
  readonly notAfter: Readonly<Record<string, readonly string[]>>;
  /** "in three weeks": before the number, and the days of each unit. */
  readonly ahead: { readonly before: readonly string[]; readonly units: Readonly<Record<string, number>> };
  /** Numbers of days that mean weeks: "in acht Tagen", "dans quinze jours". */
  readonly loosely: Readonly<Record<number, number>>;
  readonly nextWeek: readonly string[];
  readonly weekLater: readonly string[];
  readonly ordinals: readonly (readonly [phrase: string, day: number])[];
  /** Between a day and its month, or month and year. */
  readonly links: readonly string[];
  /** Before a day without a month. */
  readonly articles: readonly string[];
  /** After one of these a mere number is a day of the month. */
  readonly dayAfter: readonly string[];
  /** After a day without a month: "the first TIME" is none. */
  readonly notBefore: readonly string[];
}

export type DayFinder = (words: readonly string[], today: string) => readonly Found<string>[];

export function createDayFinder(data: DayWords, { number }: Pick<Numbers, 'number'>): DayFinder {
  const named = (names: readonly (readonly string[])[]): [string, number][] =>
    names.flatMap((all, i) => all.map((name) => [name, i] as [string, number]));
  const weekdays = phraseTree(named(data.weekdays));
  const months = phraseTree(named(data.months));
  const relative = phraseTree(data.relative);
  const ordinals = phraseTree(data.ordinals);
  const nextWeek = phraseTree(data.nextWeek.map((phrase) => [phrase, 7] as const));
  const weekLater = phraseTree(data.weekLater.map((phrase) => [phrase, 7] as const));

  const dayNumber = (words: readonly string[], at: number): { value: number; to: number } | null => {
    const found = ordinals.find(words, at) ?? number(words, at);
    return found === null || found.value < 1 || found.value > 31 ? null : found;
  };
  const skip = (words: readonly string[], at: number): number => (data.links.includes(words[at] ?? '') ? at + 1 : at);
  const aheadOf = (words: readonly string[], at: number): { value: number; to: number } | null => {
    if (!data.ahead.before.includes(words[at] ?? '')) return null;
    const count = number(words, at + 1);
    const unit = count === null ? undefined : data.ahead.units[words[count.to] ?? ''];
    if (count === null || unit === undefined || count.value > 520) return null;
    return { value: unit === 1 ? (data.loosely[count.value] ?? count.value) : count.value * unit, to: count.to + 1 };
  };
  const weekdayAt = (words: readonly string[], at: number, now: CivilDate): Found<string> | null => {
    const before = nextWeek.find(words, at);
    const from = before === null ? at : skip(words, before.to);
    const day = weekdays.find(words, from);
    if (day === null) return null;
    const after = before === null ? nextWeek.find(words, skip(words, day.to)) : null;
    const later = weekLater.find(words, day.to);
    const today = weekday(now);
    const coming = ((day.value - today + 6) % 7) + 1;
    const days = before !== null || after !== null ? day.value - today + 7 : later !== null ? coming + 7 : coming;
    return { value: toIso(addDays(now, days)), from: at, to: after?.to ?? later?.to ?? day.to };
  };
  const dateAt = (words: readonly string[], at: number, today: string): Found<string> | null => {
    const written = /^(\d{1,2})[./](\d{1,2})[./]?(\d{2,4})?$/.exec(words[at] ?? '');
    if (written !== null) return dated(Number(written[1]), Number(written[2]), fullYear(written[3]), at, at + 1, today);
    const first = months.find(words, at);
    if (first !== null) {
      const day = dayNumber(words, data.articles.includes(words[first.to] ?? '') ? first.to + 1 : first.to);
      return day === null ? null : dated(day.value, first.value + 1, null, at, day.to, today);
    }
    const day = dayNumber(words, at);
    if (day === null) return null;
    const month = months.find(words, skip(words, day.to));
    if (month !== null) {
      const year = number(words, skip(words, month.to));
      const hasYear = year !== null && year.value > 1900 && year.value < 2200;
      return dated(day.value, month.value + 1, hasYear ? year.value : null, at, hasYear ? year.to : month.to, today);
    }
    const before = words[at - 1] ?? '';
    const isDay = (ordinals.find(words, at) !== null && data.articles.includes(before)) || data.dayAfter.includes(before);
    return isDay && !data.notBefore.includes(words[day.to] ?? '') ? dated(day.value, null, null, at, day.to, today) : null;
  };
  return (words, today) => {
    const now = parseIso(today);
    if (now === undefined) return [];
    const found: Found<string>[] = [];
    for (let i = 0; i < words.length; i++) {
      const near = relative.find(words, i);
      const isNear = near !== null && !(data.notAfter[words[i] ?? ''] ?? []).includes(words[i - 1] ?? '');
      const count = isNear ? near : aheadOf(words, i);
      const one =
        count === null
          ? (weekdayAt(words, i, now) ?? dateAt(words, i, today))
          : { value: toIso(addDays(now, count.value)), from: i, to: count.to };
      if (one === null) continue;
      found.push(one);
      i = one.to - 1;
    }
    return found;
  };
}

function fullYear(written: string | undefined): number | null {
  if (written === undefined) return null;
  return written.length === 2 ? 2000 + Number(written) : Number(written);
}

/** The first such day from today on, or the one of the year that was said. */
export function dated(
  day: number,
  month: number | null,
  year: number | null,
  from: number,
  to: number,
  today: string,
): Found<string> | null {
  const now = parseIso(today);
  if (now === undefined) return null;
  if (year !== null && month !== null) {
    const date = { year, month, day };
    return isDate(date) && toIso(date) >= today ? { value: toIso(date), from, to } : null;
  }
  for (let ahead = 0; ahead < 60; ahead++) {
    const months = now.month - 1 + ahead;
    const date = { year: now.year + Math.floor(months / 12), month: (months % 12) + 1, day };
    if ((month === null || date.month === month) && isDate(date) && toIso(date) >= today) return { value: toIso(date), from, to };
  }
  return null;
}
