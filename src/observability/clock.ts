import type { Clock, Timers } from '../contracts/index.ts';

/** `process.hrtime` is CLOCK_MONOTONIC, which the media threads stamp their events with. */
export const systemClock: Clock = {
  monoUs: () => Number(process.hrtime.bigint() / 1000n),
  wallUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
};

export const systemTimers: Timers = {
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
