/**
 * The step `agent`: a model plans with tools, inside limits that it cannot move. Which tools, how many thoughts, calls and tokens, whether the
 * caller, a reviewer or a colleague must agree: all of that is decided here, in code, whatever the model or anybody else says.
 */
import type { ToolCall, ToolDefinition, ToolOutcome, ToolValue } from '../../contracts/index.ts';
import type { Step } from '../flow/types.ts';
import { polarity } from '../understand/capture.ts';
import { beginAgent, change, remember } from './agent-state.ts';
import { checkArguments, specsOf } from './agent-tools.ts';
import { checkSpoken, checkTold } from './guard.ts';
import { beginThought } from './open-errands.ts';
import type { OpenErrand } from './state.ts';
import { enter, hangUp, placeOf, transfer } from './steps.ts';
import { listen, own, ownDetails, say, sayText, stepOf, type Talk, update } from './talk.ts';
import { request } from './tool-step.ts';
import { budgetLeft, spend } from './values.ts';

type Agent = Step & { t: 'agent' };

const LONGEST_YES = 6;
/** From agent to agent in one call: two that cannot help must not pass a caller back and forth. */
const MAX_HANDOVERS = 3;
/** Answers in a row that could not be spoken: then a person is better. */
const MAX_REFUSED = 2;

/** What the caller said at the agent step. */
export function heardByAgent(talk: Talk, step: Agent, tokens: readonly string[]): void {
  const { agent } = talk.state;
  if (agent === null) return;
  if (agent.asked !== null) {
    const yes = polarity(tokens, talk.script.pack);
    // A yes to something that has an effect is short and clear: a speech with a yes in it is none, nor is a mumble.
    const isClear = tokens.length <= LONGEST_YES && talk.confidence >= talk.script.flow.limits.yesConfidence;
    answeredShallI(talk, step, agent.asked, yes === true && !isClear ? null : yes);
    return;
  }
  remember(talk, { role: 'user', text: talk.said.slice(0, 1000) });
  think(talk, step);
}

function answeredShallI(talk: Talk, step: Agent, call: ToolCall, yes: boolean | null): void {
  if (yes === null) {
    say(talk, 'shall_i', 'question');
    listen(talk, { kind: 'yes-no' });
    return;
  }
  change(talk, { asked: null });
  const definition = own(talk.script.flow.tools, call.name);
  if (!yes || definition === undefined) {
    toolSaid(talk, call, 'The caller said no.');
    nextCalls(talk, step);
    return;
  }
  const checked = checkArguments(call, definition);
  if (checked !== null) request(talk, definition, checked, { call: call.id, use: null });
}

function think(talk: Talk, step: Agent): void {
  const { agent } = talk.state;
  if (agent === null || isSpent(talk, step)) {
    refuse(talk, 'thought', 'budget');
    giveUp(talk, step);
    return;
  }
  const model = step.model ?? talk.state.model;
  spend(talk, costOf(talk, model));
  change(talk, { thoughts: agent.thoughts + 1, sinceMs: agent.sinceMs ?? talk.atMs });
  talk.effects.push({
    t: 'think',
    id: beginThought(talk),
    messages: agent.messages,
    tools: specsOf(talk, step),
    maxTokens: Math.min(300, step.budget.tokens - agent.tokens),
    timeoutMs: step.budget.timeoutMs,
    ...(model === null ? {} : { model }),
  });
}

/** Thoughts, tokens, time or money. */
function isSpent(talk: Talk, { budget, model }: Agent): boolean {
  const { agent } = talk.state;
  if (agent === null) return true;
  const isLate = agent.sinceMs !== null && talk.atMs !== null && talk.atMs - agent.sinceMs > budget.totalMs;
  const isDear = costOf(talk, model ?? talk.state.model) > budgetLeft(talk);
  return agent.thoughts >= budget.thoughts || agent.tokens >= budget.tokens || isLate || isDear;
}

function costOf(talk: Talk, model: string | null): number {
  return model === null ? 0 : (own(talk.script.flow.models, model)?.cost ?? 0);
}

export interface Thought {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly tokens: number;
}

export function agentThought(talk: Talk, step: Agent, thought: Thought | null): void {
  const { agent } = talk.state;
  if (agent === null || thought === null) {
    giveUp(talk, step);
    return;
  }
  const calls = thought.calls.slice(0, 8);
  change(talk, { tokens: agent.tokens + Math.max(0, thought.tokens), pending: calls });
  remember(
    talk,
    calls.length === 0 ? { role: 'assistant', text: thought.text } : { role: 'assistant', text: thought.text, toolCalls: calls },
  );
  if (calls.length > 0) nextCalls(talk, step);
  else speak(talk, step, thought.text);
}

/** Says it, or something harmless in its place; who cannot say anything true twice is no help. */
function speak(talk: Talk, step: Agent, raw: string): void {
  const { agent } = talk.state;
  if (agent === null) return;
  const text = raw.replace(/\s+/g, ' ').trim();
  const verdict = checkSpoken(text, {
    pack: talk.script.pack,
    grounds: agent.grounds,
    forbidden: [...step.forbidden, ...talk.script.flow.forbidden],
    secret: agent.messages[0]?.text ?? '',
    today: talk.state.today,
    own: [...agent.own, ...ownDetails(talk.state)],
  });
  if (text !== '' && verdict.ok) {
    change(talk, { refused: 0 });
    sayText(talk, { t: 'say', text, prompt: `agent_${step.name}`, kind: 'answer', interruptible: true });
  } else {
    refuse(talk, 'speech', verdict.ok ? 'empty' : verdict.rule);
    change(talk, { refused: agent.refused + 1 });
    if (agent.refused + 1 >= MAX_REFUSED) {
      giveUp(talk, step);
      return;
    }
    say(talk, 'dont_know', 'answer');
  }
  listen(talk, { kind: 'free' });
}

/** The next calls of the last thought: those that only read side by side, any other by itself; a new thought when all are done. */
function nextCalls(talk: Talk, step: Agent): void {
  for (;;) {
    const { agent, open } = talk.state;
    const call = agent?.pending[0];
    if (agent === null || call === undefined) {
      if (open.length === 0) think(talk, step);
      return;
    }
    const kind = kindOf(talk, step, call);
    if (kind !== 'read' && open.length > 0) return;
    change(talk, { pending: agent.pending.slice(1) });
    if (kind === 'finish') {
      enter(talk, step.next, 'finished');
      return;
    }
    if (kind === 'ask_person') {
      giveUp(talk, step);
      return;
    }
    if (kind === 'hand_over') {
      if (handOver(talk, step, call)) return;
    } else if (beginCall(talk, step, call) && kind !== 'read') return;
  }
}

type Kind = 'finish' | 'ask_person' | 'hand_over' | 'read' | 'act';

function kindOf(talk: Talk, step: Agent, { name }: ToolCall): Kind {
  if (name === 'finish' || name === 'ask_person') return name;
  if (name === 'hand_over' && Object.keys(step.specialists).length > 0) return name;
  const definition = step.tools.includes(name) ? own(talk.script.flow.tools, name) : undefined;
  const isPlain = definition?.effect === 'read' && !definition.approval && (definition.review ?? null) === null;
  return isPlain ? 'read' : 'act';
}

/** True when another agent has the caller now; it goes on with what was said, and thinks at once. */
function handOver(talk: Talk, step: Agent, call: ToolCall): boolean {
  const to = call.arguments['to'];
  const { agent } = talk.state;
  const other = typeof to === 'string' && Object.hasOwn(step.specialists, to) ? own(talk.script.flow.steps, to) : undefined;
  if (agent === null || other?.t !== 'agent' || agent.handovers >= MAX_HANDOVERS) {
    refuse(talk, 'handover', other?.t === 'agent' ? 'budget' : 'specialist-not-known');
    toolSaid(talk, call, 'Refused.');
    return false;
  }
  talk.effects.push({ t: 'route', step: step.name, choice: other.name, by: 'model', evidence: `handover ${agent.handovers + 1}` });
  update(talk, { step: other.name, misses: 0, ...(other.outcome === null ? {} : { outcome: other.outcome }) });
  talk.effects.push({ t: 'step', step: placeOf(talk, other.name), reason: 'handed over' });
  beginAgent(talk, other, agent);
  think(talk, other);
  return true;
}

/** True when something was begun that will be answered; a refusal is told to the model. */
function beginCall(talk: Talk, step: Agent, call: ToolCall): boolean {
  const definition = step.tools.includes(call.name) ? own(talk.script.flow.tools, call.name) : undefined;
  const spent = talk.state.agent?.calls ?? 0;
  const checked = definition === undefined ? null : checkArguments(call, definition);
  const isDear = spent >= step.budget.calls || (definition?.cost ?? 0) > budgetLeft(talk);
  const rule = definition === undefined ? 'tool-not-allowed' : checked === null ? 'arguments' : isDear ? 'budget' : null;
  if (definition === undefined || checked === null || rule !== null) {
    refuse(talk, 'tool', rule ?? 'arguments');
    toolSaid(talk, call, `Refused: ${rule ?? 'arguments'}.`);
    return false;
  }
  if (definition.effect === 'read') request(talk, definition, checked, { call: call.id, use: null });
  else if (!readBack(talk, call, definition, checked)) return false;
  change(talk, { calls: spent + 1 });
  return true;
}

/**
 * Whatever has an effect is read back by us, not by the model, and needs the caller's own yes. False when the arguments cannot be spoken:
 * what cannot be read back cannot be agreed to.
 */
function readBack(talk: Talk, call: ToolCall, definition: ToolDefinition, given: Readonly<Record<string, ToolValue>>): boolean {
  const details = Object.values(given).map(String).join(', ');
  const mine = [
    ...(talk.state.agent?.own ?? []),
    ...ownDetails(talk.state),
    talk.state.agent?.messages.map(({ text }) => text).join(' ') ?? '',
  ];
  const verdict = checkTold(details, [{ text: details, source: 'tool' }], { forbidden: talk.script.flow.forbidden, own: mine });
  if (!verdict.ok) {
    refuse(talk, 'tool', verdict.rule);
    toolSaid(talk, call, 'Refused: arguments.');
    return false;
  }
  change(talk, { asked: call });
  const text = [definition.description, details].filter((part) => part !== '').join(': ');
  sayText(talk, { t: 'say', text: `${text}.`, prompt: `tool_${definition.name}`, kind: 'confirm', interruptible: true });
  say(talk, 'shall_i', 'question');
  listen(talk, { kind: 'yes-no' });
  return true;
}

/** A tool answered: the model gets it as data, when all that it asked for at once are there. */
export function agentToolDone(talk: Talk, step: Agent, errand: OpenErrand, outcome: ToolOutcome | 'not-approved'): void {
  const { agent } = talk.state;
  if (agent === null) return;
  const name = errand.tool ?? '';
  const call: ToolCall = { id: errand.call ?? name, name, arguments: {} };
  if (outcome === 'not-approved') toolSaid(talk, call, 'Refused: it was not agreed to.');
  else if (!outcome.ok) toolSaid(talk, call, `Failed: ${outcome.reason}.`);
  else {
    const shape = own(talk.script.flow.tools, name)?.result ?? {};
    const personal = Object.entries(outcome.data).filter(([field]) => own(shape, field)?.personal === true);
    change(talk, {
      grounds: [...agent.grounds, Object.values(outcome.data).join(' ; ')],
      own: [...agent.own, ...personal.map(([, value]) => String(value))],
    });
    toolSaid(talk, call, JSON.stringify(outcome.data));
  }
  nextCalls(talk, step);
}

function toolSaid(talk: Talk, call: ToolCall, text: string): void {
  remember(talk, { role: 'tool', callId: call.id, name: call.name, text });
}

function giveUp(talk: Talk, step: Agent): void {
  const { person } = talk.script.flow;
  if (step.otherwise !== null) enter(talk, step.otherwise, 'agent gave up');
  else if (person === null || !talk.script.desks.includes(person)) hangUp(talk, 'agent-gave-up', 'give_up_goodbye');
  else transfer(talk, person, 'transferring');
}

function refuse(talk: Talk, what: string, rule: string): void {
  talk.effects.push({ t: 'refused', what, rule });
}

export function agentStep(talk: Talk): Agent | null {
  const step = stepOf(talk);
  return step?.t === 'agent' ? step : null;
}
