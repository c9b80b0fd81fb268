/** Time is a parameter: stages get a clock, they never look at one. */
export interface Clock {
  /** CLOCK_MONOTONIC in microseconds: the same clock that the media threads stamp events with. */
  monoUs(): number;
  /** Wall clock in microseconds since 1970. */
  wallUs(): number;
}

/** Alarms, for stages that must give up on something: the system's in production, a test's own otherwise. */
export interface Timers {
  /** Calls `act` once, `ms` from now. The answer takes the alarm back; taking it back twice, or after it rang, does nothing. */
  after(ms: number, act: () => void): () => void;
}
