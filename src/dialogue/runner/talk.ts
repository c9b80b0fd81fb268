/** What the parts of the runner share: the flow, its language, a private copy of the state and the effects so far. */
import type { DialogueEffect, Expectation, SlotValue } from '../../contracts/index.ts';
import type { Flow, Slot, Step } from '../flow/types.ts';
import type { FactSearch } from '../knowledge/facts.ts';
import type { LanguagePack } from '../language/index.ts';
import type { IntentFinder } from '../understand/phrases.ts';
import type { FlowState, Say } from './state.ts';

/** The same for all calls of a flow in a language. */
export interface Script {
  readonly flow: Flow;
  readonly pack: LanguagePack;
  readonly facts: FactSearch;
  readonly intent: IntentFinder;
  readonly desks: readonly string[];
}

export interface Talk {
  readonly script: Script;
  state: FlowState;
  /** What the caller just said, as it was written down. */
  said: string;
  readonly effects: DialogueEffect[];
}

export function update(talk: Talk, change: Partial<FlowState>): void {
  talk.state = { ...talk.state, ...change };
}

/** Says a prompt with the caller's slots and variables filled in. */
export function say(talk: Talk, prompt: string, kind: Say['kind'], interruptible = true): void {
  const text = fillIn(promptText(talk.script, prompt), (name) => valueOf(talk.state, name));
  sayText(talk, { t: 'say', text, prompt, kind, interruptible });
}

/** Puts values into a text; a placeholder without a value stays. */
export function fillIn(text: string, value: (name: string) => string | undefined): string {
  const filled = text.replace(/\{([a-z0-9_]+)\}/g, (whole, name: string) => value(name) ?? whole);
  return filled.replace(/\s+/g, ' ').trim();
}

export function sayText(talk: Talk, said: Say): void {
  if (said.text !== '') talk.effects.push(said);
}

export function promptText({ flow, pack }: Script, prompt: string): string {
  const texts = flow.prompts[prompt];
  return texts?.[pack.code] ?? texts?.[flow.language] ?? '';
}

export function valueOf(state: FlowState, name: string): string {
  return own(state.slots, name)?.spoken ?? own(state.variables, name) ?? '';
}

/** Listens, and keeps what was said for "say that again". */
export function listen(talk: Talk, expect: Expectation, silenceMs?: number): void {
  const said = talk.effects.filter((effect): effect is Say => effect.t === 'say' && effect.kind !== 'apology');
  if (said.length > 0) update(talk, { last: said });
  update(talk, { phase: 'open' });
  talk.effects.push(silenceMs === undefined ? { t: 'listen', expect } : { t: 'listen', expect, silenceMs });
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
