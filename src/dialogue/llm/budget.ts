/** A stream under a time budget: what is late is given up, and whoever makes it is told by its signal. */
import type { Timers } from '../../contracts/index.ts';

export interface StreamBudget {
  /** Until the first item. */
  readonly firstMs: number;
  /** Between two items. */
  readonly gapMs: number;
  /** Until the last item. */
  readonly totalMs: number;
}

export type Phase = 'first' | 'gap' | 'total';

interface Guard {
  readonly budget: StreamBudget;
  readonly timers: Timers;
  readonly signal: AbortSignal | undefined;
  /** The error for a budget that is used up. */
  readonly late: (phase: Phase, ms: number) => Error;
}

/** What an abort throws: the signal's reason, made an Error if it is none. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted');
}

/**
 * Items of `open(signal)`, in time. On a timeout, an abort from outside or when the reader leaves, the signal given to `open` aborts at
 * once and nothing waits for the maker to agree.
 */
export async function* guarded<T>(open: (signal: AbortSignal) => AsyncIterable<T>, guard: Guard): AsyncGenerator<T, void, undefined> {
  const { budget, timers, signal } = guard;
  if (signal?.aborted === true) throw abortReason(signal);
  const controller = new AbortController();
  const given = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(abortReason(controller.signal)), { once: true });
  });
  // Nobody may be waiting when it is given up.
  given.catch(() => undefined);
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const alarm = (phase: Phase, ms: number): (() => void) => timers.after(ms, () => controller.abort(guard.late(phase, ms)));
  const stopTotal = alarm('total', budget.totalMs);
  let stopStep = alarm('first', budget.firstMs);
  let finished = false;
  const iterator = open(controller.signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const item = await Promise.race([iterator.next(), given]);
      stopStep();
      if (item.done === true) break;
      yield item.value;
      // The reader may have aborted, or taken its time: its time is not the engine's.
      if (controller.signal.aborted) throw abortReason(controller.signal);
      stopStep = alarm('gap', budget.gapMs);
    }
    finished = true;
  } finally {
    stopStep();
    stopTotal();
    signal?.removeEventListener('abort', onAbort);
    if (!finished) {
      controller.abort(new Error('the reader has left'));
      void iterator.return?.().then(undefined, () => undefined);
    }
  }
}
