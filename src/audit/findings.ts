/** What a verification can find. Every finding has a place: a stream and, where there is one, an event. */
export type FindingKind =
  | 'hash-mismatch'
  | 'gap'
  | 'duplicate'
  | 'unknown-stream'
  | 'wrong-day'
  | 'clock-back'
  | 'clock-jump'
  | 'register-changed'
  | 'register-signature'
  | 'stream-missing'
  | 'pin-differs'
  | 'checkpoint-changed'
  | 'checkpoint-signature'
  | 'checkpoint-missing'
  | 'checkpoint-differs'
  | 'anchor-unreadable'
  | 'anchor-signature'
  | 'anchor-missing'
  | 'anchor-differs'
  | 'payload-changed'
  | 'payload-missing'
  | 'spool-damaged'
  | 'call-unlogged'
  | 'call-unended'
  | 'call-ended-twice';

export interface Finding {
  readonly kind: FindingKind;
  readonly streamId: string | null;
  readonly seq: number | null;
  readonly what: string;
}

export interface VerifyReport {
  /** True when nothing was found. */
  readonly ok: boolean;
  readonly writers: readonly string[];
  readonly streams: number;
  readonly events: number;
  readonly payloads: number;
  readonly checkpoints: number;
  readonly anchors: number;
  /** First and last day, 'YYYY-MM-DD'; null when there is nothing. */
  readonly from: string | null;
  readonly to: string | null;
  /** All findings are counted, the first thousand are kept. */
  readonly found: number;
  readonly findings: readonly Finding[];
  /** What was not checked, and why. */
  readonly notes: readonly string[];
}

export const KEPT_FINDINGS = 1000;

/** The report in words, one line per finding. */
export function formatReport(report: VerifyReport): string {
  const span = report.from === null ? 'empty' : `${report.from} to ${report.to ?? ''}`;
  const lines = [
    `audit chain: ${report.events} events in ${report.streams} streams of ${report.writers.length} gateways, ${span}`,
    `checked against ${report.checkpoints} checkpoints in the database and ${report.anchors} anchors outside it; ${report.payloads} payloads`,
    ...report.notes.map((note) => `not checked: ${note}`),
    ...report.findings.map(formatFinding),
  ];
  if (report.found > report.findings.length) lines.push(`... and ${report.found - report.findings.length} more`);
  lines.push(report.ok ? 'OK: nothing was changed, removed or added' : `FAILED: ${report.found} findings`);
  return lines.join('\n');
}

function formatFinding(finding: Finding): string {
  const stream = finding.streamId === null ? '' : ` stream ${finding.streamId}`;
  const seq = finding.seq === null ? '' : ` event ${finding.seq}`;
  return `FOUND ${finding.kind}:${stream}${seq}: ${finding.what}`;
}
