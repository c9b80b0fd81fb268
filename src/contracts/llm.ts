/**
 * The language-model port: a chat request goes in, deltas come out while they are made.
 * Every engine and every fake passes test/contract/llm.test.ts.
 */

/** JSON Schema (draft 2020-12) as a plain object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface ToolCall {
  /** Names the call inside this conversation: the answer carries it back. */
  readonly id: string;
  readonly name: string;
  /** As the model made them: an object, not yet checked against the tool's schema. */
  readonly arguments: Readonly<Record<string, unknown>>;
}

export type ChatMessage =
  | { readonly role: 'system' | 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly toolCalls?: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly callId: string; readonly name: string; readonly text: string };

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** Schema of the arguments; its type is `object`. */
  readonly parameters: JsonSchema;
}

export interface ChatOptions {
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
}

export interface ChatRequest {
  /** Opaque and the same for all requests of one call: keeps the call on one slot of the server, whose prefix is warm. Never sent. */
  readonly callKey: string;
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly ToolSpec[];
  readonly options?: ChatOptions;
  /** The answer is JSON of this schema. */
  readonly format?: JsonSchema;
  /** The smaller model will do, where there is one: the site is short of capacity. */
  readonly thrifty?: boolean;
  /** Name of the model to ask first, as the configuration calls it; the usual one when left out or not known. */
  readonly model?: string;
  readonly signal?: AbortSignal;
}

export type DoneReason = 'stop' | 'length' | 'tools' | 'other';

/**
 * Order: any number of text, tool-start and tool-call; at most one usage; exactly one done, which is the last.
 * Text is never empty, never ends inside a surrogate pair and holds no control characters but line feed and tab. What a model thinks
 * before it answers is not passed on.
 */
export type ChatDelta =
  | { readonly t: 'text'; readonly text: string }
  /** The model began a tool call; its arguments are still being made. */
  | { readonly t: 'tool-start'; readonly name: string }
  | { readonly t: 'tool-call'; readonly call: ToolCall }
  | { readonly t: 'usage'; readonly usage: TokenUsage }
  /** `by`: which engine of a chain answered, and what it cost by the price in the configuration. */
  | { readonly t: 'done'; readonly reason: DoneReason; readonly by?: AnsweredBy };

export interface AnsweredBy {
  readonly engine: string;
  /** ISO 4217; absent where no price is given. */
  readonly cost?: { readonly amount: number; readonly currency: string };
}

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Prompt tokens that were found warm; null where the server does not say. */
  readonly cachedTokens: number | null;
}

/** A provider outside the operator's machines, as the record of processing names it. */
export interface ExternalProcessor {
  readonly processor: string;
  readonly legalBasis: string;
}

export type WarmRequest = Pick<ChatRequest, 'callKey' | 'messages' | 'tools' | 'signal'>;

export interface LanguageModel {
  readonly name: string;
  /** What an auditor and the console show: protocol, model, host. */
  readonly description: string;
  /** Null for an engine on the operator's own machines. */
  readonly external: ExternalProcessor | null;
  /** Resolves when the server answers and has the model. Errors: LLM_FAILED, LLM_TIMEOUT, LLM_MODEL, LLM_EXTERNAL. */
  start(): Promise<void>;
  /**
   * Nothing is sent before the first `next()`. Leaving the loop early closes the connection, so the server stops.
   * Errors: LLM_FAILED, LLM_TIMEOUT, LLM_BAD_OUTPUT, LLM_REFUSED, LLM_MODEL, LLM_EXTERNAL; an aborted request throws the signal's reason.
   */
  chat(request: ChatRequest): AsyncIterable<ChatDelta>;
  /** Lets the server read a prompt ahead, so that the next chat pays only for what follows it. Errors as `chat`. */
  warm(request: WarmRequest): Promise<void>;
  /** The call is over: its slot is free. */
  release(callKey: string): void;
  stop(): Promise<void>;
}
