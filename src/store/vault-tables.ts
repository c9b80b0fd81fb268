import type pg from 'pg';

/** A subject of a person, with what is needed to open its payloads. */
export interface SubjectRow {
  readonly subjectId: string;
  readonly wrappedDek: Buffer;
  readonly kekId: string;
  readonly held: boolean;
}

export interface StoredPayload {
  readonly streamId: string;
  readonly seq: number;
  readonly subjectId: string;
  readonly type: string;
  readonly ct: Buffer;
}

/** An event of a call, as an export shows it. */
export interface CallEventRow {
  readonly callId: string;
  readonly streamId: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly type: string;
  readonly body: string;
}

/** Every subject with this number's MAC, oldest first. */
export async function subjectsOf(client: pg.ClientBase, numberMac: Buffer): Promise<readonly SubjectRow[]> {
  const { rows } = await client.query<SubjectRow>(
    `SELECT k.subject_id AS "subjectId", k.wrapped_dek AS "wrappedDek", k.kek_id AS "kekId",
            EXISTS (SELECT 1 FROM vault.held WHERE held.subject_id = k.subject_id) AS held
       FROM vault.subject_key k WHERE k.number_mac = $1 ORDER BY k.created_at, k.subject_id`,
    [numberMac],
  );
  return rows;
}

/** Those of these subjects that the chain knows and that have no key any more: erased, or their time is over. */
export async function keylessSubjects(client: pg.ClientBase, subjectIds: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT s.id FROM unnest($1::uuid[]) AS s(id)
      WHERE NOT EXISTS (SELECT 1 FROM vault.subject_key k WHERE k.subject_id = s.id)
        AND EXISTS (SELECT 1 FROM audit.event e WHERE e.subject_id = s.id)`,
    [subjectIds],
  );
  return rows.map((row) => row.id);
}

/** Which of these are (again) in the vault. */
export async function storedSubjects(
  client: pg.ClientBase,
  subjectIds: readonly string[],
): Promise<readonly Pick<SubjectRow, 'subjectId' | 'held'>[]> {
  const { rows } = await client.query<Pick<SubjectRow, 'subjectId' | 'held'>>(
    `SELECT k.subject_id AS "subjectId", EXISTS (SELECT 1 FROM vault.held WHERE held.subject_id = k.subject_id) AS held
       FROM vault.subject_key k WHERE k.subject_id = ANY ($1::uuid[]) ORDER BY k.subject_id`,
    [subjectIds],
  );
  return rows;
}

/** The calls of these subjects, oldest first. */
export async function callsOfSubjects(
  client: pg.ClientBase,
  subjectIds: readonly string[],
): Promise<readonly { readonly subjectId: string; readonly callId: string }[]> {
  const { rows } = await client.query<{ subjectId: string; callId: string }>(
    `SELECT e.subject_id AS "subjectId", e.call_id AS "callId" FROM audit.event e
      WHERE e.subject_id = ANY ($1::uuid[]) AND e.call_id IS NOT NULL GROUP BY 1, 2 ORDER BY min(e.ts_us), 2`,
    [subjectIds],
  );
  return rows;
}

/** MACs of the numbers whose calls no machine takes. */
export async function restrictedNumbers(client: pg.ClientBase): Promise<readonly Buffer[]> {
  const { rows } = await client.query<{ number_mac: Buffer }>('SELECT number_mac FROM vault.restriction ORDER BY number_mac');
  return rows.map((row) => row.number_mac);
}

export async function payloadsOf(client: pg.ClientBase, subjectIds: readonly string[]): Promise<readonly StoredPayload[]> {
  const { rows } = await client.query<Omit<StoredPayload, 'seq'> & { seq: string }>(
    `SELECT p.stream_id AS "streamId", p.seq, p.subject_id AS "subjectId", e.type, p.ct
       FROM vault.payload p JOIN audit.event e ON e.stream_id = p.stream_id AND e.seq = p.seq
      WHERE p.subject_id = ANY ($1::uuid[]) ORDER BY e.ts_us, p.seq`,
    [subjectIds],
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}

/** One `memory.kept` with the key that opens it. */
export interface StoredMemory {
  readonly subjectId: string;
  readonly wrappedDek: Buffer;
  readonly kekId: string;
  readonly held: boolean;
  readonly streamId: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly body: string;
  readonly ct: Buffer;
}

/** What is remembered of this number since then, newest first, at most `limit`; nothing of one whose content may not be used. */
export async function memoriesOf(
  client: pg.ClientBase,
  numberMac: Buffer,
  sinceUs: number,
  limit: number,
): Promise<readonly StoredMemory[]> {
  const { rows } = await client.query<Omit<StoredMemory, 'seq' | 'tsUs'> & { seq: string; tsUs: string }>(
    `SELECT k.subject_id AS "subjectId", k.wrapped_dek AS "wrappedDek", k.kek_id AS "kekId",
            EXISTS (SELECT 1 FROM vault.held WHERE held.subject_id = k.subject_id) AS held,
            e.stream_id AS "streamId", e.seq, e.ts_us AS "tsUs", e.body, p.ct
       FROM vault.subject_key k
       JOIN vault.payload p ON p.subject_id = k.subject_id
       JOIN audit.event e ON e.stream_id = p.stream_id AND e.seq = p.seq
      WHERE k.number_mac = $1 AND e.type = 'memory.kept' AND e.ts_us >= $2
        AND NOT EXISTS (SELECT 1 FROM vault.restriction r WHERE r.number_mac = k.number_mac)
      ORDER BY e.ts_us DESC, e.seq DESC LIMIT $3`,
    [numberMac, sinceUs, limit],
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq), tsUs: Number(row.tsUs) }));
}

/** All events of the calls in which one of these subjects took part. */
export async function eventsOf(client: pg.ClientBase, subjectIds: readonly string[]): Promise<readonly CallEventRow[]> {
  const { rows } = await client.query<Omit<CallEventRow, 'seq' | 'tsUs'> & { seq: string; tsUs: string }>(
    `SELECT e.call_id AS "callId", e.stream_id AS "streamId", e.seq, e.ts_us AS "tsUs", e.type, e.body FROM audit.event e
      WHERE e.call_id IN (SELECT s.call_id FROM audit.event s WHERE s.subject_id = ANY ($1::uuid[]) AND s.call_id IS NOT NULL)
      ORDER BY e.call_id, e.ts_us, e.seq`,
    [subjectIds],
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq), tsUs: Number(row.tsUs) }));
}

/** Subjects whose time is over, who are not held, and whose content is not kept for them unused (GDPR 18(1)(b), (c)); at most `limit`. */
export async function expiredSubjects(client: pg.ClientBase, nowUs: number, limit: number): Promise<readonly string[]> {
  const { rows } = await client.query<{ subject_id: string }>(
    `SELECT k.subject_id FROM vault.subject_key k
      WHERE k.expires_at < to_timestamp($1::double precision / 1e6)
        AND NOT EXISTS (SELECT 1 FROM vault.held WHERE held.subject_id = k.subject_id)
        AND NOT EXISTS (SELECT 1 FROM vault.restriction r WHERE r.number_mac = k.number_mac)
      ORDER BY k.expires_at LIMIT $2`,
    [nowUs, limit],
  );
  return rows.map((row) => row.subject_id);
}

export interface StreamTail {
  readonly stream: string;
  readonly lastSeq: number;
  /** Hex. */
  readonly lastHash: string;
}

/** Months of the chain that are stored, as first days 'YYYY-MM-01', oldest first. */
export async function storedMonths(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit.event'::regclass ORDER BY 1`,
  );
  return rows.flatMap(({ name }) => {
    const [, year, month] = /^event_(\d{4})_(\d\d)$/.exec(name) ?? [];
    return year === undefined || month === undefined ? [] : [`${year}-${month}-01`];
  });
}

/** What must be announced before a month goes: the ends of its streams, and what it announced itself. */
export async function tailsOfMonth(client: pg.ClientBase, month: string): Promise<readonly StreamTail[]> {
  const { rows } = await client.query<{ stream: string; seq: string; hash: string }>(
    `SELECT DISTINCT ON (e.stream_id) e.stream_id AS stream, e.seq, encode(e.hash, 'hex') AS hash FROM audit.event e
      WHERE e.day >= $1::date AND e.day < $1::date + interval '1 month' ORDER BY e.stream_id, e.seq DESC`,
    [month],
  );
  const { rows: earlier } = await client.query<{ stream: string; seq: string; hash: string }>(
    `SELECT DISTINCT d.stream_id AS stream, d.last_seq AS seq, encode(d.last_hash, 'hex') AS hash FROM audit.dropped d
      WHERE d.announced < $1::date + interval '1 month'
        AND NOT EXISTS (SELECT 1 FROM audit.dropped l WHERE l.stream_id = d.stream_id AND l.announced >= $1::date + interval '1 month')`,
    [month],
  );
  return [...rows, ...earlier].map((row) => ({ stream: row.stream, lastSeq: Number(row.seq), lastHash: row.hash }));
}

export interface LoggedCall {
  readonly streamId: string;
  readonly seq: number;
  readonly endings: number;
}

/** The calls that the chain knows under these ids of the PBX. One that was given back at once has no end of its own. */
export async function callsByPbxId(client: pg.ClientBase, pbxIds: readonly string[]): Promise<ReadonlyMap<string, LoggedCall>> {
  const { rows } = await client.query<{ pbx: string; stream: string; seq: string; endings: string }>(
    `SELECT i.body::jsonb ->> 'pbxId' AS pbx, min(i.stream_id::text) AS stream, min(i.seq) AS seq,
            (SELECT count(*) FROM audit.event e WHERE e.call_id = ANY (array_agg(i.call_id)) AND e.type = 'call.ended') AS endings
       FROM audit.event i WHERE i.type = 'call.incoming' AND i.body::jsonb ->> 'pbxId' = ANY ($1::text[]) GROUP BY 1
     UNION ALL
     SELECT d.body::jsonb ->> 'pbxId', min(d.stream_id::text), min(d.seq), 1
       FROM audit.event d WHERE d.type = 'call.declined' AND d.body::jsonb ->> 'pbxId' = ANY ($1::text[]) GROUP BY 1`,
    [pbxIds],
  );
  return new Map(rows.map((row) => [row.pbx, { streamId: row.stream, seq: Number(row.seq), endings: Number(row.endings) }]));
}
