/** English clock times. */
import { table } from '../table.ts';
import type { Found, LanguagePack, SaidTime } from './pack.ts';

const MARKS = ['at', 'around', 'about', 'by', 'before', 'after'];
const NOON = table<SaidTime>({
  noon: { hour: 12, minute: 0, half: 'exact' },
  midday: { hour: 12, minute: 0, half: 'exact' },
  midnight: { hour: 0, minute: 0, half: 'exact' },
});
const PARTS = table<'am' | 'pm'>({ am: 'am', morning: 'am', pm: 'pm', afternoon: 'pm', evening: 'pm', night: 'pm', tonight: 'pm' });

type NumberAt = LanguagePack['number'];

/** A time is named by its own mark ("half past", "o'clock", "19:30", "pm"), by "at" before it, or, when `bare`, by a number alone. */
export function times(words: readonly string[], bare: boolean, number: NumberAt): readonly Found<SaidTime>[] {
  const found: Found<SaidTime>[] = [];
  for (let i = 0; i < words.length; i++) {
    const marked = MARKS.includes(words[i - 1] ?? '');
    const time = clockAt(words, i, marked || bare, number);
    if (time === null) continue;
    const part = partAfter(words, time.to);
    found.push({ value: withHalf(time.value, part?.value ?? elsewhere(words)), from: marked ? i - 1 : i, to: part?.to ?? time.to });
    i = (part?.to ?? time.to) - 1;
  }
  return found;
}

/** "7:30", "noon", "half past seven", "quarter to eight", "seven thirty", "seven o'clock", "seven pm"; "seven" when `loose`. */
function clockAt(words: readonly string[], at: number, loose: boolean, number: NumberAt): Found<SaidTime> | null {
  const word = words[at] ?? '';
  const written = /^(\d{1,2}):(\d{2})$/.exec(word);
  if (written !== null) return clock(Number(written[1]), Number(written[2]), at, at + 1);
  const noon = NOON[word];
  if (noon !== undefined) return { value: noon, from: at, to: at + 1 };
  const relative = pastOrTo(words, at, number);
  if (relative !== null) return relative;
  const hour = number(words, at);
  if (hour === null) return null;
  if (words[hour.to] === 'oclock') return clock(hour.value, 0, at, hour.to + 1);
  const minute = minutesAfter(words, hour.to, number);
  const isMarked = loose || partAfter(words, hour.to) !== null || (minute !== null && partAfter(words, minute.to) !== null);
  if (!isMarked) return null;
  // "1930" as the recogniser may write "nineteen thirty".
  if (/^\d{3,4}$/.test(word)) return clock(Math.floor(hour.value / 100), hour.value % 100, at, hour.to);
  return minute === null ? clock(hour.value, 0, at, hour.to) : clock(hour.value, minute.value, at, minute.to);
}

/** "thirty", "oh five". */
function minutesAfter(words: readonly string[], at: number, number: NumberAt): Found<number> | null {
  const small = words[at] === 'oh';
  const minute = number(words, small ? at + 1 : at);
  if (minute === null || minute.value >= 60 || minute.value < 10 !== small) return null;
  return minute;
}

function pastOrTo(words: readonly string[], at: number, number: NumberAt): Found<SaidTime> | null {
  const fixed = words[at] === 'half' ? 30 : words[at] === 'quarter' ? 15 : null;
  const minutes = fixed === null ? number(words, at) : { value: fixed, to: at + 1 };
  if (minutes === null || minutes.value > 59) return null;
  const link = words[minutes.to];
  // "half seven" is half past seven to a Briton.
  if (fixed === 30 && link !== 'past') return shifted(number(words, minutes.to), 30, at);
  if (link !== 'past' && !(link === 'to' && minutes.value % 5 === 0)) return null;
  const hour = number(words, minutes.to + 1);
  return shifted(hour, link === 'past' ? minutes.value : -minutes.value, at);
}

function shifted(hour: Found<number> | null, minutes: number, from: number): Found<SaidTime> | null {
  if (hour === null || hour.value > 24 || hour.value < 1) return null;
  const total = hour.value * 60 + minutes;
  // A quarter to one is after twelve, not after midnight.
  return clock(total < 60 ? 12 : Math.floor(total / 60), total % 60, from, hour.to);
}

function clock(hour: number, minute: number, from: number, to: number): Found<SaidTime> | null {
  if (hour > 24 || minute > 59 || hour < 0) return null;
  return { value: { hour: hour % 24, minute, half: hour > 12 || hour === 0 ? 'exact' : null }, from, to };
}

/** "this evening at seven", but not "good morning". */
function elsewhere(words: readonly string[]): 'am' | 'pm' | null {
  const found = words.find((word, i) => word !== 'am' && word !== 'pm' && PARTS[word] !== undefined && words[i - 1] !== 'good');
  return (found === undefined ? undefined : PARTS[found]) ?? null;
}

/** "pm", "in the evening", "this evening", "at night". */
function partAfter(words: readonly string[], at: number): Found<'am' | 'pm'> | null {
  let i = at;
  while (['in', 'the', 'this', 'at', 'tomorrow', 'on'].includes(words[i] ?? '') && i < at + 2) i += 1;
  const word = words[i] ?? '';
  const part = PARTS[word];
  return part === undefined ? null : { value: part, from: at, to: i + 1 };
}

function withHalf(time: SaidTime, part: 'am' | 'pm' | null): SaidTime {
  return part === null || time.half === 'exact' ? time : { ...time, half: part };
}
