/**
 * Numbers that identify a person or an account, and e-mail addresses, in what was said: found in written and spoken form in English,
 * German, French and Spanish, whatever the language of the call. Pure. What it cannot know is what a short number means: below
 * `minDigits` nothing is masked, dates, times and amounts of money never are.
 */
import { ibanLength, isCardNumber, isIban } from './checksums.ts';
import { emailSpans } from './emails.ts';
import { type NumberRun, numberRuns } from './number-runs.ts';

export type SecretKind = 'card' | 'iban' | 'number' | 'email';

/** Characters [from, to) of a text. */
export interface SecretSpan {
  readonly kind: SecretKind;
  readonly from: number;
  readonly to: number;
}

export interface MaskOptions {
  /** Runs of fewer digits stay. Default 6. */
  readonly minDigits?: number;
}

const MIN_DIGITS = 6;
/** Words between two halves of one card number: "four one one one, are you writing, one one one one". */
const GAP_CHARS = 24;

/** In order, without overlaps. */
export function findSecrets(text: string, options: MaskOptions = {}): readonly SecretSpan[] {
  const minDigits = options.minDigits ?? MIN_DIGITS;
  const runs = numberRuns(withoutTimes(text));
  const numbers = runs.filter((run) => isSecretRun(text, run, minDigits)).map((run) => withCountry(text, run));
  const found: SecretSpan[] = [
    ...emailSpans(text).map((span) => ({ kind: 'email' as const, ...span })),
    ...ibans(text),
    ...brokenCards(runs),
  ];
  return merged([...found, ...numbers]);
}

/** Dates and times of day: letters instead, so that no run goes through them. */
const TIMES =
  /(?<!\d[./-]?)(?:(?:19|20)\d\d-[01]\d-[0-3]\d|[0-3]?\d[./][01]?\d[./](?:(?:19|20)\d\d|\d\d)|[01]?\d\/[0-3]?\d\/(?:19|20)\d\d)(?![./-]?\d)|(?<!\d)[0-2]?\d:[0-5]\d(?::[0-5]\d)?(?!\d)/gu;

function withoutTimes(text: string): string {
  return text.replace(TIMES, (found) => 'x'.repeat(found.length));
}

/** The text with every find replaced by its kind in brackets. */
export function maskText(text: string, options: MaskOptions = {}): string {
  let out = '';
  let at = 0;
  for (const { kind, from, to } of findSecrets(text, options)) {
    out += `${text.slice(at, from)}[${kind}]`;
    at = to;
  }
  return out + text.slice(at);
}

function isSecretRun(text: string, run: NumberRun, minDigits: number): boolean {
  if (run.digits.length < minDigits) return false;
  if (isCardNumber(run.digits)) return true;
  const written = text.slice(run.from, run.to);
  if (isDate(written, run.parts) || isAmount(text, run, written)) return false;
  // "a hundred and twenty thousand" is how much, not which.
  return run.groups > 1 || /^\d+$/.test(written);
}

function isDate(written: string, parts: readonly string[]): boolean {
  if (parts.length !== 3 || !/^[\d\s./-]+$/.test(written)) return false;
  const [a, b, c] = parts.map(Number) as [number, number, number];
  const year = (value: string | undefined, number: number): boolean => value?.length === 4 && number >= 1900 && number < 2100;
  const dayMonth = (one: number, two: number): boolean => one >= 1 && two >= 1 && Math.min(one, two) <= 12 && Math.max(one, two) <= 31;
  const short = parts.every((part) => part.length <= 2) && /[./]/.test(written);
  return (year(parts[2], c) && dayMonth(a, b)) || (year(parts[0], a) && dayMonth(b, c)) || (short && dayMonth(a, b));
}

const CURRENCY = /^\s*(?:[€$£]|eur\b|euros?\b|usd\b|dollars?\b|pounds?\b|pfund\b|francs?\b|franken\b|livres?\b|dólares\b|libras?\b)/iu;

function isAmount(text: string, run: NumberRun, written: string): boolean {
  const priced = CURRENCY.test(text.slice(run.to, run.to + 12)) || /[€$£]\s*$/.test(text.slice(Math.max(0, run.from - 2), run.from));
  if (/^\d{1,3}(?:[.,']\d{3})+(?:[.,]\d{2})?$/.test(written) || /^\d{1,9}[.,]\d{2}$/.test(written)) return true;
  return priced && (run.groups === 1 || /^\d{1,3}(?:\s\d{3})+(?:[.,]\d{2})?$/.test(written));
}

/** "D E 89 ..." read out: the letters belong to the number. */
function withCountry(text: string, run: NumberRun): SecretSpan {
  const kind = isCardNumber(run.digits) ? 'card' : 'number';
  const letters =
    run.digits.length >= 12
      ? /(?<![\p{L}\d])(\p{L}[\s.,-]+\p{L}[\s.,-]+|[A-Z]{2}[\s.,-]*)$/u.exec(text.slice(Math.max(0, run.from - 12), run.from))
      : null;
  return { kind, from: run.from - (letters?.[1]?.length ?? 0), to: run.to };
}

const IBAN_START = /(?<![\p{L}\d])(?:[A-Z]{2}[\s-]?|[a-z]{2})\d{2}/gu;

function ibans(text: string): SecretSpan[] {
  return [...text.matchAll(IBAN_START)].flatMap(({ index }) => {
    const length = ibanLength(text.slice(index, index + 2).toUpperCase());
    if (length === undefined) return [];
    let to = index;
    for (let chars = 0; chars < length && to < text.length; to++) if (!/[\s-]/.test(text.charAt(to))) chars++;
    const whole = text.slice(index, to).replace(/[\s-]/g, '').toUpperCase();
    return isIban(whole) && !/[\p{L}\d]/u.test(text.charAt(to)) ? [{ kind: 'iban' as const, from: index, to }] : [];
  });
}

/** Neighbouring runs that are one card number together. */
function brokenCards(runs: readonly NumberRun[]): SecretSpan[] {
  const sorted = runs.filter((run) => run.digits.length >= 2).sort((a, b) => a.from - b.from);
  const found: SecretSpan[] = [];
  for (let first = 0; first < sorted.length; first++) {
    let digits = '';
    let end: number | null = null;
    for (const run of sorted.slice(first, first + 8)) {
      if (end !== null && (run.from < end || run.from - end > GAP_CHARS)) continue;
      digits += run.digits;
      end = run.to;
      if (digits.length > 12 && isCardNumber(digits)) found.push({ kind: 'card', from: sorted[first]?.from ?? 0, to: end });
    }
  }
  return found;
}

const RANK: readonly SecretKind[] = ['iban', 'card', 'email', 'number'];

function merged(spans: readonly SecretSpan[]): SecretSpan[] {
  const out: SecretSpan[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from || b.to - a.to)) {
    const last = out.at(-1);
    if (last === undefined || span.from >= last.to) out.push(span);
    else {
      const kind = RANK.indexOf(span.kind) < RANK.indexOf(last.kind) ? span.kind : last.kind;
      out[out.length - 1] = { kind, from: last.from, to: Math.max(last.to, span.to) };
    }
  }
  return out;
}
