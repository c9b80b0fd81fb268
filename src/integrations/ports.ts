/** What the desk of errands needs: adapters by kind of tool, people who approve, and what a call knows. */
import type { ToolTarget, ToolValue } from '../contracts/index.ts';

/** Facts of the call that decide scope: whose account, which number. Set by the call, never by words. */
export type CallContext = Readonly<Record<string, string>>;

export interface AdapterCall {
  /** Name of the tool in the flow. */
  readonly tool: string;
  readonly target: ToolTarget;
  readonly arguments: Readonly<Record<string, ToolValue>>;
  readonly idempotencyKey: string;
  /** The call that it is done for; none in a trial by hand. */
  readonly callId?: string;
  /** The number that calls, where it is known. */
  readonly caller?: string;
  readonly signal: AbortSignal;
}

/** Carries a call out. Rejects when it failed; `NotDone` when it is certain that nothing happened. */
export type ToolAdapter = (call: AdapterCall) => Promise<unknown>;

/** It failed before anything could have happened: it may be tried again whatever it is. */
export class NotDone extends Error {}

/** It was refused for good: trying again is of no use. */
export class Refused extends Error {}

/** The answer is larger than a telephone call can use. */
export class TooLarge extends Error {}

export interface ApprovalRequest {
  readonly callId: string;
  readonly id: string;
  readonly tool: string;
  /** What will be done, in words for a colleague. Content: not for the log. */
  readonly summary: string;
  readonly signal: AbortSignal;
}

/** A colleague decides: in the console, or at a desk phone by pressing 1 or 2. */
export interface Approvers {
  ask(request: ApprovalRequest): Promise<'approved' | 'denied'>;
}

export const MAX_RESULT_BYTES = 64 * 1024;
