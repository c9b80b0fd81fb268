/** What earlier calls of a contact left for later ones. Kept encrypted, only where the configuration gives it a time and a basis. */
import type { CallFacts } from './dialogue.ts';

/** By this value a flow says what the contact answered: 'true' may be remembered, 'false' forgets what was kept before. */
export const REMEMBER_ME = 'remember_me';

export type Recalled = Required<Pick<CallFacts, 'contact' | 'history'>>;

/** A call at its end. All of it but `outcome` is content. */
export interface FinishedCall {
  readonly callId: string;
  /** The number that called; '' when withheld. Never stored as it is. */
  readonly number: string;
  readonly outcome: string;
  /** One line. */
  readonly summary: string;
  /** What the flow set about the contact, by name. */
  readonly values: Readonly<Record<string, string>>;
  /** Canonical values, no secrets. */
  readonly slots: Readonly<Record<string, string>>;
  /** What `REMEMBER_ME` was before this call; undefined when nothing is known of it. */
  readonly agreedBefore: string | undefined;
}

export interface CallMemory {
  /** Null when nothing is known. Errors: STORE_DOWN, SPOOL_FAILED: the call goes on without. */
  recall(about: { readonly callId: string; readonly number: string }): Promise<Recalled | null>;
  /** Keeps what may be kept. Its event is in the log's order when the call returns. Errors: STORE_DOWN, SPOOL_FAILED. */
  keep(call: FinishedCall): Promise<void>;
}
