/** The booking conversation that the demo's caller holds, and what the flow must have understood at its end. */
import type { Script } from './caller/index.ts';

export interface Conversation {
  readonly script: Script;
  /** Slot name to canonical value at the end of the call; a day by its English name, because its date moves. */
  readonly slots: Readonly<Record<string, string>>;
  readonly outcome: string;
}

const listen = { wait: 'agent-finished' } as const;

/** A booking with one correction, a question in the middle of it all, goodbye. All words are known to the built-in test recogniser. */
export const BOOKING: Conversation = {
  script: [
    listen,
    { say: 'i want to book a table for four on friday at seven' },
    listen,
    { say: 'no friday is wrong' },
    listen,
    { say: 'saturday please' },
    listen,
    { say: 'yes that is right' },
    listen,
    { say: 'what are your opening hours' },
    listen,
    { say: 'no thank you' },
    { wait: 'hangup' },
  ],
  slots: { party: '4', day: 'saturday', time: '19:00' },
  outcome: 'booked',
};
