/** What the dialplan line of a trunk says of its audio: `noise=suppress`, `echo=cancel`, or `off`; it wins over the configuration. */
import type { Cleaning } from '../contracts/index.ts';

/** Other words change nothing. */
export function cleaningOf(args: Readonly<Record<string, string>>): Cleaning {
  const { noise, echo } = args;
  return {
    ...(noise === 'off' || noise === 'suppress' ? { noise } : {}),
    ...(echo === 'off' || echo === 'cancel' ? { echo } : {}),
  };
}
