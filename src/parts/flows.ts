/** The flows that calls can have, and whether they find what they need in the configuration. */
import type { Config } from '../config/index.ts';
import { nearestWord, type Problem, ProblemsError } from '../contracts/index.ts';
import { desksOf, type FlowSet, type LoadedFlow, type Notices } from '../dialogue/index.ts';
import { lacksOf } from './tools.ts';

/** Every flow in every configuration must find its desks, and the default flow must exist. Errors: ProblemsError. */
export function checkFlows(flows: FlowSet, config: Config, notices: Notices): void {
  const problems: Problem[] = [];
  for (const [name, { flow }] of flows) {
    if (flow.language in notices.byLanguage) continue;
    const message = `lacks the language "${flow.language}" of flow '${name}'`;
    problems.push({ code: 'CONFIG_INVALID', place: { file: config.privacy.notices, key: `languages.${flow.language}` }, message });
  }
  if (!flows.has(config.flows.default)) {
    const message = `there is no flow '${config.flows.default}', expected one of: ${[...flows.keys()].join(', ')}`;
    problems.push({ code: 'CONFIG_INVALID', place: { file: config.file, key: 'flows.default' }, message });
  }
  problems.push(...[...flows.values()].flatMap((loaded) => modelProblems(loaded, config)));
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

/** Each model that a flow may choose is one that the configuration names. */
function modelProblems({ flow, place }: LoadedFlow, { llm, file }: Config): Problem[] {
  const known = [...llm.engines, ...llm.named].map(({ name }) => name);
  const missing = Object.keys(flow.models).filter((name) => !known.includes(name));
  return missing.map((name) => {
    const near = nearestWord(name, known);
    const hint =
      near === undefined
        ? `one of ${known.join(', ')}, or llm.named.${name} in ${file}`
        : `a model of the configuration; did you mean ${near}?`;
    const key = ['models', name];
    const message = `is a model that the configuration does not know, expected ${hint}`;
    return { code: 'FLOW_INVALID', place: place?.(key) ?? { file: flow.file, key: key.join('.') }, message };
  });
}

/**
 * The flows that calls can have. A flow that needs what the configuration does not give is left out, with what it lacks; it can still be
 * simulated. Errors: ProblemsError when the default flow is one of them.
 */
export function callableFlows(
  flows: FlowSet,
  config: Config,
  hasModel: boolean,
): { callable: FlowSet; lacking: Readonly<Record<string, readonly string[]>> } {
  const lacking = Object.fromEntries(
    [...flows].map(([name, loaded]) => [name, lacksOf(loaded, config, hasModel)] as const).filter(([, lacks]) => lacks.length > 0),
  );
  const lacks = lacking[config.flows.default];
  if (lacks !== undefined) {
    const message = `flow '${config.flows.default}' lacks ${lacks.join('; ')}`;
    throw new ProblemsError([{ code: 'CONFIG_INVALID', place: { file: config.file, key: 'flows.default' }, message }]);
  }
  return { callable: new Map([...flows].filter(([name]) => !(name in lacking))), lacking };
}

/** 'YYYY-MM-DD' on the wall clock of the machine. */
export function localDay(wallUs: number): string {
  const at = new Date(wallUs / 1000);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`;
}
