/**
 * Postgres: the only place that imports pg and that knows SQL. A pool, plain SQL migrations with checksums, a check of the live
 * schema against what the migrations make, and the statements per table. It can run a private, real Postgres of its own.
 * It must not know what an event means, what a hash covers or where a key is: rows come in ready-made.
 * Errors: STORE_DOWN (wait), STORE_REFUSED, STORE_DRIFT, CHAIN_FORK. It never throws because Postgres is away at start.
 */
export { createStore, type Store, type StoreOptions, type StoreState } from './store.ts';
export { readDump, type DumpVisitor } from './audit-dump.ts';
export { readAudit, type AuditVisitor, type PayloadCheckRow } from './audit-read.ts';
export { PACKED } from './packed-event.ts';
export { startEmbedded, type EmbeddedOptions, type EmbeddedServer } from './embedded.ts';
export {
  callsByPbxId,
  callsOfSubjects,
  eventsOf,
  expiredSubjects,
  keylessSubjects,
  memoriesOf,
  payloadsOf,
  restrictedNumbers,
  storedMonths,
  storedSubjects,
  subjectsOf,
  tailsOfMonth,
} from './vault-tables.ts';
export type { CallEventRow, StoredMemory, StoredPayload, StreamTail, SubjectRow } from './vault-tables.ts';
export { type CallFileKind, erasedCalls, isRestricted, neededKeks, restrictedCalls, useOfCall } from './use-tables.ts';
export { dueItems, inboxItems, type StoredItem } from './inbox-tables.ts';
export { feesIn } from './fee-tables.ts';
export { asRole } from './as-role.ts';
export { knowledgeShelf } from './knowledge-tables.ts';
export type { AuditBatch, CheckpointRow, EventRow, PayloadRow, StreamRow, SubjectKeyRow } from './rows.ts';
export {
  withReportReader,
  type CallTouched,
  type FlowOutcome,
  type FlowUsage,
  type LoggedEvent,
  type ReportReader,
  type Span,
  type TypeCount,
} from './report-tables.ts';
