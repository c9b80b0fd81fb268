/** What the caller said or keyed, at the open question. */
import { FACT_THRESHOLD } from '../knowledge/facts.ts';
import type { Slot, Step } from '../flow/types.ts';
import type { Intent } from '../language/index.ts';
import { capture, type Captured, fromKeys, polarity } from '../understand/capture.ts';
import { agentStep, heardByAgent } from './agent.ts';
import { missed } from './failures.ts';
import { askAgain, askStep, enter, goOn, hangUp, openExpectation, transfer } from './steps.ts';
import { fill, forget, listen, outcomeOf, own, say, sayText, slotOf, stepOf, type Talk, update } from './talk.ts';

/** Longer texts are no answers to anything. */
const MAX_CHARS = 1000;

export function heard(talk: Talk, text: string): void {
  const tokens = talk.script.pack.tokens(text.slice(0, MAX_CHARS));
  if (tokens.length === 0) {
    missed(talk);
    return;
  }
  update(talk, { silences: 0 });
  if (talk.state.offered && answerOffer(talk, tokens)) return;
  const intent = talk.script.intent(tokens);
  if (intent !== null && onIntent(talk, intent, tokens)) return;
  const agent = agentStep(talk);
  if (agent !== null) {
    heardByAgent(talk, agent, tokens);
    return;
  }
  const isQuestion = talk.script.pack.words.question.includes(tokens[0] ?? '');
  if (isQuestion && answerFact(talk, tokens)) return;
  if (atStep(talk, tokens)) return;
  if (!isQuestion && answerFact(talk, tokens)) return;
  if (isQuestion) dontKnow(talk);
  else missed(talk);
}

export function keyed(talk: Talk, keys: string): void {
  const step = stepOf(talk);
  update(talk, { silences: 0 });
  if (step?.t === 'ask' && keyedSlot(talk, step, keys)) return;
  if (step?.t === 'confirm' && !talk.state.which && keys === '1') enter(talk, step.next, 'confirmed');
  else if (step?.t === 'confirm' && !talk.state.which && keys === '2') askWhich(talk, step);
  else if (keys === '0') toPerson(talk, talk.script.flow.person);
  else missed(talk);
}

/** What was given at a secret question: a handle, never the secret. */
export function secretGiven(talk: Talk, slot: string, handle: string | null): void {
  const step = stepOf(talk);
  update(talk, { silences: 0 });
  if (step?.t !== 'ask' || step.slot !== slot || handle === null) {
    missed(talk);
    return;
  }
  fill(talk, slot, { value: handle, spoken: '' });
  goOn(talk, step.next);
}

function keyedSlot(talk: Talk, step: StepOf<'ask'>, keys: string): boolean {
  const slot = slotOf(talk.script, step.slot);
  const value = slot === undefined ? null : fromKeys(slot, keys, talk.script.pack);
  if (value === null) return false;
  if (value === 'out-of-range') missed(talk, slot?.outOfRange);
  else {
    fill(talk, step.slot, value);
    goOn(talk, step.next);
  }
  return true;
}

// ---- at any time ----

/** True when it was dealt with. */
function onIntent(talk: Talk, intent: Intent, tokens: readonly string[]): boolean {
  const { flow } = talk.script;
  switch (intent) {
    case 'person':
      // "Transfer me to sales": a desk that was named wins over the usual one.
      toPerson(talk, talk.script.desks.find((desk) => tokens.includes(desk)) ?? flow.person);
      return true;
    case 'machine':
      say(talk, 'i_am_a_machine', 'answer');
      askAgain(talk);
      return true;
    case 'repeat':
      repeat(talk);
      return true;
    case 'hold':
      say(talk, 'hold_on', 'statement');
      listen(talk, openExpectation(talk), flow.limits.holdMs);
      return true;
    case 'goodbye':
      if (flow.onGoodbye === null) hangUp(talk, outcomeOf(talk) ?? 'goodbye');
      else enter(talk, flow.onGoodbye, 'goodbye');
      return true;
    case 'hello':
      askAgain(talk);
      return true;
    case 'dont-know':
      // "I do not know the day, saturday": what fits the question wins.
      if (!atStep(talk, tokens)) missed(talk, 'all_right');
      return true;
  }
}

function toPerson(talk: Talk, desk: string | null): void {
  if (desk !== null && transfer(talk, desk, 'transferring')) return;
  if (desk === null) say(talk, 'no_person', 'apology');
  askAgain(talk);
}

function repeat(talk: Talk): void {
  const { last } = talk.state;
  const question = last.some(({ kind }) => kind === 'question' || kind === 'confirm');
  for (const said of question ? last.slice(0, -1) : last) sayText(talk, { ...said, interruptible: true });
  askAgain(talk);
}

function answerFact(talk: Talk, tokens: readonly string[]): boolean {
  const found = talk.script.facts.find(tokens);
  if (found === null || found.score < FACT_THRESHOLD) return false;
  sayText(talk, { t: 'say', text: found.fact.answer, prompt: found.fact.key, kind: 'answer', interruptible: true });
  const step = stepOf(talk);
  if (step?.t === 'answer') enter(talk, step.next, 'answered');
  else askAgain(talk);
  return true;
}

function dontKnow(talk: Talk): void {
  const { flow, desks } = talk.script;
  if (flow.person === null || !desks.includes(flow.person)) {
    missed(talk, 'dont_know');
    return;
  }
  say(talk, 'dont_know_offer', 'question');
  update(talk, { offered: true });
  listen(talk, { kind: 'yes-no' });
}

function answerOffer(talk: Talk, tokens: readonly string[]): boolean {
  const yes = polarity(tokens, talk.script.pack);
  update(talk, { offered: false });
  if (yes === null) return false;
  if (yes) toPerson(talk, talk.script.flow.person);
  else {
    say(talk, 'all_right', 'statement');
    askAgain(talk);
  }
  return true;
}

// ---- at a step ----

type StepOf<T extends Step['t']> = Extract<Step, { t: T }>;

/** True when the words fitted the open question, or corrected an earlier answer. */
function atStep(talk: Talk, tokens: readonly string[]): boolean {
  const step = stepOf(talk);
  if (step?.t === 'confirm') return atConfirm(talk, step, tokens);
  return step?.t === 'ask' && atAsk(talk, step, tokens);
}

function captureFor(talk: Talk, tokens: readonly string[], asked: string | null, isMeant: (slot: Slot) => boolean): Captured {
  const { flow, pack } = talk.script;
  const slots = Object.values(flow.slots).filter(isMeant);
  return capture(tokens, { pack, slots, asked, text: talk.said, filled: new Set(Object.keys(talk.state.slots)), today: talk.state.today });
}

function atAsk(talk: Talk, step: StepOf<'ask'>, tokens: readonly string[]): boolean {
  // What was chosen stays chosen: "change my table to saturday" corrects the day, it does not choose anew.
  const found = captureFor(talk, tokens, step.slot, ({ name, type }) => name === step.slot || type !== 'choice' || !isFilled(talk, name));
  const corrected = changedSlots(talk, found);
  if (corrected.length === 0 && reopens(talk, step, tokens)) return true;
  const { outOfRange } = found;
  if (found.values.size === 0 && outOfRange.size === 0) return false;
  if (found.values.size === 0 && outOfRange.has(step.slot)) {
    missed(talk, slotOf(talk.script, step.slot)?.outOfRange);
    return true;
  }
  fillAll(talk, found);
  sayOutOfRange(talk, found);
  // A change to what was read back already is read back again.
  const again = confirmStep(talk, corrected);
  if (again !== null) enter(talk, again, 'corrected');
  else if (isFilled(talk, step.slot)) goOn(talk, step.next);
  // Something else was told: kept, and the question stands.
  else askAgain(talk);
  return true;
}

/** "No, that is wrong" to "anything else?": what was confirmed before is opened again. */
function reopens(talk: Talk, step: StepOf<'ask'>, tokens: readonly string[]): boolean {
  const { words } = talk.script.pack;
  if (slotOf(talk.script, step.slot)?.type !== 'yes-no' || !tokens.some((word) => words.wrong.includes(word))) return false;
  const confirm = confirmStep(talk, Object.keys(talk.state.slots));
  if (confirm === null) return false;
  update(talk, { step: confirm, misses: 0 });
  talk.effects.push({ t: 'step', step: confirm, reason: 'rejected' });
  const reopened = stepOf(talk);
  if (reopened?.t === 'confirm') askWhich(talk, reopened);
  return true;
}

/** What cannot be is said, or the caller would take it as understood. */
function sayOutOfRange(talk: Talk, { outOfRange }: Captured): void {
  for (const slot of outOfRange) say(talk, slotOf(talk.script, slot)?.outOfRange ?? 'out_of_range', 'apology');
}

function atConfirm(talk: Talk, step: StepOf<'confirm'>, tokens: readonly string[]): boolean {
  const found = captureFor(talk, tokens, null, ({ name }) => step.slots.includes(name));
  if (changedSlots(talk, found).length > 0) {
    fillAll(talk, found);
    sayOutOfRange(talk, found);
    enter(talk, step.name, 'corrected');
    return true;
  }
  const yes = polarity(tokens, talk.script.pack);
  const wrong = [...found.rejected].find(([slot, { value }]) => own(talk.state.slots, slot)?.value === value)?.[0];
  const anew = wrong ?? (yes === true ? undefined : namedSlot(talk, step, tokens));
  const [outOfRange] = found.outOfRange;
  if (anew !== undefined) askAnew(talk, step, anew);
  else if (outOfRange !== undefined) missed(talk, slotOf(talk.script, outOfRange)?.outOfRange);
  else if (yes !== null) verdict(talk, step, yes);
  // The values as they stand, without a yes: "cancel my table on friday" is none.
  else if (found.values.size > 0 && !talk.state.which) askAgain(talk);
  else return false;
  return true;
}

function verdict(talk: Talk, step: StepOf<'confirm'>, yes: boolean): void {
  if (yes) enter(talk, step.next, 'confirmed');
  else if (talk.state.which) missed(talk);
  else askWhich(talk, step);
}

function askWhich(talk: Talk, step: StepOf<'confirm'>): void {
  const [only, ...others] = step.slots;
  if (only !== undefined && others.length === 0) {
    askAnew(talk, step, only);
    return;
  }
  update(talk, { which: true });
  askAgain(talk);
}

/** Empties a slot and asks for it; the answer leads back to the confirmation. */
function askAnew(talk: Talk, step: StepOf<'confirm'>, slot: string): void {
  const ask = askStep(talk, slot);
  forget(talk, [slot]);
  update(talk, { back: step.name });
  if (ask === null) askAgain(talk);
  else enter(talk, ask, 'corrected');
}

/** "the day is wrong": a slot called by one of its names. */
function namedSlot(talk: Talk, step: StepOf<'confirm'>, tokens: readonly string[]): string | undefined {
  const { pack } = talk.script;
  return step.slots.find((name) => {
    const names = slotOf(talk.script, name)?.names[pack.code] ?? [];
    return names.some((phrase) => pack.tokens(phrase).every((word) => tokens.includes(word)));
  });
}

/** Slots that have another value than the one just said. */
function changedSlots(talk: Talk, found: Captured): string[] {
  return [...found.values].flatMap(([slot, { value }]) => {
    const before = own(talk.state.slots, slot);
    return before !== undefined && before.value !== value ? [slot] : [];
  });
}

function isFilled(talk: Talk, slot: string): boolean {
  return own(talk.state.slots, slot) !== undefined;
}

function fillAll(talk: Talk, found: Captured): void {
  for (const [slot, value] of found.values) fill(talk, slot, value);
}

/** The step that reads one of these slots back, if all it reads back is known. */
function confirmStep(talk: Talk, slots: readonly string[]): string | null {
  const steps = Object.values(talk.script.flow.steps);
  const found = steps.find((step) => step.t === 'confirm' && step.slots.some((slot) => slots.includes(slot)));
  if (found?.t !== 'confirm') return null;
  return found.slots.every((slot) => own(talk.state.slots, slot) !== undefined) ? found.name : null;
}
