-- The checks in plain SQL, with no secret: they work on a restored dump without any program of ours.
-- Every row of audit.broken is a finding; an empty answer means that nothing was found. Signatures, and anchors kept
-- outside the database, are checked by `parley audit verify`: SQL cannot.
SET LOCAL ROLE audit_owner;

CREATE VIEW audit.broken_link AS
WITH walk AS (
  SELECT e.*, lag(e.seq) OVER w AS prev_seq, lag(e.hash) OVER w AS prev_hash,
         lag(e.ts_us) OVER w AS prev_ts, lag(e.mono_us) OVER w AS prev_mono
    FROM audit.event e WINDOW w AS (PARTITION BY e.stream_id ORDER BY e.seq)
), judged AS (
  SELECT w.day, w.stream_id, w.seq,
    CASE
      WHEN st.stream_id IS NULL THEN 'event of an unknown stream'
      WHEN w.day <> st.day THEN 'event under another day than its stream'
      WHEN w.seq <> coalesce(w.prev_seq, 0) + 1 THEN 'gap or duplicate'
      WHEN w.hash IS DISTINCT FROM audit.row_hash(coalesce(w.prev_hash, st.genesis), w.stream_id, w.seq, w.ts_us, w.mono_us,
             w.call_id, w.subject_id, w.type, w.body, w.payload_sha256) THEN 'hash mismatch'
      WHEN w.mono_us < w.prev_mono THEN 'monotonic clock went back'
      WHEN abs((w.ts_us - w.prev_ts) - (w.mono_us - w.prev_mono)) > 2000000 AND w.type <> 'clock.step' THEN 'wall clock jump without clock.step'
    END AS problem
  FROM walk w LEFT JOIN audit.stream st ON st.stream_id = w.stream_id
)
SELECT j.day, j.stream_id, j.seq, j.problem FROM judged j WHERE j.problem IS NOT NULL;

-- Streams whose month the chain itself says was dropped, each with its end.
CREATE VIEW audit.dropped AS
SELECT e.day AS announced, (d.item ->> 'stream')::uuid AS stream_id, (d.item ->> 'lastSeq')::bigint AS last_seq, decode(d.item ->> 'lastHash', 'hex') AS last_hash
  FROM audit.event e, jsonb_array_elements(e.body::jsonb -> 'streams') AS d(item)
 WHERE e.type = 'retention.dropped';

CREATE VIEW audit.broken_stream AS
WITH register AS (
  SELECT s.*, lag(s.stream_id) OVER w AS prev_id, lag(s.ordinal) OVER w AS before
    FROM audit.stream s WINDOW w AS (PARTITION BY s.writer ORDER BY s.ordinal)
), tails AS (
  SELECT r.*,
         (SELECT e.seq  FROM audit.event e WHERE e.stream_id = r.prev_id ORDER BY e.seq DESC LIMIT 1) AS tail_seq,
         (SELECT e.hash FROM audit.event e WHERE e.stream_id = r.prev_id ORDER BY e.seq DESC LIMIT 1) AS tail_hash,
         (SELECT p.genesis FROM audit.stream p WHERE p.stream_id = r.prev_id) AS prev_genesis
    FROM register r
)
SELECT t.day, t.stream_id, NULL::bigint AS seq,
    CASE
      WHEN t.genesis IS DISTINCT FROM audit.genesis(t.writer, t.ordinal, t.stream_id, t.day, t.prev_last_seq, t.prev_last_hash) THEN 'register row was changed'
      WHEN t.ordinal <> coalesce(t.before, 0) + 1 THEN 'stream missing before this one'
      ELSE 'the stream before does not end as pinned'
    END AS problem
  FROM tails t
 WHERE t.genesis IS DISTINCT FROM audit.genesis(t.writer, t.ordinal, t.stream_id, t.day, t.prev_last_seq, t.prev_last_hash)
    OR t.ordinal <> coalesce(t.before, 0) + 1
    OR (t.prev_id IS NOT NULL
        AND (t.prev_last_seq, t.prev_last_hash) IS DISTINCT FROM (coalesce(t.tail_seq, 0), coalesce(t.tail_hash, t.prev_genesis))
        AND NOT (t.tail_seq IS NULL AND EXISTS (
              SELECT 1 FROM audit.dropped d
               WHERE d.stream_id = t.prev_id AND d.last_seq = t.prev_last_seq AND d.last_hash = t.prev_last_hash)));

CREATE VIEW audit.broken_checkpoint AS
SELECT s.day, c.stream_id, c.seq,
       CASE WHEN e.seq IS NULL THEN 'checkpointed event is missing' ELSE 'checkpointed event has another hash' END AS problem
  FROM audit.checkpoint c
  LEFT JOIN audit.stream s ON s.stream_id = c.stream_id
  LEFT JOIN audit.event e ON e.day = s.day AND e.stream_id = c.stream_id AND e.seq = c.seq
 WHERE (e.seq IS NULL AND NOT EXISTS (SELECT 1 FROM audit.dropped d WHERE d.stream_id = c.stream_id AND d.last_seq >= c.seq))
    OR e.hash <> c.hash;

-- A payload may be missing only when the chain says why, for that time: an erasure or an expiry never excuses a later loss.
CREATE VIEW audit.broken_payload AS
WITH excuse AS (
  SELECT e.subject_id, (e.body::jsonb ->> 'throughUs')::bigint AS through_us FROM audit.event e WHERE e.type = 'subject.erased'
  UNION ALL SELECT x.subject_id, x.through_us FROM audit.expired x
), judged AS (
  SELECT e.day, e.stream_id, e.seq,
    CASE
      WHEN h.sha256 IS NULL AND NOT EXISTS (
             SELECT 1 FROM excuse x WHERE x.subject_id = e.subject_id AND e.ts_us <= x.through_us)
        THEN 'payload missing without an erasure'
      WHEN h.sha256 <> e.payload_sha256 THEN 'payload was changed'
    END AS problem
  FROM audit.event e
  LEFT JOIN audit.payload_hashes() h ON h.stream_id = e.stream_id AND h.seq = e.seq
 WHERE e.payload_sha256 IS NOT NULL
)
SELECT j.day, j.stream_id, j.seq, j.problem FROM judged j WHERE j.problem IS NOT NULL;

CREATE VIEW audit.broken AS
SELECT * FROM audit.broken_link
UNION ALL SELECT * FROM audit.broken_stream
UNION ALL SELECT * FROM audit.broken_checkpoint
UNION ALL SELECT * FROM audit.broken_payload;

-- Retention of the chain: only a month that ended, whose every stream and tail an event of a later month announces. What that
-- month itself announced about earlier ones must be announced again, or their pins would point into nothing.
CREATE FUNCTION audit.drop_month(month date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  first  date := date_trunc('month', month)::date;
  name   text := 'event_' || to_char(first, 'YYYY_MM');
  after  date := (first + interval '1 month')::date;
  silent bigint;
  gone   bigint;
BEGIN
  IF to_regclass('audit.' || name) IS NULL THEN RETURN 0; END IF;
  IF after > current_date THEN
    RAISE EXCEPTION 'month % has not ended', first;
  END IF;
  EXECUTE format($q$
    SELECT count(*) FROM (SELECT DISTINCT ON (stream_id) stream_id, seq, hash FROM audit.%I ORDER BY stream_id, seq DESC) t
     WHERE NOT EXISTS (SELECT 1 FROM audit.dropped d
             WHERE d.announced >= %L AND d.stream_id = t.stream_id AND d.last_seq = t.seq AND d.last_hash = t.hash)$q$, name, after)
    INTO silent;
  SELECT silent + count(*) INTO silent FROM audit.dropped d
   WHERE d.announced < after AND NOT EXISTS (SELECT 1 FROM audit.dropped l WHERE l.announced >= after AND l.stream_id = d.stream_id);
  IF silent > 0 THEN
    RAISE EXCEPTION '% streams of month % are not announced by retention.dropped', silent, first;
  END IF;
  EXECUTE format('SELECT count(*) FROM audit.%I', name) INTO gone;
  EXECUTE format('ALTER TABLE audit.event DETACH PARTITION audit.%I', name);
  EXECUTE format('DROP TABLE audit.%I', name);
  RETURN gone;
END $$;

-- Daily work: what the console shows. Nothing here is stored twice.
CREATE VIEW ops.call AS
SELECT e.call_id,
       min(e.ts_us) AS started_us,
       max(e.ts_us) FILTER (WHERE e.type = 'call.ended') AS ended_us,
       max(e.body::jsonb ->> 'flow') FILTER (WHERE e.type = 'call.incoming') AS flow,
       max(e.body::jsonb ->> 'flowVersion') FILTER (WHERE e.type = 'call.incoming') AS flow_version,
       max(e.body::jsonb ->> 'outcome') FILTER (WHERE e.type = 'call.ended') AS outcome,
       count(*) FILTER (WHERE e.type = 'caller.said') AS turns,
       count(*) FILTER (WHERE e.type = 'call.ended') AS endings
  FROM audit.event e WHERE e.call_id IS NOT NULL GROUP BY e.call_id;

CREATE VIEW ops.turn AS
SELECT e.call_id, (e.body::jsonb ->> 'turn')::integer AS turn, e.ts_us,
       (e.body::jsonb #>> '{waterfall,perceivedMs}')::double precision AS perceived_ms,
       (e.body::jsonb #>> '{waterfall,waitMs}')::double precision AS wait_ms,
       (e.body::jsonb #>> '{waterfall,sttMs}')::double precision AS stt_ms,
       (e.body::jsonb #>> '{waterfall,dialogueMs}')::double precision AS dialogue_ms,
       (e.body::jsonb #>> '{waterfall,ttsMs}')::double precision AS tts_ms
  FROM audit.event e WHERE e.type = 'turn.latency';

RESET ROLE;
