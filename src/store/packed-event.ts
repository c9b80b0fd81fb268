/**
 * An event packed by Postgres into one value: reading a million of them column by column costs more than checking them.
 *
 *   0  uuid stream 16 | int8 seq | int8 ts_us | int8 mono_us | uuid call or 0 16 | uuid subject or 0 16     as in the hash
 *  72  payload_sha256 or 0 32 | hash 32
 * 136  int4 day (days since 2000-01-01) | int4 length of type | type | body
 */
export const PACKED = {
  seq: 16,
  tsUs: 24,
  monoUs: 32,
  payload: 72,
  hash: 104,
  day: 136,
  typeLength: 140,
  type: 144,
} as const;

const ZERO_16 = `'\\x${'00'.repeat(16)}'::bytea`;
const ZERO_32 = `'\\x${'00'.repeat(32)}'::bytea`;

export const PACK_SQL = `uuid_send(e.stream_id) || int8send(e.seq) || int8send(e.ts_us) || int8send(e.mono_us)
  || coalesce(uuid_send(e.call_id), ${ZERO_16}) || coalesce(uuid_send(e.subject_id), ${ZERO_16})
  || coalesce(e.payload_sha256, ${ZERO_32}) || e.hash
  || date_send(e.day) || int4send(octet_length(e.type)) || convert_to(e.type, 'UTF8') || convert_to(e.body, 'UTF8')`;
