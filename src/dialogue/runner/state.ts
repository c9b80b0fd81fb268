import type { ChatMessage, DialogueEffect, SlotValue, ToolCall, ToolValue } from '../../contracts/index.ts';

export type Say = Extract<DialogueEffect, { t: 'say' }>;

/** What the outside is doing for us. */
export interface OpenErrand {
  readonly id: string;
  readonly t: 'tool' | 'approval' | 'think';
  /** For a tool or the approval of one. */
  readonly tool: string | null;
  readonly arguments: Readonly<Record<string, ToolValue>>;
  readonly wasSlow: boolean;
}

/** An agent at work. */
export interface AgentState {
  readonly messages: readonly ChatMessage[];
  readonly thoughts: number;
  readonly calls: number;
  readonly tokens: number;
  /** Calls of the last thought that are not done yet. */
  readonly pending: readonly ToolCall[];
  /** A call that waits for the caller's yes. */
  readonly asked: ToolCall | null;
  /** Texts that numbers and dates may come from. */
  readonly grounds: readonly string[];
}

/** Everything that a call's conversation is, as plain data: it survives a restart as JSON. */
export interface FlowState {
  /** begin: not started. open: a question is open. transferring: the caller is on the way to a desk. */
  readonly phase: 'begin' | 'open' | 'working' | 'transferring' | 'ended';
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
  readonly errand: OpenErrand | null;
  /** Errands so far: their ids. */
  readonly errands: number;
  readonly agent: AgentState | null;
  /** What "say that again" says again. */
  readonly last: readonly Say[];
}
