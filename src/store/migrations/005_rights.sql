-- Rights. No login gets UPDATE, DELETE or TRUNCATE on anything; partitions are not granted at all.
SET LOCAL ROLE audit_owner;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit, vault, ops FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE audit_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA audit TO gw_writer, auditor;
GRANT USAGE ON SCHEMA audit TO gw_retention;
GRANT USAGE ON SCHEMA vault TO gw_writer, dpo;
GRANT USAGE ON SCHEMA ops TO gw_writer, auditor;

GRANT SELECT, INSERT ON audit.stream, audit.event, audit.checkpoint TO gw_writer;
GRANT SELECT, INSERT ON vault.subject_key, vault.payload TO gw_writer;
GRANT SELECT ON vault.held TO gw_writer;
GRANT SELECT ON audit.stream, audit.event, audit.checkpoint TO auditor;
GRANT SELECT ON audit.broken, audit.broken_link, audit.broken_stream, audit.broken_checkpoint, audit.broken_payload, audit.dropped, audit.expired TO auditor;
GRANT SELECT ON audit.dropped, audit.expired TO gw_writer;
GRANT SELECT ON ops.call, ops.turn TO gw_writer, auditor;

GRANT EXECUTE ON FUNCTION audit.row_hash(bytea, uuid, bigint, bigint, bigint, uuid, uuid, text, text, bytea) TO gw_writer, auditor;
GRANT EXECUTE ON FUNCTION audit.genesis(text, bigint, uuid, date, bigint, bytea) TO gw_writer, auditor;
GRANT EXECUTE ON FUNCTION audit.payload_hashes() TO auditor;
-- The gateway replays announced erasures and expiries at boot: it can erase only what the chain already names.
GRANT EXECUTE ON FUNCTION vault.erase_announced(), vault.expire_announced() TO gw_writer, dpo;
GRANT EXECUTE ON FUNCTION vault.erase_subject(uuid), vault.hold_subject(uuid, text), vault.release_subject(uuid) TO dpo;
GRANT EXECUTE ON FUNCTION audit.drop_month(date) TO gw_retention;

RESET ROLE;
