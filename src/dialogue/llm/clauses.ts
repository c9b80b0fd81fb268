/**
 * Cuts streaming text into what is spoken at once: the first chunk early, so that a voice begins, then whole sentences. Pure, and blind to how
 * the text was cut on its way: a decision is a function of the characters, and waits for those it needs. All chunks together are the input.
 * Never cut: numbers, times, dates with ordinal dots, abbreviations, initials, e-mail and web addresses.
 */
import { clauseWordsFor, type ClauseWords } from './clause-words.ts';

export interface ClauseState {
  /** Text that is not yet in a chunk. */
  readonly rest: string;
  /** Everything before this was looked at and is no place to cut. */
  readonly from: number;
  readonly first: boolean;
  readonly words: ClauseWords;
}

/** A chunk that finds no end is cut between words here, */
const MAX_CHARS = 300;
/** and here wherever it is: ten thousand characters without a space are no language. */
const HARD_CHARS = 600;
const MIN_WORDS_BEFORE_CONJUNCTION = 4;

type Verdict = 'no' | 'wait' | number;

interface Place {
  readonly text: string;
  readonly at: number;
  readonly first: boolean;
  /** No more text will come. */
  readonly final: boolean;
  readonly words: ClauseWords;
}

export function beginClauses(language: string, words: ClauseWords = clauseWordsFor(language)): ClauseState {
  return { rest: '', from: 0, first: true, words };
}

export function pushClauses(state: ClauseState, text: string): readonly [ClauseState, readonly string[]] {
  return scan({ ...state, rest: state.rest + text }, false);
}

/** What is left. The last chunk may hold nothing but white space or marks. */
export function endClauses(state: ClauseState): readonly string[] {
  const [last, chunks] = scan(state, true);
  return last.rest === '' ? chunks : [...chunks, last.rest];
}

/** Whether there is something to say in a chunk. */
export function isSpoken(chunk: string): boolean {
  return /[\p{L}\p{N}]/u.test(chunk);
}

function scan(state: ClauseState, final: boolean): readonly [ClauseState, readonly string[]] {
  const chunks: string[] = [];
  let { rest, from, first } = state;
  while (from < rest.length) {
    const verdict = judge({ text: rest, at: from, first, final, words: state.words });
    if (verdict === 'wait') break;
    if (verdict === 'no' || (from < HARD_CHARS && !isSpoken(rest.slice(0, verdict)))) {
      from++;
      continue;
    }
    chunks.push(rest.slice(0, verdict));
    rest = rest.slice(verdict);
    from = 0;
    first = false;
  }
  return [{ ...state, rest, from, first }, chunks];
}

/** Whether the text may be cut because of its character `at`, and then where. */
function judge(place: Place): Verdict {
  const { text, at } = place;
  return at >= HARD_CHARS ? hardCut(text, at) : (RULES.get(text[at] ?? '')?.(place) ?? 'no');
}

function hardCut(text: string, at: number): Verdict {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
}

const CLOSER = /[.!?…"'”’»)\]]/;

/** Index of the first character after the marks and closing quotes that begin at `at`. */
function afterMarks(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && CLOSER.test(text[end] ?? '')) end++;
  return end;
}

function afterSentenceMark({ text, at, final }: Place): Verdict {
  const end = afterMarks(text, at);
  if (end >= text.length) return final ? end : 'wait';
  return /\s/.test(text[end] ?? '') ? end : 'no';
}

function afterDot(place: Place): Verdict {
  const { text, final, words } = place;
  const end = afterSentenceMark(place);
  if (typeof end !== 'number') return end;
  const next = text.slice(end).trimStart()[0];
  if (next === undefined && !final) return 'wait';
  const token = tokenBefore(text, place.at);
  if (isAbbreviation(token, words)) return next === undefined ? end : 'no';
  if (next === undefined) return end;
  if (/\p{Ll}/u.test(next)) return 'no';
  const number = /^\p{N}+$/u.test(token);
  if (number && (words.ordinalDot || /\p{N}/u.test(next))) return 'no';
  // "Art. 5", "Abt. 7": a short word before a number is an abbreviation nobody listed.
  if (/\p{N}/u.test(next) && token.length <= 4) return 'no';
  return end;
}

function isAbbreviation(token: string, words: ClauseWords): boolean {
  if (token === '') return false;
  return words.abbreviations.has(token.toLowerCase()) || /^\p{L}$/u.test(token) || /^(\p{L}\.)+\p{L}$/u.test(token);
}

function afterClauseMark(place: Place): Verdict {
  const { text, at, final } = place;
  const mark = text[at];
  if (mark !== ':' && plainWordBefore(text, at)) return at + 1;
  const next = text[at + 1];
  if (next === undefined) return final ? 'no' : 'wait';
  if (!/\s/.test(next)) return 'no';
  if (!/\p{N}/u.test(text[at - 1] ?? '')) return at + 1;
  // "1, 2, 3" is one number read out.
  const after = text.slice(at + 1).trimStart()[0];
  if (after === undefined) return final ? 'no' : 'wait';
  return /\p{N}/u.test(after) ? 'no' : at + 1;
}

/** The word that ends here is a conjunction, or the chunk is too long. */
function atSpace(place: Place): Verdict {
  const { text, at, first, words, final } = place;
  if (at >= MAX_CHARS) {
    const next = text[at + 1];
    if (next === undefined) return final ? 'no' : 'wait';
    return /\p{N}/u.test(text[at - 1] ?? '') || /[\p{N}\s]/u.test(next) ? 'no' : at;
  }
  if (!first) return 'no';
  const word = tokenBefore(text, at);
  if (!words.conjunctions.has(word.toLowerCase())) return 'no';
  const before = text.slice(0, at - word.length).trimEnd();
  const spoken = before.split(/\s+/).filter(isSpoken);
  const last = spoken.at(-1) ?? '';
  if (spoken.length < MIN_WORDS_BEFORE_CONJUNCTION || /\p{N}/u.test(last) || words.numberWords.has(last.toLowerCase())) return 'no';
  return before.length;
}

/** The characters from the last white space or opening mark up to `at`. */
function tokenBefore(text: string, at: number): string {
  let start = at;
  while (start > 0 && at - start < 80 && !/[\s"'“„«(\[¿¡]/.test(text[start - 1] ?? '')) start--;
  return text.slice(start, at);
}

/** Letters only: no number, address or abbreviation can go on behind it. */
function plainWordBefore(text: string, at: number): boolean {
  const token = tokenBefore(text, at);
  return token === '' ? /\s/.test(text[at - 1] ?? '') : /^[\p{L}\p{M}’'-]+$/u.test(token);
}

const cutAfter = ({ at }: Place): Verdict => at + 1;
const asked = (place: Place): Verdict => (place.first && plainWordBefore(place.text, place.at) ? place.at + 1 : afterSentenceMark(place));
const paused = (place: Place): Verdict => (place.first ? afterClauseMark(place) : 'no');

const RULES: ReadonlyMap<string, (place: Place) => Verdict> = new Map([
  ...['\n', '。', '！', '？'].map((mark) => [mark, cutAfter] as const),
  ...['.', '…'].map((mark) => [mark, afterDot] as const),
  ...['!', '?'].map((mark) => [mark, asked] as const),
  ...[',', ';', ':'].map((mark) => [mark, paused] as const),
  ...[' ', '\t', '\u00a0'].map((mark) => [mark, atSpace] as const),
]);
