/**
 * Writes GGUF 3 files: magic, version, counts, typed key-value pairs, tensor directory, data aligned to 32 bytes, all little-endian.
 * Streams: a file may be larger than the memory. Source: docs/gguf.md of ggml; block layouts: ggml-common.h.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

const ALIGNMENT = 32;

/** Value types of GGUF. */
const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

/** Number of the type in a file, weights per block, bytes per block. */
export const TENSOR_TYPES = {
  f32: { number: 0, weights: 1, bytes: 4 },
  q4_0: { number: 2, weights: 32, bytes: 18 },
  q6_k: { number: 14, weights: 256, bytes: 210 },
} as const;

export interface GgufTensor {
  readonly name: string;
  readonly type: keyof typeof TENSOR_TYPES;
  /** Innermost first: [inputs, outputs] of a matrix. */
  readonly shape: readonly number[];
  /** Its bytes, in pieces of any length that add up to `bytesOf`. */
  readonly data: () => Iterable<Uint8Array>;
}

export interface GgufPair {
  readonly key: string;
  /** Type and value. */
  readonly value: Buffer;
}

function u32(value: number): Buffer {
  const part = Buffer.alloc(4);
  part.writeUInt32LE(value);
  return part;
}

function u64(value: number): Buffer {
  const part = Buffer.alloc(8);
  part.writeBigUInt64LE(BigInt(value));
  return part;
}

function text(value: string): Buffer {
  const part = Buffer.from(value);
  return Buffer.concat([u64(part.length), part]);
}

const floats = (values: readonly number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);
const list = (type: number, items: readonly Buffer[]): Buffer => Buffer.concat([u32(ARRAY), u32(type), u64(items.length), ...items]);

export const pair = {
  text: (key: string, value: string): GgufPair => ({ key, value: Buffer.concat([u32(STRING), text(value)]) }),
  count: (key: string, value: number): GgufPair => ({ key, value: Buffer.concat([u32(UINT32), u32(value)]) }),
  float: (key: string, value: number): GgufPair => ({ key, value: Buffer.concat([u32(FLOAT32), floats([value])]) }),
  flag: (key: string, value: boolean): GgufPair => ({ key, value: Buffer.concat([u32(BOOL), Buffer.of(value ? 1 : 0)]) }),
  texts: (key: string, values: readonly string[]): GgufPair => ({ key, value: list(STRING, values.map(text)) }),
  floats: (key: string, values: readonly number[]): GgufPair => ({
    key,
    value: list(
      FLOAT32,
      values.map((value) => floats([value])),
    ),
  }),
  counts: (key: string, values: readonly number[]): GgufPair => ({ key, value: list(INT32, values.map(u32)) }),
};

/** Size of a tensor's data. Errors: Error when its rows are no whole blocks. */
export function bytesOf({ name, type, shape }: Pick<GgufTensor, 'name' | 'type' | 'shape'>): number {
  const { weights, bytes } = TENSOR_TYPES[type];
  if ((shape[0] ?? 0) % weights !== 0) throw new Error(`${name}: rows of ${shape[0] ?? 0} weights are no whole blocks of ${weights}`);
  return (shape.reduce((product, size) => product * size, 1) / weights) * bytes;
}

const padding = (size: number): number => (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT;

function headOf(pairs: readonly GgufPair[], tensors: readonly GgufTensor[]): Buffer {
  let offset = 0;
  const directory = tensors.map((tensor) => {
    const at = offset;
    const size = bytesOf(tensor);
    offset += size + padding(size);
    const { name, shape, type } = tensor;
    return Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(TENSOR_TYPES[type].number), u64(at)]);
  });
  return Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(pairs.length),
    ...pairs.flatMap(({ key, value }) => [text(key), value]),
    ...directory,
  ]);
}

/** In one step: whoever looks finds a whole file or none. */
export function writeGguf(file: string, pairs: readonly GgufPair[], tensors: readonly GgufTensor[]): void {
  const part = `${file}.part`;
  const fd = openSync(part, 'w');
  try {
    const put = (bytes: Uint8Array): number => {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      return bytes.length;
    };
    put(Buffer.alloc(padding(put(headOf(pairs, tensors)))));
    for (const tensor of tensors) {
      let size = 0;
      for (const piece of tensor.data()) size += put(piece);
      if (size !== bytesOf(tensor)) throw new Error(`${tensor.name}: ${size} bytes instead of ${bytesOf(tensor)}`);
      put(Buffer.alloc(padding(size)));
    }
    closeSync(fd);
  } catch (error) {
    closeSync(fd);
    rmSync(part, { force: true });
    throw error;
  }
  renameSync(part, file);
}
