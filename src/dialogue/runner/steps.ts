/** Going through the flow: from a step on to the next place where the caller is heard, sent on or hung up. */
import type { Expectation } from '../../contracts/index.ts';
import { beginAgent } from './agent-state.ts';
import { chooseRoute } from './route.ts';
import { callFlow, returnFlow } from './frames.ts';
import { beginGather, beginTool } from './tool-step.ts';
import { assign, caseHolds } from './values.ts';
import type { Step } from '../flow/types.ts';
import { expectationOf, forget, listen, outcomeOf, own, say, slotOf, stepOf, type Talk, update } from './talk.ts';

/** A checked flow never comes near it; it keeps a mistake of ours from hanging a call. */
const MAX_STEPS = 100;

export function enter(talk: Talk, name: string, reason: string): void {
  let step: Step | undefined = own(talk.script.flow.steps, name);
  for (let steps = 0; step !== undefined && steps < MAX_STEPS; steps++) {
    update(talk, { step: step.name, misses: 0, which: false, offered: false });
    talk.effects.push({ t: 'step', step: placeOf(talk, step.name), reason: steps === 0 ? reason : 'next' });
    forget(talk, step.forget);
    if (step.outcome !== null) update(talk, { outcome: step.outcome });
    const next = run(talk, step);
    if (next === null) return;
    step = own(talk.script.flow.steps, next);
  }
  hangUp(talk, 'flow-error');
}

/** A step of a called flow has the flow's name before it in the log. */
export function placeOf({ state }: Talk, step: string): string {
  return state.frames.length === 0 ? step : `${state.flow}.${step}`;
}

/** Does one step. Returns the step to go on with, null when the caller is heard or the flow is over. */
function run(talk: Talk, step: Step): string | null {
  switch (step.t) {
    case 'say':
      say(talk, step.prompt, step.kind, step.interruptible);
      return step.next;
    case 'decide':
      return step.cases.find((one) => caseHolds(talk, one))?.next ?? step.otherwise;
    case 'set':
      assign(talk, step.values);
      return step.next;
    case 'ask':
      return isFilled(talk, step.slot) ? step.next : open(talk);
    case 'confirm':
      return confirm(talk, step);
    case 'answer':
      return open(talk);
    case 'do':
      return beginTool(talk, step);
    case 'gather':
      return beginGather(talk, step);
    case 'call':
      return callFlow(talk, step) ?? step.failed ?? stop(talk, 'flow-error');
    case 'route':
      return chooseRoute(talk, step);
    case 'agent':
      beginAgent(talk, step);
      return open(talk);
    case 'transfer':
      return transfer(talk, deskOf(talk, step), step.prompt) ? null : (step.failed ?? stop(talk, 'no-person'));
    case 'end':
      return end(talk, step);
  }
}

/** Puts the question of the present step and waits for the caller. */
function open(talk: Talk): null {
  askAgain(talk);
  return null;
}

function end(talk: Talk, step: Step & { t: 'end' }): string | null {
  if (step.prompt !== null) say(talk, step.prompt, step.how === 'return' ? 'statement' : 'goodbye');
  const next = step.how === 'return' ? returnFlow(talk) : null;
  // A flow that returns to nobody goes back to the dialplan.
  if (next === null) finish(talk, step.how === 'return' ? 'leave' : step.how, outcomeOf(talk) ?? 'completed');
  return next;
}

function confirm(talk: Talk, step: Step & { t: 'confirm' }): string | null {
  const empty = step.slots.find((slot) => !isFilled(talk, slot));
  if (empty === undefined) {
    update(talk, { back: null });
    askAgain(talk);
    return null;
  }
  update(talk, { back: step.name });
  return askStep(talk, empty) ?? step.next;
}

/** Puts the open question (again) and listens. */
export function askAgain(talk: Talk, options: { again?: boolean } = {}): void {
  const step = stepOf(talk);
  if (step?.t === 'ask') say(talk, options.again === true ? step.reprompt : step.prompt, 'question');
  else if (step?.t === 'confirm' && talk.state.which) say(talk, step.which, 'question');
  else if (step?.t === 'confirm') say(talk, step.prompt, 'confirm');
  else if (step?.t === 'answer' || step?.t === 'agent') say(talk, step.prompt, 'question');
  else {
    hangUp(talk, 'flow-error');
    return;
  }
  listen(talk, openExpectation(talk));
}

/** How an answer to the open question may look. */
export function openExpectation(talk: Talk): Expectation {
  const step = stepOf(talk);
  if (step?.t === 'ask') return expectationOf(slotOf(talk.script, step.slot));
  return step?.t === 'confirm' && !talk.state.which ? { kind: 'yes-no' } : { kind: 'free' };
}

/** The step that asks for a slot. */
export function askStep(talk: Talk, slot: string): string | null {
  const steps = Object.values(talk.script.flow.steps);
  return steps.find((step) => step.t === 'ask' && step.slot === slot)?.name ?? null;
}

/** After a slot was filled at its ask step: back to what waits for it, or on. */
export function goOn(talk: Talk, next: string): void {
  const { back } = talk.state;
  update(talk, { back: null });
  enter(talk, back ?? next, back === null ? 'answered' : 'corrected');
}

function deskOf({ script, state }: Talk, { desk, to }: Extract<Step, { t: 'transfer' }>): string {
  const named = to === null ? '' : (own(state.variables, to) ?? '');
  return script.desks.includes(named) ? named : desk;
}

/** False when there is no such desk: nothing was said then. */
export function transfer(talk: Talk, desk: string, prompt: string): boolean {
  if (!talk.script.desks.includes(desk)) {
    say(talk, 'no_person', 'apology');
    return false;
  }
  say(talk, prompt, 'statement');
  update(talk, { phase: 'transferring' });
  talk.effects.push({ t: 'transfer', desk });
  return true;
}

export function hangUp(talk: Talk, outcome: string, prompt = 'goodbye'): void {
  say(talk, prompt, 'goodbye');
  finish(talk, 'hangup', outcome);
}

function finish(talk: Talk, how: 'hangup' | 'leave', outcome: string): void {
  update(talk, { phase: 'ended', outcome });
  talk.effects.push({ t: 'end', how, outcome });
}

function stop(talk: Talk, outcome: string): null {
  hangUp(talk, outcomeOf(talk) ?? outcome);
  return null;
}

function isFilled(talk: Talk, slot: string): boolean {
  return own(talk.state.slots, slot) !== undefined;
}
