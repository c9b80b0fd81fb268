/** Whether what is kept of a person may be used at all: not while its use is restricted (GDPR 18), not when it is gone. */
import type pg from 'pg';

export async function isRestricted(client: pg.ClientBase, numberMac: Buffer): Promise<boolean> {
  const { rows } = await client.query('SELECT 1 FROM vault.restriction WHERE number_mac = $1', [numberMac]);
  return rows.length > 0;
}

/** unknown: the chain names nobody whose content belongs to this call. erased: it did, and no key is left. */
type CallUse = 'unknown' | 'free' | 'restricted' | 'erased';

export async function useOfCall(client: pg.ClientBase, callId: string): Promise<CallUse> {
  const { rows } = await client.query<{ subjects: string; keys: string; restricted: string }>(
    `SELECT count(*) AS subjects, count(k.subject_id) AS keys, count(r.number_mac) AS restricted
       FROM (SELECT DISTINCT e.subject_id FROM audit.event e WHERE e.call_id = $1 AND e.subject_id IS NOT NULL) s
       LEFT JOIN vault.subject_key k ON k.subject_id = s.subject_id
       LEFT JOIN vault.restriction r ON r.number_mac = k.number_mac`,
    [callId],
  );
  const { subjects = '0', keys = '0', restricted = '0' } = rows[0] ?? {};
  if (Number(restricted) > 0) return 'restricted';
  if (Number(keys) > 0) return 'free';
  return Number(subjects) > 0 ? 'erased' : 'unknown';
}

/** Whose files: what was said in the call, or the suggestions made of corrections in it. */
export type CallFileKind = 'content' | 'review';

/**
 * Of these calls those of which a person is gone, erased or past his time, who has such files. A key that waits for Postgres counts as
 * there. Recordings, memories and items of the inbox are subjects of their own: that one of them went says nothing of the words.
 */
export async function erasedCalls(client: pg.ClientBase, callIds: readonly string[], kind: CallFileKind): Promise<readonly string[]> {
  const { rows } = await client.query<{ call: string }>(
    `SELECT DISTINCT e.call_id AS call FROM audit.event e
      WHERE e.call_id = ANY ($1::uuid[]) AND e.subject_id IS NOT NULL
        AND CASE $2 WHEN 'review' THEN e.type = 'review.written' ELSE e.payload_sha256 IS NOT NULL AND e.type NOT IN ('memory.kept', 'inbox.received', 'inbox.done') END
        AND NOT EXISTS (SELECT 1 FROM vault.subject_key k WHERE k.subject_id = e.subject_id) ORDER BY 1`,
    [callIds, kind],
  );
  return rows.map((row) => row.call);
}

/** Of these calls those whose content is kept and not used. */
export async function restrictedCalls(client: pg.ClientBase, callIds: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ call: string }>(
    `SELECT DISTINCT e.call_id AS call FROM audit.event e
       JOIN vault.subject_key k ON k.subject_id = e.subject_id JOIN vault.restriction r ON r.number_mac = k.number_mac
      WHERE e.call_id = ANY ($1::uuid[]) ORDER BY 1`,
    [callIds],
  );
  return rows.map((row) => row.call);
}

/**
 * Weeks whose wrapping keys must stay, however old they are: what they wrap is still there, because it is under legal hold, kept but not
 * used, or its time is not over.
 */
export async function neededKeks(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ kek: string }>('SELECT DISTINCT kek_id AS kek FROM vault.subject_key ORDER BY 1');
  return rows.map((row) => row.kek);
}
