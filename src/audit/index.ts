/**
 * The log that an auditor can check without us: events are hashed into a chain and synced to a local encrypted spool before the
 * act they announce, shipped to Postgres in order, and sealed by signed checkpoints outside the database. Personal content goes
 * to the vault or nowhere. Here is also everything that checks the chain.
 * It must not know what a call does next, nor decide anything about it: it is told, it keeps, it proves.
 * Errors: SPOOL_FAILED (the act may not happen), SPOOL_CORRUPT, CHAIN_FORK. Postgres being away is no error, only a backlog.
 */
export { createAudit, type Audit, type AuditOptions } from './log.ts';
export { formatReport, verifyAudit, verifyDump, type VerifyOptions } from './verify.ts';
export { type Dealt, type DeskInbox, openInbox } from './inbox.ts';
export { openMemory, type MemoryOptions } from './memory.ts';
export { dropMonths, expireContent, retireKeys, type RetentionDesk } from './retention.ts';
export { readAsteriskCdr, reconcileCalls, type CallRecord, type Reconciliation } from './reconcile.ts';
export {
  type AsDpo,
  type ConsentHistory,
  consentsOfSubject,
  correctSubject,
  type Holding,
  holdSubject,
  replayErasures,
  type Restriction,
  restrictSubject,
} from './rights.ts';
export { ownPublicKeys, rotateSigner, type Rotation } from './rotation.ts';
export { openRestrictions, type Restrictions } from './restrictions.ts';
export { subjectPage } from './subject-page.ts';
export { eraseSubject, exportSubject, type Erasure, type Export } from './subjects.ts';
export type { SubjectDesk } from './subject-desk.ts';
export { type CallFiles, shelveCallFiles, sweepCallFiles } from './call-files.ts';
export { allowCall, type ReadFor } from './use.ts';
export type { VCon } from './vcon.ts';
export { openCallsIn } from './open-calls.ts';
export { createRecorder, type RecorderOptions } from './recording/recorder.ts';
export { exportRecordings, sweepRecordings, type KeptRecording } from './recording/shelf.ts';
export { verifySpool } from './verify-spool.ts';
export type { Finding, FindingKind, VerifyReport } from './findings.ts';
export { findSecrets, maskText, type MaskOptions, type SecretKind, type SecretSpan } from './masking/mask.ts';
