/**
 * Texts with words of a model or a tool in them are looked at before they are spoken: no number, price or date that nobody told us, nobody
 * else's addresses, no promise that is forbidden, no guess.
 */
import type { LanguagePack } from '../language/index.ts';
import type { Source } from './state.ts';

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly rule: string };

const MAX_CHARS = 600;
/** "one moment", "two possibilities". */
const HARMLESS = 3;
const LEAK_WORDS = 8;

export interface GuardContext {
  readonly pack: LanguagePack;
  /** Texts that numbers may come from: results of tools, facts, the goal. What a caller claims is no ground. */
  readonly grounds: readonly string[];
  readonly forbidden: readonly string[];
  /** Our own instructions: not to be read out. */
  readonly secret: string;
  readonly today: string;
  /** Addresses and numbers of this caller. */
  readonly own: readonly string[];
}

/** A text of the author with words of tools in it. Figures in it are the tools' own. */
export function checkTold(
  text: string,
  told: readonly { readonly text: string; readonly source: Source }[],
  { forbidden, own }: { readonly forbidden: readonly string[]; readonly own: readonly string[] },
): Verdict {
  if (text.length > MAX_CHARS) return { ok: false, rule: 'too-long' };
  if (told.some((part) => NO_SPEECH.test(part.text))) return { ok: false, rule: 'no-speech' };
  if (isForbidden(text, forbidden)) return { ok: false, rule: 'forbidden-promise' };
  const foreign = told.some((part) => part.source === 'tool' && hasForeignDetails(part.text, own));
  return foreign ? { ok: false, rule: 'other-person' } : { ok: true };
}

const NO_SPEECH = /https?:|www\.|[<>{}]/i;

function isForbidden(text: string, forbidden: readonly string[]): boolean {
  const plain = text.toLowerCase();
  return forbidden.some((phrase) => plain.includes(phrase.toLowerCase()));
}

/** Ways to reach or charge a person: mail addresses, telephone numbers, account numbers. */
const DETAILS = [
  /[\w.+-]+@[\w-]+\.[\w.]+/g,
  /(?<![\d-])(?:\+|0)\d(?:[ ()/.-]?\d){5,}/g,
  /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,}[A-Z0-9 ]{0,8}\b/g,
];

function hasForeignDetails(text: string, own: readonly string[]): boolean {
  const bare = (value: string): string => value.toLowerCase().replace(/[^\p{L}\p{N}@]/gu, '');
  const known = own.map(bare).filter((value) => value.length >= 5);
  const found = DETAILS.flatMap((pattern) => text.match(pattern) ?? []).map(bare);
  return found.some((detail) => !known.some((value) => value.includes(detail) || detail.includes(value)));
}

/** How a guess sounds. */
const GUESSES: Readonly<Record<string, RegExp>> = {
  en: /\b(i think|i guess|i believe|i assume|probably|presumably|i am not sure|i'm not sure|if i remember)\b/,
  de: /\b(ich glaube|ich denke|ich vermute|wahrscheinlich|vermutlich|vielleicht|nicht sicher)\b/,
  fr: /(je pense|je crois|je suppose|probablement|sans doute|peut-être|pas sûre?)/,
  es: /(creo que|supongo|probablemente|quizás?|tal vez|no estoy segur[oa])/,
};

export function checkSpoken(text: string, context: GuardContext): Verdict {
  if (text.length > MAX_CHARS) return { ok: false, rule: 'too-long' };
  if (NO_SPEECH.test(text)) return { ok: false, rule: 'no-speech' };
  if (isForbidden(text, context.forbidden)) return { ok: false, rule: 'forbidden-promise' };
  if (hasForeignDetails(text, context.own)) return { ok: false, rule: 'other-person' };
  if (GUESSES[context.pack.code]?.test(text.toLowerCase()) === true) return { ok: false, rule: 'uncertain' };
  if (leaks(text, context)) return { ok: false, rule: 'own-instructions' };
  const known = new Set(context.grounds.flatMap((ground) => figures(ground, context)));
  return figures(text, context).every((figure) => known.has(figure)) ? { ok: true } : { ok: false, rule: 'ungrounded-figure' };
}

/** Numbers, days and times of a text in their canonical forms. */
function figures(text: string, { pack, today }: GuardContext): string[] {
  const tokens = pack.tokens(text);
  const found = [...text.matchAll(/\d+/g)].map(([digits]) => `#${Number(digits)}`).filter((figure) => Number(figure.slice(1)) > HARMLESS);
  for (let i = 0; i < tokens.length; i++) {
    const number = pack.number(tokens, i);
    if (number === null) continue;
    if (number.value > HARMLESS) found.push(`#${number.value}`);
    i = number.to - 1;
  }
  return [...found, ...pack.days(tokens, today).map(({ value }) => `d${value}`)];
}

function leaks(text: string, { pack, secret }: GuardContext): boolean {
  const own = pack.tokens(secret).join(' ');
  const said = pack.tokens(text);
  return said.some((_, i) => i + LEAK_WORDS <= said.length && own.includes(said.slice(i, i + LEAK_WORDS).join(' ')));
}
