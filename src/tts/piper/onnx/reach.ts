/**
 * How far a convolutional piece of a graph looks: how many latent frames before and after its own a value depends on, and how
 * many values one frame makes. Known exactly from kernels, strides, dilations and paddings. A node that is not local in time
 * makes chunked computing impossible and is refused by name. Tensors are [batch, channels, time].
 */
import { intsOf, type Graph, type Node } from './model.ts';

export interface Reach {
  /** Values per latent frame. */
  readonly perFrame: number;
  /** Latent frames of context on either side that a chunk needs so that its own values come out exactly. */
  readonly marginFrames: number;
}

interface Span {
  /** Values per latent frame. */
  readonly rate: number;
  /** Latent frames looked at before and after. */
  readonly before: number;
  readonly after: number;
}

const POINTWISE = new Set([
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Neg', 'Abs', 'Sqrt', 'Exp', 'Reciprocal', 'Min', 'Max', 'Sum', 'Where'],
  ...['Relu', 'LeakyRelu', 'PRelu', 'Elu', 'Tanh', 'Sigmoid', 'Softplus', 'Sin', 'Cos', 'Clip', 'Identity', 'Cast', 'Unsqueeze', 'Squeeze'],
  // zeros of the shape of a chunk
  ...['Shape', 'ConstantOfShape', 'Expand'],
]);
/** Local in time as long as their axis is the channels. */
const ON_CHANNELS = new Set(['Concat', 'Split', 'Slice']);
const TIME_AXIS = 2;

/** `frames` are the inputs that have one value per frame. Errors: Error naming the node that is not local in time. */
export function reachOf(piece: Graph, frames: readonly string[], output: string): Reach {
  const context: Context = {
    weights: new Map(piece.initializers.map((tensor) => [tensor.name, tensor.dims])),
    ints: new Map(),
  };
  for (const tensor of piece.initializers) setInts(context, tensor.name, intsOf(tensor));
  const spans = new Map<string, Span>(frames.map((name) => [name, { rate: 1, before: 0, after: 0 }]));
  for (const node of piece.nodes) {
    if (node.value !== null) setInts(context, node.outputs[0] ?? '', intsOf(node.value));
    const moving = [...node.inputs, ...node.implicit].filter((name) => spans.has(name));
    if (moving.length === 0) continue; // made of constants and the speaker only: the same for every frame
    const span = spanAfter(
      node,
      moving.flatMap((name) => spans.get(name) ?? []),
      spans.has(node.inputs[0] ?? ''),
      context,
    );
    for (const name of node.outputs) spans.set(name, span);
  }
  const last = spans.get(output);
  if (last === undefined) throw new Error('the output does not depend on the latent');
  if (!Number.isInteger(last.rate)) throw new Error(`${last.rate} values per frame`);
  return { perFrame: last.rate, marginFrames: Math.ceil(Math.max(last.before, last.after)) + 1 };
}

interface Context {
  readonly weights: ReadonlyMap<string, readonly number[]>;
  /** Small integer constants: axes. */
  readonly ints: Map<string, readonly number[]>;
}

function setInts(context: Context, name: string, values: readonly number[] | null): void {
  if (values !== null) context.ints.set(name, values);
}

function refuse(node: Node, why: string): never {
  throw new Error(`node ${node.name || (node.outputs[0] ?? '')} (${node.op}) ${why}`);
}

function spanAfter(node: Node, inputs: readonly Span[], dataMoves: boolean, context: Context): Span {
  const rate = inputs[0]?.rate ?? 1;
  const widest: Span = {
    rate,
    before: Math.max(...inputs.map((span) => span.before)),
    after: Math.max(...inputs.map((span) => span.after)),
  };
  if (inputs.some((span) => span.rate !== rate)) refuse(node, 'mixes two sample rates');
  if (POINTWISE.has(node.op)) return widest;
  if (ON_CHANNELS.has(node.op)) {
    const axes = node.op === 'Slice' ? context.ints.get(node.inputs[3] ?? '') : node.ints.get('axis');
    if (axes === undefined || axes.some((axis) => axis < 0 || axis >= TIME_AXIS)) refuse(node, 'may work along the time axis');
    return widest;
  }
  if (node.op !== 'Conv' && node.op !== 'ConvTranspose') refuse(node, 'is not known to be local in time');
  if (inputs.length !== 1 || !dataMoves) refuse(node, 'has no constant weights');
  return afterConvolution(node, widest, context.weights.get(node.inputs[1] ?? ''));
}

function afterConvolution(node: Node, input: Span, weightDims: readonly number[] | undefined): Span {
  const auto = node.texts.get('auto_pad') ?? 'NOTSET';
  if (auto !== 'NOTSET' || node.ints.has('output_shape')) refuse(node, 'uses automatic padding or a given output shape');
  const kernelShape = node.ints.get('kernel_shape') ?? weightDims?.slice(2) ?? [];
  const [kernel] = kernelShape;
  if (kernel === undefined || kernelShape.length !== 1) return refuse(node, 'is no one-dimensional convolution');
  const one = (name: string, index: number, otherwise: number): number => node.ints.get(name)?.[index] ?? otherwise;
  const width = one('dilations', 0, 1) * (kernel - 1);
  const stride = one('strides', 0, 1);
  const padBefore = one('pads', 0, 0);
  const pads = padBefore + one('pads', 1, 0);
  if (node.op === 'Conv') {
    if (stride !== 1 || pads !== width) refuse(node, 'changes the number of frames');
    return { rate: input.rate, before: input.before + padBefore / input.rate, after: input.after + (width - padBefore) / input.rate };
  }
  if (width + 1 + one('output_padding', 0, 0) - stride !== pads) refuse(node, 'does not multiply the number of frames by its stride');
  const rate = input.rate * stride;
  return { rate, before: input.before + Math.max(0, width - padBefore) / rate, after: input.after + padBefore / rate };
}
