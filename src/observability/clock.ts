import type { Clock, Timers } from '../contracts/index.ts';

/** `process.hrtime` is CLOCK_MONOTONIC, which the media threads stamp their events with. */
export const systemClock: Clock = {
  monoUs: () => Number(process.hrtime.bigint() / 1000n),
  // performance.timeOrigin + performance.now() would never follow a clock that is set.
  wallUs: () => Date.now() * 1000,
};

export const systemTimers: Timers = {
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
