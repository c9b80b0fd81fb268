/** Flows that call each other: what a single file cannot show. Cycles, languages, arguments and results, names that are shared. */
import type { Problem } from '../../contracts/index.ts';
import { closure } from './check-paths.ts';
import { didYouMean } from './references.ts';
import type { Flow, Step } from './types.ts';
import type { YamlText } from './yaml.ts';

export interface Linkable {
  readonly flow: Flow;
  readonly place: YamlText['place'];
}

type Flows = ReadonlyMap<string, Linkable>;
type Call = Step & { t: 'call' };
type Note = (path: readonly PropertyKey[], message: string) => void;

/** Every problem of every call between the flows. */
export function checkCalls(flows: Flows): Problem[] {
  const problems: Problem[] = [];
  const finishing = flowsThatReturn(flows);
  const silent = flowsThatPassSilently(flows);
  for (const [name, { flow, place }] of flows) {
    const note: Note = (path, message) => problems.push({ code: 'FLOW_INVALID', place: place(path), message });
    for (const step of callsOf(flow)) {
      const path = ['steps', step.name];
      const other = flows.get(step.flow)?.flow;
      if (other === undefined) {
        note([...path, 'call'], `names the flow "${step.flow}", which does not exist${didYouMean(step.flow, [...flows.keys()])}`);
        continue;
      }
      checkCall(flow, step, other, note);
      if (!finishing.has(step.flow)) note([...path, 'call'], unending(flows, name, step.flow));
      if (silent.has(step.flow) && comesBack(flow, step.name, silent))
        note(path, `is part of a loop that never listens to the caller: ${step.flow} may end without a question`);
    }
  }
  return problems;
}

/** Flows that are called from this one, and from those: by name, without itself. */
export function calledFrom(flows: ReadonlyMap<string, { readonly flow: Flow }>, name: string): readonly string[] {
  const next = (from: string): string[] => callsOf(flows.get(from)?.flow).map((step) => step.flow);
  return [...closure(next(name), next)].filter((other) => other !== name && flows.has(other)).sort();
}

function callsOf(flow: Flow | undefined): Call[] {
  return Object.values(flow?.steps ?? {}).filter((step): step is Call => step.t === 'call');
}

function checkCall(flow: Flow, step: Call, other: Flow, note: Note): void {
  const path = ['steps', step.name];
  for (const language of flow.languages.filter((code) => !other.languages.includes(code)))
    note([...path, 'call'], `calls ${other.name}, which has no "${language}", expected every language of this flow there`);
  for (const argument of Object.keys(step.with)) {
    const known = Object.keys(other.variables);
    if (!known.includes(argument))
      note([...path, 'with', argument], `names "${argument}", which is no variable of ${other.name}${didYouMean(argument, known)}`);
  }
  for (const result of Object.keys(step.into)) {
    const known = [...Object.keys(other.results), 'outcome'];
    if (!known.includes(result))
      note([...path, 'into', result], `names "${result}", which is no result of ${other.name}${didYouMean(result, known)}`);
  }
  for (const scope of ['call', 'contact'] as const) {
    for (const name of Object.keys(flow[scope]).filter((key) => key in other[scope])) {
      const [here, there] = [flow.types[`${scope}.${name}`], other.types[`${scope}.${name}`]];
      if (here !== there)
        note([scope, name], `is of the type ${here ?? ''}, and ${there ?? ''} in ${other.name}, expected the same in both`);
    }
  }
}

// ---- ways through flows ----

/** Steps that may follow; a call leads on only when what it calls can return. */
function nextOf(step: Step, returns: (name: string) => boolean): string[] {
  switch (step.t) {
    case 'decide':
      return [...step.cases.map(({ next }) => next), step.otherwise];
    case 'route':
      return [
        ...step.rules.flatMap(({ next }) => (next === null ? [] : [next])),
        ...Object.keys(step.model?.choices ?? {}),
        step.otherwise,
      ];
    case 'transfer':
      return step.failed === null ? [] : [step.failed];
    case 'end':
      return [];
    case 'call':
      return returns(step.flow) ? [step.next, ...(step.failed === null ? [] : [step.failed])] : [];
    case 'say':
    case 'set':
      return [step.next];
    case 'do':
    case 'gather':
      return [step.next, ...(step.failed === null ? [] : [step.failed])];
    case 'agent':
      return [step.next, ...(step.otherwise === null ? [] : [step.otherwise]), ...Object.keys(step.specialists)];
    default:
      return [step.next, ...(step.otherwise === null ? [] : [step.otherwise])];
  }
}

/** Steps that a call of the flow can come to. */
function reachable(flow: Flow, from: readonly string[], returns: (name: string) => boolean): Set<string> {
  return closure(from, (name) => {
    const step = flow.steps[name];
    return step === undefined ? [] : nextOf(step, returns);
  });
}

/** The least set: a flow returns when a way that needs nobody outside the set leads to `end: return`. */
function flowsThatReturn(flows: Flows): ReadonlySet<string> {
  return leastSet(flows, (flow, known) => {
    const roots = [flow.start, flow.onSilence, flow.onFailure, flow.onGoodbye].filter((step) => step !== null);
    return [...reachable(flow, roots, (name) => known.has(name))].some((name) => isReturn(flow.steps[name]));
  });
}

/** Flows that may return without having listened. */
function flowsThatPassSilently(flows: Flows): ReadonlySet<string> {
  return leastSet(flows, (flow, known) => [...silentlyReached(flow, flow.start, known)].some((name) => isReturn(flow.steps[name])));
}

function comesBack(flow: Flow, step: string, silent: ReadonlySet<string>): boolean {
  const from = flow.steps[step];
  if (from === undefined) return false;
  return nextOf(from, () => true).some((next) => silentlyReached(flow, next, silent).has(step));
}

function silentlyReached(flow: Flow, from: string, silent: ReadonlySet<string>): Set<string> {
  return closure([from], (name) => {
    const step = flow.steps[name];
    if (step === undefined) return [];
    const passes = step.t === 'call' ? silent.has(step.flow) : SILENT.has(step.t);
    return passes ? nextOf(step, () => true) : [];
  });
}

const SILENT: ReadonlySet<Step['t']> = new Set(['say', 'decide', 'do', 'route', 'set', 'gather'] as const);

function leastSet(flows: Flows, belongs: (flow: Flow, known: ReadonlySet<string>) => boolean): ReadonlySet<string> {
  const known = new Set<string>();
  for (let before = -1; before !== known.size;) {
    before = known.size;
    for (const [name, { flow }] of flows) if (belongs(flow, known)) known.add(name);
  }
  return known;
}

function isReturn(step: Step | undefined): boolean {
  return step?.t === 'end' && step.how === 'return';
}

function unending(flows: Flows, name: string, called: string): string {
  const round = roundTrip(flows, called);
  if (round !== null) return `calls ${called}, which never returns: ${round.join(' calls ')}, without a way out`;
  return `calls ${called}, which never returns, expected a step with end: return there (${name} cannot go on)`;
}

/** A way from a flow back to itself. */
function roundTrip(flows: Flows, start: string): string[] | null {
  const visit = (name: string, way: readonly string[]): string[] | null => {
    for (const { flow: next } of callsOf(flows.get(name)?.flow)) {
      if (next === start) return [...way, start];
      const found = way.includes(next) ? null : visit(next, [...way, next]);
      if (found !== null) return found;
    }
    return null;
  };
  return visit(start, [start]);
}
