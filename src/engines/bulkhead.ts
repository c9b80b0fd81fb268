/** How many requests one engine has at once, and how long the others wait, pure. First come, first served. */
export interface BulkheadOptions {
  readonly places: number;
  /** How many may wait; one more is refused at once. */
  readonly queue: number;
  /** How long one waits. */
  readonly waitMs: number;
}

export interface BulkheadState {
  readonly running: readonly number[];
  readonly waiting: readonly { readonly id: number; readonly untilMs: number }[];
}

export type BulkheadEvent =
  | { readonly t: 'enter'; readonly id: number; readonly atMs: number }
  /** It is over, or gave up waiting. */
  | { readonly t: 'leave'; readonly id: number }
  | { readonly t: 'tick'; readonly atMs: number };

export type BulkheadEffect = { readonly t: 'admit' | 'refuse'; readonly id: number } | { readonly t: 'wake'; readonly atMs: number };

export const EMPTY_BULKHEAD: BulkheadState = { running: [], waiting: [] };

export function bulkhead(
  state: BulkheadState,
  event: BulkheadEvent,
  options: BulkheadOptions,
): readonly [BulkheadState, readonly BulkheadEffect[]] {
  switch (event.t) {
    case 'enter':
      return enter(state, event, options);
    case 'leave':
      return fill(
        { running: state.running.filter((id) => id !== event.id), waiting: state.waiting.filter(({ id }) => id !== event.id) },
        options,
      );
    case 'tick': {
      const late = state.waiting.filter(({ untilMs }) => untilMs <= event.atMs);
      const waiting = state.waiting.filter(({ untilMs }) => untilMs > event.atMs);
      return [{ ...state, waiting }, late.map(({ id }) => ({ t: 'refuse', id }))];
    }
  }
}

function enter(
  state: BulkheadState,
  { id, atMs }: { id: number; atMs: number },
  options: BulkheadOptions,
): readonly [BulkheadState, readonly BulkheadEffect[]] {
  if (state.running.length < options.places) return [{ ...state, running: [...state.running, id] }, [{ t: 'admit', id }]];
  if (state.waiting.length >= options.queue || options.waitMs <= 0) return [state, [{ t: 'refuse', id }]];
  const untilMs = atMs + options.waitMs;
  return [{ ...state, waiting: [...state.waiting, { id, untilMs }] }, [{ t: 'wake', atMs: untilMs }]];
}

function fill(state: BulkheadState, options: BulkheadOptions): readonly [BulkheadState, readonly BulkheadEffect[]] {
  const free = Math.max(0, options.places - state.running.length);
  const admitted = state.waiting.slice(0, free).map(({ id }) => id);
  return [{ running: [...state.running, ...admitted], waiting: state.waiting.slice(free) }, admitted.map((id) => ({ t: 'admit', id }))];
}
