import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import type { StreamRow } from '../store/index.ts';
import type { VerifyReport } from './findings.ts';
import { type SpoolRecord } from './records.ts';
import { walkSegment } from './spool-replay.ts';
import { listSegments, SegmentReader, segmentPath } from './spool-segments.ts';
import { eventHash } from './chain.ts';
import type { Finding, FindingKind } from './findings.ts';

/**
 * Checks a spool folder without touching it: every frame authentic, every event linked to the one before it. A torn end is no
 * finding, because what stood there was never acknowledged. Errors: SPOOL_CORRUPT when the key file is missing.
 */
export async function verifySpool(options: { readonly folder: string; readonly keysFolder?: string }): Promise<VerifyReport> {
  const key = await readKey(join(options.keysFolder ?? join(options.folder, 'keys'), 'spool.key'));
  const walk = new SpoolWalk();
  for (const number of await listSegments(options.folder)) {
    const path = segmentPath(options.folder, number);
    const reader = await SegmentReader.open(path, key).catch(() => 'bad' as const);
    if (reader === 'bad') walk.find('spool-damaged', null, null, `${path} does not start as a segment`);
    if (reader === 'bad' || reader === null) continue;
    try {
      await walkSegment(
        reader,
        (record) => walk.add(record),
        (at) => walk.find('spool-damaged', null, null, `${path} has damaged bytes at ${at}`),
      );
    } finally {
      await reader.close();
    }
  }
  return walk.report();
}

async function readKey(path: string): Promise<Buffer> {
  try {
    return Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
  } catch (error) {
    throw new ParleyError('SPOOL_CORRUPT', `The spool cannot be read without its key ${path}.`, { cause: error, place: { file: path } });
  }
}

class SpoolWalk {
  readonly #streams: StreamRow[] = [];
  readonly #findings: Finding[] = [];
  #place: { streamId: string; seq: number; hash: Buffer } | null = null;
  #events = 0;
  #payloads = 0;

  find(kind: FindingKind, streamId: string | null, seq: number | null, what: string): void {
    this.#findings.push({ kind, streamId, seq, what });
  }

  add(record: SpoolRecord): void {
    if (record.t === 'head') {
      const { streamId, seq, hash } = record.head;
      if (this.#place !== null && !this.#place.hash.equals(hash))
        this.find('gap', streamId, seq, 'the next segment starts from another end');
      this.#place = { streamId, seq, hash };
    } else if (record.t === 'stream') {
      const { row } = record;
      const before = this.#place;
      if (before !== null && (before.seq !== row.prevLastSeq || !before.hash.equals(row.prevLastHash))) {
        this.find('pin-differs', before.streamId, before.seq, `stream ${row.streamId} says that it ended otherwise`);
      }
      this.#streams.push(row);
      this.#place = { streamId: row.streamId, seq: 0, hash: row.genesis };
    } else if (record.t === 'event') {
      const { row } = record;
      const before = this.#place;
      if (before === null || row.streamId !== before.streamId)
        this.find('unknown-stream', row.streamId, row.seq, 'the event is not of the open stream');
      else if (row.seq !== before.seq + 1) this.find('gap', row.streamId, row.seq, `after event ${before.seq}`);
      else if (!eventHash(before.hash, row).equals(row.hash)) this.find('hash-mismatch', row.streamId, row.seq, 'the hash does not follow');
      this.#place = { streamId: row.streamId, seq: row.seq, hash: row.hash };
      this.#events += 1;
    } else if (record.t === 'payload') this.#payloads += 1;
  }

  report(): VerifyReport {
    const days = this.#streams.map((row) => row.day).sort();
    return {
      ...{ ok: this.#findings.length === 0, writers: [...new Set(this.#streams.map((row) => row.writer))], streams: this.#streams.length },
      ...{ events: this.#events, payloads: this.#payloads, checkpoints: 0, anchors: 0, from: days[0] ?? null, to: days.at(-1) ?? null },
      ...{ found: this.#findings.length, findings: this.#findings, notes: [] },
    };
  }
}
