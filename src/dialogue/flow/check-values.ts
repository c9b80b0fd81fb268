/** Conditions, expressions and choices: do they name what is there, and can it be so? */
import type { Expression, Expressions, ValueType } from './expression.ts';
import { expressionsOf, targetTypes } from './names.ts';
import { reference } from './references.ts';
import type { ChoosingFile, ConditionFile, ParsedFlow, Report, SlotFile, StepFile, WhenFile } from './schema.ts';

type Path = readonly PropertyKey[];

export function checkValues(parsed: ParsedFlow, report: Report): void {
  const expressions = expressionsOf(parsed);
  for (const [name, { model }] of Object.entries(parsed.flow.personas))
    if (model !== undefined) checkModel(parsed, model, ['personas', name, 'model'], report);
  for (const [name, step] of Object.entries(parsed.steps)) {
    const path = ['steps', name];
    const check = (when: WhenFile, at: Path): void => checkWhen(parsed, expressions, when, at, report);
    if ('decide' in step) step.decide.forEach(({ when }, i) => check(when, [...path, 'decide', i, 'when']));
    if ('set' in step) checkSet(parsed, step, expressions, path, report);
    if ('agent' in step && step.use !== undefined) checkModel(parsed, step.use, [...path, 'use'], report);
    if ('transfer' in step && step.to !== undefined)
      reference(report, [...path, 'to'], step.to, Object.keys(parsed.flow.variables), 'variable');
    if (!('route' in step)) continue;
    step.route.forEach(({ when, next, ...choosing }, i) => {
      check(when, [...path, 'route', i, 'when']);
      checkChoosing(parsed, choosing, next !== undefined, [...path, 'route', i], report);
    });
    if (step.model === undefined) continue;
    reference(report, [...path, 'model', 'slot'], step.model.slot, Object.keys(parsed.slots), 'slot');
    if (step.model.use !== undefined) checkModel(parsed, step.model.use, [...path, 'model', 'use'], report);
  }
}

function checkWhen(parsed: ParsedFlow, expressions: Expressions, when: WhenFile, path: Path, report: Report): void {
  if (typeof when === 'string') checkExpression(parsed, expressions, when, 'bool', path, report);
  else for (const condition of [when].flat()) checkCondition(parsed, condition, path, report);
}

/** Null when something was reported. */
function checkExpression(
  { slots }: ParsedFlow,
  expressions: Expressions,
  source: string,
  expected: ValueType | null,
  path: Path,
  report: Report,
): Expression | null {
  const compiled = expressions.compile(source, expected);
  if ('problem' in compiled) {
    report(path, compiled.problem);
    return null;
  }
  for (const [name, text] of compiled.compared) {
    const values = slots[name]?.type === 'choice' ? (valuesOf(slots[name]) ?? []) : [];
    if (values.length > 0 && !values.includes(text))
      report(path, `compares ${name} with "${text}", which it cannot be, expected one of ${values.join(', ')}`);
  }
  return compiled;
}

function checkSet(
  parsed: ParsedFlow,
  step: Extract<StepFile, { set: unknown }>,
  expressions: Expressions,
  path: Path,
  report: Report,
): void {
  const types = targetTypes(parsed.flow);
  for (const [target, value] of Object.entries(step.set)) {
    const at = [...path, 'set', target];
    if (!reference(report, at, target, Object.keys(types), 'variable')) continue;
    checkExpression(parsed, expressions, String(value), types[target] ?? null, at, report);
  }
}

function checkChoosing({ flow }: ParsedFlow, choosing: ChoosingFile, leadsOn: boolean, path: Path, report: Report): void {
  const { language, persona, model, accuracy, risk } = choosing;
  if (!leadsOn && [language, persona, model, accuracy, risk].every((part) => part === undefined))
    report(path, 'chooses nothing, expected next, language, persona, model, accuracy or risk');
  if (language !== undefined) reference(report, [...path, 'language'], language, flow.languages ?? [flow.language], 'language');
  if (persona !== undefined) reference(report, [...path, 'persona'], persona, Object.keys(flow.personas), 'persona');
  if (model !== undefined) checkModel({ flow }, model, [...path, 'model'], report);
  if (model !== undefined && accuracy !== undefined) report([...path, 'accuracy'], 'is given beside model, expected only one of them');
  if (accuracy === undefined) return;
  const best = Math.max(0, ...Object.values(flow.models).map((grade) => grade.accuracy));
  if (best < accuracy) report([...path, 'accuracy'], `is ${accuracy}, expected at most ${best}: no model of the flow is better`);
}

function checkModel({ flow }: Pick<ParsedFlow, 'flow'>, model: string, path: Path, report: Report): void {
  reference(report, path, model, Object.keys(flow.models), 'model');
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
