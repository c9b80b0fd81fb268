/** The weights of Silero's 8 kHz half, found by name and shape in the tree of graphs of its file. */
import { intsOf, readFields, textOf, type Field } from './wire.ts';

/** Name endings and shapes, as Silero 5 and 6 have them: [outputs, inputs, taps] and the four gates of the memory, stacked. */
const SHAPES = {
  stft: ['stft.forward_basis_buffer', [130, 1, 128]],
  conv0: ['encoder.0.reparam_conv.weight', [128, 65, 3]],
  bias0: ['encoder.0.reparam_conv.bias', [128]],
  conv1: ['encoder.1.reparam_conv.weight', [64, 128, 3]],
  bias1: ['encoder.1.reparam_conv.bias', [64]],
  conv2: ['encoder.2.reparam_conv.weight', [64, 64, 3]],
  bias2: ['encoder.2.reparam_conv.bias', [64]],
  conv3: ['encoder.3.reparam_conv.weight', [128, 64, 3]],
  bias3: ['encoder.3.reparam_conv.bias', [128]],
  inputGates: ['decoder.rnn.weight_ih', [512, 128]],
  stateGates: ['decoder.rnn.weight_hh', [512, 128]],
  inputBias: ['decoder.rnn.bias_ih', [512]],
  stateBias: ['decoder.rnn.bias_hh', [512]],
  out: ['decoder.decoder.2.weight', [1, 128, 1]],
  outBias: ['decoder.decoder.2.bias', [1]],
} as const satisfies Record<string, readonly [string, readonly number[]]>;

export type Weights = Readonly<Record<keyof typeof SHAPES, Float32Array>>;

interface Tensor {
  readonly dims: readonly number[];
  readonly values: () => Float32Array;
}

const FLOAT = 1;

function readTensor(body: Uint8Array): Tensor & { name: string; float: boolean } {
  const dims: number[] = [];
  let [name, float, raw, packed] = ['', false, new Uint8Array(), new Uint8Array()];
  for (const field of readFields(body)) {
    if (field.number === 1) dims.push(...intsOf(field));
    else if (field.number === 2) float = field.int === FLOAT;
    else if (field.number === 4 && field.wire === 2) packed = Uint8Array.from(field.body);
    else if (field.number === 8) name = textOf(field);
    else if (field.number === 9) raw = Uint8Array.from(field.body);
  }
  const bytes = raw.length > 0 ? raw : packed;
  return { name, float, dims, values: () => new Float32Array(bytes.buffer, 0, bytes.length >>> 2) };
}

/** The tensors of one graph by name, and those of the graphs inside it in turn. */
function* graphsIn(body: Uint8Array, depth = 0): Generator<ReadonlyMap<string, Tensor>> {
  const own = new Map<string, Tensor>();
  const inner: Uint8Array[] = [];
  const keep = (name: string, { body }: Field): void => {
    const tensor = readTensor(body);
    if (tensor.float) own.set(name === '' ? tensor.name : name, tensor);
  };
  for (const field of readFields(body)) {
    if (field.number === 5) keep('', field);
    if (field.number !== 1) continue;
    const node = readFields(field.body);
    const output = node.find(({ number }) => number === 2);
    for (const attribute of node.filter(({ number }) => number === 5).map((each) => readFields(each.body)))
      for (const part of attribute) {
        if (part.number === 5 && output !== undefined) keep(textOf(output), part);
        else if (part.number === 6) inner.push(part.body);
      }
  }
  yield own;
  if (depth < 3) for (const graph of inner) yield* graphsIn(graph, depth + 1);
}

/** Null when the file is built in another way. Errors: Error for bytes that are no ONNX model. */
export function findWeights(model: Uint8Array): Weights | null {
  const graph = readFields(model).find(({ number, wire }) => number === 7 && wire === 2);
  if (graph === undefined) throw new Error('there is no graph in it');
  for (const tensors of graphsIn(graph.body)) {
    const found = Object.entries(SHAPES).map(([key, [ending, shape]]) => {
      const match = [...tensors].find(([name, { dims }]) => name.endsWith(ending) && dims.join() === shape.join());
      return [key, match?.[1].values()] as const;
    });
    const whole = found.every(([key, values]) => {
      const size = SHAPES[key as keyof typeof SHAPES][1].reduce<number>((product, dim) => product * dim, 1);
      return values?.length === size;
    });
    if (whole) return Object.fromEntries(found) as Weights;
  }
  return null;
}
