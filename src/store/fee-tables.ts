import type pg from 'pg';
import type { Span } from './report-tables.ts';

/** Two days: the calls of a stream may go on past the day that it began on. */
const STREAM_DAYS = 2;

/**
 * What tools and engines cost in a span, in the operator's currency: the fees of ops.call_usage, but by the moment of each event, and
 * from the months that the span touches only. Errors: those of pg.
 */
export async function feesIn(client: pg.ClientBase, { fromUs, toUs }: Span): Promise<number> {
  const { rows } = await client.query<{ fees: string }>(
    `WITH spent AS (
       SELECT e.type, e.body::jsonb AS body FROM audit.event e
        WHERE e.day >= (to_timestamp($1::bigint / 1000000.0) AT TIME ZONE 'UTC')::date - $3::int AND e.ts_us >= $1 AND e.ts_us < $2 AND e.call_id IS NOT NULL
          AND e.type IN ('tool.answered', 'engine.used', 'caller.said', 'agent.said', 'notice.completed')
     ), fees AS (
       SELECT (s.body ->> 'cost')::numeric AS fee FROM spent s WHERE s.type = 'tool.answered'
       UNION ALL
       SELECT (u.item -> 'cost' ->> 'amount')::numeric FROM spent s,
              jsonb_array_elements(CASE s.type WHEN 'engine.used' THEN jsonb_build_array(s.body -> 'use') ELSE coalesce(s.body -> 'engines', '[]') END) AS u(item)
        WHERE s.type <> 'tool.answered'
     ) SELECT coalesce(sum(fee), 0) AS fees FROM fees`,
    [fromUs, toUs, STREAM_DAYS],
  );
  return Number(rows[0]?.fees ?? 0);
}
