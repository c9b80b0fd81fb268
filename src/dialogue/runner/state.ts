import type { DialogueEffect, SlotValue } from '../../contracts/index.ts';

export type Say = Extract<DialogueEffect, { t: 'say' }>;

/** Everything that a call's conversation is, as plain data: it survives a restart as JSON. */
export interface FlowState {
  /** begin: not started. open: a question is open. transferring: the caller is on the way to a desk. */
  readonly phase: 'begin' | 'open' | 'transferring' | 'ended';
  readonly step: string;
  readonly today: string;
  readonly slots: Readonly<Record<string, SlotValue>>;
  readonly variables: Readonly<Record<string, string>>;
  /** Answers in a row that did not fit the open question. */
  readonly misses: number;
  readonly silences: number;
  /** Caller's turns so far. */
  readonly turns: number;
  /** At a confirm step: we asked what to change. */
  readonly which: boolean;
  /** A confirm step that waits for a slot to be given anew. */
  readonly back: string | null;
  /** We offered a person: a yes takes it. */
  readonly offered: boolean;
  readonly outcome: string | null;
  /** What "say that again" says again. */
  readonly last: readonly Say[];
}
