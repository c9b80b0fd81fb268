import type { CallFacts, ChatMessage, DialogueEffect, SlotValue, ToolCall, ToolValue } from '../../contracts/index.ts';
import type { Risk } from '../flow/types.ts';

export type Say = Extract<DialogueEffect, { t: 'say' }>;

/** What the outside is doing for us. */
export interface OpenErrand {
  readonly id: string;
  /** review: a second pass of a model over a tool that was asked for. */
  readonly t: 'tool' | 'approval' | 'think' | 'review';
  /** For a tool, its approval or its review. */
  readonly tool: string | null;
  readonly arguments: Readonly<Record<string, ToolValue>>;
  readonly wasSlow: boolean;
  /** The agent's call that it answers. */
  readonly call: string | null;
  /** Which tool of a gather step, by its place. */
  readonly use: number | null;
}

/** An agent at work. */
export interface AgentState {
  readonly messages: readonly ChatMessage[];
  readonly thoughts: number;
  readonly calls: number;
  readonly tokens: number;
  /** Calls of the last thought that are not begun yet. */
  readonly pending: readonly ToolCall[];
  /** A call that waits for the caller's yes. */
  readonly asked: ToolCall | null;
  /** Texts that numbers and dates may come from. */
  readonly grounds: readonly string[];
  /** Addresses and numbers of this caller that tools told. */
  readonly own: readonly string[];
  /** When it began to think, by `atMs` of the events; null before. */
  readonly sinceMs: number | null;
  /** From agent to agent so far. */
  readonly handovers: number;
  /** Answers in a row that could not be spoken. */
  readonly refused: number;
}

/** Where a text came from that nobody of us wrote. personal: it may hold this caller's addresses and numbers. */
export type Source = 'tool' | 'personal';

/** What holds in one flow; a flow that calls another waits with it. */
export interface Frame {
  readonly flow: string;
  readonly step: string;
  readonly slots: Readonly<Record<string, SlotValue>>;
  readonly variables: Readonly<Record<string, string>>;
  /** Variables whose text came from outside. */
  readonly told: Readonly<Record<string, Source>>;
  /** What it came to so far. */
  readonly outcome: string | null;
}

/** Everything that a call's conversation is, as plain data: it survives a restart as JSON. */
export interface FlowState extends Frame {
  /** begin: not started. open: a question is open. transferring: the caller is on the way to a desk. */
  readonly phase: 'begin' | 'open' | 'working' | 'transferring' | 'ended';
  readonly today: string;
  /** Flows that wait for the present one to return, the first one first. */
  readonly frames: readonly Frame[];
  /** Shared by all flows of the call, and kept about the contact. */
  readonly call: Readonly<Record<string, string>>;
  readonly contact: Readonly<Record<string, string>>;
  /** What was set of it in this call. */
  readonly remembered?: Readonly<Record<string, string>>;
  readonly facts: CallFacts;
  readonly language: string;
  readonly persona: string | null;
  readonly model: string | null;
  readonly risk: Risk;
  /** What tools and models have cost so far, in the operator's currency. */
  readonly spent: number;
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
  readonly open: readonly OpenErrand[];
  /** Errands so far: their ids. */
  readonly errands: number;
  /** Tools of the present gather step that have answered. */
  readonly answered: number;
  readonly agent: AgentState | null;
  /** What "say that again" says again. */
  readonly last: readonly Say[];
}
