/** Amounts of money: "twelve euros fifty", "12.50", "eighty cents". */
import { fold, type LanguagePack } from '../language/index.ts';

export interface Amount {
  /** In hundredths. */
  readonly cents: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly isNamed: boolean;
  readonly from: number;
  readonly to: number;
}

/** Every amount with a currency; with `bare` a mere number counts as one in `usual`. */
export function amountsIn(tokens: readonly string[], pack: LanguagePack, usual: string, bare: boolean): readonly Amount[] {
  const folded = tokens.map(fold);
  const found: Amount[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const amount = amountAt(folded, i, pack, usual, bare);
    if (amount === null) continue;
    found.push(amount);
    i = amount.to - 1;
  }
  return found;
}

type Finder = (words: readonly string[], at: number, pack: LanguagePack, usual: string, bare: boolean) => Amount | null;

const amountAt: Finder = (words, at, ...how) => writtenAt(words, at, ...how) ?? spokenAt(words, at, ...how);

/** "12.50" comes as "12:50". */
const writtenAt: Finder = (words, at, pack, usual, bare) => {
  const written = /^(\d+):(\d{2})$/.exec(words[at] ?? '');
  const unit = currencyAt(words, at + 1, pack);
  if (written === null || (unit === null && !bare)) return null;
  const cents = Number(written[1]) * 100 + Number(written[2]);
  return { cents, ...inCurrency(unit, usual), from: at, to: unit?.to ?? at + 1 };
};

const spokenAt: Finder = (words, at, pack, usual, bare) => {
  const whole = pack.number(words, at);
  if (whole === null) return null;
  if (isMinor(words, whole.to, pack)) return { cents: whole.value, currency: usual, isNamed: true, from: at, to: whole.to + 1 };
  const unit = currencyAt(words, whole.to, pack);
  if (unit === null && !bare) return null;
  const end = unit?.to ?? whole.to;
  const rest = minorAt(words, end, pack, unit !== null) ?? { value: 0, to: end };
  // "five fifty euros": the unit of both comes last.
  const trailing = unit === null && rest.to > whole.to ? currencyAt(words, rest.to, pack) : null;
  return { cents: whole.value * 100 + rest.value, ...inCurrency(unit ?? trailing, usual), from: at, to: trailing?.to ?? rest.to };
};

function inCurrency(named: { readonly code: string } | null, usual: string): Pick<Amount, 'currency' | 'isNamed'> {
  return { currency: named?.code ?? usual, isNamed: named !== null };
}

/** Cents, pence, centimes. */
const isMinor = (words: readonly string[], at: number, { money }: LanguagePack): boolean => money.minor.includes(words[at] ?? '');

/** "fifty", "and fifty cents", "con cincuenta"; after a bare number only two digits are cents: "five fifty". */
function minorAt(words: readonly string[], at: number, pack: LanguagePack, isNamed: boolean): { value: number; to: number } | null {
  const isJoined = pack.money.and.includes(words[at] ?? '') || ['point', 'komma', 'virgule', 'coma', 'punto'].includes(words[at] ?? '');
  const minor = pack.number(words, isJoined ? at + 1 : at);
  if (minor === null || minor.value > 99 || (minor.value < 10 && !isNamed)) return null;
  const hasUnit = isMinor(words, minor.to, pack);
  if (minor.value < 10 && !hasUnit) return null;
  return { value: minor.value, to: hasUnit ? minor.to + 1 : minor.to };
}

function currencyAt(words: readonly string[], at: number, { money }: LanguagePack): { readonly code: string; readonly to: number } | null {
  // French puts "de" or "d'" between a million and its unit.
  const from = words[at] === 'de' || words[at] === 'd' ? at + 1 : at;
  const found = money.currencies
    .map(([phrase, code]) => ({ parts: phrase.split(' '), code }))
    .filter(({ parts }) => parts.every((word, i) => words[from + i] === word))
    .sort((a, b) => b.parts.length - a.parts.length)[0];
  return found === undefined ? null : { code: found.code, to: from + found.parts.length };
}

/** "12.50 EUR" for the log and tools. */
export function moneyValue({ cents, currency }: Pick<Amount, 'cents' | 'currency'>): string {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')} ${currency}`;
}

export function sayMoney({ cents, currency }: Pick<Amount, 'cents' | 'currency'>, pack: LanguagePack): string {
  const major = Math.floor(cents / 100);
  const [one, more] = pack.money.spoken[currency] ?? [currency, currency];
  const words = `${pack.sayNumber(major)} ${major === 1 ? one : more}`;
  return cents % 100 === 0 ? words : `${words} ${pack.sayNumber(cents % 100)}`;
}
