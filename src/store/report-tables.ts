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
  /** Usage of the calls that began in the span, by flow. `flow`: only this one. */
  usage(span: Span, flow: string | null): Promise<readonly FlowUsage[]>;
  /** How they came out, by flow, disposition, outcome and reason of the escalation. */
  outcomes(span: Span, flow: string | null): Promise<readonly FlowOutcome[]>;
}

/** Sums over the calls of one flow. Fees are in the operator's currency. */
export interface FlowUsage {
  readonly flow: string;
  readonly calls: number;
  readonly telephonyMs: number;
  readonly sttMs: number;
  readonly ttsMs: number;
  readonly llmMs: number;
  readonly engineTokens: number;
  readonly thoughtTokens: number;
  readonly toolCalls: number;
  readonly toolFailures: number;
  readonly engineFees: number;
  readonly toolFees: number;
}

export interface FlowOutcome {
  readonly flow: string;
  readonly disposition: 'resolved' | 'escalated' | 'abandoned' | 'failed' | 'open';
  readonly outcome: string;
  /** Why a person took over: the reason of the last step before; empty for all others. */
  readonly escalation: string;
  readonly desk: string;
  readonly calls: number;
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
    usage: (span, flow) => usage(client, span, flow),
    outcomes: (span, flow) => outcomes(client, span, flow),
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

async function usage(client: pg.Client, { fromUs, toUs }: Span, flow: string | null): Promise<readonly FlowUsage[]> {
  const { rows } = await client.query<Record<keyof FlowUsage, string>>(
    `SELECT coalesce(u.flow, '') AS flow, count(*) AS calls, sum(u.telephony_ms) AS "telephonyMs", sum(u.stt_ms) AS "sttMs", sum(u.tts_ms) AS "ttsMs",
            sum(u.llm_ms) AS "llmMs", sum(u.engine_tokens) AS "engineTokens", sum(u.thought_tokens) AS "thoughtTokens",
            sum(u.tool_calls) AS "toolCalls", sum(u.tool_failures) AS "toolFailures", sum(u.engine_fees) AS "engineFees", sum(u.tool_fees) AS "toolFees"
       FROM ops.call_usage u WHERE u.started_us >= $1 AND u.started_us < $2 AND ($3::text IS NULL OR u.flow = $3) GROUP BY 1 ORDER BY 1`,
    [fromUs, toUs, flow],
  );
  return rows.map(({ flow: name, ...sums }) => {
    const numbers = Object.entries(sums).map(([key, value]) => [key, Number(value)] as const);
    return { flow: name, ...(Object.fromEntries(numbers) as Omit<FlowUsage, 'flow'>) };
  });
}

async function outcomes(client: pg.Client, { fromUs, toUs }: Span, flow: string | null): Promise<readonly FlowOutcome[]> {
  const { rows } = await client.query<Omit<FlowOutcome, 'calls'> & { calls: string }>(
    `SELECT coalesce(o.flow, '') AS flow, o.disposition, coalesce(o.outcome, '') AS outcome,
            CASE o.disposition WHEN 'escalated' THEN coalesce(o.escalation_reason, '') ELSE '' END AS escalation, coalesce(o.desk, '') AS desk, count(*) AS calls
       FROM ops.call_outcome o WHERE o.started_us >= $1 AND o.started_us < $2 AND ($3::text IS NULL OR o.flow = $3)
      GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 6 DESC, 2, 3, 4, 5`,
    [fromUs, toUs, flow],
  );
  return rows.map((row) => ({ ...row, calls: Number(row.calls) }));
}
