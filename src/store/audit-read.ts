import pg from 'pg';
import { storeError } from './failures.ts';
import { PACK_SQL } from './packed-event.ts';
import type { CheckpointRow, StreamRow } from './rows.ts';

/** An event that commits to a payload, beside what is stored of it. */
export interface PayloadCheckRow {
  readonly streamId: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly subjectId: string | null;
  readonly payloadSha256: Buffer;
  /** sha256 of the stored ciphertext; null when there is none. */
  readonly stored: Buffer | null;
}

/** What a reading of the whole chain hands out, in this order. */
export interface AuditVisitor {
  stream(row: StreamRow): void;
  checkpoint(row: CheckpointRow): void;
  excuse(row: { type: string; subjectId: string | null; body: string }): void;
  /** Null when this login may not know payload hashes; then none follow. */
  payload(row: PayloadCheckRow | null): void;
  /** As packed-event.ts lays it out; in the order in which they lie on disk. */
  event(packed: Buffer): void;
}

const PAGE = 5000;

/**
 * Reads the chain in one snapshot and in constant memory. Any login that may select from audit.* will do; payload hashes need the
 * role auditor. Errors: STORE_DOWN, STORE_REFUSED.
 */
export async function readAudit(connection: string | pg.ClientConfig, visitor: AuditVisitor): Promise<void> {
  const client = new pg.Client(typeof connection === 'string' ? { connectionString: connection } : connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // From the first block on: rows come nearly in the order in which they were written, and no sort of the whole is needed.
    await client.query('SET LOCAL synchronize_seqscans = off');
    await readStreams(client, visitor);
    await readCheckpoints(client, visitor);
    await readExcuses(client, visitor);
    await readPayloads(client, visitor);
    await page(client, 'events', `SELECT ${PACK_SQL} FROM audit.event e`, ([packed]: [Buffer]) => visitor.event(packed), true);
    await client.query('COMMIT');
  } catch (error) {
    throw storeError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** `binary`: values come as the server has them, all bytes. The next page is on its way while this one is looked at. */
async function page(client: pg.Client, name: string, sql: string, visit: (row: never) => void, binary = false): Promise<void> {
  await client.query(`DECLARE ${name} NO SCROLL CURSOR FOR ${sql}`);
  const query: pg.QueryArrayConfig & { binary: boolean } = {
    text: `FETCH ${String(PAGE)} FROM ${name}`,
    rowMode: 'array',
    values: [],
    binary,
  };
  const fetch = (): Promise<pg.QueryArrayResult> => client.query(query);
  let next = fetch();
  for (;;) {
    const { rows } = await next;
    const last = rows.length < PAGE;
    if (!last) next = fetch();
    for (const row of rows) visit(row as never);
    if (last) break;
  }
  await client.query(`CLOSE ${name}`);
}

function readStreams(client: pg.Client, visitor: AuditVisitor): Promise<void> {
  return page(
    client,
    'streams',
    'SELECT stream_id, writer, ordinal, day::text, prev_last_seq, prev_last_hash, genesis, sig FROM audit.stream ORDER BY writer, ordinal',
    ([streamId, writer, ordinal, day, prevLastSeq, prevLastHash, genesis, sig]: [
      string,
      string,
      string,
      string,
      string,
      Buffer,
      Buffer,
      Buffer,
    ]) => visitor.stream({ streamId, writer, ordinal: Number(ordinal), day, prevLastSeq: Number(prevLastSeq), prevLastHash, genesis, sig }),
  );
}

function readCheckpoints(client: pg.Client, visitor: AuditVisitor): Promise<void> {
  return page(
    client,
    'checkpoints',
    'SELECT stream_id, seq, hash, ts_us, note FROM audit.checkpoint ORDER BY stream_id, seq',
    ([streamId, seq, hash, tsUs, note]: [string, string, Buffer, string, string]) =>
      visitor.checkpoint({ streamId, seq: Number(seq), hash, tsUs: Number(tsUs), note }),
  );
}

function readExcuses(client: pg.Client, visitor: AuditVisitor): Promise<void> {
  return page(
    client,
    'excuses',
    `SELECT type, subject_id, body FROM audit.event WHERE type IN ('subject.erased', 'retention.dropped', 'retention.expired')`,
    ([type, subjectId, body]: [string, string | null, string]) => visitor.excuse({ type, subjectId, body }),
  );
}

async function readPayloads(client: pg.Client, visitor: AuditVisitor): Promise<void> {
  const { rows } = await client.query<{ may: boolean }>(`SELECT has_function_privilege('audit.payload_hashes()', 'EXECUTE') AS may`);
  if (rows[0]?.may !== true) {
    visitor.payload(null);
    return;
  }
  await page(
    client,
    'payloads',
    `SELECT e.stream_id, e.seq, e.ts_us, e.subject_id, e.payload_sha256, h.sha256
       FROM audit.event e LEFT JOIN audit.payload_hashes() h ON h.stream_id = e.stream_id AND h.seq = e.seq WHERE e.payload_sha256 IS NOT NULL`,
    ([streamId, seq, tsUs, subjectId, payloadSha256, stored]: [string, string, string, string | null, Buffer, Buffer | null]) =>
      visitor.payload({ streamId, seq: Number(seq), tsUs: Number(tsUs), subjectId, payloadSha256, stored }),
  );
}
