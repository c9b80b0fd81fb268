-- What callers left for people stands in the chain (inbox.received) and, encrypted, in the vault: found here without reading all months.
SET LOCAL ROLE audit_owner;
CREATE INDEX event_inbox ON audit.event (ts_us) WHERE type = 'inbox.received';
RESET ROLE;
