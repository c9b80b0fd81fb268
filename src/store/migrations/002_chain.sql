-- The chain. The gateway computes every hash and signs outside the database; what stands here only refuses mistakes.
-- One stream per (writer, day, boot) has one writer, so seq has no gaps and needs no lock. The next stream of the writer
-- pins how this one ended, so a cut tail shows. Layout of the hashes: docs/audit-log.md.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.stream (
  stream_id      uuid   PRIMARY KEY CHECK (stream_id <> '00000000-0000-0000-0000-000000000000'),
  writer         text   NOT NULL CHECK (writer <> ''),
  ordinal        bigint NOT NULL CHECK (ordinal > 0),
  day            date   NOT NULL,
  prev_last_seq  bigint NOT NULL CHECK (prev_last_seq >= 0),
  prev_last_hash bytea  NOT NULL CHECK (octet_length(prev_last_hash) = 32),
  genesis        bytea  NOT NULL CHECK (octet_length(genesis) = 32),
  sig            bytea  NOT NULL CHECK (octet_length(sig) = 64),
  received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (writer, ordinal)
);
COMMENT ON TABLE audit.stream IS 'Register of streams: tiny, never dropped.';
COMMENT ON COLUMN audit.stream.ordinal IS '1, 2, 3 ... per writer; a gap means that a stream was removed.';
COMMENT ON COLUMN audit.stream.prev_last_seq IS 'How the stream with the ordinal before ended; 0 for none.';
COMMENT ON COLUMN audit.stream.genesis IS 'sha256(sha256(writer) int8 ordinal uuid stream int8 day int8 prev_last_seq prev_last_hash): the hash before seq 1.';
COMMENT ON COLUMN audit.stream.sig IS 'Ed25519 of the gateway over "parley/stream/v1" LF genesis.';

CREATE TABLE audit.event (
  day            date   NOT NULL,
  stream_id      uuid   NOT NULL,
  seq            bigint NOT NULL CHECK (seq > 0),
  ts_us          bigint NOT NULL,
  mono_us        bigint NOT NULL,
  call_id        uuid   CHECK (call_id <> '00000000-0000-0000-0000-000000000000'),
  subject_id     uuid   CHECK (subject_id <> '00000000-0000-0000-0000-000000000000'),
  type           text   NOT NULL,
  body           text   NOT NULL,
  payload_sha256 bytea  CHECK (octet_length(payload_sha256) = 32),
  hash           bytea  NOT NULL CHECK (octet_length(hash) = 32),
  received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (day, stream_id, seq)
) PARTITION BY RANGE (day);
COMMENT ON TABLE audit.event IS 'What happened. Partitioned by month of day; the primary key makes re-sending harmless.';
COMMENT ON COLUMN audit.event.ts_us IS 'Wall clock, microseconds since 1970.';
COMMENT ON COLUMN audit.event.mono_us IS 'Monotonic clock in microseconds: shows a backdated wall clock.';
COMMENT ON COLUMN audit.event.subject_id IS 'Random; the number itself is only in the vault, as a keyed MAC.';
COMMENT ON COLUMN audit.event.body IS 'The exact JSON text that was hashed. Not jsonb, which reorders keys and rewrites numbers.';
COMMENT ON COLUMN audit.event.payload_sha256 IS 'sha256 of the ciphertext in vault.payload.';
COMMENT ON COLUMN audit.event.received_at IS 'Clock of the database, not under the hash.';
-- Without these any work per stream, call or person crawls over all months.
CREATE INDEX event_stream_seq ON audit.event (stream_id, seq);
CREATE INDEX event_call ON audit.event (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX event_subject ON audit.event (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX event_pbx_call ON audit.event ((body::jsonb ->> 'pbxId')) WHERE type = 'call.incoming';
CREATE INDEX event_rare_type ON audit.event (type)
  WHERE type IN ('subject.erased', 'retention.dropped', 'retention.expired', 'clock.step');

CREATE TABLE audit.checkpoint (
  stream_id   uuid   NOT NULL,
  seq         bigint NOT NULL,
  hash        bytea  NOT NULL CHECK (octet_length(hash) = 32),
  ts_us       bigint NOT NULL,
  note        text   NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (stream_id, seq)
);
COMMENT ON COLUMN audit.checkpoint.note IS 'The whole signed note (C2SP signed-note), as it also went to the anchors outside the database.';

-- Every part has a fixed width: texts enter as their own sha256, an absent uuid or payload as zero bytes. So no two rows
-- give the same input by moving a boundary. Core functions only: an auditor can write it again in any language.
-- STABLE, as convert_to is: an IMMUTABLE wrapper would not be inlined and cost twice as much per row.
CREATE FUNCTION audit.row_hash(
  prev bytea, stream uuid, seq bigint, ts_us bigint, mono_us bigint,
  call uuid, subject uuid, type text, body text, payload_sha256 bytea
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(prev || uuid_send(stream) || int8send(seq) || int8send(ts_us) || int8send(mono_us)
    || coalesce(uuid_send(call),    '\x00000000000000000000000000000000'::bytea)
    || coalesce(uuid_send(subject), '\x00000000000000000000000000000000'::bytea)
    || sha256(convert_to(type, 'UTF8')) || sha256(convert_to(body, 'UTF8'))
    || coalesce(payload_sha256, '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea))
$$;

CREATE FUNCTION audit.genesis(
  writer text, ordinal bigint, stream uuid, day date, prev_last_seq bigint, prev_last_hash bytea
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(sha256(convert_to(writer, 'UTF8')) || int8send(ordinal) || uuid_send(stream)
    || int8send((day - date '1970-01-01')::bigint) || int8send(prev_last_seq) || prev_last_hash)
$$;

-- Refusals. A superuser can switch triggers off: that is met by signatures and by the anchors kept elsewhere, not here.
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit.event FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.event FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit.stream FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.stream FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit.checkpoint FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.checkpoint FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- One check per statement over the rows it added: some thirty times cheaper than a trigger per row.
-- Only the first row of a run looks its predecessor up; the others find it in the same statement.
CREATE FUNCTION audit.check_links() RETURNS trigger LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bad record;
BEGIN
  SELECT f.stream_id, f.seq INTO bad
    FROM (SELECT n.*, lag(n.hash) OVER w AS lag_hash, lag(n.seq) OVER w AS lag_seq
            FROM fresh n WINDOW w AS (PARTITION BY n.stream_id ORDER BY n.seq)) f
   WHERE f.hash IS DISTINCT FROM audit.row_hash(
           CASE
             WHEN f.seq = 1 THEN
               (SELECT s.genesis FROM audit.stream s WHERE s.stream_id = f.stream_id AND s.day = f.day)
             WHEN f.lag_seq = f.seq - 1 THEN f.lag_hash
             ELSE
               (SELECT e.hash FROM audit.event e WHERE e.day = f.day AND e.stream_id = f.stream_id AND e.seq = f.seq - 1)
           END,
           f.stream_id, f.seq, f.ts_us, f.mono_us, f.call_id, f.subject_id, f.type, f.body, f.payload_sha256)
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the chain does not link at stream % seq %', bad.stream_id, bad.seq USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER check_links AFTER INSERT ON audit.event
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION audit.check_links();

-- Months. Retention drops a whole month, never rows. Row triggers are inherited by partitions, a TRUNCATE trigger is not.
-- Built beside and then attached: the parent stays readable and writable meanwhile.
CREATE FUNCTION audit.add_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  first date := date_trunc('month', month)::date;
  name  text := 'event_' || to_char(first, 'YYYY_MM');
BEGIN
  IF to_regclass('audit.' || name) IS NOT NULL THEN RETURN; END IF;
  IF first < date '2020-01-01' OR first > current_date + 400 THEN
    RAISE EXCEPTION 'no partition for %: the clock of the gateway is wrong', month USING ERRCODE = 'datetime_field_overflow';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('parley.audit.add_month'));
  IF to_regclass('audit.' || name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE audit.%I (LIKE audit.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
  EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', name);
  EXECUTE format('ALTER TABLE audit.event ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)', name, first, (first + interval '1 month')::date);
END $$;

CREATE FUNCTION audit.check_stream() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.genesis IS DISTINCT FROM audit.genesis(NEW.writer, NEW.ordinal, NEW.stream_id, NEW.day, NEW.prev_last_seq, NEW.prev_last_hash) THEN
    RAISE EXCEPTION 'the genesis of stream % is not that of its register row', NEW.stream_id USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  PERFORM audit.add_month(NEW.day);
  RETURN NEW;
END $$;
CREATE TRIGGER check_stream BEFORE INSERT ON audit.stream FOR EACH ROW EXECUTE FUNCTION audit.check_stream();

RESET ROLE;
