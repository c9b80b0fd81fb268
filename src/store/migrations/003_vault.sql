-- The vault: personal content, encrypted by the gateway. The key that wraps the keys is never in Postgres.
-- One subject per call: erasing a person erases every subject with his number's MAC, and a later call has new keys.
SET LOCAL ROLE audit_owner;

CREATE TABLE vault.subject_key (
  subject_id  uuid PRIMARY KEY CHECK (subject_id <> '00000000-0000-0000-0000-000000000000'),
  number_mac  bytea CHECK (octet_length(number_mac) = 32),
  wrapped_dek bytea NOT NULL,
  kek_id      text  NOT NULL,
  expires_at  timestamptz NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN vault.subject_key.number_mac IS 'HMAC-SHA-256 of the phone number, to find a person again; null when the number was withheld.';
COMMENT ON COLUMN vault.subject_key.kek_id IS 'Which key-wrapping epoch: destroying it makes old backups unreadable.';
CREATE INDEX subject_key_number ON vault.subject_key (number_mac);
CREATE INDEX subject_key_expiry ON vault.subject_key (expires_at);

CREATE TABLE vault.payload (
  stream_id  uuid   NOT NULL,
  seq        bigint NOT NULL,
  subject_id uuid   NOT NULL,
  ct         bytea  NOT NULL,
  PRIMARY KEY (stream_id, seq)
);
COMMENT ON COLUMN vault.payload.ct IS 'nonce 12, AES-256-GCM ciphertext, tag 16; additional data: uuid stream, int8 seq, type.';
CREATE INDEX payload_subject ON vault.payload (subject_id);

CREATE TABLE vault.legal_hold (
  subject_id uuid PRIMARY KEY,
  reference  text NOT NULL CHECK (reference <> ''),
  since      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE vault.legal_hold IS 'Subjects that may not be erased, with the file reference of the person who ordered it (never a name).';

CREATE VIEW vault.held AS SELECT subject_id FROM vault.legal_hold;
COMMENT ON VIEW vault.held IS 'Who is on hold, without why: what the gateway may know.';

-- Whom the chain names as expired, and up to when that excuses a missing payload.
CREATE VIEW audit.expired AS
SELECT s.item::uuid AS subject_id, (e.body::jsonb ->> 'throughUs')::bigint AS through_us
  FROM audit.event e, jsonb_array_elements_text(e.body::jsonb -> 'subjects') AS s(item)
 WHERE e.type = 'retention.expired';

-- Erasing always follows the chain: only what an event subject.erased already names. So a lost step is made good by
-- running it again, and no right to erase is a right to erase in silence.
CREATE FUNCTION vault.erase_announced() RETURNS TABLE (subjects bigint, payloads bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  WITH announced AS (
    SELECT DISTINCT e.subject_id FROM audit.event e
     WHERE e.type = 'subject.erased' AND e.subject_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM vault.legal_hold h WHERE h.subject_id = e.subject_id)
  ), gone AS (
    DELETE FROM vault.payload p USING announced a WHERE p.subject_id = a.subject_id RETURNING 1
  ), keyless AS (
    DELETE FROM vault.subject_key k USING announced a WHERE k.subject_id = a.subject_id RETURNING 1
  )
  SELECT (SELECT count(*) FROM keyless), (SELECT count(*) FROM gone) INTO subjects, payloads;
  RETURN NEXT;
END $$;

CREATE FUNCTION vault.erase_subject(subject uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone bigint;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM audit.event e WHERE e.type = 'subject.erased' AND e.subject_id = subject) THEN
    RAISE EXCEPTION 'subject % is not announced as erased in the chain', subject;
  END IF;
  IF EXISTS (SELECT 1 FROM vault.legal_hold h WHERE h.subject_id = subject) THEN
    RAISE EXCEPTION 'subject % is under legal hold', subject;
  END IF;
  DELETE FROM vault.payload p WHERE p.subject_id = subject;
  GET DIAGNOSTICS gone = ROW_COUNT;
  DELETE FROM vault.subject_key k WHERE k.subject_id = subject;
  RETURN gone;
END $$;

-- Content past its retention. The chain names the subjects first, with retention.expired. A gateway whose clock runs ahead
-- cannot delete early: the database looks at its own clock, with a day of tolerance.
CREATE FUNCTION vault.expire_announced() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone bigint;
BEGIN
  WITH due AS (
    SELECT k.subject_id FROM vault.subject_key k
     WHERE k.expires_at < clock_timestamp() + interval '1 day'
       AND k.subject_id IN (SELECT n.subject_id FROM audit.expired n)
       AND NOT EXISTS (SELECT 1 FROM vault.legal_hold h WHERE h.subject_id = k.subject_id)
  ), payloads AS (
    DELETE FROM vault.payload p USING due d WHERE p.subject_id = d.subject_id RETURNING 1
  ), keyless AS (
    DELETE FROM vault.subject_key k USING due d WHERE k.subject_id = d.subject_id RETURNING 1
  )
  SELECT count(*) INTO gone FROM payloads;
  RETURN gone;
END $$;

-- A hold is set and lifted by the data protection officer; the chain says so with subject.held.
CREATE FUNCTION vault.hold_subject(subject uuid, reference text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO vault.legal_hold (subject_id, reference) VALUES (subject, reference) ON CONFLICT DO NOTHING
$$;
CREATE FUNCTION vault.release_subject(subject uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM vault.legal_hold h WHERE h.subject_id = subject
$$;

-- What a check of the payloads needs, and no more: the auditor sees hashes of ciphertext, never ciphertext.
CREATE FUNCTION audit.payload_hashes() RETURNS TABLE (stream_id uuid, seq bigint, sha256 bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.stream_id, p.seq, sha256(p.ct) FROM vault.payload p
$$;

RESET ROLE;
