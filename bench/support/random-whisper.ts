/**
 * ggml Whisper files of true shape with random weights: they cost what the real ones cost in time and memory and say
 * nothing about words. For benches only; rows made with them are labelled "random weights, compute only".
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';

export interface WhisperShape {
  readonly vocab: number;
  readonly state: number;
  readonly heads: number;
  readonly audioLayers: number;
  readonly textLayers: number;
  readonly mels: number;
}

/** The published shapes; `turbo` is large-v3 with four decoder layers. */
export const SHAPES = {
  tiny: { vocab: 51864, state: 384, heads: 6, audioLayers: 4, textLayers: 4, mels: 80 },
  base: { vocab: 51864, state: 512, heads: 8, audioLayers: 6, textLayers: 6, mels: 80 },
  small: { vocab: 51864, state: 768, heads: 12, audioLayers: 12, textLayers: 12, mels: 80 },
  turbo: { vocab: 51866, state: 1280, heads: 20, audioLayers: 32, textLayers: 4, mels: 128 },
} as const satisfies Record<string, WhisperShape>;

const AUDIO_CONTEXT = 1500;
const TEXT_CONTEXT = 448;
const F32 = 0;
const F16 = 1;
const BLOCK = 1 << 20;

type Tensor = readonly [name: string, type: typeof F32 | typeof F16, dims: readonly number[], fill: 'random' | 'one' | 'zero'];

function attention(prefix: string, state: number): Tensor[] {
  const square = [state, state];
  return [
    [`${prefix}_ln.weight`, F32, [state], 'one'],
    [`${prefix}_ln.bias`, F32, [state], 'zero'],
    [`${prefix}.query.weight`, F16, square, 'random'],
    [`${prefix}.query.bias`, F32, [state], 'zero'],
    [`${prefix}.key.weight`, F16, square, 'random'],
    [`${prefix}.value.weight`, F16, square, 'random'],
    [`${prefix}.value.bias`, F32, [state], 'zero'],
    [`${prefix}.out.weight`, F16, square, 'random'],
    [`${prefix}.out.bias`, F32, [state], 'zero'],
  ];
}

function feedForward(prefix: string, state: number): Tensor[] {
  return [
    [`${prefix}.mlp_ln.weight`, F32, [state], 'one'],
    [`${prefix}.mlp_ln.bias`, F32, [state], 'zero'],
    [`${prefix}.mlp.0.weight`, F16, [state, 4 * state], 'random'],
    [`${prefix}.mlp.0.bias`, F32, [4 * state], 'zero'],
    [`${prefix}.mlp.2.weight`, F16, [4 * state, state], 'random'],
    [`${prefix}.mlp.2.bias`, F32, [state], 'zero'],
  ];
}

function tensorsOf({ vocab, state, audioLayers, textLayers, mels }: WhisperShape): Tensor[] {
  const layers = (count: number, make: (layer: number) => Tensor[]): Tensor[] => Array.from({ length: count }, (_, i) => make(i)).flat();
  return [
    ['encoder.positional_embedding', F32, [state, AUDIO_CONTEXT], 'zero'],
    ['encoder.conv1.weight', F16, [3, mels, state], 'random'],
    ['encoder.conv1.bias', F32, [1, state], 'zero'],
    ['encoder.conv2.weight', F16, [3, state, state], 'random'],
    ['encoder.conv2.bias', F32, [1, state], 'zero'],
    ['encoder.ln_post.weight', F32, [state], 'one'],
    ['encoder.ln_post.bias', F32, [state], 'zero'],
    ...layers(audioLayers, (i) => [...attention(`encoder.blocks.${i}.attn`, state), ...feedForward(`encoder.blocks.${i}`, state)]),
    ['decoder.positional_embedding', F32, [state, TEXT_CONTEXT], 'zero'],
    ['decoder.token_embedding.weight', F16, [state, vocab], 'random'],
    ['decoder.ln.weight', F32, [state], 'one'],
    ['decoder.ln.bias', F32, [state], 'zero'],
    ...layers(textLayers, (i) => [
      ...attention(`decoder.blocks.${i}.attn`, state),
      ...attention(`decoder.blocks.${i}.cross_attn`, state),
      ...feedForward(`decoder.blocks.${i}`, state),
    ]),
  ];
}

const int32 = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);

/** Half-precision values between -0.03 and 0.03: sign and mantissa random, exponents 2^-6 to 2^-9. */
function randomHalves(): Buffer {
  const halves = new Uint16Array(BLOCK / 2);
  let seed = 88172645;
  for (let i = 0; i < halves.length; i++) {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    halves[i] = (seed & 0x83ff) | ((6 + ((seed >>> 16) & 3)) << 10);
  }
  return Buffer.from(halves.buffer);
}

function constantFloats(value: number): Buffer {
  return Buffer.from(new Float32Array(BLOCK / 4).fill(value).buffer);
}

/** Triangular filters on a line: their values do not matter, that they are not zero does. */
function melFilters(mels: number): Buffer {
  const bins = 201;
  const filters = new Float32Array(mels * bins);
  for (let mel = 0; mel < mels; mel++) {
    for (let bin = 0; bin < bins; bin++) filters[mel * bins + bin] = Math.max(0, 0.02 - 0.005 * Math.abs(bin - (mel * bins) / mels));
  }
  return Buffer.concat([int32(mels, bins), Buffer.from(filters.buffer)]);
}

function words(): Buffer {
  const count = 50257;
  const parts: Buffer[] = [int32(count)];
  for (let i = 0; i < count; i++) {
    const token = Buffer.from(i === 0 ? ' ' : ` w${i}`);
    parts.push(int32(token.length), token);
  }
  return Buffer.concat(parts);
}

/** Writes the file once and returns its path. */
export function randomWhisper(name: keyof typeof SHAPES, directory: string, shape: WhisperShape = SHAPES[name]): string {
  const file = path.join(directory, `random-${name}.bin`);
  if (existsSync(file)) return file;
  mkdirSync(directory, { recursive: true });
  const fd = openSync(`${file}.part`, 'w');
  const { vocab, state, heads, audioLayers, textLayers, mels } = shape;
  writeSync(fd, Buffer.from('lmgg'));
  writeSync(fd, int32(vocab, AUDIO_CONTEXT, state, heads, audioLayers, TEXT_CONTEXT, state, heads, textLayers, mels, 1));
  writeSync(fd, melFilters(mels));
  writeSync(fd, words());
  const fills = { random: randomHalves(), one: constantFloats(1), zero: constantFloats(0) };
  for (const [tensor, type, dims, fill] of tensorsOf(shape)) {
    const label = Buffer.from(tensor);
    writeSync(fd, Buffer.concat([int32(dims.length, label.length, type, ...dims), label]));
    for (let left = dims.reduce((a, b) => a * b, type === F16 ? 2 : 4); left > 0; left -= BLOCK)
      writeSync(fd, fills[fill], 0, Math.min(left, BLOCK));
  }
  closeSync(fd);
  renameSync(`${file}.part`, file);
  return file;
}
