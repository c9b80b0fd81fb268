/** The log port. Events are hashed, chained and fsynced before the promise resolves: log before act. */
import type { CallEvent } from './call-events.ts';

export interface AuditLog {
  /**
   * Appends in call order. Resolves when the event is on disk (group commit, at most 10 ms).
   * Errors: SPOOL_FAILED; then the caller decides by policy whether the act may happen.
   */
  append(event: CallEvent): Promise<void>;
  /** Events appended but not yet in Postgres. */
  readonly backlog: number;
  readonly healthy: boolean;
}
