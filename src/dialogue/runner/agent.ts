/**
 * The step `agent`: a model plans with tools, inside limits that it cannot move. Which tools, how many thoughts, calls and tokens, whether the
 * caller or a colleague must agree: all of that is decided here, in code, whatever the model or anybody else says.
 */
import type { ChatMessage, ToolCall, ToolDefinition, ToolOutcome, ToolShape, ToolSpec, ToolValue } from '../../contracts/index.ts';
import type { Step } from '../flow/types.ts';
import { polarity } from '../understand/capture.ts';
import { checkSpoken } from './guard.ts';
import type { AgentState } from './state.ts';
import { enter, hangUp, transfer } from './steps.ts';
import { listen, own, say, sayText, stepOf, type Talk, update } from './talk.ts';
import { nextId, request } from './tool-step.ts';

type Agent = Step & { t: 'agent' };

const LONGEST_YES = 6;

const FINISH: ToolSpec = { name: 'finish', description: 'The goal is reached.', parameters: { type: 'object', properties: {} } };
const ASK_PERSON: ToolSpec = {
  name: 'ask_person',
  description: 'Put the caller through to a person.',
  parameters: { type: 'object', properties: {} },
};

/** What the caller said at the agent step. */
export function heardByAgent(talk: Talk, step: Agent, tokens: readonly string[]): void {
  const { agent } = talk.state;
  if (agent === null) return;
  if (agent.asked !== null) {
    const yes = polarity(tokens, talk.script.pack);
    // A yes to something that has an effect is short: a speech with a yes in it is none.
    answeredShallI(talk, step, agent.asked, yes === true && tokens.length > LONGEST_YES ? null : yes);
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
    nextCall(talk, step);
    return;
  }
  const checked = checkArguments(call, definition);
  if (checked !== null) request(talk, definition, checked);
}

function think(talk: Talk, step: Agent): void {
  const { agent } = talk.state;
  const { thoughts, tokens, timeoutMs } = step.budget;
  if (agent === null || agent.thoughts >= thoughts || agent.tokens >= tokens) {
    refuse(talk, 'thought', 'budget');
    giveUp(talk, step);
    return;
  }
  const id = nextId(talk);
  change(talk, { thoughts: agent.thoughts + 1 });
  update(talk, { phase: 'working', errand: { id, t: 'think', tool: null, arguments: {}, wasSlow: false } });
  const tools = step.tools.flatMap((name) => specOf(own(talk.script.flow.tools, name)));
  const maxTokens = Math.min(300, tokens - agent.tokens);
  talk.effects.push({ t: 'think', id, messages: agent.messages, tools: [...tools, FINISH, ASK_PERSON], maxTokens, timeoutMs });
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
  if (calls.length > 0) nextCall(talk, step);
  else speak(talk, step, thought.text);
}

/** Says it, or something harmless in its place. */
function speak(talk: Talk, step: Agent, raw: string): void {
  const text = raw.replace(/\s+/g, ' ').trim();
  const grounds = talk.state.agent?.grounds ?? [];
  const secret = talk.state.agent?.messages[0]?.text ?? '';
  const verdict = checkSpoken(text, { pack: talk.script.pack, grounds, forbidden: step.forbidden, secret, today: talk.state.today });
  if (text !== '' && verdict.ok) sayText(talk, { t: 'say', text, prompt: `agent_${step.name}`, kind: 'answer', interruptible: true });
  else {
    refuse(talk, 'speech', verdict.ok ? 'empty' : verdict.rule);
    say(talk, 'dont_know', 'answer');
  }
  listen(talk, { kind: 'free' });
}

/** The next call of the last thought, or a new thought when all are done. */
function nextCall(talk: Talk, step: Agent): void {
  for (;;) {
    const { agent } = talk.state;
    const call = agent?.pending[0];
    if (agent === null || call === undefined) {
      think(talk, step);
      return;
    }
    change(talk, { pending: agent.pending.slice(1) });
    if (call.name === 'finish') {
      enter(talk, step.next, 'finished');
      return;
    }
    if (call.name === 'ask_person') {
      giveUp(talk, step);
      return;
    }
    if (beginCall(talk, step, call)) return;
  }
}

/** True when something was begun that will be answered; a refusal is told to the model. */
function beginCall(talk: Talk, step: Agent, call: ToolCall): boolean {
  const definition = step.tools.includes(call.name) ? own(talk.script.flow.tools, call.name) : undefined;
  const spent = talk.state.agent?.calls ?? 0;
  const checked = definition === undefined ? null : checkArguments(call, definition);
  const rule =
    definition === undefined ? 'tool-not-allowed' : checked === null ? 'arguments' : spent >= step.budget.calls ? 'budget' : null;
  if (definition === undefined || checked === null || rule !== null) {
    refuse(talk, 'tool', rule ?? 'arguments');
    toolSaid(talk, call, `Refused: ${rule ?? 'arguments'}.`);
    return false;
  }
  change(talk, { calls: spent + 1 });
  if (definition.effect === 'read') {
    request(talk, definition, checked);
    return true;
  }
  // Whatever has an effect is read back by us, not by the model, and needs the caller's own yes.
  change(talk, { asked: call });
  const details = Object.values(checked).map(String).join(', ');
  const text = [definition.description, details].filter((part) => part !== '').join(': ');
  sayText(talk, { t: 'say', text: `${text}.`, prompt: `tool_${definition.name}`, kind: 'confirm', interruptible: true });
  say(talk, 'shall_i', 'question');
  listen(talk, { kind: 'yes-no' });
  return true;
}

/** A tool answered: the model gets it as data. */
export function agentToolDone(talk: Talk, step: Agent, tool: string, outcome: ToolOutcome | 'not-approved'): void {
  const { agent } = talk.state;
  if (agent === null) return;
  const call = lastCall(agent, tool);
  const text =
    outcome === 'not-approved'
      ? 'Refused: a colleague did not agree.'
      : outcome.ok
        ? JSON.stringify(outcome.data)
        : `Failed: ${outcome.reason}.`;
  if (outcome !== 'not-approved' && outcome.ok) change(talk, { grounds: [...agent.grounds, Object.values(outcome.data).join(' ; ')] });
  toolSaid(talk, call, text);
  nextCall(talk, step);
}

/** The first call of that tool without an answer. */
function lastCall({ messages }: AgentState, tool: string): ToolCall {
  const answered = new Set(messages.flatMap((message) => (message.role === 'tool' ? [message.callId] : [])));
  const calls = messages.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []));
  return calls.find(({ id, name }) => name === tool && !answered.has(id)) ?? { id: tool, name: tool, arguments: {} };
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

/** Null when they do not fit; what comes from the call's context is dropped, so a model cannot choose it. */
export function checkArguments(call: ToolCall, { arguments: shape }: ToolDefinition): Readonly<Record<string, ToolValue>> | null {
  const given: Record<string, ToolValue> = {};
  for (const [name, field] of Object.entries(shape)) {
    if (field.context !== null) continue;
    const value = Object.hasOwn(call.arguments, name) ? call.arguments[name] : undefined;
    if (value === undefined && field.optional) continue;
    if (typeof value !== field.type || (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')) return null;
    if (typeof value === 'string' && value.length > field.maxLength) return null;
    if (typeof value === 'number' && !Number.isFinite(value)) return null;
    if (field.oneOf !== null && !field.oneOf.includes(value)) return null;
    given[name] = value;
  }
  return given;
}

function specOf(definition: ToolDefinition | undefined): ToolSpec[] {
  if (definition === undefined) return [];
  return [{ name: definition.name, description: definition.description, parameters: schemaOf(definition.arguments) }];
}

function schemaOf(shape: ToolShape): ToolSpec['parameters'] {
  const fields = Object.entries(shape).filter(([, field]) => field.context === null);
  const properties = Object.fromEntries(fields.map(([name, { type, oneOf }]) => [name, oneOf === null ? { type } : { type, enum: oneOf }]));
  return {
    type: 'object',
    properties,
    required: fields.filter(([, field]) => !field.optional).map(([name]) => name),
    additionalProperties: false,
  };
}

function remember(talk: Talk, message: ChatMessage): void {
  const { agent } = talk.state;
  if (agent !== null) update(talk, { agent: { ...agent, messages: [...agent.messages, message] } });
}

function change(talk: Talk, part: Partial<AgentState>): void {
  const { agent } = talk.state;
  if (agent !== null) update(talk, { agent: { ...agent, ...part } });
}

function refuse(talk: Talk, what: string, rule: string): void {
  talk.effects.push({ t: 'refused', what, rule });
}

export function agentStep(talk: Talk): Agent | null {
  const step = stepOf(talk);
  return step?.t === 'agent' ? step : null;
}
