import type { Flow } from './types.ts';

/** Every desk that a flow may send a call to: `parley check` compares them with the configuration. */
export function desksOf(flow: Flow): readonly string[] {
  const named = Object.values(flow.steps).flatMap((step) => (step.t === 'transfer' ? [step.desk] : []));
  return [...new Set(flow.person === null ? named : [flow.person, ...named])];
}
