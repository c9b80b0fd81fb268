/** What callers leave for people: messages, wishes to be called back, notes. Kept encrypted until its time is over or the person is erased. */

export const INBOX_KINDS = ['message', 'callback', 'note', 'ticket', 'reminder'] as const;
export type InboxKind = (typeof INBOX_KINDS)[number];

/** All of it but the kind and the day is content. */
export interface InboxGiven {
  readonly kind: InboxKind;
  readonly callId: string;
  /** The number that called; '' when withheld. A person is found again by it. */
  readonly number: string;
  /** What the flow asked for, by name. */
  readonly fields: Readonly<Record<string, string>>;
  /** 'YYYY-MM-DD': the day on which it must be looked at; null: at once. */
  readonly due: string | null;
}

export interface Inbox {
  /**
   * On disk, encrypted, when it resolves; Postgres may be away. `reference`: six digits that can be told to the caller.
   * Errors: SPOOL_FAILED.
   */
  put(given: InboxGiven): Promise<{ readonly item: string; readonly reference: string }>;
}

/** An item without what it says: no personal data. */
export interface InboxLine {
  readonly item: string;
  readonly reference: string;
  readonly kind: InboxKind;
  readonly callId: string;
  /** Wall clock, microseconds. */
  readonly atUs: number;
  readonly due: string | null;
  readonly doneUs: number | null;
  /** The person asked that it is kept and not used (GDPR 18): it is not shown. */
  readonly restricted: boolean;
}

export interface InboxItem extends InboxLine {
  readonly from: string;
  readonly fields: Readonly<Record<string, string>>;
}
