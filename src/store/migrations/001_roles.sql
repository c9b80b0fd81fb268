-- Roles and schemas. Nobody logs in as the owner; every login has only what its duty needs.
--   audit_owner   owns everything, cannot log in
--   gw_writer     the gateway: adds rows, changes and removes none
--   auditor       reads the chain, never content
--   dpo           may erase one person, reads nothing
--   gw_retention  may drop whole months that the chain announced before, reads nothing
-- Roles are made without a password: the embedded database sets generated ones; an operator sets his own
-- (ALTER ROLE gw_writer LOGIN PASSWORD '...').
DO $$
DECLARE
  wanted text;
BEGIN
  IF to_regrole('audit_owner') IS NULL THEN CREATE ROLE audit_owner NOLOGIN; END IF;
  FOREACH wanted IN ARRAY ARRAY['gw_writer', 'auditor', 'dpo', 'gw_retention'] LOOP
    IF to_regrole(wanted) IS NULL THEN EXECUTE format('CREATE ROLE %I LOGIN', wanted); END IF;
  END LOOP;
  -- An admin who is no superuser must be a member to hand objects to the owner.
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT audit_owner, gw_writer TO %I', current_user);
  END IF;
END $$;

CREATE SCHEMA audit AUTHORIZATION audit_owner;
CREATE SCHEMA vault AUTHORIZATION audit_owner;
CREATE SCHEMA ops AUTHORIZATION audit_owner;
COMMENT ON SCHEMA audit IS 'The chain: append-only, no personal data, kept long.';
COMMENT ON SCHEMA vault IS 'Wrapped keys and ciphertext of personal content: deletable.';
COMMENT ON SCHEMA ops IS 'Views of the chain for daily work. Can be dropped and made again.';
