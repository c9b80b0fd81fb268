/** From the file's shape to the runner's: short forms are written out, built-in prompts filled in. */
import { BUILTIN_PROMPTS, LANGUAGES } from '../language/index.ts';
import type { ToolDefinition, ToolShape, ToolTarget } from '../../contracts/index.ts';
import type { OpeningHours } from '../hours.ts';
import type { Expression, Expressions, ValueType } from './expression.ts';
import { type Apis, operationTarget } from './openapi.ts';
import { expressionsOf, targetTypes, textValues } from './names.ts';
import type { ChoosingFile, ConditionFile, HoursFile, ParsedFlow, SlotFile, StepFile, ToolFile, WhenFile } from './schema.ts';
import type { Case, Choosing, Condition, Flow, Slot, Step, Texts, WordsByLanguage } from './types.ts';

/** What steps are compiled with. */
interface Workshop {
  readonly expressions: Expressions;
  readonly types: Readonly<Record<string, ValueType>>;
}

export function compileFlow(parsed: ParsedFlow, file: string, version: string, apis: Apis | null): Flow {
  const { flow, slots, steps } = parsed;
  const { language } = flow;
  const types = targetTypes(flow);
  const workshop: Workshop = { expressions: expressionsOf(parsed), types };
  const languages = flow.languages ?? [language];
  return {
    name: flow.flow,
    file,
    version,
    language,
    languages,
    start: flow.start,
    steps: mapValues(steps, (step, name) => compileStep(step, name, workshop)),
    slots: mapValues(slots, (slot, name) => compileSlot(slot, name, language)),
    prompts: { ...builtinPrompts(languages), ...mapValues(flow.prompts, (prompt) => textsOf(prompt, language)) },
    variables: textValues(flow.variables),
    call: textValues(flow.call),
    contact: textValues(flow.contact),
    types,
    results: flow.results,
    hours: flow.hours === undefined ? null : compileHours(flow.hours),
    personas: mapValues(flow.personas, ({ voice, style, model }) => ({ voice: voice ?? null, style, model: model ?? null })),
    models: flow.models,
    budget: flow.budget ?? null,
    forbidden: flow.forbidden,
    tools: mapValues(flow.tools, (tool, name) => compileTool(tool, name, apis)),
    facts: flow.facts ?? null,
    person: flow.person ?? null,
    onSilence: flow.onSilence ?? null,
    onFailure: flow.onFailure ?? null,
    onGoodbye: flow.onGoodbye ?? null,
    limits: {
      misses: flow.limits.misses,
      silences: flow.limits.silences,
      turns: flow.limits.turns,
      holdMs: flow.limits.holdSeconds * 1000,
      confidence: flow.limits.confidence,
      yesConfidence: flow.limits.yesConfidence,
    },
  };
}

function builtinPrompts(languages: readonly string[]): Record<string, Texts> {
  return Object.fromEntries(
    BUILTIN_PROMPTS.map((key) => [key, Object.fromEntries(languages.map((code) => [code, LANGUAGES[code]?.prompts[key] ?? '']))]),
  );
}

function compileSlot(slot: SlotFile, name: string, language: string): Slot {
  const words = (value: string[] | Record<string, string[]> | undefined): WordsByLanguage => wordsOf(value ?? [], language);
  const base = { name, names: words(slot.names), outOfRange: slot.outOfRange ?? 'out_of_range' };
  switch (slot.type) {
    case 'digits':
    case 'number':
      return { ...base, type: slot.type, min: slot.min, max: slot.max, before: words(slot.before), after: words(slot.after) };
    case 'secret':
      return { ...base, type: 'secret', min: slot.min, max: slot.max, check: slot.check, byVoice: slot.by === 'keys-or-voice' };
    case 'day':
      return { ...base, type: 'day', withinDays: slot.withinDays };
    case 'time':
      return { ...base, type: 'time', fromMinute: minutes(slot.from), toMinute: minutes(slot.to) };
    case 'choice': {
      const choices = Object.entries(slot.choices).map(([value, choice]) => ({
        value,
        words: words(choice.words),
        spoken: textsOf(choice.spoken ?? value.replaceAll('_', ' '), language),
        key: choice.key ?? null,
      }));
      return { ...base, type: 'choice', choices };
    }
    case 'yes-no':
    case 'free':
    case 'name':
    case 'email':
    case 'phone':
      return { ...base, type: slot.type };
    case 'money':
      return {
        ...base,
        type: 'money',
        minCents: Math.round(slot.min * 100),
        maxCents: Math.round(slot.max * 100),
        currency: slot.currency,
      };
    case 'postcode':
      return { ...base, type: 'postcode', country: slot.country };
  }
}

function compileStep(step: StepFile, name: string, workshop: Workshop): Step {
  const base = { name, forget: step.forget, outcome: step.outcome ?? null };
  if ('say' in step) {
    const { say: prompt, kind, next } = step;
    return { ...base, t: 'say', prompt, kind, interruptible: step.interruptible ?? kind !== 'notice', next };
  }
  if ('ask' in step) {
    const { ask: slot, prompt, next } = step;
    return { ...base, t: 'ask', slot, prompt, reprompt: step.reprompt ?? prompt, next, otherwise: step.otherwise ?? null };
  }
  if ('confirm' in step) {
    const { confirm: slots, prompt, which, next } = step;
    return { ...base, t: 'confirm', slots, prompt, which, next, otherwise: step.otherwise ?? null };
  }
  if ('answer' in step) return { ...base, t: 'answer', prompt: step.answer, next: step.next, otherwise: step.otherwise ?? null };
  if ('decide' in step) {
    const cases = step.decide.map(({ when, next }) => ({ ...compileWhen(when, workshop), next }));
    return { ...base, t: 'decide', cases, otherwise: step.otherwise };
  }
  if ('set' in step) {
    const values = Object.entries(step.set).map(([target, value]) => [target, assigned(value, target, workshop)] as const);
    return { ...base, t: 'set', values, next: step.next };
  }
  if ('do' in step || 'gather' in step || 'call' in step) return compileAway(step, base);
  if ('route' in step || 'agent' in step) return compileModel(step, base, workshop);
  return compileLast(step, base);
}

type Base = Pick<Step, 'name' | 'forget' | 'outcome'>;

/** Steps that are done elsewhere: by tools or another flow. */
function compileAway(step: Extract<StepFile, { do: string } | { gather: unknown } | { call: string }>, base: Base): Step {
  if ('do' in step) {
    const { do: tool, into, wait, failure, next } = step;
    return { ...base, t: 'do', tool, with: step.with, into, wait, failure, next, failed: step.failed ?? null };
  }
  if ('call' in step) {
    const { call: flow, into, next } = step;
    return { ...base, t: 'call', flow, with: step.with, into, next, failed: step.failed ?? null };
  }
  const { wait, failure, next } = step;
  const tools = step.gather.map(({ do: tool, with: given, into }) => ({ tool, with: given, into }));
  return { ...base, t: 'gather', tools, atLeast: step.atLeast ?? tools.length, wait, failure, next, failed: step.failed ?? null };
}

/** Steps that a model may be asked at. */
function compileModel(step: Extract<StepFile, { route: unknown } | { agent: string }>, base: Base, workshop: Workshop): Step {
  if ('route' in step) {
    const rules = step.route.map(({ when, next, ...choosing }) => ({
      ...compileWhen(when, workshop),
      next: next ?? null,
      choosing: compileChoosing(choosing),
    }));
    const { model } = step;
    const asked =
      model === undefined ? null : { slot: model.slot, choices: model.choices, model: model.use ?? null, timeoutMs: model.seconds * 1000 };
    return { ...base, t: 'route', rules, model: asked, otherwise: step.otherwise };
  }
  const { agent: goal, tools, prompt, next, thoughts, calls, tokens, forbidden, specialists } = step;
  const budget = { thoughts, calls, tokens, timeoutMs: step.seconds * 1000, totalMs: step.totalSeconds * 1000 };
  const otherwise = step.otherwise ?? null;
  return { ...base, t: 'agent', goal, tools, prompt, next, otherwise, budget, forbidden, specialists, model: step.use ?? null };
}

function compileChoosing({ language, persona, model, accuracy, risk }: ChoosingFile): Choosing {
  return {
    language: language ?? null,
    persona: persona ?? null,
    model: model ?? null,
    accuracy: accuracy ?? null,
    risk: risk ?? null,
  };
}

function compileWhen(when: WhenFile, { expressions }: Workshop): Pick<Case, 'when' | 'expression'> {
  if (typeof when === 'string') return { when: [], expression: good(expressions.compile(when, 'bool')) };
  return { when: [when].flat().map(compileCondition), expression: null };
}

function assigned(value: string | number | boolean, target: string, { expressions, types }: Workshop): Expression {
  return good(expressions.compile(String(value), types[target] ?? null));
}

/** check.ts has seen every expression before. */
function good(compiled: Expression | { readonly problem: string }): Expression {
  if ('problem' in compiled) throw new RangeError(`an unchecked expression: ${compiled.problem}`);
  return compiled;
}

const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

function compileHours({ zone, open, holidays }: HoursFile): OpeningHours {
  const week = DAYS.map((_, day) =>
    Object.entries(open).flatMap(([days, spans]) => {
      const [from = 0, to = from] = days.split('-').map((name) => DAYS.indexOf(name));
      // "friday-monday" goes over the end of the week.
      const isIn = from <= to ? day >= from && day <= to : day >= from || day <= to;
      return isIn ? spans.map((span) => span.split('-').map(minutes) as [number, number]) : [];
    }),
  );
  return { zone, week, holidays };
}

function compileTool(tool: ToolFile, name: string, apis: Apis | null): ToolDefinition {
  const { description, effect, approval, review, retries, concurrency, perMinute, cost } = tool;
  const shape = (fields: ToolFile['arguments']): ToolShape =>
    mapValues(fields, ({ type, optional, oneOf, maxLength, context, personal, secret }) => ({
      type,
      personal,
      optional,
      oneOf: oneOf ?? null,
      maxLength,
      context: context ?? null,
      secret,
    }));
  return {
    name,
    description,
    effect,
    approval,
    review: review ?? null,
    arguments: shape(tool.arguments),
    result: shape(tool.result),
    target: targetOf(tool, apis),
    timeoutMs: tool.timeoutSeconds * 1000,
    retries,
    concurrency,
    perMinute,
    cost,
  };
}

/** An operation of a document that nobody gave (a simulation) is a port that nobody serves. */
function targetOf(tool: ToolFile, apis: Apis | null): ToolTarget {
  const { http, mcp, openapi, port } = tool;
  if (http !== undefined) return { t: 'http', method: http.method, url: http.url };
  if (mcp !== undefined) return { t: 'mcp', server: mcp.server, tool: mcp.tool };
  const operation = apis === null ? null : operationTarget(tool, apis);
  return operation ?? { t: 'port', name: port ?? `openapi.${openapi?.operation ?? ''}` };
}

/** Steps after which the flow may be over. */
function compileLast(step: Extract<StepFile, { transfer: string } | { end: string }>, base: Base): Step {
  if ('transfer' in step)
    return { ...base, t: 'transfer', desk: step.transfer, to: step.to ?? null, prompt: step.prompt, failed: step.failed ?? null };
  return { ...base, t: 'end', how: step.end, prompt: step.prompt ?? null };
}

function compileCondition(condition: ConditionFile): Condition {
  const { slot, variable, is, filled, atLeast, atMost } = condition;
  return {
    of: slot === undefined ? { t: 'variable', name: variable ?? '' } : { t: 'slot', name: slot },
    is: is === undefined ? null : [is].flat(),
    filled: filled ?? null,
    atLeast: atLeast ?? null,
    atMost: atMost ?? null,
  };
}

/** A plain value is in the flow's own language. */
export function textsOf(value: string | Readonly<Record<string, string>>, language: string): Texts {
  return typeof value === 'string' ? { [language]: value } : value;
}

export function wordsOf(value: readonly string[] | Readonly<Record<string, readonly string[]>>, language: string): WordsByLanguage {
  return isList(value) ? { [language]: value } : value;
}

function isList(value: readonly string[] | Readonly<Record<string, readonly string[]>>): value is readonly string[] {
  return Array.isArray(value);
}

export function minutes(clock: string): number {
  const [hour = 0, minute = 0] = clock.split(':').map(Number);
  return hour * 60 + minute;
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (value: A, key: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
