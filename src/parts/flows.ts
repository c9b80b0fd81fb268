/** The flows that calls can have, and whether they find what they need in the configuration. */
import type { Config } from '../config/index.ts';
import { type Dialogue, type Problem, ProblemsError } from '../contracts/index.ts';
import { createDialogue, desksOf, type FlowSet, type LoadedFlow } from '../dialogue/index.ts';

/** Every flow in every configuration must find its desks, and the default flow must exist. Errors: ProblemsError. */
export function checkFlows(flows: FlowSet, config: Config): void {
  const problems: Problem[] = [];
  if (!flows.has(config.flows.default)) {
    const message = `there is no flow '${config.flows.default}', expected one of: ${[...flows.keys()].join(', ')}`;
    problems.push({ code: 'CONFIG_INVALID', place: { file: config.file, key: 'flows.default' }, message });
  }
  for (const [name, { flow }] of flows) {
    for (const desk of desksOf(flow)) {
      if (desk in config.desks) continue;
      const message = `flow '${name}' transfers to desk '${desk}', expected it here with its context and extension`;
      problems.push({ code: 'CONFIG_INVALID', place: { file: config.file, key: `desks.${desk}` }, message });
    }
  }
  const [first, ...rest] = problems;
  if (first !== undefined) throw new ProblemsError([first, ...rest]);
}

/**
 * Steps that ask something outside (a tool, a model, a colleague) are carried out in simulations only; in a call nobody would answer
 * them. Flows with such steps are therefore not offered to callers.
 */
export function callableFlows(flows: FlowSet): { callable: FlowSet; simulatedOnly: readonly string[] } {
  const asksOutside = (flow: LoadedFlow['flow']): boolean =>
    Object.values(flow.steps).some((step) => step.t === 'do' || step.t === 'agent' || (step.t === 'route' && step.model !== null));
  const callable = new Map([...flows].filter(([, { flow }]) => !asksOutside(flow)));
  return { callable, simulatedOnly: [...flows.keys()].filter((name) => !callable.has(name)) };
}

export interface Dialogues {
  /** The flow as it runs today ("tomorrow" depends on it); undefined when there is none of this name. */
  get(name: string, today: string): Dialogue<unknown> | undefined;
  /** Flow name to content hash. */
  readonly versions: Readonly<Record<string, string>>;
}

export function createDialogues(flows: FlowSet, config: Config): Dialogues {
  const ready = new Map<string, Dialogue<unknown>>();
  let day = '';
  return {
    versions: Object.fromEntries([...flows].map(([name, { flow }]) => [name, flow.version])),
    get(name, today) {
      if (today !== day) ready.clear();
      day = today;
      const loaded = flows.get(name);
      if (loaded === undefined) return undefined;
      const made = ready.get(name) ?? createDialogue(loaded.flow, { facts: loaded.facts, today, desks: Object.keys(config.desks) });
      ready.set(name, made);
      return made;
    },
  };
}

/** 'YYYY-MM-DD' on the wall clock of the machine. */
export function localDay(wallUs: number): string {
  const at = new Date(wallUs / 1000);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`;
}
