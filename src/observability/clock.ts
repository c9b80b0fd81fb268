import type { Clock } from '../contracts/index.ts';

/** `process.hrtime` is CLOCK_MONOTONIC, which the media threads stamp their events with. */
export const systemClock: Clock = {
  monoUs: () => Number(process.hrtime.bigint() / 1000n),
  wallUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
};
