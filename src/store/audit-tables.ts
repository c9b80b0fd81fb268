import type pg from 'pg';
import { ParleyError } from '../contracts/index.ts';
import type { AuditBatch, CheckpointRow, EventRow, StreamRow } from './rows.ts';

/**
 * Adds a batch in one transaction. Sending it again does no harm. What is stored under one of our keys must be what we sent:
 * ON CONFLICT DO NOTHING alone would hide a second chain. Errors: CHAIN_FORK, or what the driver throws.
 */
export async function insertBatch(client: pg.ClientBase, batch: AuditBatch): Promise<void> {
  await client.query('BEGIN');
  try {
    if (batch.streams.length > 0) await insertStreams(client, batch.streams);
    if (batch.events.length > 0) await insertEvents(client, batch.events);
    if (batch.subjectKeys.length > 0) await insertSubjectKeys(client, batch);
    if (batch.payloads.length > 0) await insertPayloads(client, batch);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

const hex = (bytes: Buffer | null): string | null => (bytes === null ? null : bytes.toString('hex'));

async function insertStreams(client: pg.ClientBase, streams: readonly StreamRow[]): Promise<void> {
  const rows = JSON.stringify(streams.map((s) => ({ ...s, prevLastHash: hex(s.prevLastHash), genesis: hex(s.genesis), sig: hex(s.sig) })));
  const { rowCount } = await client.query({
    name: 'audit-stream',
    text: `INSERT INTO audit.stream (stream_id, writer, ordinal, day, prev_last_seq, prev_last_hash, genesis, sig)
      SELECT "streamId", writer, ordinal, day, "prevLastSeq", decode("prevLastHash", 'hex'), decode(genesis, 'hex'), decode(sig, 'hex')
        FROM json_to_recordset($1) AS r("streamId" uuid, writer text, ordinal bigint, day date, "prevLastSeq" bigint, "prevLastHash" text, genesis text, sig text)
      ON CONFLICT DO NOTHING`,
    values: [rows],
  });
  if (rowCount === streams.length) return;
  const { rows: same } = await client.query<{ n: string }>(
    `SELECT count(*) AS n FROM json_to_recordset($1) AS r("streamId" uuid, genesis text)
       JOIN audit.stream s ON s.stream_id = r."streamId" AND s.genesis = decode(r.genesis, 'hex')`,
    [rows],
  );
  if (Number(same[0]?.n) !== streams.length) {
    throw new ParleyError(
      'CHAIN_FORK',
      `The register holds another stream in the place of one of ${streams.map((s) => s.streamId).join(', ')}.`,
    );
  }
}

const EVENT_COLUMNS = `"streamId" uuid, day date, seq bigint, "tsUs" bigint, "monoUs" bigint, "callId" uuid, "subjectId" uuid, type text, body text, payload text, hash text`;

async function insertEvents(client: pg.ClientBase, events: readonly EventRow[]): Promise<void> {
  const rows = JSON.stringify(events.map(({ payloadSha256, hash, ...e }) => ({ ...e, payload: hex(payloadSha256), hash: hex(hash) })));
  const { rowCount } = await client.query({
    name: 'audit-event',
    text: `INSERT INTO audit.event (day, stream_id, seq, ts_us, mono_us, call_id, subject_id, type, body, payload_sha256, hash)
      SELECT day, "streamId", seq, "tsUs", "monoUs", "callId", "subjectId", type, body, decode(payload, 'hex'), decode(hash, 'hex')
        FROM json_to_recordset($1) AS r(${EVENT_COLUMNS})
      ON CONFLICT DO NOTHING`,
    values: [rows],
  });
  if (rowCount === events.length) return;
  const { rows: differing } = await client.query<{ stream_id: string; seq: string }>(
    `SELECT e.stream_id, e.seq FROM json_to_recordset($1) AS r(${EVENT_COLUMNS})
       JOIN audit.event e ON e.day = r.day AND e.stream_id = r."streamId" AND e.seq = r.seq
      WHERE e.hash <> decode(r.hash, 'hex') ORDER BY e.seq LIMIT 1`,
    [rows],
  );
  const fork = differing[0];
  if (fork !== undefined) {
    throw new ParleyError(
      'CHAIN_FORK',
      `The database holds another event at stream ${fork.stream_id} seq ${fork.seq}; run parley audit verify.`,
    );
  }
}

/** Re-sending after an outage must not bring back what was erased or has expired meanwhile: no key, no payload. */
async function insertSubjectKeys(client: pg.ClientBase, batch: AuditBatch): Promise<void> {
  await client.query({
    name: 'vault-key',
    text: `INSERT INTO vault.subject_key (subject_id, number_mac, wrapped_dek, kek_id, expires_at)
      SELECT "subjectId", decode("numberMac", 'hex'), decode("wrappedDek", 'hex'), "kekId", to_timestamp("expiresUs" / 1e6)
        FROM json_to_recordset($1) AS r("subjectId" uuid, "numberMac" text, "wrappedDek" text, "kekId" text, "expiresUs" bigint)
       WHERE NOT EXISTS (SELECT 1 FROM audit.event e WHERE e.subject_id = "subjectId" AND e.type = 'subject.erased')
         AND NOT EXISTS (SELECT 1 FROM audit.expired x WHERE x.subject_id = "subjectId")
      ON CONFLICT DO NOTHING`,
    values: [JSON.stringify(batch.subjectKeys.map((k) => ({ ...k, numberMac: hex(k.numberMac), wrappedDek: hex(k.wrappedDek) })))],
  });
}

async function insertPayloads(client: pg.ClientBase, batch: AuditBatch): Promise<void> {
  await client.query({
    name: 'vault-payload',
    text: `INSERT INTO vault.payload (stream_id, seq, subject_id, ct)
      SELECT "streamId", seq, "subjectId", decode(ct, 'hex') FROM json_to_recordset($1) AS r("streamId" uuid, seq bigint, "subjectId" uuid, ct text)
       WHERE EXISTS (SELECT 1 FROM vault.subject_key k WHERE k.subject_id = "subjectId")
      ON CONFLICT DO NOTHING`,
    values: [JSON.stringify(batch.payloads.map((p) => ({ ...p, ct: hex(p.ct) })))],
  });
}

export async function insertCheckpoint(client: pg.ClientBase, row: CheckpointRow): Promise<void> {
  await client.query(
    'INSERT INTO audit.checkpoint (stream_id, seq, hash, ts_us, note) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
    [row.streamId, row.seq, row.hash, row.tsUs, row.note],
  );
}

/** Deletes what the chain already announced as erased or expired. Idempotent: run at every boot and after every erasure. */
export async function eraseAnnounced(client: pg.ClientBase): Promise<{ subjects: number; payloads: number }> {
  const { rows } = await client.query<{ subjects: string; payloads: string }>('SELECT subjects, payloads FROM vault.erase_announced()');
  await client.query('SELECT vault.expire_announced()');
  return { subjects: Number(rows[0]?.subjects ?? 0), payloads: Number(rows[0]?.payloads ?? 0) };
}

export interface EventPlace {
  readonly streamId: string;
  readonly seq: number;
  readonly hash: Buffer;
}

/** Which of these events are stored with this very hash, as "stream seq hash". */
export async function findEvents(client: pg.ClientBase, places: readonly EventPlace[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ key: string }>(
    `SELECT r."streamId" || ' ' || r.seq || ' ' || r.hash AS key FROM json_to_recordset($1) AS r("streamId" uuid, seq bigint, hash text)
       JOIN audit.event e ON e.stream_id = r."streamId" AND e.seq = r.seq AND e.hash = decode(r.hash, 'hex')`,
    [JSON.stringify(places.map(({ streamId, seq, hash }) => ({ streamId, seq, hash: hex(hash) })))],
  );
  return new Set(rows.map((row) => row.key));
}
