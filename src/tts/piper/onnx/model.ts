/**
 * ONNX model files, as far as Piper voices need them. What this code does not have to understand stays raw bytes and is
 * copied unchanged, so that a split voice computes exactly what the whole one does. Source: onnx.proto3 of ONNX IR 8.
 */
import { bytesField, encode, intField, readFields, readInts, readText, textField, WireError, type Field, type Part } from './wire.ts';

/** Tensor element types (TensorProto.DataType). */
export const FLOAT = 1;
export const INT64 = 7;

export interface Node {
  readonly name: string;
  readonly op: string;
  /** Names of tensors; an empty name is an omitted optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Names that its subgraphs (If, Loop) take from outside. */
  readonly implicit: readonly string[];
  /** Integer attributes only: kernel_shape, pads, strides, dilations, group, auto_pad is text. */
  readonly ints: ReadonlyMap<string, readonly number[]>;
  readonly texts: ReadonlyMap<string, string>;
  /** The value of a Constant node. */
  readonly value: Initializer | null;
  readonly raw: Uint8Array;
}

export interface Initializer {
  readonly name: string;
  /** Element type (TensorProto.DataType). */
  readonly type: number;
  readonly dims: readonly number[];
  readonly raw: Uint8Array;
}

export interface Value {
  readonly name: string;
  /** 0 when the file gives none. */
  readonly type: number;
  /** -1 for a dynamic axis; null when the file gives no shape. */
  readonly dims: readonly number[] | null;
  readonly raw: Uint8Array;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export interface Model {
  readonly irVersion: number;
  /** The main operator set. */
  readonly opset: number;
  readonly graph: Graph;
  /** Top-level fields besides the graph: versions, operator sets, functions, metadata. */
  readonly rest: readonly Uint8Array[];
}

const MAX_DEPTH = 4;

/** Reads a model. Errors: WireError, for bytes that are no ONNX model. */
export function readModel(bytes: Uint8Array): Model {
  const rest: Uint8Array[] = [];
  let graph: Field | undefined;
  let irVersion = 0;
  let opset = 0;
  for (const field of readFields(bytes)) {
    if (field.number === 7) {
      if (graph !== undefined) throw new WireError('a second graph', 0);
      graph = field;
      continue;
    }
    if (field.number === 1) irVersion = Number(field.int);
    if (field.number === 8) opset = Math.max(opset, mainOpset(field.body));
    rest.push(field.raw);
  }
  if (graph?.wire !== 2) throw new WireError('no graph in the model', 0);
  if (irVersion < 3 || irVersion > 1000) throw new WireError('no usable ir_version in the model', 0);
  return { irVersion, opset, rest, graph: readGraph(graph.body, 0) };
}

/** Version of the default operator set, or 0 for another domain. */
function mainOpset(body: Uint8Array): number {
  const fields = readFields(body);
  const domain = fields.find((field) => field.number === 1);
  if (domain !== undefined && readText(domain) !== '') return 0;
  return Number(fields.find((field) => field.number === 2)?.int ?? 0n);
}

function readGraph(body: Uint8Array, depth: number): Graph {
  if (depth > MAX_DEPTH) throw new WireError('graphs nested too deep', 0);
  const nodes: Node[] = [];
  const initializers: Initializer[] = [];
  const inputs: Value[] = [];
  const outputs: Value[] = [];
  let name = '';
  for (const field of readFields(body)) {
    if (field.number === 1) nodes.push(readNode(field.body, depth));
    else if (field.number === 2) name = readText(field);
    else if (field.number === 5) initializers.push(readInitializer(field.body));
    else if (field.number === 11) inputs.push(readValue(field.body));
    else if (field.number === 12) outputs.push(readValue(field.body));
    else if (field.number === 15) throw new WireError('sparse initializers are not supported', 0);
  }
  return { name, nodes, initializers, inputs, outputs };
}

function readNode(raw: Uint8Array, depth: number): Node {
  const node = { name: '', op: '', inputs: [] as string[], outputs: [] as string[] };
  const implicit = new Set<string>();
  const ints = new Map<string, readonly number[]>();
  const texts = new Map<string, string>();
  let value: Initializer | null = null;
  for (const field of readFields(raw)) {
    if (field.number === 1) node.inputs.push(readText(field));
    else if (field.number === 2) node.outputs.push(readText(field));
    else if (field.number === 3) node.name = readText(field);
    else if (field.number === 4) node.op = readText(field);
    else if (field.number === 5) value = readAttribute(field.body, { depth, ints, texts, implicit }) ?? value;
  }
  return { ...node, implicit: [...implicit], ints, texts, value, raw };
}

interface AttributeTarget {
  readonly depth: number;
  readonly ints: Map<string, readonly number[]>;
  readonly texts: Map<string, string>;
  readonly implicit: Set<string>;
}

function readAttribute(body: Uint8Array, target: AttributeTarget): Initializer | null {
  let name = '';
  let tensor: Initializer | null = null;
  const values: number[] = [];
  let text: string | undefined;
  for (const field of readFields(body)) {
    if (field.number === 1) name = readText(field);
    else if (field.number === 3 || field.number === 8) for (const value of readInts(field)) values.push(Number(value));
    else if (field.number === 4) text = readText(field);
    else if (field.number === 5) tensor = readInitializer(field.body);
    else if (field.number === 6 || field.number === 11)
      for (const outer of outerNames(readGraph(field.body, target.depth + 1))) target.implicit.add(outer);
  }
  if (values.length > 0) target.ints.set(name, values);
  if (text !== undefined) target.texts.set(name, text);
  return tensor;
}

/** Names that a subgraph uses and does not make. */
function outerNames(graph: Graph): Set<string> {
  const made = new Set([...graph.inputs, ...graph.initializers].map((value) => value.name));
  const outer = new Set<string>();
  const use = (name: string): void => {
    if (name !== '' && !made.has(name)) outer.add(name);
  };
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...node.implicit]) use(name);
    for (const name of node.outputs) made.add(name);
  }
  for (const output of graph.outputs) use(output.name);
  return outer;
}

function readInitializer(raw: Uint8Array): Initializer {
  let name = '';
  let type = 0;
  const dims: number[] = [];
  for (const field of readFields(raw)) {
    if (field.number === 1) for (const dim of readInts(field)) dims.push(Number(dim));
    else if (field.number === 2) type = Number(field.int);
    else if (field.number === 8) name = readText(field);
    else if (field.number === 13 || (field.number === 14 && field.int !== 0n))
      throw new WireError('weights outside the file are not supported', 0);
  }
  return { name, type, dims, raw };
}

/** The numbers of a small INT64 constant; null for anything else. */
export function intsOf(tensor: Initializer): readonly number[] | null {
  if (tensor.type !== INT64 || tensor.dims.reduce((product, dim) => product * dim, 1) > 64) return null;
  const values: number[] = [];
  for (const field of readFields(tensor.raw)) {
    if (field.number === 7) for (const value of readInts(field)) values.push(Number(value));
    if (field.number !== 9 || field.wire !== 2) continue;
    const view = new DataView(field.body.buffer, field.body.byteOffset, field.body.byteLength);
    for (let at = 0; at + 8 <= view.byteLength; at += 8) values.push(Number(view.getBigInt64(at, true)));
  }
  return values;
}

function readValue(raw: Uint8Array): Value {
  const fields = readFields(raw);
  const nameField = fields.find((field) => field.number === 1);
  const name = nameField === undefined ? '' : readText(nameField);
  const inner = (of: readonly Field[], number: number): readonly Field[] =>
    readFields(of.find((field) => field.number === number)?.body ?? new Uint8Array(0));
  const tensor = inner(inner(fields, 2), 1);
  const type = Number(tensor.find((field) => field.number === 1)?.int ?? 0n);
  const shape = tensor.find((field) => field.number === 2);
  const dims =
    shape === undefined
      ? null
      : readFields(shape.body).map((dim) => Number(readFields(dim.body).find((field) => field.number === 1)?.int ?? -1n));
  return { name, type, dims, raw };
}

/** A graph input or output of this element type; -1 is a dynamic axis, null no shape at all. */
export function makeValue(name: string, type: number, dims: readonly number[] | null): Value {
  const shape =
    dims === null
      ? []
      : bytesField(
          2,
          dims.map((dim, axis) => bytesField(1, dim < 0 ? textField(2, `${name}_${axis}`) : intField(1, dim))),
        );
  const raw = encode([textField(1, name), bytesField(2, bytesField(1, [intField(1, type), shape]))]);
  return { name, type, dims, raw };
}

/** The file of a model with this graph; everything else as in `model`. */
export function writeModel(model: Pick<Model, 'rest'>, graph: Graph): Uint8Array {
  const body: Part[] = [
    graph.nodes.map((node) => bytesField(1, node.raw)),
    textField(2, graph.name),
    graph.initializers.map((tensor) => bytesField(5, tensor.raw)),
    graph.inputs.map((value) => bytesField(11, value.raw)),
    graph.outputs.map((value) => bytesField(12, value.raw)),
  ];
  return encode([model.rest, bytesField(7, body)]);
}
