/** Tools of a flow, and what its steps want of them. */
import { didYouMean, placeholders, reference } from './references.ts';
import type { ParsedFlow, Report, StepFile } from './schema.ts';

type Path = readonly PropertyKey[];
type Use = Pick<Extract<StepFile, { do: string }>, 'do' | 'with' | 'into'>;

export function checkStepTools(parsed: ParsedFlow, step: StepFile, path: Path, report: Report): void {
  if ('agent' in step) checkAgent(parsed, step, path, report);
  else if ('do' in step) checkUse(parsed, step, path, report);
  else if ('call' in step) checkFilled(parsed, step, path, report);
  else if ('gather' in step) {
    step.gather.forEach((use, i) => {
      const at = [...path, 'gather', i];
      if (!checkUse(parsed, use, at, report)) return;
      const effect = parsed.flow.tools[use.do]?.effect;
      if (effect !== 'read') report([...at, 'do'], `does ${use.do}, which has the effect "${effect ?? ''}", expected tools that only read`);
    });
    if ((step.atLeast ?? 1) > step.gather.length)
      report([...path, 'atLeast'], `is ${step.atLeast ?? 1}, expected at most ${step.gather.length}, as there are tools`);
  }
}

function checkAgent({ flow, steps }: ParsedFlow, step: Extract<StepFile, { agent: string }>, path: Path, report: Report): void {
  for (const tool of step.tools) {
    if (!reference(report, [...path, 'tools'], tool, Object.keys(flow.tools), 'tool')) continue;
    const { effect, approval, review } = flow.tools[tool] ?? {};
    if (effect === 'irreversible' && approval !== true && review === undefined)
      report([...path, 'tools'], `has ${tool}, which cannot be undone, expected approval: true or a review of that tool`);
  }
  for (const specialist of Object.keys(step.specialists)) {
    const other = steps[specialist];
    if (other !== undefined && !('agent' in other))
      report([...path, 'specialists', specialist], 'is no agent step, expected one: it goes on with the same conversation');
  }
}

/** True when the tool is there. */
function checkUse(parsed: ParsedFlow, use: Use, path: Path, report: Report): boolean {
  const { flow } = parsed;
  if (!reference(report, [...path, 'do'], use.do, Object.keys(flow.tools), 'tool')) return false;
  const tool = flow.tools[use.do];
  for (const [argument, field] of Object.entries(tool?.arguments ?? {})) {
    if (field.context !== undefined && argument in use.with)
      report([...path, 'with', argument], 'comes from the context of the call, expected nothing here');
    if (field.context === undefined && !field.optional && !(argument in use.with))
      report([...path, 'with'], `does not give ${argument}, which ${use.do} needs`);
  }
  for (const argument of Object.keys(use.with))
    reference(report, [...path, 'with', argument], argument, Object.keys(tool?.arguments ?? {}), 'argument');
  for (const result of Object.keys(use.into))
    reference(report, [...path, 'into', result], result, Object.keys(tool?.result ?? {}), 'result');
  checkFilled(parsed, use, path, report);
  return true;
}

/** Placeholders of the arguments, and the variables that results go to. */
function checkFilled(parsed: ParsedFlow, use: Pick<Use, 'with' | 'into'>, path: Path, report: Report): void {
  const known = placeholders(parsed);
  for (const [argument, value] of Object.entries(use.with)) {
    for (const [whole, name = ''] of String(value).matchAll(/\{([^}]*)\}/g)) {
      if (!known.includes(name))
        report([...path, 'with', argument], `has ${whole}, expected the name of a slot or a variable${didYouMean(name, known)}`);
    }
  }
  for (const [result, variable] of Object.entries(use.into))
    reference(report, [...path, 'into', result], variable, Object.keys(parsed.flow.variables), 'variable');
}

export function checkTools({ flow }: ParsedFlow, report: Report): void {
  for (const [name, tool] of Object.entries(flow.tools)) {
    const targets = (['http', 'openapi', 'mcp', 'port'] as const).filter((key) => tool[key] !== undefined);
    if (targets.length !== 1)
      report(
        ['tools', name],
        targets.length === 0 ? 'is nowhere, expected one of http, openapi, mcp, port' : `has ${targets.join(' and ')}, expected only one`,
      );
    for (const [whole, argument = ''] of tool.http?.url.matchAll(/\{([^}]*)\}/g) ?? []) {
      if (!(argument in tool.arguments)) report(['tools', name, 'http', 'url'], `has ${whole}, expected the name of an argument`);
    }
  }
}
