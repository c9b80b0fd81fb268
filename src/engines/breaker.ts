/**
 * The circuit breaker of one engine, pure. Closed: asked always. After `failures` in a row open: left alone for `openMs`. Then half-open: one
 * request tries; when it succeeds closed again, when it fails open for twice as long, up to `maxOpenMs`.
 */
export interface BreakerOptions {
  readonly failures: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
}

export interface BreakerState {
  readonly mode: 'closed' | 'open' | 'half-open';
  /** In a row, while closed. */
  readonly failures: number;
  /** While open: when one may try. */
  readonly untilMs: number;
  /** How long the next opening lasts. */
  readonly nextOpenMs: number;
}

/** `given-up`: we ended the request ourselves; that says nothing about the engine. */
export type BreakerEvent = { readonly t: 'ok' | 'failed' | 'given-up'; readonly probe: boolean; readonly atMs: number };

export function closedBreaker(options: BreakerOptions): BreakerState {
  return { mode: 'closed', failures: 0, untilMs: 0, nextOpenMs: options.openMs };
}

/** Whether a request may go now. `probe` marks the one that tries a half-open engine: its result must say so. */
export function ask(state: BreakerState, atMs: number): readonly [BreakerState, 'go' | 'probe' | 'no'] {
  if (state.mode === 'closed') return [state, 'go'];
  if (state.mode === 'open' && atMs >= state.untilMs) return [{ ...state, mode: 'half-open' }, 'probe'];
  return [state, 'no'];
}

/** Like `ask`, without taking the probe. */
export function wouldRefuse(state: BreakerState, atMs: number): boolean {
  return ask(state, atMs)[1] === 'no';
}

export function told(state: BreakerState, event: BreakerEvent, options: BreakerOptions): BreakerState {
  if (event.probe) return toldByProbe(state, event, options);
  // Requests that began before it opened come back late: they change nothing.
  if (state.mode !== 'closed' || event.t === 'given-up') return state;
  if (event.t === 'ok') return state.failures === 0 ? state : closedBreaker(options);
  const failures = state.failures + 1;
  if (failures < options.failures) return { ...state, failures };
  return { mode: 'open', failures: 0, untilMs: event.atMs + state.nextOpenMs, nextOpenMs: longer(state.nextOpenMs, options) };
}

function toldByProbe(state: BreakerState, event: BreakerEvent, options: BreakerOptions): BreakerState {
  if (state.mode !== 'half-open') return state;
  if (event.t === 'ok') return closedBreaker(options);
  // A probe that we gave up found nothing out: the next request is the probe.
  if (event.t === 'given-up') return { ...state, mode: 'open', untilMs: event.atMs };
  return { mode: 'open', failures: 0, untilMs: event.atMs + state.nextOpenMs, nextOpenMs: longer(state.nextOpenMs, options) };
}

function longer(openMs: number, options: BreakerOptions): number {
  return Math.min(openMs * 2, options.maxOpenMs);
}
