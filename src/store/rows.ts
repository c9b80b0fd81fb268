/** Rows as they go in and out. Hashes are Buffers of 32 bytes; uuids are lower-case text; days are 'YYYY-MM-DD' (UTC). */

export interface StreamRow {
  readonly streamId: string;
  readonly writer: string;
  readonly ordinal: number;
  readonly day: string;
  readonly prevLastSeq: number;
  readonly prevLastHash: Buffer;
  readonly genesis: Buffer;
  readonly sig: Buffer;
}

export interface EventRow {
  readonly day: string;
  readonly streamId: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly monoUs: number;
  readonly callId: string | null;
  readonly subjectId: string | null;
  readonly type: string;
  readonly body: string;
  readonly payloadSha256: Buffer | null;
  readonly hash: Buffer;
}

export interface CheckpointRow {
  readonly streamId: string;
  readonly seq: number;
  readonly hash: Buffer;
  readonly tsUs: number;
  readonly note: string;
}

export interface SubjectKeyRow {
  readonly subjectId: string;
  readonly numberMac: Buffer | null;
  readonly wrappedDek: Buffer;
  readonly kekId: string;
  /** Microseconds since 1970. */
  readonly expiresUs: number;
}

export interface PayloadRow {
  readonly streamId: string;
  readonly seq: number;
  readonly subjectId: string;
  readonly ct: Buffer;
}

/** One shipment: rows in the order in which they were made. */
export interface AuditBatch {
  readonly streams: readonly StreamRow[];
  readonly events: readonly EventRow[];
  readonly subjectKeys: readonly SubjectKeyRow[];
  readonly payloads: readonly PayloadRow[];
}
