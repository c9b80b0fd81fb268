/** Makes ONNX nodes and tensors from plain values: for the voice generator and for tests of the splitter. */
import { FLOAT, INT64, type Initializer, type Model, type Node } from './model.ts';
import { bytesField, encode, floatField, intField, textField, type Part } from './wire.ts';

export type Attribute = number | readonly number[] | string | { readonly float: number };

function attribute(name: string, value: Attribute): Part {
  if (typeof value === 'string') return [textField(1, name), textField(4, value), intField(20, 3)];
  if (typeof value === 'number') return [textField(1, name), intField(3, value), intField(20, 2)];
  if ('float' in value) return [textField(1, name), floatField(2, value.float), intField(20, 1)];
  return [textField(1, name), value.map((each) => intField(8, each)), intField(20, 7)];
}

/** A node; numbers are integer attributes, `{ float }` a float one. */
export function makeNode(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  name = '',
): Node {
  const raw = encode([
    inputs.map((input) => textField(1, input)),
    outputs.map((output) => textField(2, output)),
    textField(3, name),
    textField(4, op),
    Object.entries(attributes).map(([key, value]) => bytesField(5, attribute(key, value))),
  ]);
  const ints = new Map(
    Object.entries(attributes).flatMap(([key, value]) =>
      typeof value === 'number' ? [[key, [value]] as const] : Array.isArray(value) ? [[key, value as readonly number[]] as const] : [],
    ),
  );
  const texts = new Map(Object.entries(attributes).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value] as const] : [])));
  return { name, op, inputs, outputs, implicit: [], ints, texts, value: null, raw };
}

/** A constant tensor: Float32Array is FLOAT, BigInt64Array is INT64. */
export function makeInitializer(name: string, dims: readonly number[], values: Float32Array | BigInt64Array): Initializer {
  if (values.length !== dims.reduce((product, dim) => product * dim, 1))
    throw new RangeError(`${name}: ${values.length} values for [${dims.join(', ')}]`);
  const type = values instanceof Float32Array ? FLOAT : INT64;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return {
    name,
    type,
    dims,
    raw: encode([dims.map((dim) => intField(1, dim)), intField(2, type), textField(8, name), bytesField(9, bytes)]),
  };
}

/** The head of a model file of ours: IR 8, this operator set. */
export function makeHead(producer: string, opset: number): Pick<Model, 'rest'> {
  return { rest: [encode([intField(1, 8), textField(2, producer), bytesField(8, [textField(1, ''), intField(2, opset)])])] };
}
