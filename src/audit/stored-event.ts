import { PACKED, type EventRow } from '../store/index.ts';
import { eventHash, sha256, typeHash } from './chain.ts';

/** An event as it is stored somewhere, able to say what its hash should be. */
export interface StoredEvent {
  readonly streamId: string;
  readonly day: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly monoUs: number;
  readonly type: string;
  readonly hash: Buffer;
  /** The hash that follows from the event and the one before it. */
  digest(prev: Buffer): Buffer;
}

export function fromRow(row: EventRow): StoredEvent {
  return { ...row, digest: (prev) => eventHash(prev, row) };
}

const DAY_2000 = Date.UTC(2000, 0, 1);
const input = Buffer.alloc(200);

/** One packed event. */
class PackedEvent implements StoredEvent {
  readonly streamId: string;
  readonly day: string;
  readonly seq: number;
  readonly tsUs: number;
  readonly monoUs: number;
  readonly type: string;
  readonly hash: Buffer;
  readonly #packed: Buffer;
  readonly #bodyAt: number;

  constructor(packed: Buffer, streamId: string, day: string) {
    this.#packed = packed;
    this.streamId = streamId;
    this.day = day;
    this.seq = int8(packed, PACKED.seq);
    this.tsUs = int8(packed, PACKED.tsUs);
    this.monoUs = int8(packed, PACKED.monoUs);
    this.#bodyAt = PACKED.type + packed.readInt32BE(PACKED.typeLength);
    this.type = packed.toString('utf8', PACKED.type, this.#bodyAt);
    this.hash = packed.subarray(PACKED.hash, PACKED.hash + 32);
  }

  digest(prev: Buffer): Buffer {
    const packed = this.#packed;
    prev.copy(input, 0);
    packed.copy(input, 32, 0, PACKED.payload);
    typeHash(this.type).copy(input, 104);
    sha256(packed.subarray(this.#bodyAt)).copy(input, 136);
    packed.copy(input, 168, PACKED.payload, PACKED.payload + 32);
    return sha256(input);
  }
}

/** Reads packed events (store/packed-event.ts) without taking them apart: what is hashed is already in its order. */
export class PackedEvents {
  #streamBytes: Buffer = Buffer.alloc(16);
  #streamId = '';
  #dayNumber = Number.NaN;
  #day = '';

  read(packed: Buffer): StoredEvent {
    // Rows of a stream come together: its name and day are made once.
    if (packed.compare(this.#streamBytes, 0, 16, 0, 16) !== 0 || this.#streamId === '') {
      this.#streamBytes = Buffer.from(packed.subarray(0, 16));
      this.#streamId = uuidText(this.#streamBytes);
    }
    const dayNumber = packed.readInt32BE(PACKED.day);
    if (dayNumber !== this.#dayNumber) {
      this.#dayNumber = dayNumber;
      this.#day = new Date(DAY_2000 + dayNumber * 86_400_000).toISOString().slice(0, 10);
    }
    return new PackedEvent(packed, this.#streamId, this.#day);
  }
}

function int8(packed: Buffer, at: number): number {
  return packed.readInt32BE(at) * 4_294_967_296 + packed.readUInt32BE(at + 4);
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
