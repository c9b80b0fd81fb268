/** Names, addresses and codes: values of a whole answer, spoken or spelled. */
import { createSpeller, fold, type LanguagePack, type Speller } from '../language/index.ts';

const MAX_NAME_WORDS = 5;
const MAIL = /[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/u;

/** Spellers by pack: a pack is made once and used by every call. */
const spellers = new WeakMap<LanguagePack, Speller>();

function spellerOf(pack: LanguagePack): Speller {
  const known = spellers.get(pack);
  if (known !== undefined) return known;
  const made = createSpeller(pack.spelling, (tokens, at) => pack.number(tokens, at));
  spellers.set(pack, made);
  return made;
}

/** "my name is Anna Smith, S M Y T H" is Anna Smyth; null when it is no name. */
export function nameIn(tokens: readonly string[], pack: LanguagePack): string | null {
  const words = withoutLead(tokens, pack).filter((word) => !POLITE.has(fold(word)));
  const spelled = spelledIn(words, pack);
  const said = spelled === null ? words : words.slice(0, spelled.from);
  const marker = spellMark(said, pack);
  const spoken = marker === null ? said : said.slice(0, marker);
  if (spoken.length > MAX_NAME_WORDS || spoken.some((word) => /\d/.test(word))) return null;
  const parts = spelled === null ? spoken : [...spoken.slice(0, -1), spelled.value];
  const known = [...pack.words.yes, ...pack.words.no, ...pack.words.question];
  return parts.every((word) => known.includes(word)) ? null : parts.map(capital).join(' ');
}

const POLITE = new Set(['please', 'bitte', 'favor', 'merci', 'gracias', 'danke', 'thanks']);

/** The words behind "my name is", however often people begin anew. */
function withoutLead(tokens: readonly string[], { spelling }: LanguagePack): readonly string[] {
  const folded = tokens.map(fold);
  let from = 0;
  for (;;) {
    const lead = spelling.nameLead
      .map((phrase) => phrase.split(' '))
      .filter((phrase) => phrase.every((word, i) => folded[from + i] === word))
      .sort((a, b) => b.length - a.length)[0];
    if (lead === undefined || from + lead.length >= tokens.length) return tokens.slice(from);
    from += lead.length;
  }
}

function spellMark(words: readonly string[], { spelling }: LanguagePack): number | null {
  const folded = words.map(fold);
  const at = folded.findIndex((_, i) => spelling.spelled.some((phrase) => phrase.split(' ').every((word, k) => folded[i + k] === word)));
  return at < 0 ? null : at;
}

/** A run of at least three letters up to the end; one made of words of a spelling alphabet counts, a name among them does not. */
function spelledIn(words: readonly string[], pack: LanguagePack): { readonly value: string; readonly from: number } | null {
  const speller = spellerOf(pack);
  for (let from = 0; from < words.length; from++) {
    const run = speller.letters(words, from);
    if (run?.to !== words.length || run.value.length < 2 || /\d/.test(run.value)) continue;
    const isMarked = from > 0 && spellMark(words.slice(0, from), pack) !== null;
    const bare = words.slice(from).filter((word) => word.length === 1).length;
    if (isMarked || bare >= 2 || words.length - from >= 3) return { value: run.value, from };
  }
  return null;
}

/** An address as it was written or spelled, in small letters; null when there is none. */
export function mailIn(text: string, tokens: readonly string[], pack: LanguagePack): string | null {
  const written = MAIL.exec(text.toLowerCase());
  if (written !== null) return plainMail(written[0]);
  const { signs } = pack.spelling;
  const folded = tokens.map(fold);
  const speller = spellerOf(pack);
  let local = '';
  for (let i = startOfMail(tokens, pack); i < tokens.length;) {
    const sign = signAt(folded, i, signs);
    if (sign !== null) {
      local += sign.value;
      i = sign.to;
      continue;
    }
    const end = nextSign(folded, i, signs);
    const run = speller.letters(tokens.slice(0, end), i);
    // A word that is also the name of a letter stays a word unless other letters stand beside it: "punkt de", "mike".
    const isSpelled = run !== null && (run.to - i > 1 || (tokens[i] ?? '').length === 1 || /^\d+$/.test(run.value));
    local += isSpelled ? run.value : (tokens[i] ?? '');
    i = isSpelled ? run.to : i + 1;
  }
  const found = MAIL.exec(local.toLowerCase());
  return found === null ? null : plainMail(found[0]);
}

function plainMail(address: string): string {
  return fold(address.replaceAll('ä', 'ae').replaceAll('ö', 'oe').replaceAll('ü', 'ue')).replace(/\.+$/, '');
}

/** After "my address is". */
function startOfMail(tokens: readonly string[], pack: LanguagePack): number {
  return tokens.length - withoutLead(tokens, pack).length;
}

function signAt(
  words: readonly string[],
  at: number,
  signs: readonly (readonly [string, string])[],
): { readonly value: string; readonly to: number } | null {
  const found = signs
    .map(([name, value]) => ({ parts: name.split(' '), value }))
    .filter(({ parts }) => parts.every((word, i) => words[at + i] === word))
    .sort((a, b) => b.parts.length - a.parts.length)[0];
  return found === undefined ? null : { value: found.value, to: at + found.parts.length };
}

function nextSign(words: readonly string[], from: number, signs: readonly (readonly [string, string])[]): number {
  for (let i = from; i < words.length; i++) if (signAt(words, i, signs) !== null) return i;
  return words.length;
}

/** Digits of a telephone number, with "+" in front when a country was said; null when there are too few or too many. */
export function phoneIn(text: string, tokens: readonly string[], pack: LanguagePack): string | null {
  const digits = pack.digits(tokens);
  if (digits.length < 5 || digits.length > 15) return null;
  const isAbroad = /^\D*\+/.test(text) || ['plus', 'mas'].includes(fold(tokens.find((word) => /^(plus|mas|más)$|^\d/.test(word)) ?? ''));
  return isAbroad ? `+${digits}` : digits;
}

/** Formats of postal codes by country (ISO 3166), without blanks. */
export const POSTCODES: Readonly<Record<string, RegExp>> = {
  de: /^\d{5}$/,
  fr: /^\d{5}$/,
  es: /^\d{5}$/,
  it: /^\d{5}$/,
  us: /^\d{5}$/,
  at: /^[1-9]\d{3}$/,
  ch: /^[1-9]\d{3}$/,
  nl: /^[1-9]\d{3}[A-Z]{2}$/,
  gb: /^[A-Z]{1,2}\d[A-Z\d]?\d[A-Z]{2}$/,
};

export function postcodeIn(tokens: readonly string[], country: string, pack: LanguagePack): string | null {
  const format = POSTCODES[country];
  if (format === undefined) return null;
  const speller = spellerOf(pack);
  for (let from = 0; from < tokens.length; from++) {
    const whole = pack.number(tokens, from);
    const run = speller.letters(tokens, from);
    // "seventy five thousand and eight" is 75008, "eight thousand and one" is 08001.
    const asNumber =
      whole === null || whole.value < 1000 || (run !== null && run.value.length >= 4)
        ? ''
        : String(whole.value).padStart(country === 'at' || country === 'ch' ? 4 : 5, '0');
    const spelled = run?.value.toUpperCase() ?? '';
    for (const value of [spelled, spelled.replaceAll('O', '0'), asNumber]) if (format.test(value)) return value;
  }
  return null;
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
