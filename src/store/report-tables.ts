import pg from 'pg';
import { storeError } from './failures.ts';

/** A time on the wall clock in microseconds since 1970: from (included) to (not included). */
export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

export interface TypeCount {
  readonly type: string;
  readonly events: number;
}

/** What one call left in a span, without any content. */
export interface CallTouched {
  readonly callId: string;
  readonly firstUs: number;
  readonly lastUs: number;
  /** The random ids of the persons whose content it committed to. */
  readonly subjects: readonly string[];
  readonly events: number;
  /** Events with content, and how many of those are still stored. */
  readonly payloads: number;
  readonly stored: number;
}

export interface LoggedEvent {
  readonly tsUs: number;
  readonly callId: string | null;
  readonly subjectId: string | null;
  readonly type: string;
  /** JSON text. */
  readonly body: string;
}

/** Reads of the chain for the reports: the login auditor is enough. Every list has one order, so that two reports are alike. */
export interface ReportReader {
  /** From the first entry to after the last one; null for an empty log. */
  span(): Promise<Span | null>;
  counts(span: Span): Promise<readonly TypeCount[]>;
  calls(span: Span): Promise<readonly CallTouched[]>;
  /** Events whose type starts with one of these, oldest first. */
  events(span: Span, prefixes: readonly string[]): Promise<readonly LoggedEvent[]>;
}

/** Errors: STORE_DOWN, STORE_REFUSED. */
export async function withReportReader<T>(connection: string | pg.ClientConfig, work: (reader: ReportReader) => Promise<T>): Promise<T> {
  const client = new pg.Client(typeof connection === 'string' ? { connectionString: connection } : connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return await work(readerOf(client));
  } catch (error) {
    throw storeError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function readerOf(client: pg.Client): ReportReader {
  return {
    span: async () => {
      const { rows } = await client.query<{ first: string | null; last: string | null }>(
        'SELECT min(ts_us) AS first, max(ts_us) AS last FROM audit.event',
      );
      const { first = null, last = null } = rows[0] ?? {};
      return first === null || last === null ? null : { fromUs: Number(first), toUs: Number(last) + 1 };
    },
    counts: async ({ fromUs, toUs }) => {
      const { rows } = await client.query<{ type: string; n: string }>(
        'SELECT type, count(*) AS n FROM audit.event WHERE ts_us >= $1 AND ts_us < $2 GROUP BY type ORDER BY type',
        [fromUs, toUs],
      );
      return rows.map(({ type, n }) => ({ type, events: Number(n) }));
    },
    calls: (span) => callsTouched(client, span),
    events: async ({ fromUs, toUs }, prefixes) => {
      const { rows } = await client.query<{ ts: string; call: string | null; subject: string | null; type: string; body: string }>(
        `SELECT ts_us AS ts, call_id AS call, subject_id AS subject, type, body FROM audit.event
          WHERE ts_us >= $1 AND ts_us < $2 AND EXISTS (SELECT 1 FROM unnest($3::text[]) AS p(prefix) WHERE starts_with(type, p.prefix))
          ORDER BY ts_us, stream_id, seq`,
        [fromUs, toUs, prefixes],
      );
      return rows.map(({ ts, call, subject, type, body }) => ({ tsUs: Number(ts), callId: call, subjectId: subject, type, body }));
    },
  };
}

async function callsTouched(client: pg.Client, { fromUs, toUs }: Span): Promise<readonly CallTouched[]> {
  const { rows: may } = await client.query<{ may: boolean }>(`SELECT has_function_privilege('audit.payload_hashes()', 'EXECUTE') AS may`);
  const known = may[0]?.may === true;
  const join = known ? 'LEFT JOIN audit.payload_hashes() h ON h.stream_id = e.stream_id AND h.seq = e.seq' : '';
  const { rows } = await client.query<{
    call: string;
    first: string;
    last: string;
    subjects: string[];
    n: string;
    payloads: string;
    stored: string;
  }>(
    `SELECT e.call_id AS call, min(e.ts_us) AS first, max(e.ts_us) AS last, count(*) AS n,
            coalesce(array_agg(DISTINCT e.subject_id::text ORDER BY e.subject_id::text) FILTER (WHERE e.subject_id IS NOT NULL), '{}') AS subjects,
            count(e.payload_sha256) AS payloads, ${known ? 'count(h.sha256)' : 'count(e.payload_sha256)'} AS stored
       FROM audit.event e ${join} WHERE e.ts_us >= $1 AND e.ts_us < $2 AND e.call_id IS NOT NULL
      GROUP BY e.call_id ORDER BY min(e.ts_us), e.call_id`,
    [fromUs, toUs],
  );
  return rows.map((row) => ({
    ...{ callId: row.call, firstUs: Number(row.first), lastUs: Number(row.last), subjects: row.subjects },
    ...{ events: Number(row.n), payloads: Number(row.payloads), stored: Number(row.stored) },
  }));
}
