import { PACKED, type EventRow } from '../store/index.ts';
import { eventHash, sha256, typeHash, ZERO_HASH } from './chain.ts';

/** An event as it is stored somewhere, able to say what its hash should be. */
export interface StoredEvent {
  readonly streamId: string;
  readonly day: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly monoUs: number;
  readonly type: string;
  readonly subjectId: string | null;
  readonly payloadSha256: Buffer | null;
  readonly hash: Buffer;
  /** The hash that follows from the event and the one before it. */
  digest(prev: Buffer): Buffer;
}

export function fromRow(row: EventRow): StoredEvent {
  return { ...row, digest: (prev) => eventHash(prev, row) };
}

const DAY_2000 = Date.UTC(2000, 0, 1);
const input = Buffer.alloc(200);

/** Reads packed events (store/packed-event.ts) without taking them apart: what is hashed is already in its order. */
export class PackedEvents {
  #streamBytes: Buffer = Buffer.alloc(0);
  #streamId = '';
  #dayNumber = Number.NaN;
  #day = '';

  read(packed: Buffer): StoredEvent {
    const streamId = this.#stream(packed);
    const day = this.#dayOf(packed.readInt32BE(PACKED.day));
    const typeEnd = PACKED.type + packed.readInt32BE(PACKED.typeLength);
    const type = packed.toString('utf8', PACKED.type, typeEnd);
    const payload = packed.subarray(PACKED.payload, PACKED.payload + 32);
    return {
      ...{ streamId, day, seq: int8(packed, PACKED.seq), tsUs: int8(packed, PACKED.tsUs), monoUs: int8(packed, PACKED.monoUs), type },
      subjectId: uuidAt(packed, PACKED.subjectId),
      payloadSha256: payload.equals(ZERO_HASH) ? null : payload,
      hash: packed.subarray(PACKED.hash, PACKED.hash + 32),
      digest: (prev) => {
        prev.copy(input, 0);
        packed.copy(input, 32, 0, PACKED.payload);
        typeHash(type).copy(input, 104);
        sha256(packed.subarray(typeEnd)).copy(input, 136);
        payload.copy(input, 168);
        return sha256(input);
      },
    };
  }

  // Rows of a stream come together: its name is made once.
  #stream(packed: Buffer): string {
    const bytes = packed.subarray(0, 16);
    if (!bytes.equals(this.#streamBytes)) {
      this.#streamBytes = bytes;
      this.#streamId = uuidText(bytes);
    }
    return this.#streamId;
  }

  #dayOf(number: number): string {
    if (number !== this.#dayNumber) {
      this.#dayNumber = number;
      this.#day = new Date(DAY_2000 + number * 86_400_000).toISOString().slice(0, 10);
    }
    return this.#day;
  }
}

function int8(packed: Buffer, at: number): number {
  return packed.readInt32BE(at) * 4_294_967_296 + packed.readUInt32BE(at + 4);
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function uuidAt(packed: Buffer, at: number): string | null {
  const bytes = packed.subarray(at, at + 16);
  return bytes.every((byte) => byte === 0) ? null : uuidText(bytes);
}
