/** Answers from outside, and a caller who speaks while we wait for them. Every answer leads on, whatever it is. */
import type { DialogueEvent, ToolDefinition, ToolOutcome } from '../../contracts/index.ts';
import { agentStep, agentThought, agentToolDone } from './agent.ts';
import { endErrand } from './open-errands.ts';
import { routeAnswered, routeOf } from './route.ts';
import type { OpenErrand } from './state.ts';
import { enter, hangUp, transfer } from './steps.ts';
import { outcomeOf, own, say, stepOf, type Talk, update } from './talk.ts';
import { afterReview, callTool, gathered, takeResult } from './tool-step.ts';

export type ErrandEvent = Extract<DialogueEvent, { readonly id: string }>;
export type CallerEvent = Exclude<DialogueEvent, ErrandEvent | { t: 'start' | 'said' | 'transfer-failed' | 'recovered' }>;

const ANSWERED_BY: Readonly<Record<OpenErrand['t'], ErrandEvent['t']>> = {
  think: 'thought',
  review: 'thought',
  tool: 'tool-result',
  approval: 'approval-result',
};

/** An answer to what is not open, or of another kind, is none. */
export function errandDone(talk: Talk, event: ErrandEvent): void {
  const errand = talk.state.open.find(({ id }) => id === event.id);
  if (errand === undefined) return;
  if (event.t === 'errand-slow') {
    slow(talk, errand);
    return;
  }
  if (ANSWERED_BY[errand.t] !== event.t) return;
  endErrand(talk, errand.id);
  if (event.t === 'approval-result') decided(talk, errand, event.decision);
  else if (event.t === 'tool-result') toolDone(talk, errand, event.outcome);
  else if (errand.t === 'review') reviewed(talk, errand, event.answer?.text ?? null);
  else thought(talk, event.answer);
}

/** One word for all that is under way. */
function slow(talk: Talk, errand: OpenErrand): void {
  const { open } = talk.state;
  if (open.some(({ wasSlow }) => wasSlow)) return;
  const step = stepOf(talk);
  update(talk, { open: open.map((one) => (one.id === errand.id ? { ...one, wasSlow: true } : one)) });
  const wait = step?.t === 'do' || step?.t === 'gather' ? step.wait : 'one_moment';
  say(talk, errand.t === 'approval' ? 'asking_approval' : wait, 'statement');
}

function thought(talk: Talk, answer: Extract<ErrandEvent, { t: 'thought' }>['answer']): void {
  const route = routeOf(talk);
  const agent = agentStep(talk);
  if (route !== null) enter(talk, routeAnswered(talk, route, answer?.text ?? null), 'routed');
  else if (agent !== null) agentThought(talk, agent, answer);
  else hangUp(talk, 'flow-error');
}

/** Only a plain yes is one: a reviewer that fails, hesitates or explains has not agreed. */
function reviewed(talk: Talk, errand: OpenErrand, answer: string | null): void {
  const definition = definitionOf(talk, errand);
  const isGood = answer !== null && /^\W*yes\W*$/i.test(answer);
  if (definition !== undefined && isGood) afterReview(talk, definition, errand.arguments, errand);
  else notApproved(talk, errand, answer === null ? 'review-failed' : 'review-denied');
}

function decided(talk: Talk, errand: OpenErrand, decision: 'approved' | 'denied' | 'timeout'): void {
  const definition = definitionOf(talk, errand);
  if (definition !== undefined && decision === 'approved') callTool(talk, definition, errand.arguments, errand.id, errand);
  else notApproved(talk, errand, `approval-${decision}`);
}

function notApproved(talk: Talk, errand: OpenErrand, rule: string): void {
  talk.effects.push({ t: 'refused', what: 'tool', rule });
  const agent = agentStep(talk);
  if (agent !== null) {
    agentToolDone(talk, agent, errand, 'not-approved');
    return;
  }
  say(talk, 'not_approved', 'apology');
  goOnFailed(talk);
}

function definitionOf(talk: Talk, { tool }: OpenErrand): ToolDefinition | undefined {
  return tool === null ? undefined : own(talk.script.flow.tools, tool);
}

function toolDone(talk: Talk, errand: OpenErrand, outcome: ToolOutcome): void {
  const step = stepOf(talk);
  const agent = agentStep(talk);
  if (agent !== null) agentToolDone(talk, agent, errand, outcome);
  else if (step?.t === 'gather') {
    const isEnough = gathered(talk, step, errand.use, outcome);
    if (isEnough === true) enter(talk, step.next, 'done');
    else if (isEnough === false) goOnFailed(talk);
  } else if (step?.t !== 'do') hangUp(talk, 'flow-error');
  else if (outcome.ok) {
    takeResult(talk, step, definitionOf(talk, errand), outcome);
    enter(talk, step.next, 'done');
  } else {
    say(talk, step.failure, 'apology');
    goOnFailed(talk);
  }
}

function goOnFailed(talk: Talk): void {
  const { person } = talk.script.flow;
  const step = stepOf(talk);
  const failed = step?.t === 'do' || step?.t === 'gather' ? step.failed : null;
  if (failed !== null) enter(talk, failed, 'tool failed');
  else if (person === null || !talk.script.desks.includes(person)) hangUp(talk, outcomeOf(talk) ?? 'tool-failed');
  else transfer(talk, person, 'transferring');
}

/** The caller speaks while we wait: a person and a goodbye are granted, anything else hears that we are at it. */
export function whileWorking(talk: Talk, event: CallerEvent): void {
  const { flow, desks, pack } = talk.script;
  update(talk, { turns: talk.state.turns + 1 });
  const intent = event.t === 'heard' ? talk.script.intent(pack.tokens(event.text.slice(0, 1000))) : null;
  const wantsPerson = intent === 'person' || (event.t === 'digits' && event.digits === '0');
  const isLeaving = wantsPerson || intent === 'goodbye' || talk.state.turns > flow.limits.turns;
  if (!isLeaving) {
    say(talk, 'one_moment', 'statement');
    return;
  }
  update(talk, { open: [] });
  if (intent === 'goodbye') hangUp(talk, outcomeOf(talk) ?? 'goodbye');
  else if (flow.person !== null && desks.includes(flow.person)) transfer(talk, flow.person, 'transferring');
  else hangUp(talk, 'no-person', 'give_up_goodbye');
}
