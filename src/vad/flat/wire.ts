/** Protocol buffers, as far as ONNX files need them (onnx.proto3, IR 8): varints and length-delimited fields. */

export interface Field {
  readonly number: number;
  /** 0: `int`, 2: `body`; others are skipped over and have neither. */
  readonly wire: number;
  readonly int: number;
  readonly body: Uint8Array;
}

const NOTHING: Uint8Array = new Uint8Array();

function readVarint(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = bytes[at++];
    if (byte === undefined) throw new Error('the file ends in the middle of a number');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return [Number(BigInt.asIntN(64, value)), at];
  }
  throw new Error('a number has too many bytes');
}

/** Errors: Error for bytes that are no message. */
export function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const [key, afterKey] = readVarint(bytes, at);
    const wire = key & 7;
    const field: { number: number; wire: number; int: number; body: Uint8Array } = { number: key >>> 3, wire, int: 0, body: NOTHING };
    if (wire === 0) [field.int, at] = readVarint(bytes, afterKey);
    else {
      const [length, start] = wire === 2 ? readVarint(bytes, afterKey) : [wire === 5 ? 4 : 8, afterKey];
      if (length < 0 || start + length > bytes.length) throw new Error('a field reaches beyond the end of the file');
      field.body = bytes.subarray(start, start + length);
      at = start + length;
    }
    fields.push(field);
  }
  return fields;
}

export const textOf = ({ body }: Field): string => new TextDecoder().decode(body);

/** A repeated integer, packed or not. */
export function intsOf({ wire, int, body }: Field): number[] {
  if (wire !== 2) return [int];
  const values: number[] = [];
  for (let at = 0; at < body.length;) {
    const [value, next] = readVarint(body, at);
    values.push(value);
    at = next;
  }
  return values;
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return [...out, Number(rest)];
}

export const intField = (number: number, value: number): Uint8Array => Uint8Array.from([...varint(number << 3), ...varint(value)]);

export function bytesField(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Uint8Array.from([...varint((number << 3) | 2), ...varint(length)]), ...parts]);
}

export const textField = (number: number, text: string): Uint8Array => bytesField(number, new TextEncoder().encode(text));
