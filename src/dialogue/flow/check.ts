/** What a schema cannot see: references, reachability, loops that never listen, missing translations. */
import { basename } from 'node:path';
import { nearestWord } from '../../contracts/index.ts';
import { BUILTIN_PROMPTS, LANGUAGES } from '../language/index.ts';
import { minutes, textsOf, wordsOf } from './compile.ts';
import type { ConditionFile, ParsedFlow, Report, SlotFile, StepFile } from './schema.ts';

export function checkFlow(parsed: ParsedFlow, file: string, report: Report): void {
  let isWhole = true;
  const note: Report = (path, message) => {
    isWhole = false;
    report(path, message);
  };
  checkHead(parsed, file, note);
  checkSlots(parsed, note);
  checkPrompts(parsed, note);
  checkToolTargets(parsed, note);
  for (const [name, step] of Object.entries(parsed.steps)) checkStep(parsed, name, step, note);
  // A wrong reference makes false alarms here.
  if (isTrue(isWhole)) checkPaths(parsed, report);
}

// A function, as the compiler does not follow the closure.
function isTrue(value: boolean): boolean {
  return value;
}

function checkHead({ flow, steps }: ParsedFlow, file: string, report: Report): void {
  const expected = basename(file).replace(/\.ya?ml$/, '');
  if (flow.flow !== expected) report(['flow'], `is "${flow.flow}", expected "${expected}" as the file is called`);
  const languages = flow.languages ?? [flow.language];
  if (!languages.includes(flow.language)) report(['languages'], `does not list "${flow.language}", the language of the flow`);
  for (const code of new Set([flow.language, ...languages])) {
    if (LANGUAGES[code] === undefined) report(['language'], `is "${code}", expected one of ${Object.keys(LANGUAGES).join(', ')}`);
  }
  for (const key of ['start', 'onSilence', 'onFailure', 'onGoodbye'] as const) {
    const step = flow[key];
    if (step !== undefined) reference(report, [key], step, Object.keys(steps), 'step');
  }
}

function checkSlots({ flow, slots }: ParsedFlow, report: Report): void {
  const prompts = promptKeys(flow.prompts);
  for (const [name, slot] of Object.entries(slots)) {
    const path = ['slots', name];
    if ('min' in slot && slot.min > slot.max) report([...path, 'min'], `is ${slot.min}, expected at most max (${slot.max})`);
    if (slot.type === 'time' && minutes(slot.from) >= minutes(slot.to))
      report([...path, 'from'], `is "${slot.from}", expected a time before to ("${slot.to}")`);
    if (slot.outOfRange !== undefined) reference(report, [...path, 'outOfRange'], slot.outOfRange, prompts, 'prompt');
    if (slot.type !== 'choice') continue;
    const keys = new Map<string, string>();
    for (const [value, choice] of Object.entries(slot.choices)) {
      translated(report, [...path, 'choices', value, 'words'], wordsOf(choice.words, flow.language), flow.languages ?? []);
      if (choice.key === undefined) continue;
      const other = keys.get(choice.key);
      if (other !== undefined) report([...path, 'choices', value, 'key'], `is "${choice.key}", which is the key of ${other} already`);
      keys.set(choice.key, value);
    }
  }
}

function checkPrompts({ flow, slots }: ParsedFlow, report: Report): void {
  const known = [...Object.keys(slots), ...Object.keys(flow.variables)];
  for (const [key, prompt] of Object.entries(flow.prompts)) {
    const texts = textsOf(prompt, flow.language);
    translated(report, ['prompts', key], texts, flow.languages ?? []);
    for (const text of Object.values(texts)) {
      for (const [whole, name = ''] of text.matchAll(/\{([^}]*)\}/g)) {
        if (!known.includes(name))
          report(['prompts', key], `has ${whole}, expected the name of a slot or a variable${didYouMean(name, known)}`);
      }
    }
  }
}

function checkStep(parsed: ParsedFlow, name: string, step: StepFile, report: Report): void {
  const path = ['steps', name];
  const { flow, slots, steps } = parsed;
  const stepNames = Object.keys(steps);
  const slotNames = Object.keys(slots);
  for (const [where, target] of targets(step)) reference(report, [...path, ...where], target, stepNames, 'step');
  for (const [key, prompt] of promptsOf(step)) reference(report, [...path, key], prompt, promptKeys(flow.prompts), 'prompt');
  for (const slot of step.forget) reference(report, [...path, 'forget'], slot, slotNames, 'slot');
  if ('ask' in step) reference(report, [...path, 'ask'], step.ask, slotNames, 'slot');
  if ('confirm' in step) {
    const asked = Object.values(steps).flatMap((other) => ('ask' in other ? [other.ask] : []));
    for (const slot of step.confirm) {
      const known = reference(report, [...path, 'confirm'], slot, slotNames, 'slot');
      if (known && !asked.includes(slot))
        report([...path, 'confirm'], `has ${slot}, but no step asks for it: a caller could not correct it`);
    }
  }
  const [key, cases] = 'decide' in step ? (['decide', step.decide] as const) : (['route', 'route' in step ? step.route : []] as const);
  cases.forEach((one, i) => {
    for (const condition of [one.when].flat()) checkCondition(parsed, condition, [...path, key, i, 'when'], report);
  });
  if ('route' in step && step.model !== undefined) reference(report, [...path, 'model', 'slot'], step.model.slot, slotNames, 'slot');
  checkTools(parsed, step, path, report);
}

function checkTools({ flow }: ParsedFlow, step: StepFile, path: readonly PropertyKey[], report: Report): void {
  const known = Object.keys(flow.tools);
  if ('agent' in step) for (const tool of step.tools) reference(report, [...path, 'tools'], tool, known, 'tool');
  if (!('do' in step) || !reference(report, [...path, 'do'], step.do, known, 'tool')) return;
  const tool = flow.tools[step.do];
  for (const [argument, field] of Object.entries(tool?.arguments ?? {})) {
    if (field.context !== undefined && argument in step.with)
      report([...path, 'with', argument], 'comes from the context of the call, expected nothing here');
    if (field.context === undefined && !field.optional && !(argument in step.with))
      report([...path, 'with'], `does not give ${argument}, which ${step.do} needs`);
  }
  for (const argument of Object.keys(step.with))
    reference(report, [...path, 'with', argument], argument, Object.keys(tool?.arguments ?? {}), 'argument');
  for (const [result, variable] of Object.entries(step.into)) {
    reference(report, [...path, 'into', result], result, Object.keys(tool?.result ?? {}), 'result');
    reference(report, [...path, 'into', result], variable, Object.keys(flow.variables), 'variable');
  }
}

function checkToolTargets({ flow }: ParsedFlow, report: Report): void {
  for (const [name, tool] of Object.entries(flow.tools)) {
    const targets = (['http', 'mcp', 'port'] as const).filter((key) => tool[key] !== undefined);
    if (targets.length !== 1)
      report(
        ['tools', name],
        targets.length === 0 ? 'is nowhere, expected one of http, mcp, port' : `has ${targets.join(' and ')}, expected only one`,
      );
    for (const [whole, argument = ''] of tool.http?.url.matchAll(/\{([^}]*)\}/g) ?? []) {
      if (!(argument in tool.arguments)) report(['tools', name, 'http', 'url'], `has ${whole}, expected the name of an argument`);
    }
  }
}

function checkCondition({ flow, slots }: ParsedFlow, condition: ConditionFile, path: readonly PropertyKey[], report: Report): void {
  const { slot: slotName, variable, is } = condition;
  if ((slotName === undefined) === (variable === undefined))
    report(path, 'names no value, expected slot or variable, and only one of them');
  const tests = [is, condition.filled, condition.atLeast, condition.atMost];
  if (tests.every((part) => part === undefined)) report(path, 'tests nothing, expected is, filled, atLeast or atMost');
  if (variable !== undefined) reference(report, [...path, 'variable'], variable, Object.keys(flow.variables), 'variable');
  if (slotName === undefined || !reference(report, [...path, 'slot'], slotName, Object.keys(slots), 'slot')) return;
  const values = valuesOf(slots[slotName]);
  if (is === undefined || values === null) return;
  for (const value of [is].flat()) {
    if (!values.includes(value))
      report([...path, 'is'], `is "${value}", which ${slotName} cannot be, expected one of ${values.join(', ')}`);
  }
}

/** All values that a slot can have, null when they cannot be listed. */
function valuesOf(slot: SlotFile | undefined): readonly string[] | null {
  if (slot?.type === 'choice') return Object.keys(slot.choices);
  return slot?.type === 'yes-no' ? ['yes', 'no'] : null;
}

/** Steps nobody comes to, loops that never listen, and places from which no end can be reached. */
function checkPaths({ flow, steps }: ParsedFlow, report: Report): void {
  const edges = new Map(Object.entries(steps).map(([name, step]) => [name, nextOf(step, steps)]));
  const roots = [flow.start, flow.onSilence, flow.onFailure, flow.onGoodbye].filter((step) => step !== undefined);
  const reached = closure(roots, (name) => edges.get(name) ?? []);
  const ends = Object.entries(steps).flatMap(([name, step]) => ('end' in step || 'transfer' in step ? [name] : []));
  const canEnd = closure(ends, (name) => [...edges].flatMap(([from, to]) => (to.includes(name) ? [from] : [])));
  for (const [name, step] of Object.entries(steps)) {
    if (!reached.has(name)) report(['steps', name], 'cannot be reached from any other step');
    else if (!canEnd.has(name)) report(['steps', name], 'leads to no end, expected a way to an end or a transfer');
    const silent = (other: string): string[] => (isSilent(steps[other]) ? (edges.get(other) ?? []) : []);
    if (isSilent(step) && closure(silent(name), silent).has(name))
      report(['steps', name], 'is part of a loop that never listens to the caller');
  }
}

function closure(from: readonly string[], next: (name: string) => readonly string[]): Set<string> {
  const seen = new Set(from);
  for (const name of seen) for (const other of next(name)) seen.add(other);
  return seen;
}

function isSilent(step: StepFile | undefined): boolean {
  return step !== undefined && ('say' in step || 'decide' in step || 'do' in step || 'route' in step);
}

function nextOf(step: StepFile, steps: ParsedFlow['steps']): string[] {
  const corrections =
    'confirm' in step
      ? Object.entries(steps).flatMap(([name, other]) => ('ask' in other && step.confirm.includes(other.ask) ? [name] : []))
      : [];
  return [...targets(step).map(([, target]) => target), ...corrections];
}

/** Every step that a step names, with the key that names it. */
function targets(step: StepFile): [readonly PropertyKey[], string][] {
  const found: [readonly PropertyKey[], string][] = [];
  for (const key of ['next', 'otherwise', 'failed'] as const) {
    const target = (step as { [K in typeof key]?: string | undefined })[key];
    if (target !== undefined) found.push([[key], target]);
  }
  if ('decide' in step) step.decide.forEach((one, i) => found.push([['decide', i, 'next'], one.next]));
  if ('route' in step) {
    step.route.forEach((one, i) => found.push([['route', i, 'next'], one.next]));
    for (const choice of Object.keys(step.model?.choices ?? {})) found.push([['model', 'choices', choice], choice]);
  }
  return found;
}

function promptsOf(step: StepFile): [string, string][] {
  const keys = ['say', 'answer', 'prompt', 'reprompt', 'which', 'wait', 'failure'] as const;
  return keys.flatMap((key) => {
    const prompt = (step as { [K in typeof key]?: string | undefined })[key];
    return prompt === undefined ? [] : [[key, prompt] as [string, string]];
  });
}

function promptKeys(prompts: Readonly<Record<string, unknown>>): string[] {
  return [...Object.keys(prompts), ...BUILTIN_PROMPTS];
}

function translated(
  report: Report,
  path: readonly PropertyKey[],
  texts: Readonly<Record<string, unknown>>,
  languages: readonly string[],
): void {
  for (const code of languages)
    if (!Object.hasOwn(texts, code)) report(path, `has no text in "${code}", expected one for each of ${languages.join(', ')}`);
}

/** True when it is there. */
function reference(report: Report, path: readonly PropertyKey[], name: string, known: readonly string[], what: string): boolean {
  if (known.includes(name)) return true;
  report(path, `names the ${what} "${name}", which does not exist${didYouMean(name, known)}`);
  return false;
}

function didYouMean(name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
