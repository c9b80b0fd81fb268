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

function amountAt(words: readonly string[], at: number, pack: LanguagePack, usual: string, bare: boolean): Amount | null {
  const written = /^(\d+):(\d{2})$/.exec(words[at] ?? '');
  if (written !== null) {
    const unit = currencyAt(words, at + 1, pack);
    if (unit === null && !bare) return null;
    return {
      cents: Number(written[1]) * 100 + Number(written[2]),
      currency: unit?.code ?? usual,
      isNamed: unit !== null,
      from: at,
      to: unit?.to ?? at + 1,
    };
  }
  const whole = pack.number(words, at);
  if (whole === null) return null;
  if (pack.money.minor.includes(words[whole.to] ?? ''))
    return { cents: whole.value, currency: usual, isNamed: true, from: at, to: whole.to + 1 };
  const unit = currencyAt(words, whole.to, pack);
  if (unit === null && !bare) return null;
  const rest = minorAt(words, unit?.to ?? whole.to, pack, unit !== null);
  const trailing = unit === null && rest !== null ? currencyAt(words, rest.to, pack) : null;
  const named = unit ?? trailing;
  return {
    cents: whole.value * 100 + (rest?.value ?? 0),
    currency: named?.code ?? usual,
    isNamed: named !== null,
    from: at,
    to: trailing?.to ?? rest?.to ?? unit?.to ?? whole.to,
  };
}

/** "fifty", "and fifty cents", "con cincuenta"; after a bare number only two digits are cents: "five fifty". */
function minorAt(words: readonly string[], at: number, pack: LanguagePack, isNamed: boolean): { value: number; to: number } | null {
  const isJoined = pack.money.and.includes(words[at] ?? '') || ['point', 'komma', 'virgule', 'coma', 'punto'].includes(words[at] ?? '');
  const minor = pack.number(words, isJoined ? at + 1 : at);
  if (minor === null || minor.value > 99 || (minor.value < 10 && !isNamed)) return null;
  const hasUnit = pack.money.minor.includes(words[minor.to] ?? '');
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
