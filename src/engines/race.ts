/**
 * Which engine is asked when, pure. The first one; when it fails the next one; with a hedge also when it is merely slow, and then whoever
 * answers first wins and the other is given up. At most two are asked at once, one wins, nobody starts after that.
 */
export interface RaceState {
  readonly engines: number;
  /** The next one to be asked. */
  readonly next: number;
  readonly running: readonly number[];
  readonly hedged: boolean;
  readonly over: boolean;
}

export type RaceEvent =
  | { readonly t: 'begin' }
  | { readonly t: 'failed' | 'won'; readonly engine: number }
  /** The first one has had its time. */
  | { readonly t: 'hedge' }
  | { readonly t: 'abort' };

export type RaceEffect =
  { readonly t: 'start' | 'give-up' | 'win'; readonly engine: number } | { readonly t: 'arm-hedge' } | { readonly t: 'lost' };

export function newRace(engines: number): RaceState {
  return { engines, next: 0, running: [], hedged: false, over: false };
}

export function race(state: RaceState, event: RaceEvent): readonly [RaceState, readonly RaceEffect[]] {
  if (state.over) return [state, []];
  switch (event.t) {
    case 'begin':
      return start(state, [{ t: 'arm-hedge' }]);
    case 'failed': {
      if (!state.running.includes(event.engine)) return [state, []];
      const left = { ...state, running: state.running.filter((engine) => engine !== event.engine) };
      return left.running.length > 0 ? [left, []] : start(left, []);
    }
    case 'hedge':
      if (state.hedged || state.running.length !== 1 || state.next >= state.engines) return [state, []];
      return start({ ...state, hedged: true }, []);
    case 'won': {
      if (!state.running.includes(event.engine)) return [state, []];
      const others = state.running.filter((engine) => engine !== event.engine);
      return [
        { ...state, running: [], over: true },
        [...others.map((engine) => ({ t: 'give-up' as const, engine })), { t: 'win', engine: event.engine }],
      ];
    }
    case 'abort':
      return [{ ...state, running: [], over: true }, state.running.map((engine) => ({ t: 'give-up', engine }))];
  }
}

function start(state: RaceState, more: readonly RaceEffect[]): readonly [RaceState, readonly RaceEffect[]] {
  const engine = state.next;
  if (engine >= state.engines) return [{ ...state, over: true }, [{ t: 'lost' }]];
  return [{ ...state, next: engine + 1, running: [...state.running, engine] }, [{ t: 'start', engine }, ...more]];
}
