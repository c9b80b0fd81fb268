import { hash } from 'node:crypto';

/**
 * The hash chain: pure functions. Every part has a fixed width, so that no two events give the same input by moving a boundary.
 *
 *   event    sha256( prev 32 | uuid stream | int8 seq | int8 ts_us | int8 mono_us | uuid call or 0 | uuid subject or 0
 *                    | sha256(type) | sha256(body) | payload_sha256 or 0 )                             200 bytes
 *   genesis  sha256( sha256(writer) | int8 ordinal | uuid stream | int8 day | int8 prev_last_seq | prev_last_hash )   104 bytes
 *
 * int8 = 8 bytes big-endian; day = days since 1970-01-01; type and body are UTF-8. The same in SQL: audit.row_hash, audit.genesis.
 */

export const ZERO_HASH: Buffer = Buffer.alloc(32);

export interface EventParts {
  readonly streamId: string;
  readonly seq: number;
  /** Wall clock, microseconds since 1970. */
  readonly tsUs: number;
  /** CLOCK_MONOTONIC in microseconds. */
  readonly monoUs: number;
  readonly callId: string | null;
  readonly subjectId: string | null;
  readonly type: string;
  /** The exact JSON text that is stored. */
  readonly body: string;
  readonly payloadSha256: Buffer | null;
}

export interface StreamParts {
  readonly streamId: string;
  readonly writer: string;
  /** 1, 2, 3 ... per writer. */
  readonly ordinal: number;
  /** 'YYYY-MM-DD', UTC. */
  readonly day: string;
  /** How the stream before ended: 0 and 32 zero bytes for the first. */
  readonly prevLastSeq: number;
  readonly prevLastHash: Buffer;
}

export const sha256 = (data: Buffer | string): Buffer => hash('sha256', data, 'buffer');

// Event types are few and fixed; their hashes are worth keeping. Bounded, because a verifier reads types from a foreign database.
const typeHashes = new Map<string, Buffer>();
export function typeHash(type: string): Buffer {
  let known = typeHashes.get(type);
  if (known === undefined) {
    known = sha256(type);
    if (typeHashes.size < 1000) typeHashes.set(type, known);
  }
  return known;
}

const eventInput = Buffer.alloc(200);

export function eventHash(prev: Buffer, event: EventParts): Buffer {
  const input = eventInput;
  prev.copy(input, 0);
  writeUuid(input, event.streamId, 32);
  writeInt8(input, event.seq, 48);
  writeInt8(input, event.tsUs, 56);
  writeInt8(input, event.monoUs, 64);
  writeUuid(input, event.callId, 72);
  writeUuid(input, event.subjectId, 88);
  typeHash(event.type).copy(input, 104);
  sha256(event.body).copy(input, 136);
  (event.payloadSha256 ?? ZERO_HASH).copy(input, 168);
  return sha256(input);
}

export function genesisHash(stream: StreamParts): Buffer {
  const input = Buffer.alloc(104);
  sha256(stream.writer).copy(input, 0);
  writeInt8(input, stream.ordinal, 32);
  writeUuid(input, stream.streamId, 40);
  writeInt8(input, dayNumber(stream.day), 56);
  writeInt8(input, stream.prevLastSeq, 64);
  stream.prevLastHash.copy(input, 72);
  return sha256(input);
}

/** The day of a wall-clock time in UTC, as 'YYYY-MM-DD'. */
export function dayOf(tsUs: number): string {
  return new Date(tsUs / 1000).toISOString().slice(0, 10);
}

export function dayNumber(day: string): number {
  return Math.round(Date.parse(`${day}T00:00:00Z`) / 86_400_000);
}

function writeInt8(target: Buffer, value: number, at: number): void {
  // Two halves instead of a BigInt: exact up to 2^53, also below zero, and ten times cheaper.
  const high = Math.floor(value / 4_294_967_296);
  target.writeInt32BE(high, at);
  target.writeUInt32BE(value - high * 4_294_967_296, at + 4);
}

/** An all-zero uuid would hash like an absent one: no real id may be all zeros (the schema refuses it). */
function writeUuid(target: Buffer, uuid: string | null, at: number): void {
  if (uuid === null) {
    target.fill(0, at, at + 16);
    return;
  }
  const hex = uuid.replaceAll('-', '');
  if (target.write(hex, at, 16, 'hex') !== 16 || hex.length !== 32) throw new RangeError('not a uuid');
}
