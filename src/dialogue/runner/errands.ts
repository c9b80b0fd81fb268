/** Answers from outside, and a caller who speaks while we wait for them. Every answer leads on, whatever it is. */
import type { DialogueEvent, ToolDefinition, ToolOutcome } from '../../contracts/index.ts';
import type { Step } from '../flow/types.ts';
import { agentStep, agentThought, agentToolDone } from './agent.ts';
import { routeAnswered, routeOf } from './route.ts';
import { enter, hangUp, transfer } from './steps.ts';
import { own, say, stepOf, type Talk, update } from './talk.ts';
import { callTool } from './tool-step.ts';
import type { OpenErrand } from './state.ts';

export type ErrandEvent = Extract<DialogueEvent, { readonly id: string }>;
export type CallerEvent = Exclude<DialogueEvent, ErrandEvent | { t: 'start' | 'said' | 'transfer-failed' | 'recovered' }>;

/** Longer results are no words for a telephone. */
const MAX_VALUE = 200;

export function errandDone(talk: Talk, event: ErrandEvent): void {
  const { errand } = talk.state;
  if (errand === null) return;
  if (event.t === 'errand-slow') {
    if (!errand.wasSlow) slow(talk, errand);
    return;
  }
  if ((event.t === 'thought' ? 'think' : event.t === 'tool-result' ? 'tool' : 'approval') !== errand.t) return;
  update(talk, { errand: null });
  if (event.t === 'thought') thought(talk, event.answer);
  else if (event.t === 'approval-result') decided(talk, errand, event.id, event.decision);
  else if (errand.tool !== null) toolDone(talk, errand.tool, event.outcome);
}

function slow(talk: Talk, errand: OpenErrand): void {
  const step = stepOf(talk);
  update(talk, { errand: { ...errand, wasSlow: true } });
  const prompt = errand.t === 'approval' ? 'asking_approval' : step?.t === 'do' ? step.wait : 'one_moment';
  say(talk, prompt, 'statement');
}

function thought(talk: Talk, answer: Extract<ErrandEvent, { t: 'thought' }>['answer']): void {
  const route = routeOf(talk);
  const agent = agentStep(talk);
  if (route !== null) enter(talk, routeAnswered(talk, route, answer?.text ?? null), 'routed');
  else if (agent !== null) agentThought(talk, agent, answer);
  else hangUp(talk, 'flow-error');
}

function decided(talk: Talk, errand: OpenErrand, approval: string, decision: 'approved' | 'denied' | 'timeout'): void {
  const definition: ToolDefinition | undefined = errand.tool === null ? undefined : own(talk.script.flow.tools, errand.tool);
  if (definition !== undefined && decision === 'approved') {
    callTool(talk, definition, errand.arguments, approval);
    return;
  }
  talk.effects.push({ t: 'refused', what: 'tool', rule: `approval-${decision}` });
  const step = stepOf(talk);
  const agent = agentStep(talk);
  if (agent !== null) agentToolDone(talk, agent, errand.tool ?? '', 'not-approved');
  else {
    say(talk, 'not_approved', 'apology');
    goOnFailed(talk, step?.t === 'do' ? step : null);
  }
}

function toolDone(talk: Talk, tool: string, outcome: ToolOutcome): void {
  const step = stepOf(talk);
  const agent = agentStep(talk);
  if (agent !== null) agentToolDone(talk, agent, tool, outcome);
  else if (step?.t !== 'do') hangUp(talk, 'flow-error');
  else if (outcome.ok) {
    const filled = Object.entries(step.into).map(([field, variable]) => [variable, plain(own(outcome.data, field))] as const);
    update(talk, { variables: { ...talk.state.variables, ...Object.fromEntries(filled) } });
    enter(talk, step.next, 'done');
  } else {
    say(talk, step.failure, 'apology');
    goOnFailed(talk, step);
  }
}

function goOnFailed(talk: Talk, step: (Step & { t: 'do' }) | null): void {
  const { person } = talk.script.flow;
  if (step !== null && step.failed !== null) enter(talk, step.failed, 'tool failed');
  else if (person === null || !talk.script.desks.includes(person)) hangUp(talk, talk.state.outcome ?? 'tool-failed');
  else transfer(talk, person, 'transferring');
}

/** A value becomes a text for prompts and conditions: short, in one line. Prompts never look into it for placeholders. */
function plain(value: string | number | boolean | undefined): string {
  return String(value ?? '')
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, MAX_VALUE);
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
  update(talk, { errand: null });
  if (intent === 'goodbye') hangUp(talk, talk.state.outcome ?? 'goodbye');
  else if (flow.person !== null && desks.includes(flow.person)) transfer(talk, flow.person, 'transferring');
  else hangUp(talk, 'no-person', 'give_up_goodbye');
}
