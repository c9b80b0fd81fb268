/**
 * One call's pen: every event goes to the audit log and to those who watch live.
 * `write` is for what has happened; `before` is for what is about to happen and must be on disk first.
 */
import type { AuditLog, CallEvent, Clock, Logger } from '../contracts/index.ts';
import type { LiveListener, SpeakingEvent } from './ports.ts';

type WithoutCall<E> = E extends CallEvent ? Omit<E, 'callId'> : never;
export type JournalEntry = WithoutCall<CallEvent>;

export class Journal {
  readonly #callId: string | null;
  readonly #audit: AuditLog;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #live: LiveListener;
  /** Appends in flight, so that the end of a call can wait for them. */
  #pending: Promise<unknown> = Promise.resolve();

  constructor(callId: string | null, ports: { audit: AuditLog; logger: Logger; clock: Clock; live: LiveListener }) {
    this.#callId = callId;
    this.#audit = ports.audit;
    this.#logger = ports.logger;
    this.#clock = ports.clock;
    this.#live = ports.live;
  }

  write(entry: JournalEntry): void {
    this.before(entry).catch((error: unknown) => {
      // The spool is full or broken: the policy of audit.whenFull has been applied by the log itself.
      this.#logger.error('event not logged', { type: entry.type, reason: error instanceof Error ? error.message : String(error) });
    });
  }

  /** Resolves when the event is on disk. Errors: SPOOL_FAILED. */
  async before(entry: JournalEntry): Promise<void> {
    const event = { ...entry, callId: this.#callId } as CallEvent;
    const written = this.#audit.append(event);
    this.#pending = Promise.allSettled([this.#pending, written]);
    this.#live({ atUs: this.#clock.wallUs(), event });
    await written;
  }

  /** For those who watch, not for the log. */
  show(event: Omit<SpeakingEvent, 'callId'>): void {
    this.#live({ atUs: this.#clock.wallUs(), event: { ...event, callId: this.#callId } });
  }

  /** Resolves when everything written so far is on disk (or failed to get there). */
  async settled(): Promise<void> {
    await this.#pending;
  }
}
