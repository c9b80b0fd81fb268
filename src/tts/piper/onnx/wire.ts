/**
 * The protobuf wire format, as far as ONNX files need it: varints, 32-bit and 64-bit fields, length-delimited fields.
 * Reading is bounded by the buffer and by a field budget: a hostile file costs an error, never memory or time.
 * Source: protobuf.dev/programming-guides/encoding.
 */

/** The bytes are no such message. `at` is the offset inside the file. */
export class WireError extends Error {
  readonly at: number;
  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`);
    this.name = 'WireError';
    this.at = at;
  }
}

export interface Field {
  readonly number: number;
  /** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  readonly wire: 0 | 1 | 2 | 5;
  /** The whole field with its tag, to be copied unchanged. */
  readonly raw: Uint8Array;
  /** Payload of wire types 1, 2 and 5; empty for a varint. */
  readonly body: Uint8Array;
  /** Value of a varint, as a signed 64-bit integer. */
  readonly int: bigint;
}

const NOTHING: Uint8Array = new Uint8Array(0);
const MAX_FIELDS = 4_000_000;

/** Fields of one message, in file order. `base` is the offset of the message in the file, for error messages. */
export function readFields(message: Uint8Array, base = 0): Field[] {
  const fields: Field[] = [];
  let at = 0;
  while (at < message.length) {
    if (fields.length === MAX_FIELDS) throw new WireError('too many fields', base + at);
    const start = at;
    const tag = readVarint(message, at, base);
    at = tag.next;
    const wire = Number(tag.value & 7n);
    const number = Number(tag.value >> 3n);
    if (number < 1 || number > 0x1fffffff) throw new WireError('a field number out of range', base + start);
    let body: Uint8Array = NOTHING;
    let int = 0n;
    if (wire === 0) {
      const value = readVarint(message, at, base);
      int = BigInt.asIntN(64, value.value);
      at = value.next;
    } else {
      const length = wire === 2 ? readVarint(message, at, base) : { value: fixedLength(wire, base + start), next: at };
      at = length.next;
      if (length.value > BigInt(message.length - at)) throw new WireError('a field longer than the file', base + start);
      body = message.subarray(at, at + Number(length.value));
      at += body.length;
    }
    fields.push({ number, wire: wire as Field['wire'], raw: message.subarray(start, at), body, int });
  }
  return fields;
}

function fixedLength(wire: number, at: number): bigint {
  if (wire === 1) return 8n;
  if (wire === 5) return 4n;
  throw new WireError(`wire type ${wire}`, at);
}

function readVarint(bytes: Uint8Array, from: number, base: number): { value: bigint; next: number } {
  let low = 0;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[from + index];
    if (byte === undefined) throw new WireError('the file ends inside a number', base + from);
    // Nearly every varint is short: plain numbers up to 28 bits, big integers only beyond.
    if (index < 4) {
      low |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return { value: BigInt(low), next: from + index + 1 };
    } else if (byte < 0x80) {
      let value = 0n;
      for (let back = index; back >= 0; back--) value = (value << 7n) | BigInt((bytes[from + back] ?? 0) & 0x7f);
      return { value: BigInt.asUintN(64, value), next: from + index + 1 };
    }
  }
  throw new WireError('a number longer than ten bytes', base + from);
}

/** Numbers of a repeated integer field, packed or not. */
export function readInts(field: Field): bigint[] {
  if (field.wire === 0) return [field.int];
  if (field.wire !== 2) throw new WireError('a list of numbers expected', 0);
  const values: bigint[] = [];
  for (let at = 0; at < field.body.length;) {
    const { value, next } = readVarint(field.body, at, 0);
    values.push(BigInt.asIntN(64, value));
    at = next;
  }
  return values;
}

const utf8 = new TextDecoder('utf-8');
const toUtf8 = new TextEncoder();

export function readText(field: Field): string {
  if (field.wire !== 2) throw new WireError('a text expected', 0);
  return utf8.decode(field.body);
}

/** Part of a message being written: bytes, or parts. */
export type Part = Uint8Array | readonly Part[];

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

const tag = (number: number, wire: number): Uint8Array => varint(BigInt(number * 8 + wire));

export const intField = (number: number, value: number | bigint): Part => [tag(number, 0), varint(BigInt(value))];
export const textField = (number: number, text: string): Part => bytesField(number, toUtf8.encode(text));
export const floatField = (number: number, value: number): Part => [tag(number, 5), new Uint8Array(Float32Array.of(value).buffer)];

export function bytesField(number: number, body: Part): Part {
  return [tag(number, 2), varint(BigInt(partLength(body))), body];
}

function partLength(part: Part): number {
  if (part instanceof Uint8Array) return part.length;
  let sum = 0;
  for (const inner of part) sum += partLength(inner);
  return sum;
}

/** Joins the parts into one buffer. */
export function encode(part: Part): Uint8Array {
  const out = new Uint8Array(partLength(part));
  let at = 0;
  const put = (inner: Part): void => {
    if (inner instanceof Uint8Array) {
      out.set(inner, at);
      at += inner.length;
    } else for (const each of inner) put(each);
  };
  put(part);
  return out;
}
