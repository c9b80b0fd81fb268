/** What names stand for: in expressions the canonical values, in prompts the spoken ones. And how variables get theirs. */
import type { Expression } from '../flow/expression.ts';
import type { Case } from '../flow/types.ts';
import { isHoliday, isOpen, localTime } from '../hours.ts';
import { holds } from './conditions.ts';
import type { FlowState, Source } from './state.ts';
import { own, type Talk, toldBy, update } from './talk.ts';

/** A variable is a name or a word in a prompt. */
export const MAX_VARIABLE = 200;

/** Text of a name in an expression; undefined when it has no value. */
export function read(talk: Talk, name: string): string | undefined {
  const { state } = talk;
  const [scope = '', field] = name.split('.');
  if (field === undefined) return canonical(state, name);
  switch (scope) {
    case 'call':
    case 'contact':
      return own(state[scope], field);
    case 'filled':
      return String((canonical(state, field) ?? '') !== '');
    case 'line':
      return lineFact(state, field);
    case 'history':
      return historyFact(state, field);
    case 'cost':
      return field === 'spent' ? String(state.spent) : String(Math.min(budgetLeft(talk), Number.MAX_SAFE_INTEGER));
    case 'chosen':
      return chosenFact(state, field);
    case 'now':
    case 'hours':
      return timeFact(talk, scope, field);
    default:
      return undefined;
  }
}

function canonical(state: FlowState, name: string): string | undefined {
  return own(state.slots, name)?.value ?? own(state.variables, name);
}

function lineFact({ facts }: FlowState, field: string): string {
  if (field === 'known') return String((facts.from ?? '') !== '');
  return (field === 'to' ? facts.to : facts.from) ?? '';
}

/** Who never called has called zero times. */
function historyFact({ facts: { history } }: FlowState, field: string): string {
  if (field === 'last') return history?.lastOutcome ?? '';
  return String((field === 'calls' ? history?.calls : history?.daysSince) ?? 0);
}

function chosenFact(state: FlowState, field: string): string {
  return (field === 'language' ? state.language : field === 'risk' ? state.risk : field === 'persona' ? state.persona : state.model) ?? '';
}

function timeFact({ script, state }: Talk, scope: string, field: string): string | undefined {
  const { hours } = script.flow;
  const { wallMs } = state.facts;
  if (wallMs === undefined || hours === null) return scope === 'now' && field === 'day' ? state.today : undefined;
  const local = localTime(wallMs, hours.zone);
  if (scope === 'hours') return String(field === 'open' ? isOpen(hours, local) : isHoliday(hours, local.day));
  if (field === 'day') return local.day;
  if (field === 'weekday') return String(local.weekday);
  return [Math.floor(local.minute / 60), local.minute % 60].map((part) => String(part).padStart(2, '0')).join(':');
}

/** What the call may still cost; Infinity without a bound. */
export function budgetLeft({ script, state }: Talk): number {
  const bound = Math.min(script.flow.budget ?? Infinity, state.facts.budget ?? Infinity);
  return Math.max(0, bound - state.spent);
}

export function spend(talk: Talk, cost: number): void {
  if (cost > 0) update(talk, { spent: talk.state.spent + cost });
}

/** True when every condition and the expression hold. What cannot be told does not hold. */
export function caseHolds(talk: Talk, { when, expression }: Pick<Case, 'when' | 'expression'>): boolean {
  return when.every((condition) => holds(talk, condition)) && (expression === null || isTrue(talk, expression));
}

function isTrue(talk: Talk, expression: Expression): boolean {
  return expression.evaluate((name) => read(talk, name)) === 'true';
}

/** The step `set`: in order, so that later values see earlier ones. A value that cannot be told changes nothing. */
export function assign(talk: Talk, values: readonly (readonly [string, Expression])[]): void {
  for (const [target, expression] of values) {
    const value = expression.evaluate((name) => read(talk, name));
    if (value === null) talk.effects.push({ t: 'refused', what: `set ${target}`, rule: 'no-value' });
    else setVariable(talk, target, value, sourceOf(talk.state, expression.names));
  }
}

/** `source` null: words of ours. */
export function setVariable(talk: Talk, target: string, value: string, source: Source | null): void {
  const text = value.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_VARIABLE);
  const [scope, field] = target.split('.');
  const others = Object.fromEntries(Object.entries(talk.state.told).filter(([name]) => name !== target));
  update(talk, { told: source === null ? others : { ...others, [target]: source } });
  if (field === undefined) update(talk, { variables: { ...talk.state.variables, [target]: text } });
  else if (scope === 'call') update(talk, { call: { ...talk.state.call, [field]: text } });
  else if (scope === 'contact') {
    update(talk, { contact: { ...talk.state.contact, [field]: text }, remembered: { ...talk.state.remembered, [field]: text } });
    talk.effects.push({ t: 'remember', name: field, value: text });
  }
}

/** Where a text made of these names comes from. */
export function sourceOf(state: FlowState, names: readonly string[]): Source | null {
  const sources = names.map((name) => toldBy(state, name)).filter((source) => source !== null);
  return sources.includes('tool') ? 'tool' : (sources[0] ?? null);
}
