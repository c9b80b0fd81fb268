-- Persons who do not want to talk to a machine (GDPR 18, 21): their calls go to people at once. Only the keyed MAC of the number.
SET LOCAL ROLE audit_owner;

CREATE TABLE vault.restriction (
  number_mac bytea PRIMARY KEY CHECK (octet_length(number_mac) = 32),
  since      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE vault.restriction IS 'Numbers whose calls no machine takes and whose kept content is not used; the chain says so with subject.restricted.';

CREATE FUNCTION vault.restrict_number(mac bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO vault.restriction (number_mac) VALUES (mac) ON CONFLICT DO NOTHING
$$;
CREATE FUNCTION vault.unrestrict_number(mac bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM vault.restriction r WHERE r.number_mac = mac
$$;

REVOKE ALL ON FUNCTION vault.restrict_number(bytea), vault.unrestrict_number(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vault.restrict_number(bytea), vault.unrestrict_number(bytea) TO dpo;
GRANT SELECT ON vault.restriction TO gw_writer;

-- Calls that Parley gave back at once stand in the chain too, so that the PBX's records can be compared with it.
CREATE INDEX event_pbx_declined ON audit.event ((body::jsonb ->> 'pbxId')) WHERE type = 'call.declined';

RESET ROLE;
