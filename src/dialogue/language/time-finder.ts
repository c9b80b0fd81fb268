/**
 * Clock times from templates. A template is words apart by spaces: `{h}` an hour, `{m}` minutes, `a|b` one of these, `word?` may be left
 * out. The minute of the day is hour * 60 + base + sign * minutes.
 */
import type { Numbers } from './numbers.ts';
import type { Found, SaidTime } from './pack.ts';
import { phraseTree } from './phrase-tree.ts';

export interface TimeWords {
  /** Times by their own words: "halb sieben". Longer ones first. */
  readonly templates: readonly (readonly [template: string, base: number, sign: -1 | 0 | 1])[];
  /** Times only after a mark, before a part of the day, or where a time was asked for. */
  readonly loose: readonly (readonly [template: string, base: number, sign: -1 | 0 | 1])[];
  readonly fixed: readonly (readonly [phrase: string, hour: number, minute: number])[];
  /** "um", "à", "a las". */
  readonly marks: readonly string[];
  readonly parts: readonly (readonly [phrase: string, part: 'am' | 'pm' | 'night'])[];
}

export type TimeFinder = (words: readonly string[], bare: boolean) => readonly Found<SaidTime>[];

interface Template {
  readonly parts: readonly (readonly string[])[];
  readonly base: number;
  readonly sign: number;
}

interface Match {
  readonly hour: number;
  readonly minute: number;
  readonly to: number;
}

export function createTimeFinder(data: TimeWords, numbers: Numbers): TimeFinder {
  const strong = data.templates.flatMap(compile);
  const loose = data.loose.flatMap(compile);
  const fixed = phraseTree(data.fixed.map(([phrase, hour, minute]) => [phrase, { hour, minute }] as const));
  const parts = phraseTree(data.parts);
  const anyPart = (words: readonly string[], at: number): 'am' | 'pm' | 'night' | null => {
    const after = parts.find(words, at);
    if (after !== null) return after.value;
    for (let i = 0; i < words.length; i++) {
      const found = parts.find(words, i);
      if (found !== null) return found.value;
    }
    return null;
  };
  const timeAt = (words: readonly string[], at: number, isMarked: boolean): Found<SaidTime> | null => {
    const written = /^(\d{1,2}):(\d{2})$/.exec(words[at] ?? '');
    if (written !== null) return said({ hour: Number(written[1]), minute: Number(written[2]), to: at + 1 }, at);
    const strongMatch = firstMatch(strong, words, at, numbers);
    if (strongMatch !== null) return said(strongMatch, at);
    const noon = fixed.find(words, at);
    if (noon !== null) return { value: { ...noon.value, half: 'exact' }, from: at, to: noon.to };
    const weak = firstMatch(loose, words, at, numbers);
    if (weak === null || (!isMarked && parts.find(words, weak.to) === null)) return null;
    return said(weak, at);
  };
  return (words, bare) => {
    const found: Found<SaidTime>[] = [];
    for (let i = 0; i < words.length; i++) {
      const isMarked = data.marks.includes(words[i - 1] ?? '');
      const time = timeAt(words, i, isMarked || bare);
      if (time === null) continue;
      const end = parts.find(words, time.to)?.to ?? time.to;
      found.push({ value: inPart(time.value, anyPart(words, time.to)), from: isMarked ? i - 1 : i, to: end });
      i = end - 1;
    }
    return found;
  };
}

function inPart(time: SaidTime, part: 'am' | 'pm' | 'night' | null): SaidTime {
  if (part === null || time.half === 'exact') return time;
  if (part !== 'night') return { ...time, half: part };
  return { ...time, half: time.hour >= 6 && time.hour < 12 ? 'pm' : 'am' };
}

function said({ hour, minute, to }: Match, from: number): Found<SaidTime> | null {
  if (hour > 24 || minute > 59) return null;
  return { value: { hour: hour % 24, minute, half: hour > 12 || hour === 0 ? 'exact' : null }, from, to };
}

/** Optional words are written out both ways, the longer one first. */
function compile([template, base, sign]: readonly [string, number, -1 | 0 | 1]): Template[] {
  let variants: (readonly string[])[][] = [[]];
  for (const word of template.split(' ')) {
    const alternatives = word.replace('?', '').split('|');
    const withWord = variants.map((variant) => [...variant, alternatives]);
    variants = word.endsWith('?') ? [...withWord, ...variants] : withWord;
  }
  return variants.map((parts) => ({ parts, base, sign }));
}

function firstMatch(templates: readonly Template[], words: readonly string[], at: number, numbers: Numbers): Match | null {
  for (const template of templates) {
    const match = matchOne(template, words, at, numbers);
    if (match !== null) return match;
  }
  return null;
}

function matchOne({ parts, base, sign }: Template, words: readonly string[], at: number, { number }: Numbers): Match | null {
  let to = at;
  let hours: number | null = null;
  let minutes = 0;
  for (const alternatives of parts) {
    const [kind] = alternatives;
    if (kind !== '{h}' && kind !== '{m}') {
      if (!alternatives.includes(words[to] ?? '')) return null;
      to += 1;
      continue;
    }
    const found = number(words, to);
    if (found === null || found.value > (kind === '{h}' ? 24 : 59)) return null;
    if (kind === '{h}') hours = found.value;
    else minutes = found.value;
    to = found.to;
  }
  if (hours === null) return null;
  const total = hours * 60 + base + sign * minutes;
  if (total < 0) return null;
  // A quarter to one is after twelve, not after midnight.
  const hour = total < 60 && hours > 0 ? 12 : Math.floor(total / 60);
  return { hour, minute: total % 60, to };
}
