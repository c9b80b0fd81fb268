import type { CheckpointRow, PayloadCheckRow, StreamRow } from '../store/index.ts';
import { genesisHash, ZERO_HASH } from './chain.ts';
import { KEPT_FINDINGS, type Finding, type FindingKind, type VerifyReport } from './findings.ts';
import { checkSignature } from './keys.ts';
import { noteSignedBy, readNote, type SignedCheckpoint } from './note.ts';
import { streamMessage } from './signing.ts';
import type { StoredEvent } from './stored-event.ts';
import { StreamWalk } from './stream-walk.ts';

export interface VerifierOptions {
  /** Keys whose signatures count; without any, signatures are not checked and the report says so. */
  readonly publicKeys: readonly Buffer[];
  readonly anchors: readonly SignedCheckpoint[];
  /** Lines of the anchor file that are no notes. */
  readonly anchorGarbage?: readonly number[];
}

interface Stream {
  readonly row: StreamRow;
  readonly walk: StreamWalk;
}

interface Wanted {
  readonly hash: Buffer;
  readonly origin: 'checkpoint' | 'anchor';
}

/**
 * Judges a chain from its rows, wherever they come from. Feed in this order: streams, checkpoints, excuses (the events that
 * explain missing things), payloads, then all events in any order. Memory grows with streams and checkpoints, not with events.
 */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #wanted = new Map<string, Map<number, Wanted[]>>();
  /** Subject to the time up to which its payloads may be missing: erased or expired. */
  readonly #erased = new Map<string, number>();
  readonly #dropped = new Map<string, { lastSeq: number; lastHash: string }>();
  #unknownStreams = new Set<string>();
  readonly #findings: Finding[] = [];
  readonly #notes: string[] = [];
  #found = 0;
  #events = 0;
  #payloads = 0;
  #checkpoints = 0;
  #from: string | null = null;
  #to: string | null = null;

  constructor(options: VerifierOptions) {
    this.#options = options;
    if (options.publicKeys.length === 0) this.#notes.push('signatures: no public key was given');
    if (options.anchors.length === 0) this.#notes.push('what an owner of the database could rewrite as a whole: no anchors were given');
    for (const line of options.anchorGarbage ?? [])
      this.#find('anchor-unreadable', null, null, `line ${line} of the anchor file is no signed note`);
    for (const anchor of options.anchors) {
      if (!this.#signed(anchor.note))
        this.#find('anchor-signature', anchor.streamId, anchor.seq, 'the note is not signed by the given key');
      else this.#want(anchor.streamId, anchor.seq, anchor.hash, 'anchor');
    }
  }

  addStream(row: StreamRow): void {
    const { streamId } = row;
    if (this.#streams.has(streamId)) {
      this.#find('duplicate', streamId, null, 'the stream is registered twice');
      return;
    }
    if (!genesisHash(row).equals(row.genesis))
      this.#find('register-changed', streamId, null, 'the register row is not the one that was signed (genesis differs)');
    const keys = this.#options.publicKeys;
    if (keys.length > 0 && !keys.some((key) => checkSignature(key, streamMessage(row.genesis), row.sig))) {
      this.#find('register-signature', streamId, null, 'the register row is not signed by the given key');
    }
    this.#streams.set(streamId, { row, walk: new StreamWalk(row.genesis, (kind, seq, what) => this.#find(kind, streamId, seq, what)) });
    if (this.#from === null || row.day < this.#from) this.#from = row.day;
    if (this.#to === null || row.day > this.#to) this.#to = row.day;
  }

  addCheckpoint(row: CheckpointRow): void {
    this.#checkpoints += 1;
    const note = readNote(row.note);
    if (note === null || note.streamId !== row.streamId || note.seq !== row.seq || !note.hash.equals(row.hash)) {
      this.#find('checkpoint-changed', row.streamId, row.seq, 'the row differs from the note in it');
    } else if (!this.#signed(row.note))
      this.#find('checkpoint-signature', row.streamId, row.seq, 'the note is not signed by the given key');
    this.#want(row.streamId, row.seq, row.hash, 'checkpoint');
  }

  /** An event of type subject.erased, retention.expired or retention.dropped. It is also checked in its place like any other. */
  addExcuse(event: { readonly type: string; readonly subjectId: string | null; readonly body: string }): void {
    const body = parseBody(event.body);
    const throughUs = typeof body['throughUs'] === 'number' ? body['throughUs'] : 0;
    if (event.type === 'subject.erased' && event.subjectId !== null) {
      this.#erased.set(event.subjectId, Math.max(throughUs, this.#erased.get(event.subjectId) ?? 0));
    } else if (event.type === 'retention.expired' && Array.isArray(body['subjects'])) {
      for (const subject of body['subjects'] as readonly string[])
        this.#erased.set(subject, Math.max(throughUs, this.#erased.get(subject) ?? 0));
    } else if (event.type === 'retention.dropped' && Array.isArray(body['streams'])) {
      for (const item of body['streams'] as readonly { stream: string; lastSeq: number; lastHash: string }[])
        this.#dropped.set(item.stream, item);
    }
  }

  addEvent(event: StoredEvent): void {
    this.#events += 1;
    const { streamId, seq } = event;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (!this.#unknownStreams.has(streamId)) this.#find('unknown-stream', streamId, seq, 'no such stream is registered');
      this.#unknownStreams.add(streamId);
      return;
    }
    if (event.day !== stream.row.day)
      this.#find('wrong-day', streamId, seq, `stored under ${event.day}, but the stream is of ${stream.row.day}`);
    stream.walk.add(event);
    const wanted = this.#wanted.get(streamId);
    const here = wanted?.get(seq);
    if (here === undefined) return;
    wanted?.delete(seq);
    for (const want of here)
      if (!want.hash.equals(event.hash)) this.#find(`${want.origin}-differs`, streamId, seq, `the ${want.origin} has another hash`);
  }

  /** After the excuses. Null: payloads cannot be checked here. */
  addPayload(row: PayloadCheckRow | null): void {
    if (row === null) {
      this.#notes.push('payloads: their hashes cannot be read here');
      return;
    }
    this.#payloads += 1;
    const { streamId, seq, stored } = row;
    if (stored !== null) {
      if (!row.payloadSha256.equals(stored)) this.#find('payload-changed', streamId, seq, 'the payload is not the one that was logged');
      return;
    }
    const erasedUs = row.subjectId === null ? 0 : (this.#erased.get(row.subjectId) ?? 0);
    if (row.tsUs > erasedUs)
      this.#find('payload-missing', streamId, seq, 'the payload is missing without an erasure or expiry that names it');
  }

  finish(): VerifyReport {
    for (const { walk } of this.#streams.values()) walk.end();
    this.#checkRegister();
    for (const [streamId, bySeq] of this.#wanted) {
      const dropped = this.#dropped.get(streamId);
      for (const [seq, wants] of bySeq) {
        if (dropped !== undefined && seq <= dropped.lastSeq) continue;
        for (const origin of new Set(wants.map((want) => want.origin))) {
          this.#find(`${origin}-missing`, streamId, seq, `the ${origin} names an event that is not there`);
        }
      }
    }
    const writers = [...new Set([...this.#streams.values()].map(({ row }) => row.writer))].sort();
    return {
      ...{
        ok: this.#found === 0,
        writers,
        streams: this.#streams.size,
        events: this.#events,
        payloads: this.#payloads,
        checkpoints: this.#checkpoints,
      },
      ...{
        anchors: this.#options.anchors.length,
        from: this.#from,
        to: this.#to,
        found: this.#found,
        findings: this.#findings,
        notes: this.#notes,
      },
    };
  }

  /** Ordinals without gaps, and each stream's end as the next one pins it. */
  #checkRegister(): void {
    const byWriter = new Map<string, Stream[]>();
    for (const stream of this.#streams.values()) {
      const list = byWriter.get(stream.row.writer);
      if (list === undefined) byWriter.set(stream.row.writer, [stream]);
      else list.push(stream);
    }
    for (const list of byWriter.values()) {
      list.sort((a, b) => a.row.ordinal - b.row.ordinal);
      list.forEach((stream, index) => this.#checkPin(list[index - 1] ?? null, stream));
    }
  }

  #checkPin(before: Stream | null, { row }: Stream): void {
    const expected = (before?.row.ordinal ?? 0) + 1;
    if (row.ordinal !== expected) {
      this.#find('stream-missing', row.streamId, null, `streams ${expected} to ${row.ordinal - 1} of ${row.writer} are missing before it`);
      return;
    }
    const [owner, seq, hash] =
      before === null ? [row.streamId, 0, ZERO_HASH] : [before.row.streamId, before.walk.tailSeq, before.walk.tailHash];
    if (row.prevLastSeq === seq && row.prevLastHash.equals(hash)) return;
    if (seq === 0 && this.#announced(owner, row)) return;
    this.#find('pin-differs', owner, seq, `stream ${row.streamId} says that it ended with event ${row.prevLastSeq}, or with another hash`);
  }

  /** The whole stream was dropped with its month, and the chain said so with the very end that the pin names. */
  #announced(streamId: string, next: StreamRow): boolean {
    const dropped = this.#dropped.get(streamId);
    return dropped?.lastSeq === next.prevLastSeq && dropped.lastHash === next.prevLastHash.toString('hex');
  }

  #want(streamId: string, seq: number, hash: Buffer, origin: Wanted['origin']): void {
    const bySeq = this.#wanted.get(streamId) ?? new Map<number, Wanted[]>();
    this.#wanted.set(streamId, bySeq);
    bySeq.set(seq, [...(bySeq.get(seq) ?? []), { hash, origin }]);
  }

  #signed(note: string): boolean {
    const keys = this.#options.publicKeys;
    return keys.length === 0 || keys.some((key) => noteSignedBy(note, key));
  }

  #find(kind: FindingKind, streamId: string | null, seq: number | null, what: string): void {
    this.#found += 1;
    if (this.#findings.length < KEPT_FINDINGS) this.#findings.push({ kind, streamId, seq, what });
  }
}

function parseBody(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
