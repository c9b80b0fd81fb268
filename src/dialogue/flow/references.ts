/** Names in a flow file that must lead somewhere. */
import { nearestWord } from '../../contracts/index.ts';
import { BUILTIN_PROMPTS } from '../language/index.ts';
import type { ParsedFlow, Report, StepFile } from './schema.ts';

/** Every step that a step names, with the key that names it. */
export function targets(step: StepFile): [readonly PropertyKey[], string][] {
  const found: [readonly PropertyKey[], string][] = [];
  for (const key of ['next', 'otherwise', 'failed'] as const) {
    const target = (step as { [K in typeof key]?: string | undefined })[key];
    if (target !== undefined) found.push([[key], target]);
  }
  if ('decide' in step) step.decide.forEach((one, i) => found.push([['decide', i, 'next'], one.next]));
  if ('route' in step) {
    step.route.forEach(({ next }, i) => {
      if (next !== undefined) found.push([['route', i, 'next'], next]);
    });
    for (const choice of Object.keys(step.model?.choices ?? {})) found.push([['model', 'choices', choice], choice]);
  }
  if ('agent' in step) for (const specialist of Object.keys(step.specialists)) found.push([['specialists', specialist], specialist]);
  return found;
}

/** What a text may have in braces. */
export function placeholders({ flow, slots }: Pick<ParsedFlow, 'flow' | 'slots'>): string[] {
  const scoped = (['call', 'contact'] as const).flatMap((scope) => Object.keys(flow[scope]).map((name) => `${scope}.${name}`));
  return [...Object.keys(slots), ...Object.keys(flow.variables), ...scoped];
}

export function promptsOf(step: StepFile): [string, string][] {
  const keys = ['say', 'answer', 'prompt', 'reprompt', 'which', 'wait', 'failure'] as const;
  return keys.flatMap((key) => {
    const prompt = (step as { [K in typeof key]?: string | undefined })[key];
    return prompt === undefined ? [] : [[key, prompt] as [string, string]];
  });
}

export function promptKeys(prompts: Readonly<Record<string, unknown>>): string[] {
  return [...Object.keys(prompts), ...BUILTIN_PROMPTS];
}

export function translated(
  report: Report,
  path: readonly PropertyKey[],
  texts: Readonly<Record<string, unknown>>,
  languages: readonly string[],
): void {
  for (const code of languages)
    if (!Object.hasOwn(texts, code)) report(path, `has no text in "${code}", expected one for each of ${languages.join(', ')}`);
}

/** True when it is there. */
export function reference(report: Report, path: readonly PropertyKey[], name: string, known: readonly string[], what: string): boolean {
  if (known.includes(name)) return true;
  report(path, `names the ${what} "${name}", which does not exist${didYouMean(name, known)}`);
  return false;
}

export function didYouMean(name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
