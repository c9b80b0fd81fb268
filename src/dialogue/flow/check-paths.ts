/** Ways through a flow: steps that nobody comes to, loops that never listen, places without a way to an end. */
import { targets } from './references.ts';
import type { ParsedFlow, Report, StepFile } from './schema.ts';

export function checkPaths({ flow, steps }: ParsedFlow, report: Report): void {
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

export function closure(from: readonly string[], next: (name: string) => readonly string[]): Set<string> {
  const seen = new Set(from);
  for (const name of seen) for (const other of next(name)) seen.add(other);
  return seen;
}

function isSilent(step: StepFile | undefined): boolean {
  return step !== undefined && ['say', 'decide', 'do', 'route', 'set', 'gather'].some((key) => key in step);
}

function nextOf(step: StepFile, steps: ParsedFlow['steps']): string[] {
  const corrections =
    'confirm' in step
      ? Object.entries(steps).flatMap(([name, other]) => ('ask' in other && step.confirm.includes(other.ask) ? [name] : []))
      : [];
  return [...targets(step).map(([, target]) => target), ...corrections];
}
