/** Opening hours of a line in its time zone. The moment is a parameter; the rules of zones are the platform's. */
import { addDays, type CivilDate, parseIso, toIso, weekday } from './calendar.ts';

export interface OpeningHours {
  readonly zone: string;
  /** Spans by weekday, 0 = Monday, in minutes since midnight. */
  readonly week: readonly (readonly (readonly [from: number, to: number])[])[];
  /** '2026-12-24', '12-25' for every year, 'easter+1'. */
  readonly holidays: readonly string[];
}

export interface LocalTime {
  readonly day: string;
  readonly minute: number;
  /** 1 = Monday. */
  readonly weekday: number;
}

/** `wallMs`: UTC, milliseconds since 1970. */
export function localTime(wallMs: number, zone: string): LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const parts = new Map(format.formatToParts(wallMs).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? '';
  const day = `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`;
  const date = parseIso(day);
  return { day, minute: Number(part('hour')) * 60 + Number(part('minute')), weekday: date === undefined ? 1 : weekday(date) + 1 };
}

export function isHoliday({ holidays }: OpeningHours, day: string): boolean {
  const date = parseIso(day);
  return (
    date !== undefined &&
    holidays.some((rule) => rule === day || rule === day.slice(5) || (rule.startsWith('easter') && easterRule(rule, date)))
  );
}

export function isOpen(hours: OpeningHours, { day, minute, weekday: number }: LocalTime): boolean {
  if (isHoliday(hours, day)) return false;
  return (hours.week[number - 1] ?? []).some(([from, to]) => minute >= from && minute < to);
}

function easterRule(rule: string, date: CivilDate): boolean {
  const offset = Number(rule.slice('easter'.length) || 0);
  return toIso(addDays(easter(date.year), offset)) === toIso(date);
}

/** Easter Sunday of the Gregorian calendar, by the algorithm of Meeus, Jones and Butcher. */
export function easter(year: number): CivilDate {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = Math.floor(b / 4);
  const g = Math.floor((8 * b + 13) / 25);
  const h = (19 * a + b - d - g + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 19 * l) / 433);
  const month = Math.floor((h + l - 7 * m + 90) / 25);
  return { year, month, day: (h + l - 7 * m + 33 * month + 19) % 32 };
}
