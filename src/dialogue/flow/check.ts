/** What a schema cannot see: references, reachability, loops that never listen, missing translations. */
import { basename } from 'node:path';
import { LANGUAGES } from '../language/index.ts';
import { checkPaths } from './check-paths.ts';
import { checkSecrets } from './check-secrets.ts';
import { checkStepTools, checkTools } from './check-tools.ts';
import { checkValues } from './check-values.ts';
import { type Apis, checkOperations } from './openapi.ts';
import { minutes, textsOf, wordsOf } from './compile.ts';
import { didYouMean, placeholders, promptKeys, promptsOf, reference, targets, translated } from './references.ts';
import type { ParsedFlow, Report, StepFile } from './schema.ts';

export function checkFlow(parsed: ParsedFlow, file: string, report: Report, apis: Apis | null): void {
  let isWhole = true;
  const note: Report = (path, message) => {
    isWhole = false;
    report(path, message);
  };
  checkHead(parsed, file, note);
  checkSlots(parsed, note);
  checkPrompts(parsed, note);
  checkTools(parsed, note);
  if (apis !== null) checkOperations(parsed.flow, apis, note);
  checkValues(parsed, note);
  checkSecrets(parsed, note);
  for (const [name, step] of Object.entries(parsed.steps)) checkStep(parsed, name, step, note);
  // A wrong reference makes false alarms here.
  if (isTrue(isWhole)) checkPaths(parsed, report);
}

// A function, as the compiler does not follow the closure.
function isTrue(value: boolean): boolean {
  return value;
}

function checkHead({ flow, slots, steps }: ParsedFlow, file: string, report: Report): void {
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
  for (const name of Object.keys(flow.variables).filter((name) => name in slots))
    report(['variables', name], 'is a slot and a variable, expected different names');
  for (const [result, name] of Object.entries(flow.results))
    reference(report, ['results', result], name, [...Object.keys(slots), ...Object.keys(flow.variables)], 'slot or variable');
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
  const known = placeholders({ flow, slots });
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
  checkStepTools(parsed, step, path, report);
}
