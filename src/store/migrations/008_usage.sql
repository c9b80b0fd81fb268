-- What each call used, and how it came out: views of the chain, nothing is stored twice, nothing here must be backed up.
SET LOCAL ROLE audit_owner;

-- One row for each call that began. Engine times are sums over its recogniser, synthesiser and language model; `*_audio_ms` is the
-- audio that was heard or made; fees of tools and engines are in the operator's currency, as the configuration prices them.
CREATE VIEW ops.call_usage AS
WITH used AS (
  SELECT e.call_id,
         CASE e.type WHEN 'caller.said' THEN 'stt' WHEN 'engine.used' THEN e.body::jsonb ->> 'kind' ELSE 'tts' END AS kind, u.item
    FROM audit.event e,
         jsonb_array_elements(CASE e.type WHEN 'engine.used' THEN jsonb_build_array(e.body::jsonb -> 'use') ELSE e.body::jsonb -> 'engines' END) AS u(item)
   WHERE e.call_id IS NOT NULL AND e.type IN ('caller.said', 'agent.said', 'notice.completed', 'engine.used')
     AND (e.type = 'engine.used' OR e.body::jsonb ? 'engines')
), engines AS (
  SELECT u.call_id,
         sum((u.item ->> 'tookMs')::numeric) FILTER (WHERE u.kind = 'stt') AS stt_ms,
         sum((u.item ->> 'tookMs')::numeric) FILTER (WHERE u.kind = 'tts') AS tts_ms,
         sum((u.item ->> 'tookMs')::numeric) FILTER (WHERE u.kind = 'llm') AS llm_ms,
         sum((u.item ->> 'promptTokens')::bigint) AS prompt_tokens,
         sum((u.item ->> 'completionTokens')::bigint) AS completion_tokens,
         sum((u.item -> 'cost' ->> 'amount')::numeric) AS engine_fees
    FROM used u GROUP BY u.call_id
), tools AS (
  SELECT e.call_id, count(*) AS tool_calls, count(*) FILTER (WHERE NOT (e.body::jsonb ->> 'ok')::boolean) AS tool_failures,
         sum((e.body::jsonb ->> 'cost')::numeric) AS tool_fees
    FROM audit.event e WHERE e.type = 'tool.answered' AND e.call_id IS NOT NULL GROUP BY e.call_id
), thoughts AS (
  SELECT e.call_id, sum((e.body::jsonb ->> 'tokens')::bigint) AS thought_tokens
    FROM audit.event e WHERE e.type = 'model.answered' AND e.call_id IS NOT NULL GROUP BY e.call_id
), ended AS (
  SELECT e.call_id, max((e.body::jsonb ->> 'durationMs')::numeric) AS duration_ms
    FROM audit.event e WHERE e.type = 'call.ended' AND e.call_id IS NOT NULL GROUP BY e.call_id
), begun AS (
  SELECT e.call_id, min(e.ts_us) AS started_us, max(e.body::jsonb ->> 'flow') AS flow, max(e.body::jsonb ->> 'flowVersion') AS flow_version
    FROM audit.event e WHERE e.type = 'call.incoming' AND e.call_id IS NOT NULL GROUP BY e.call_id
)
SELECT b.call_id, b.started_us, b.flow, b.flow_version, coalesce(d.duration_ms, 0) AS telephony_ms,
       coalesce(n.stt_ms, 0) AS stt_ms, coalesce(n.tts_ms, 0) AS tts_ms, coalesce(n.llm_ms, 0) AS llm_ms,
       coalesce(n.prompt_tokens, 0) + coalesce(n.completion_tokens, 0) AS engine_tokens, coalesce(h.thought_tokens, 0) AS thought_tokens,
       coalesce(n.engine_fees, 0) AS engine_fees, coalesce(t.tool_calls, 0) AS tool_calls, coalesce(t.tool_failures, 0) AS tool_failures,
       coalesce(t.tool_fees, 0) AS tool_fees
  FROM begun b LEFT JOIN ended d ON d.call_id = b.call_id LEFT JOIN engines n ON n.call_id = b.call_id
  LEFT JOIN tools t ON t.call_id = b.call_id LEFT JOIN thoughts h ON h.call_id = b.call_id;
COMMENT ON VIEW ops.call_usage IS 'Usage and fees of each call. thought_tokens are those that flows charge to their budgets; engine_tokens what servers counted.';

-- escalated: a person took the caller over. abandoned: the caller hung up before the flow came to an end. failed: the flow gave up, or
-- something broke. resolved: the flow came to an end of its own. The reason of an escalation is that of the last step before it.
CREATE VIEW ops.call_outcome AS
WITH ended AS (
  SELECT e.call_id, max(e.body::jsonb ->> 'outcome') AS outcome, max(e.body::jsonb ->> 'reason') AS reason, max((e.body::jsonb ->> 'turns')::bigint) AS turns
    FROM audit.event e WHERE e.type = 'call.ended' AND e.call_id IS NOT NULL GROUP BY e.call_id
), begun AS (
  SELECT e.call_id, min(e.ts_us) AS started_us, max(e.body::jsonb ->> 'flow') AS flow, max(e.body::jsonb ->> 'flowVersion') AS flow_version
    FROM audit.event e WHERE e.type = 'call.incoming' AND e.call_id IS NOT NULL GROUP BY e.call_id
), asked AS (
  SELECT DISTINCT ON (e.call_id) e.call_id, e.body::jsonb ->> 'desk' AS desk, e.ts_us
    FROM audit.event e WHERE e.type = 'transfer.requested' AND e.call_id IS NOT NULL ORDER BY e.call_id, e.ts_us DESC, e.seq DESC
), person AS (
  SELECT a.call_id, a.desk,
         (SELECT s.body::jsonb ->> 'reason' FROM audit.event s WHERE s.call_id = a.call_id AND s.type = 'step.entered' AND s.ts_us <= a.ts_us
           ORDER BY s.ts_us DESC, s.seq DESC LIMIT 1) AS why
    FROM asked a WHERE NOT EXISTS (SELECT 1 FROM audit.event f WHERE f.call_id = a.call_id AND f.type = 'transfer.failed' AND f.ts_us >= a.ts_us)
)
SELECT b.call_id, b.started_us, b.flow, b.flow_version, e.outcome, e.reason, e.turns, p.desk, p.why AS escalation_reason,
       CASE WHEN e.call_id IS NULL THEN 'open' WHEN p.call_id IS NOT NULL THEN 'escalated' WHEN e.outcome = 'caller-hangup' THEN 'abandoned'
            WHEN e.outcome IN ('failed', 'flow-error', 'no-person', 'not-understood', 'silence', 'too-long', 'tool-failed', 'agent-gave-up', 'pbx.lost',
                               'crash', 'drained', 'media-timeout', 'no-flow', 'draining', 'log-full', 'gateway-restarted') THEN 'failed'
            ELSE 'resolved' END AS disposition
  FROM begun b LEFT JOIN ended e ON e.call_id = b.call_id LEFT JOIN person p ON p.call_id = b.call_id;
COMMENT ON VIEW ops.call_outcome IS 'How each call came out: resolved, escalated, abandoned, failed, or open. Contained: all that ended and were not escalated.';

GRANT SELECT ON ops.call_usage, ops.call_outcome TO gw_writer, auditor;
RESET ROLE;
