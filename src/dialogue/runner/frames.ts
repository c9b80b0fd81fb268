/** A flow calls another: it waits, with its slots and variables, until the other returns. */
import type { Step } from '../flow/types.ts';
import type { Source } from './state.ts';
import { own, type Talk, update } from './talk.ts';
import { fillValue } from './tool-step.ts';
import { read, setVariable, sourceOf } from './values.ts';

/** Flows within flows, at most: what is deeper was not meant. */
const MAX_DEPTH = 8;

type Call = Step & { t: 'call' };

/** First step of the called flow; null when it cannot be begun. */
export function callFlow(talk: Talk, step: Call): string | null {
  const { state, scripts } = talk;
  const script = scripts.of(step.flow, state.language);
  if (script === undefined || state.frames.length >= MAX_DEPTH) return null;
  const { flow, step: at, slots, variables, told, outcome } = state;
  const given = Object.entries(step.with).map(([name, value]) => [
    name,
    typeof value === 'string' ? fillValue(talk, value) : String(value),
  ]);
  talk.script = script;
  update(talk, {
    frames: [...state.frames, { flow, step: at, slots, variables, told, outcome }],
    outcome: null,
    flow: step.flow,
    slots: {},
    variables: { ...script.flow.variables, ...(Object.fromEntries(given) as Record<string, string>) },
    told: { ...shared(told), ...passedOn(talk, step) },
    back: null,
    agent: null,
  });
  return script.flow.start;
}

/** Back to the flow that waits, with the results that it asked for. The step to go on with; null when no flow waits. */
export function returnFlow(talk: Talk): string | null {
  const { state, scripts, script } = talk;
  const frame = state.frames.at(-1);
  const before = frame === undefined ? undefined : scripts.of(frame.flow, state.language);
  if (frame === undefined || before === undefined) return null;
  const outcome = state.outcome ?? 'completed';
  const results = Object.entries(script.flow.results).map(([result, name]) => ({
    result,
    value: read(talk, name) ?? '',
    source: sourceOf(state, [name]),
  }));
  const told = { ...frame.told, ...shared(state.told) };
  talk.script = before;
  update(talk, { ...frame, told, frames: state.frames.slice(0, -1), back: null, agent: null });
  const step = own(before.flow.steps, frame.step);
  if (step?.t !== 'call') return null;
  for (const { result, value, source } of [...results, { result: 'outcome', value: outcome, source: null }]) {
    const variable = own(step.into, result);
    if (variable !== undefined) setVariable(talk, variable, value, source);
  }
  return outcome === 'failed' && step.failed !== null ? step.failed : step.next;
}

function shared(told: Readonly<Record<string, Source>>): Record<string, Source> {
  return Object.fromEntries(Object.entries(told).filter(([name]) => name.includes('.')));
}

/** Arguments made of words from outside are such words there. */
function passedOn({ state }: Talk, step: Call): Record<string, Source> {
  const found = Object.entries(step.with).flatMap(([argument, value]): [string, Source][] => {
    const names = [...String(value).matchAll(/\{([a-z0-9_.]+)\}/g)].map(([, name = '']) => name);
    const source = sourceOf(state, names);
    return source === null ? [] : [[argument, source]];
  });
  return Object.fromEntries(found);
}
