import type { Timers } from '../../src/contracts/index.ts';

/** The system's alarms. They keep no process alive. */
export const systemTimers: Timers = {
  after(ms, act) {
    const timer = setTimeout(act, ms).unref();
    return () => clearTimeout(timer);
  },
};
