/** A language pack from tables. English has its own functions; the other languages differ in their words only. */
import { parseIso, weekday } from '../calendar.ts';
import { createDayFinder, type DayWords } from './day-finder.ts';
import { fold } from './fold.ts';
import { createNumbers, type NumberWords } from './numbers.ts';
import type { LanguagePack, MoneyWords } from './pack.ts';
import type { SpellingWords } from './spelling.ts';
import { createTimeFinder, type TimeWords } from './time-finder.ts';

export interface LanguageTables {
  readonly code: string;
  readonly words: LanguagePack['words'];
  readonly intents: LanguagePack['intents'];
  readonly prompts: LanguagePack['prompts'];
  readonly numbers: NumberWords;
  readonly dayWords: DayWords;
  readonly timeWords: TimeWords;
  readonly spelling: SpellingWords;
  readonly money: MoneyWords;
  /** Rewrites the text before it is cut into words: contractions, written times. */
  readonly prepare: (text: string) => string;
  /** Cuts one word into several: compounds. */
  readonly split: (word: string, isNumber: (word: string) => boolean) => readonly string[];
  readonly stem: (word: string) => string;
  readonly numberNames: readonly string[];
  readonly sayDate: (day: number, month: number, weekday: number) => string;
  readonly sayTime: (hour: number, minute: number, number: (value: number) => string) => string;
  readonly yesNo: readonly [yes: string, no: string];
}

const WORD = /\d+:\d{2}|\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})?|\d+|[\p{L}]+/gu;

export function makePack(tables: LanguageTables): LanguagePack {
  const numbers = createNumbers(tables.numbers);
  const days = createDayFinder(tables.dayWords, numbers);
  const times = createTimeFinder(tables.timeWords, numbers);
  const twice = new Set(tables.spelling.twice.filter((phrase) => !phrase.includes(' ')));
  const folded = (tokens: readonly string[]): string[] => tokens.map(fold);
  const sayNumber = (value: number): string => tables.numberNames[value] ?? String(value);
  return {
    code: tables.code,
    words: tables.words,
    intents: tables.intents,
    prompts: tables.prompts,
    spelling: tables.spelling,
    money: tables.money,
    tokens(text) {
      const plain = tables
        .prepare(text.normalize('NFKC').toLowerCase())
        .replaceAll('€', ' euro ')
        .replaceAll('$', ' dollar ')
        .replaceAll('£', ` ${tables.money.pound} `);
      return (plain.match(WORD) ?? []).flatMap((word) => tables.split(word, (part) => numbers.isSmall(fold(part))));
    },
    number: (tokens, at) => numbers.number(folded(tokens), at),
    digits: (tokens) => digitsIn(folded(tokens), numbers.number, twice),
    days: (tokens, today) => days(folded(tokens), today),
    times: (tokens, bare) => times(folded(tokens), bare),
    stem: tables.stem,
    sayNumber,
    sayDigits: (value) => [...value.matchAll(/\d/g)].map(([digit]) => sayNumber(Number(digit))).join(' '),
    sayDay(iso) {
      const date = parseIso(iso);
      return date === undefined ? iso : tables.sayDate(date.day, date.month, weekday(date));
    },
    sayTime(time) {
      const [hour = 0, minute = 0] = time.split(':').map(Number);
      return tables.sayTime(hour, minute, sayNumber);
    },
    sayYesNo: (yes) => (yes ? tables.yesNo[0] : tables.yesNo[1]),
  };
}

function digitsIn(words: readonly string[], number: LanguagePack['number'], twice: ReadonlySet<string>): string {
  let out = '';
  for (let i = 0; i < words.length;) {
    const times = twice.has(words[i] ?? '') ? 2 : 1;
    const at = times === 2 ? i + 1 : i;
    const word = words[at] ?? '';
    const found = /^\d+$/.test(word) ? null : number(words, at);
    if (/^\d+$/.test(word)) out += word.repeat(times);
    else if (found !== null && found.value < 1000) out += String(found.value).repeat(times);
    i = found?.to ?? at + 1;
  }
  return out;
}
