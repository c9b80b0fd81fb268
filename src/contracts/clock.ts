/** Time is a parameter: stages get a clock, they never look at one. */
export interface Clock {
  /** CLOCK_MONOTONIC in microseconds: the same clock that the media threads stamp events with. */
  monoUs(): number;
  /** Wall clock in microseconds since 1970. */
  wallUs(): number;
}
