/** What the parts of the runner share: the flow, its language, a private copy of the state and the effects so far. */
import type { DialogueEffect, Expectation, SecretRequest, SlotValue } from '../../contracts/index.ts';
import type { Slot, Step } from '../flow/types.ts';
import { checkTold } from './guard.ts';
import type { Script, Scripts } from './scripts.ts';
import type { FlowState, Say, Source } from './state.ts';

export interface Talk {
  readonly scripts: Scripts;
  /** The present flow in the present language. */
  script: Script;
  state: FlowState;
  /** What the caller just said, as it was written down, and how sure the recogniser is. */
  readonly said: string;
  readonly confidence: number;
  /** When the event came, ms since the call began; null when nobody told. */
  readonly atMs: number | null;
  readonly effects: DialogueEffect[];
}

export function update(talk: Talk, change: Partial<FlowState>): void {
  talk.state = { ...talk.state, ...change };
}

/** Says a prompt with the caller's slots and variables filled in. What tools put into it is looked at before it is spoken. */
export function say(talk: Talk, prompt: string, kind: Say['kind'], interruptible = true): void {
  const template = promptText(talk.script, prompt);
  const text = fillIn(template, (name) => spokenOf(talk, name));
  const rule = refusedBy(talk, template, text);
  if (rule === null) {
    sayText(talk, { t: 'say', text, prompt, kind, interruptible });
    return;
  }
  talk.effects.push({ t: 'refused', what: 'speech', rule });
  sayText(talk, { t: 'say', text: promptText(talk.script, 'dont_know'), prompt: 'dont_know', kind: 'apology', interruptible });
}

/** The rule that keeps a text from being spoken; null for a text of ours alone. */
function refusedBy({ script, state }: Talk, template: string, text: string): string | null {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
  const told = names.flatMap((name): { text: string; source: Source }[] => {
    const source = toldBy(state, name);
    return source === null ? [] : [{ text: valueOf(state, name), source }];
  });
  if (told.length === 0) return null;
  const verdict = checkTold(text, told, { forbidden: script.flow.forbidden, own: ownDetails(state) });
  return verdict.ok ? null : verdict.rule;
}

/** What is kept about a contact was once said by somebody: it is looked at like a tool's answer. */
export function toldBy(state: FlowState, name: string): Source | null {
  return own(state.told, name) ?? (name.startsWith('contact.') ? 'personal' : null);
}

/** Texts that may hold addresses and numbers of this caller: told by himself, or known of him. */
export function ownDetails(state: FlowState): readonly string[] {
  return [...Object.values(state.slots).map(({ value }) => value), state.facts.from ?? '', ...Object.values(state.contact)];
}

const PLACEHOLDER = /\{((?:call\.|contact\.)?[a-z0-9_]+)\}/g;

/** Puts values into a text; a placeholder without a value stays. */
export function fillIn(text: string, value: (name: string) => string | undefined): string {
  const filled = text.replace(PLACEHOLDER, (whole, name: string) => value(name) ?? whole);
  return filled.replace(/\s+/g, ' ').trim();
}

/** In the language and the voice that were chosen. */
export function sayText(talk: Talk, said: Say): void {
  if (said.text === '') return;
  const { language, persona } = talk.state;
  const voice = persona === null ? null : (own(talk.script.flow.personas, persona)?.voice ?? null);
  const isOther = language !== talk.scripts.language;
  talk.effects.push({ ...said, ...(isOther ? { language } : {}), ...(voice === null ? {} : { voice }) });
}

export function promptText({ flow, pack }: Script, prompt: string): string {
  const texts = flow.prompts[prompt];
  return texts?.[pack.code] ?? texts?.[flow.language] ?? '';
}

export function valueOf(state: FlowState, name: string): string {
  const [scope, field] = name.split('.');
  if (field !== undefined) return own(scope === 'call' ? state.call : state.contact, field) ?? '';
  return own(state.slots, name)?.spoken ?? own(state.variables, name) ?? '';
}

/** As it is said: a day or a time that a tool told comes in its canonical form. */
function spokenOf({ script: { pack }, state }: Talk, name: string): string {
  const value = valueOf(state, name);
  if (/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/.test(value)) return pack.sayDay(value);
  return /^([01]\d|2[0-3]):[0-5]\d$/.test(value) ? pack.sayTime(value) : value;
}

/** Listens, and keeps what was said for "say that again". */
export function listen(talk: Talk, expect: Expectation, silenceMs?: number): void {
  const said = talk.effects.filter((effect): effect is Say => effect.t === 'say' && effect.kind !== 'apology');
  if (said.length > 0) update(talk, { last: said });
  update(talk, { phase: 'open' });
  const secret = secretAsked(talk);
  const patience = silenceMs === undefined ? {} : { silenceMs };
  talk.effects.push({ t: 'listen', expect, ...patience, ...(secret === null || talk.state.offered ? {} : { secret }) });
}

/** The secret that the present step asks for. */
export function secretAsked(talk: Talk): SecretRequest | null {
  const step = stepOf(talk);
  const slot = step?.t === 'ask' ? slotOf(talk.script, step.slot) : undefined;
  if (slot?.type !== 'secret') return null;
  const { name, min, max, check, byVoice } = slot;
  return { slot: name, min, max, check, byVoice };
}

export function fill(talk: Talk, slot: string, value: SlotValue): void {
  const before = own(talk.state.slots, slot);
  if (before?.value === value.value) return;
  update(talk, { slots: { ...talk.state.slots, [slot]: value } });
  talk.effects.push({ t: 'slot', slot, value, corrected: before !== undefined });
}

export function forget(talk: Talk, names: readonly string[]): void {
  if (names.length === 0) return;
  update(talk, { slots: Object.fromEntries(Object.entries(talk.state.slots).filter(([name]) => !names.includes(name))) });
}

/** What the call came to so far; a called flow that has none leaves that of its caller. */
export function outcomeOf({ state }: Talk): string | null {
  return state.outcome ?? state.frames.findLast(({ outcome }) => outcome !== null)?.outcome ?? null;
}

export function stepOf(talk: Talk): Step | undefined {
  return own(talk.script.flow.steps, talk.state.step);
}

export function slotOf({ flow }: Script, name: string): Slot | undefined {
  return own(flow.slots, name);
}

/** Nothing is inherited: a slot may be called "constructor". */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

export function expectationOf(slot: Slot | undefined): Expectation {
  if (slot === undefined) return { kind: 'free' };
  switch (slot.type) {
    case 'digits':
      return { kind: 'digits', min: slot.min, max: slot.max };
    case 'secret':
      return { kind: 'digits', min: slot.min, max: slot.max };
    case 'phone':
      return { kind: 'digits', min: 5, max: 15 };
    case 'money':
      return { kind: 'number' };
    case 'name':
    case 'email':
    case 'postcode':
      return { kind: 'free' };
    default:
      return { kind: slot.type };
  }
}
