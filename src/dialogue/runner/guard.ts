/** What a model wants said is looked at before it is spoken: no number, price or date that nobody told us, no promise that is forbidden. */
import type { LanguagePack } from '../language/index.ts';

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
}

export function checkSpoken(text: string, context: GuardContext): Verdict {
  if (text.length > MAX_CHARS) return { ok: false, rule: 'too-long' };
  if (/https?:|www\.|[<>{}]/i.test(text)) return { ok: false, rule: 'no-speech' };
  const plain = text.toLowerCase();
  if (context.forbidden.some((phrase) => plain.includes(phrase.toLowerCase()))) return { ok: false, rule: 'forbidden-promise' };
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
