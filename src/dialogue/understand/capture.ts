/** Slot values in one sentence: all that is there, not only what was asked for. */
import { addDays, daysBetween, parseIso, toIso } from '../calendar.ts';
import type { SlotValue } from '../../contracts/index.ts';
import type { Choice, Slot, WordsByLanguage } from '../flow/types.ts';
import type { Found, LanguagePack, SaidTime } from '../language/index.ts';
import { mailIn, nameIn, phoneIn, postcodeIn } from './identity.ts';
import { type Amount, amountsIn, moneyValue, sayMoney } from './money.ts';

export interface Captured {
  /** Values that may fill their slots. */
  readonly values: ReadonlyMap<string, SlotValue>;
  /** Values said to be wrong: "no, friday is wrong". */
  readonly rejected: ReadonlyMap<string, SlotValue>;
  /** Understood, but not allowed: the slot's own range. */
  readonly outOfRange: ReadonlySet<string>;
}

export interface CaptureContext {
  readonly pack: LanguagePack;
  readonly slots: readonly Slot[];
  /** The slot that was asked for: it may be answered without any mark. */
  readonly asked: string | null;
  /** Slots that have a value: others of the same type come first. */
  readonly filled: ReadonlySet<string>;
  readonly today: string;
  /** The sentence as it was written down: for addresses. */
  readonly text: string;
}

/** A value found at its place in the sentence, null when it is out of the slot's range. */
interface Mention {
  readonly slot: Slot;
  readonly value: SlotValue | null;
  readonly from: number;
  readonly to: number;
}

export function capture(tokens: readonly string[], context: CaptureContext): Captured {
  const alone = whole(tokens, context);
  if (alone !== null) return sortOut([], [alone], context.pack);
  const mentions: Mention[] = [];
  const taken = new Set<number>();
  // Marked values first, so that "a table for two at seven" leaves nothing to guess.
  for (const find of [marked.money, marked.time, marked.number, marked.day, marked.digits, marked.choice, bare]) {
    for (const mention of find(tokens, context)) {
      // Yes, no and free text are in the sentence as a whole, beside whatever else is.
      const isWhole = mention.slot.type === 'yes-no' || mention.slot.type === 'free';
      if (!isWhole && range(mention).some((i) => taken.has(i))) continue;
      if (!isWhole) for (const i of range(mention)) taken.add(i);
      mentions.push(mention);
    }
  }
  return sortOut(tokens, mentions, context.pack);
}

function sortOut(tokens: readonly string[], mentions: readonly Mention[], pack: LanguagePack): Captured {
  const values = new Map<string, SlotValue>();
  const rejected = new Map<string, SlotValue>();
  const outOfRange = new Set<string>();
  // The last word counts: "friday, no, saturday".
  for (const { slot, value, from, to } of [...mentions].sort((a, b) => a.from - b.from)) {
    if (value === null) outOfRange.add(slot.name);
    else if (isRejected(tokens, from, to, pack)) rejected.set(slot.name, value);
    else {
      values.set(slot.name, value);
      outOfRange.delete(slot.name);
    }
  }
  return { values, rejected, outOfRange };
}

/** "friday is wrong", "friday is not right", "not friday". */
function isRejected(tokens: readonly string[], from: number, to: number, { words }: LanguagePack): boolean {
  if (words.not.includes(tokens[from - 1] ?? '')) return true;
  let i = to;
  while (words.links.includes(tokens[i] ?? '')) i += 1;
  const negated = words.not.includes(tokens[i] ?? '');
  if (negated) i += 1;
  const verdict = tokens[i] ?? '';
  return negated ? words.right.includes(verdict) : words.wrong.includes(verdict);
}

type Finder = (tokens: readonly string[], context: CaptureContext) => readonly Mention[];

const marked: Readonly<Record<'money' | 'time' | 'number' | 'day' | 'digits' | 'choice', Finder>> = {
  money: (tokens, context) => {
    const slot = slotFor('money', context);
    if (slot === undefined) return [];
    return amountsIn(tokens, context.pack, slot.currency, false).map((found) => ({
      slot,
      ...found,
      value: amountValue(slot, found, context.pack),
    }));
  },
  time: (tokens, context) => {
    const slot = slotFor('time', context);
    if (slot === undefined) return [];
    return context.pack.times(tokens, false).map((found) => ({ slot, ...found, value: timeValue(slot, found.value, context.pack) }));
  },
  day: (tokens, context) => {
    const slot = slotFor('day', context);
    if (slot === undefined) return [];
    return context.pack.days(tokens, context.today).map((found) => ({ slot, ...found, value: dayValue(slot, found.value, context) }));
  },
  number: (tokens, context) =>
    byCue('number', tokens, context, (slot, at) => {
      const found = context.pack.number(tokens, at);
      return found === null ? null : { slot, ...found, value: numberValue(slot, found.value, context.pack) };
    }),
  digits: (tokens, context) =>
    byCue('digits', tokens, context, (slot, at) => ({
      slot,
      value: digitsValue(slot, context.pack.digits(tokens.slice(at)), context.pack),
      from: at,
      to: tokens.length,
    })),
  choice: (tokens, context) =>
    slotsOf('choice', context).flatMap((slot) => {
      const best = bestChoice(slot.choices, tokens, context.pack);
      return best === null ? [] : [{ slot, value: choiceValue(best.choice, context.pack), from: best.from, to: best.to }];
    }),
};

/** The asked slot needs no mark. */
const bare: Finder = (tokens, context) => {
  const slot = context.slots.find(({ name }) => name === context.asked);
  if (slot === undefined) return [];
  const whole = { slot, from: 0, to: tokens.length };
  switch (slot.type) {
    case 'time':
      return context.pack.times(tokens, true).map((found) => ({ slot, ...found, value: timeValue(slot, found.value, context.pack) }));
    case 'number':
      return numbersIn(tokens, context.pack).map((found) => ({ slot, ...found, value: numberValue(slot, found.value, context.pack) }));
    case 'digits': {
      const digits = context.pack.digits(tokens);
      return digits === '' ? [] : [{ ...whole, value: digitsValue(slot, digits, context.pack) }];
    }
    case 'yes-no': {
      const yes = polarity(tokens, context.pack);
      return yes === null ? [] : [{ ...whole, value: { value: yes ? 'yes' : 'no', spoken: context.pack.sayYesNo(yes) } }];
    }
    case 'free':
      return tokens.length === 0 ? [] : [{ ...whole, value: { value: tokens.join(' '), spoken: tokens.join(' ') } }];
    case 'money':
      return amountsIn(tokens, context.pack, slot.currency, true).map((found) => ({
        slot,
        ...found,
        value: amountValue(slot, found, context.pack),
      }));
    case 'secret':
    case 'day':
    case 'choice':
    case 'name':
    case 'email':
    case 'phone':
    case 'postcode':
      return [];
  }
};

/** Names, addresses and codes are the whole answer: their words mean nothing else then. */
function whole(tokens: readonly string[], { slots, asked, pack, text }: CaptureContext): Mention | null {
  const slot = slots.find(({ name }) => name === asked);
  if (slot === undefined) return null;
  const mention = (value: string | null, spoken: (value: string) => string): Mention | null =>
    value === null ? null : { slot, value: { value, spoken: spoken(value) }, from: 0, to: tokens.length };
  switch (slot.type) {
    case 'name':
      return mention(nameIn(tokens, pack), (name) => name);
    case 'email':
      return mention(mailIn(text, tokens, pack), (mail) => mail);
    case 'phone':
      return mention(phoneIn(text, tokens, pack), (phone) => pack.sayDigits(phone));
    case 'postcode':
      return mention(postcodeIn(tokens, slot.country, pack), (code) => spaced(code));
    default:
      return null;
  }
}

/** True for yes, false for no: the first word that says so, else the verdict. */
export function polarity(tokens: readonly string[], { words }: LanguagePack): boolean | null {
  const [first = ''] = tokens;
  if (words.no.includes(first)) return false;
  if (words.yes.includes(first)) return true;
  const negated = tokens.some((word) => words.not.includes(word));
  if (tokens.some((word) => words.wrong.includes(word) || words.no.includes(word))) return negated;
  return tokens.some((word) => words.right.includes(word) || words.yes.includes(word)) ? !negated : null;
}

/** The value of a key press for the asked slot; null when it is none. */
export function fromKeys(slot: Slot, keys: string, pack: LanguagePack): SlotValue | 'out-of-range' | null {
  if (slot.type === 'choice') {
    const choice = slot.choices.find(({ key }) => key === keys);
    return choice === undefined ? null : choiceValue(choice, pack);
  }
  if (!/^\d+$/.test(keys)) return null;
  if (slot.type === 'digits') return digitsValue(slot, keys, pack) ?? 'out-of-range';
  if (slot.type === 'number') return numberValue(slot, Number(keys), pack) ?? 'out-of-range';
  if (slot.type === 'phone') return keys.length < 5 || keys.length > 15 ? 'out-of-range' : { value: keys, spoken: pack.sayDigits(keys) };
  if (slot.type === 'postcode') {
    const code = postcodeIn([keys], slot.country, pack);
    return code === null ? 'out-of-range' : { value: code, spoken: spaced(code) };
  }
  if (slot.type === 'money') {
    const amount = { cents: Number(keys) * 100, currency: slot.currency };
    return amountValue(slot, amount, pack) ?? 'out-of-range';
  }
  if (slot.type === 'time') return timeFromKeys(slot, keys, pack);
  if (slot.type !== 'yes-no' || !['1', '2'].includes(keys)) return null;
  return { value: keys === '1' ? 'yes' : 'no', spoken: pack.sayYesNo(keys === '1') };
}

function timeFromKeys(slot: Slot & { type: 'time' }, keys: string, pack: LanguagePack): SlotValue | 'out-of-range' | null {
  const hour = Number(keys.length > 2 ? keys.slice(0, -2) : keys);
  const minute = keys.length > 2 ? Number(keys.slice(-2)) : 0;
  if (keys.length > 4 || hour > 23 || minute > 59) return null;
  const half = keys.length === 4 || hour > 12 ? 'exact' : null;
  return timeValue(slot, { hour, minute, half }, pack) ?? 'out-of-range';
}

function slotsOf<T extends Slot['type']>(type: T, { slots }: CaptureContext): (Slot & { type: T })[] {
  return slots.filter((slot): slot is Slot & { type: T } => slot.type === type);
}

/** Which slot of a type a value is meant for: the asked one, else the first empty one, else the first. */
function slotFor<T extends Slot['type']>(type: T, context: CaptureContext): (Slot & { type: T }) | undefined {
  const slots = slotsOf(type, context);
  return slots.find(({ name }) => name === context.asked) ?? slots.find(({ name }) => !context.filled.has(name)) ?? slots[0];
}

/** Values named by a word before ("for four") or after them ("four people"). */
function byCue<T extends 'number' | 'digits'>(
  type: T,
  tokens: readonly string[],
  context: CaptureContext,
  read: (slot: Slot & { type: T }, at: number) => Mention | null,
): readonly Mention[] {
  const code = context.pack.code;
  const mentions: Mention[] = [];
  for (const slot of slotsOf(type, context)) {
    const cues: { before: WordsByLanguage; after: WordsByLanguage } = slot;
    for (let i = 0; i < tokens.length; i++) {
      const found = read(slot, i);
      if (found === null) continue;
      const isBefore = (cues.before[code] ?? []).some((cue) => endsWith(tokens, i, cue));
      const isAfter = (cues.after[code] ?? []).includes(tokens[found.to] ?? '');
      if (!isBefore && !isAfter) continue;
      mentions.push(isAfter ? { ...found, to: found.to + 1 } : found);
      i = found.to - 1;
    }
  }
  return mentions;
}

/** The words before token `at` are this cue, of one word or more. */
function endsWith(tokens: readonly string[], at: number, cue: string): boolean {
  const words = cue.toLowerCase().split(/\s+/);
  return words.every((word, i) => tokens[at - words.length + i] === word);
}

function numbersIn(tokens: readonly string[], pack: LanguagePack): Found<number>[] {
  const found: Found<number>[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const number = pack.number(tokens, i);
    if (number === null) continue;
    found.push(number);
    i = number.to - 1;
  }
  return found;
}

/** The choice with the longest phrase that was said; of equals the first in the sentence: "cancel my table". */
function bestChoice(
  choices: readonly Choice[],
  tokens: readonly string[],
  pack: LanguagePack,
): { choice: Choice; from: number; to: number } | null {
  const found = choices.flatMap((choice) =>
    (choice.words[pack.code] ?? []).flatMap((phrase) => {
      const words = pack.tokens(phrase);
      const from = words.length === 0 ? -1 : tokens.findIndex((_, i) => words.every((word, j) => tokens[i + j] === word));
      return from < 0 ? [] : [{ choice, from, to: from + words.length }];
    }),
  );
  return found.sort((a, b) => b.to - b.from - (a.to - a.from) || a.from - b.from)[0] ?? null;
}

function choiceValue({ value, spoken }: Choice, pack: LanguagePack): SlotValue {
  return { value, spoken: spoken[pack.code] ?? value };
}

function numberValue(slot: Slot & { type: 'number' }, value: number, pack: LanguagePack): SlotValue | null {
  return value < slot.min || value > slot.max ? null : { value: String(value), spoken: pack.sayNumber(value) };
}

function amountValue(slot: Slot & { type: 'money' }, amount: Pick<Amount, 'cents' | 'currency'>, pack: LanguagePack): SlotValue | null {
  if (amount.cents < slot.minCents || amount.cents > slot.maxCents) return null;
  return { value: moneyValue(amount), spoken: sayMoney(amount, pack) };
}

function digitsValue(slot: Slot & { type: 'digits' }, digits: string, pack: LanguagePack): SlotValue | null {
  return digits.length < slot.min || digits.length > slot.max ? null : { value: digits, spoken: pack.sayDigits(digits) };
}

function dayValue(slot: Slot & { type: 'day' }, iso: string, { pack, today }: CaptureContext): SlotValue | null {
  const date = parseIso(iso);
  const now = parseIso(today);
  if (date === undefined || now === undefined || daysBetween(now, date) > slot.withinDays) return null;
  return { value: toIso(addDays(date, 0)), spoken: pack.sayDay(iso) };
}

/**
 * "seven" is in the morning or in the evening: the half that lies in the slot's range. If both do, hours from one to six are in the
 * afternoon, later ones in the morning.
 */
function timeValue(slot: Slot & { type: 'time' }, said: SaidTime, pack: LanguagePack): SlotValue | null {
  const early = (said.hour % 12) * 60 + said.minute;
  const late = early + 12 * 60;
  const usual = said.hour >= 1 && said.hour <= 6 ? [late, early] : said.hour === 12 ? [late, early] : [early, late];
  const candidates =
    said.half === 'exact' ? [said.hour * 60 + said.minute] : said.half === 'am' ? [early] : said.half === 'pm' ? [late] : usual;
  const minute = candidates.find((candidate) => candidate >= slot.fromMinute && candidate <= slot.toMinute);
  if (minute === undefined) return null;
  const value = `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  return { value, spoken: pack.sayTime(value) };
}

function range({ from, to }: { from: number; to: number }): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

/** Signs said one by one. */
function spaced(code: string): string {
  return code.replace(/(?<=.)(?=.)/gu, ' ');
}
