import type { EventRow, PayloadRow, StreamRow, SubjectKeyRow } from '../store/index.ts';

/** The end of a chain: what the next stream pins. */
export interface Head {
  readonly writer: string;
  readonly ordinal: number;
  readonly streamId: string;
  readonly day: string;
  readonly seq: number;
  readonly hash: Buffer;
  /** Clocks of the last event; null before the first of a stream. */
  readonly tsUs: number | null;
  readonly monoUs: number | null;
}

/** What a spool frame holds: one JSON array per line, binary as hex. */
export type SpoolRecord =
  /** First line of each segment: where the chain stood, so that older segments can go. */
  | { readonly t: 'head'; readonly head: Head }
  | { readonly t: 'stream'; readonly row: StreamRow }
  | { readonly t: 'event'; readonly row: EventRow }
  | { readonly t: 'key'; readonly row: SubjectKeyRow }
  | { readonly t: 'payload'; readonly row: PayloadRow };

const hex = (bytes: Buffer | null): string | null => (bytes === null ? null : bytes.toString('hex'));

export function encodeHead(h: Head): string {
  return JSON.stringify(['h', h.writer, h.ordinal, h.streamId, h.day, h.seq, hex(h.hash)]);
}
export function encodeStream(s: StreamRow): string {
  return JSON.stringify(['s', s.streamId, s.writer, s.ordinal, s.day, s.prevLastSeq, hex(s.prevLastHash), hex(s.genesis), hex(s.sig)]);
}
export function encodeEvent(e: EventRow): string {
  return JSON.stringify([
    'e',
    e.day,
    e.streamId,
    e.seq,
    e.tsUs,
    e.monoUs,
    e.callId,
    e.subjectId,
    e.type,
    e.body,
    hex(e.payloadSha256),
    hex(e.hash),
  ]);
}
export function encodeKey(k: SubjectKeyRow): string {
  return JSON.stringify(['k', k.subjectId, hex(k.numberMac), hex(k.wrappedDek), k.kekId, k.expiresUs]);
}
export function encodePayload(p: PayloadRow): string {
  return JSON.stringify(['p', p.streamId, p.seq, p.subjectId, hex(p.ct)]);
}

/** A line of an authenticated frame: its shape is ours by construction. */
export function decodeRecord(line: string): SpoolRecord {
  const f = JSON.parse(line) as readonly (string | number | null)[];
  const text = (at: number): string => String(f[at]);
  const count = (at: number): number => Number(f[at]);
  const maybe = (at: number): string | null => (f[at] === null ? null : text(at));
  const bytes = (at: number): Buffer => Buffer.from(text(at), 'hex');
  switch (f[0]) {
    case 'h':
      return {
        t: 'head',
        head: {
          writer: text(1),
          ordinal: count(2),
          streamId: text(3),
          day: text(4),
          seq: count(5),
          hash: bytes(6),
          tsUs: null,
          monoUs: null,
        },
      };
    case 's':
      return {
        t: 'stream',
        row: {
          streamId: text(1),
          writer: text(2),
          ordinal: count(3),
          day: text(4),
          prevLastSeq: count(5),
          prevLastHash: bytes(6),
          genesis: bytes(7),
          sig: bytes(8),
        },
      };
    case 'e':
      return {
        t: 'event',
        row: {
          ...{ day: text(1), streamId: text(2), seq: count(3), tsUs: count(4), monoUs: count(5), callId: maybe(6), subjectId: maybe(7) },
          ...{ type: text(8), body: text(9), payloadSha256: f[10] === null ? null : bytes(10), hash: bytes(11) },
        },
      };
    case 'k':
      return {
        t: 'key',
        row: { subjectId: text(1), numberMac: f[2] === null ? null : bytes(2), wrappedDek: bytes(3), kekId: text(4), expiresUs: count(5) },
      };
    case 'p':
      return { t: 'payload', row: { streamId: text(1), seq: count(2), subjectId: text(3), ct: bytes(4) } };
    default:
      throw new RangeError(`unknown spool record ${String(f[0])}`);
  }
}

/** The head after this record. */
export function advance(head: Head | null, record: SpoolRecord): Head | null {
  if (record.t === 'head') return record.head;
  if (record.t === 'stream') {
    const { writer, ordinal, streamId, day, genesis } = record.row;
    return { writer, ordinal, streamId, day, seq: 0, hash: genesis, tsUs: null, monoUs: null };
  }
  if (record.t === 'event' && head !== null) {
    const { seq, hash, tsUs, monoUs } = record.row;
    return { ...head, seq, hash, tsUs, monoUs };
  }
  return head;
}
