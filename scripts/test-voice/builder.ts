/** A small hand for drawing ONNX graphs: nodes get torch's names (/scope/Op, /scope/Op_output_0), weights come from a seed. */
import { makeInitializer, makeNode, type Attribute } from '../../src/tts/piper/onnx/build.ts';
import type { Initializer, Node } from '../../src/tts/piper/onnx/model.ts';

/** mulberry32: the same numbers on every machine. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly initializers: Initializer[] = [];
  readonly #used = new Map<string, number>();
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** Adds a node; returns its first output. */
  op(scope: string, op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}, outputs = 1): string {
    const key = `${scope}/${op}`;
    const count = this.#used.get(key) ?? 0;
    this.#used.set(key, count + 1);
    const name = count === 0 ? key : `${key}_${count}`;
    const made = Array.from({ length: outputs }, (_, index) => `${name}_output_${index}`);
    this.nodes.push(makeNode(op, inputs, made, attributes, name));
    return made[0] ?? '';
  }

  /** A node whose output has a given name. */
  named(op: string, inputs: readonly string[], output: string, attributes: Readonly<Record<string, Attribute>> = {}): string {
    this.nodes.push(makeNode(op, inputs, [output], attributes, output.replace('_output_0', '')));
    return output;
  }

  floats(name: string, dims: readonly number[], values: Float32Array | readonly number[]): string {
    this.initializers.push(makeInitializer(name, dims, values instanceof Float32Array ? values : Float32Array.from(values)));
    return name;
  }

  ints(name: string, values: readonly number[], dims: readonly number[] = [values.length]): string {
    this.initializers.push(makeInitializer(name, dims, BigInt64Array.from(values.map(BigInt))));
    return name;
  }

  /** Uniform noise of this standard deviation. */
  noise(name: string, dims: readonly number[], deviation: number): string {
    const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
    for (let index = 0; index < values.length; index++) values[index] = (this.#random() - 0.5) * deviation * Math.sqrt(12);
    return this.floats(name, dims, values);
  }

  /** A 1-D convolution that keeps the length; weights of variance gain²/fan-in. */
  conv(path: string, input: string, from: number, to: number, kernel: number, { dilation = 1, gain = 1 } = {}): string {
    const weight = this.noise(`${path}.weight`, [to, from, kernel], gain / Math.sqrt(from * kernel));
    const bias = this.noise(`${path}.bias`, [to], 0.01);
    const pad = (dilation * (kernel - 1)) / 2;
    return this.op(`/${path.replace('.', '/')}`, 'Conv', [input, weight, bias], {
      dilations: [dilation],
      group: 1,
      kernel_shape: [kernel],
      pads: [pad, pad],
      strides: [1],
    });
  }

  /** A transposed 1-D convolution that multiplies the length by its stride. */
  up(path: string, input: string, weight: string, bias: string, kernel: number, stride: number): string {
    const pad = (kernel - stride) / 2;
    return this.op(`/${path.replace('.', '/')}`, 'ConvTranspose', [input, weight, bias], {
      dilations: [1],
      group: 1,
      kernel_shape: [kernel],
      pads: [pad, pad],
      strides: [stride],
    });
  }
}
