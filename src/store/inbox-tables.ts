import type pg from 'pg';
import type { SubjectRow } from './vault-tables.ts';

/** One `inbox.received` with the key that opens it. */
export interface StoredItem extends SubjectRow {
  readonly streamId: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly callId: string;
  readonly body: string;
  readonly ct: Buffer;
  readonly doneUs: number | null;
  readonly restricted: boolean;
}

export interface ItemsWanted {
  readonly sinceUs: number;
  /** Also those that are done. */
  readonly all: boolean;
  readonly limit: number;
}

/** Oldest first. One whose key is gone is no item any more. */
export async function inboxItems(client: pg.ClientBase, { sinceUs, all, limit }: ItemsWanted): Promise<readonly StoredItem[]> {
  type Row = Omit<StoredItem, 'seq' | 'tsUs' | 'doneUs'> & { seq: string; tsUs: string; doneUs: string | null };
  const { rows } = await client.query<Row>(
    `SELECT k.subject_id AS "subjectId", k.wrapped_dek AS "wrappedDek", k.kek_id AS "kekId",
            EXISTS (SELECT 1 FROM vault.held WHERE held.subject_id = k.subject_id) AS held,
            e.stream_id AS "streamId", e.seq, e.ts_us AS "tsUs", e.call_id AS "callId", e.body, p.ct, d.done AS "doneUs",
            EXISTS (SELECT 1 FROM vault.restriction r WHERE r.number_mac = k.number_mac) AS restricted
       FROM audit.event e
       JOIN vault.subject_key k ON k.subject_id = e.subject_id
       JOIN vault.payload p ON p.stream_id = e.stream_id AND p.seq = e.seq
       LEFT JOIN LATERAL (SELECT min(c.ts_us) AS done FROM audit.event c WHERE c.subject_id = e.subject_id AND c.type = 'inbox.done') d ON true
      WHERE e.type = 'inbox.received' AND e.ts_us >= $1 AND ($2 OR d.done IS NULL)
      ORDER BY e.ts_us, e.seq LIMIT $3`,
    [sinceUs, all, limit],
  );
  return rows.map((row) => ({
    ...row,
    seq: Number(row.seq),
    tsUs: Number(row.tsUs),
    doneUs: row.doneUs === null ? null : Number(row.doneUs),
  }));
}

/** Open items that were to be looked at by this day ('YYYY-MM-DD') and that nobody was told of on it. */
export async function dueItems(client: pg.ClientBase, today: string, sinceUs: number): Promise<readonly { item: string; kind: string }[]> {
  const { rows } = await client.query<{ item: string; kind: string }>(
    `SELECT e.subject_id AS item, e.body::jsonb ->> 'kind' AS kind FROM audit.event e
       JOIN vault.subject_key k ON k.subject_id = e.subject_id
      WHERE e.type = 'inbox.received' AND e.ts_us >= $2 AND e.body::jsonb ->> 'due' <= $1
        AND NOT EXISTS (SELECT 1 FROM vault.restriction r WHERE r.number_mac = k.number_mac)
        AND NOT EXISTS (SELECT 1 FROM audit.event c WHERE c.subject_id = e.subject_id
                         AND (c.type = 'inbox.done' OR c.type = 'inbox.told' AND c.body::jsonb ->> 'why' = 'due'))
      ORDER BY e.ts_us, e.seq LIMIT 1000`,
    [today, sinceUs],
  );
  return rows;
}
