/** Finds numbers that are read out, written or spoken, in a text: where they are and which digits they have. */
import { ARTICLES, FILLERS, HOMOPHONES, NUMBER_WORDS, type NumberWords, plainWord } from './number-words.ts';

/** A stretch of characters [from, to) that is a number, with the digits it stands for. */
export interface NumberRun {
  readonly from: number;
  readonly to: number;
  readonly digits: string;
  /** Groups that were written or said apart. "one hundred thousand" is one. */
  readonly groups: number;
  /** The digits of each group. */
  readonly parts: readonly string[];
}

interface Token {
  readonly text: string;
  readonly plain: string;
  readonly from: number;
  readonly to: number;
}

interface Group {
  /** Tokens [from, to). */
  readonly from: number;
  readonly to: number;
  readonly digits: string;
  /** How many spoken neighbours it takes to be a digit: 0 to 2. */
  readonly needs: 0 | 1 | 2;
}

/** Fillers between two groups, at most. */
const MOST_FILLERS = 2;
const TOKEN = /\p{L}+(?:['’]\p{L}+)?|\d+|[^\s\p{L}\d]/gu;
const SEPARATORS = new Set(['-', '–', '.', ',', '/', '_', '·', '(', ')', '+']);

/** Runs of any length, in order; those of one language may overlap those of another. */
export function numberRuns(text: string): NumberRun[] {
  const tokens = [...text.matchAll(TOKEN)].map((match): Token => ({
    text: match[0],
    plain: plainWord(match[0]),
    from: match.index,
    to: match.index + match[0].length,
  }));
  return NUMBER_WORDS.flatMap((words) => runsOf(tokens, groupsOf(tokens, words)));
}

function groupsOf(tokens: readonly Token[], words: NumberWords): Group[] {
  const groups: Group[] = [];
  for (let at = 0; at < tokens.length;) {
    const group = groupAt(tokens, at, words);
    if (group !== null) groups.push(group);
    at = group?.to ?? at + 1;
  }
  return groups;
}

function groupAt(tokens: readonly Token[], at: number, words: NumberWords): Group | null {
  const token = tokens[at];
  if (token === undefined) return null;
  if (/^\d/.test(token.text)) return { from: at, to: at + 1, digits: token.text, needs: 0 };
  const times = words.twice.has(token.plain) ? 2 : words.thrice.has(token.plain) ? 3 : 1;
  if (times > 1) {
    const next = smallAt(tokens, at + 1, words) ?? writtenAt(tokens, at + 1);
    return next === null ? null : { from: at, to: next.to, digits: next.digits.repeat(times), needs: 0 };
  }
  const small = smallAt(tokens, at, words);
  if (words.scales.has(token.plain) || (small !== null && words.scales.has(tokens[small.to]?.plain ?? ''))) {
    return quantityAt(tokens, at, words);
  }
  const needs = HOMOPHONES.has(token.plain) ? 2 : ARTICLES.has(token.plain) ? 1 : 0;
  return small === null ? null : { from: at, ...small, needs };
}

function writtenAt(tokens: readonly Token[], at: number): { to: number; digits: string } | null {
  const text = tokens[at]?.text ?? '';
  return /^\d$/.test(text) ? { to: at + 1, digits: text } : null;
}

/** Zero to ninety-nine. */
function smallAt(tokens: readonly Token[], at: number, words: NumberWords): { to: number; digits: string } | null {
  const { plain = '' } = tokens[at] ?? {};
  if (words.tensTakePairs && plain === 'quatre' && /^vingts?$/.test(tokens[skipHyphen(tokens, at + 1)]?.plain ?? '')) {
    return tensFrom(tokens, skipHyphen(tokens, at + 1) + 1, 80, words);
  }
  const whole = own(words.pairs, plain);
  if (whole === '10' && words.tensTakePairs) return tensFrom(tokens, at + 1, 10, words);
  if (whole !== undefined) return { to: at + 1, digits: whole };
  const tens = own(words.tens, plain);
  if (tens !== undefined) return tensFrom(tokens, at + 1, Number(tens), words);
  const unit = own(words.units, plain);
  return unit === undefined ? null : { to: at + 1, digits: unit };
}

/** What may follow "twenty": a unit; after "soixante" and "quatre-vingt" up to nineteen; after "dix" sept, huit, neuf. */
function tensFrom(tokens: readonly Token[], at: number, tens: number, words: NumberWords): { to: number; digits: string } {
  const alone = { to: at, digits: String(tens) };
  let next = skipHyphen(tokens, at);
  if (words.joiner !== null && tokens[next]?.plain === words.joiner) next = skipHyphen(tokens, next + 1);
  const { plain = '' } = tokens[next] ?? {};
  const unit = own(words.units, plain);
  if (unit !== undefined && unit !== '0' && (tens !== 10 || Number(unit) > 6)) {
    return { to: next + 1, digits: String(tens + Number(unit)) };
  }
  const pair = words.tensTakePairs && (tens === 60 || tens === 80) ? own(words.pairs, plain) : undefined;
  if (pair === '10') {
    const teen = tensFrom(tokens, next + 1, 10, words);
    return { to: teen.to, digits: String(tens + Number(teen.digits)) };
  }
  return pair === undefined ? alone : { to: next + 1, digits: String(tens + Number(pair)) };
}

/** A quantity with hundreds or thousands is one group, however long. Its digits are those of its words, which is enough to count. */
function quantityAt(tokens: readonly Token[], at: number, words: NumberWords): Group {
  let to = at;
  let digits = '';
  for (;;) {
    const joined = tokens[to]?.plain === words.joiner || ['and', 'und'].includes(tokens[to]?.plain ?? '') ? to + 1 : to;
    const small = smallAt(tokens, joined, words);
    if (words.scales.has(tokens[to]?.plain ?? '')) to++;
    else if (
      small !== null &&
      (digits === '' || words.scales.has(tokens[to - 1]?.plain ?? '') || words.scales.has(tokens[small.to]?.plain ?? ''))
    ) {
      digits += small.digits;
      to = small.to;
    } else break;
  }
  return { from: at, to: Math.max(to, at + 1), digits, needs: 0 };
}

function skipHyphen(tokens: readonly Token[], at: number): number {
  return tokens[at]?.text === '-' ? at + 1 : at;
}

function runsOf(tokens: readonly Token[], groups: readonly Group[]): NumberRun[] {
  const runs: Group[][] = [];
  for (const group of groups) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && areJoined(tokens, last.to, group.from)) run.push(group);
    else runs.push([group]);
  }
  return runs
    .flatMap((run) => splitAtWeak(tokens, run))
    .flatMap((run) => {
      const first = run[0];
      const last = run.at(-1);
      if (first === undefined || last === undefined) return [];
      const from = tokens[first.from]?.from ?? 0;
      const parts = run.map((group) => group.digits);
      return [{ from, to: tokens[last.to - 1]?.to ?? from, digits: parts.join(''), groups: run.length, parts }];
    });
}

function areJoined(tokens: readonly Token[], from: number, to: number): boolean {
  const between = tokens.slice(from, to);
  return between.length <= MOST_FILLERS && between.every(({ text, plain }) => SEPARATORS.has(text) || FILLERS.has(plain));
}

/** "thirteen for two people": a word that is not always a digit is one only beside spoken digits. */
function splitAtWeak(tokens: readonly Token[], run: readonly Group[]): Group[][] {
  const isSpoken = (group: Group | undefined): boolean =>
    group !== undefined && group.needs < 2 && !/^\d/.test(tokens[group.from]?.text ?? '');
  const parts: Group[][] = [[]];
  run.forEach((group, i) => {
    const neighbours = [run[i - 1], run[i + 1]].filter(isSpoken).length;
    if (neighbours >= group.needs) parts.at(-1)?.push(group);
    else parts.push([]);
  });
  return parts;
}

function own(record: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
