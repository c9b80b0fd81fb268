/**
 * Llama-like GGUF files of true shape with random weights: they cost what the real ones cost in time and memory, and say
 * nothing. For benches only; rows made with them are labelled "random weights, compute only".
 * Types as llama.cpp's quantiser gives a Q4_0 file: matrices Q4_0, norms F32, the matrix that gives the words Q6_K.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { pair, TENSOR_TYPES, writeGguf, bytesOf, type GgufPair, type GgufTensor } from './gguf.ts';

export interface LlamaShape {
  readonly vocabulary: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values. */
  readonly sharedHeads: number;
  readonly feedForward: number;
  /** One matrix takes words in and gives words out. */
  readonly tied: boolean;
}

/** The published shapes of Llama 3.2 1B, 3.2 3B and 3.1 8B. */
export const LLAMA_SHAPES = {
  '1B': { vocabulary: 128_256, width: 2048, layers: 16, heads: 32, sharedHeads: 8, feedForward: 8192, tied: true },
  '3B': { vocabulary: 128_256, width: 3072, layers: 28, heads: 24, sharedHeads: 8, feedForward: 8192, tied: true },
  '8B': { vocabulary: 128_256, width: 4096, layers: 32, heads: 32, sharedHeads: 8, feedForward: 14_336, tied: false },
} as const satisfies Record<string, LlamaShape>;

const CONTEXT = 8192;
const CONTROL_TOKENS = 3;
/** Ids from here on are words; before them control tokens and single bytes. */
export const FIRST_WORD = CONTROL_TOKENS + 256;
/** A prime number of blocks before the noise repeats: rows that lie near each other differ. */
const NOISE_BLOCKS = 4093;
/** Standard deviation of the weights. */
const DEVIATION = 0.02;

/** Half-precision bits of a positive number from 2^-24 to 2. */
function half(value: number): number {
  const exponent = Math.max(-14, Math.floor(Math.log2(value)));
  const fraction = Math.round((value / 2 ** exponent) * 1024);
  return ((exponent + 14) << 10) + fraction;
}

/** Blocks of random bits with a constant scale, so that the weights have `DEVIATION`. */
function noise(type: 'q4_0' | 'q6_k'): Uint8Array {
  const { bytes } = TENSOR_TYPES[type];
  const out = new Uint8Array(NOISE_BLOCKS * bytes);
  let seed = 88172645;
  for (let i = 0; i < out.length; i++) {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    out[i] = seed & 255;
  }
  const view = new DataView(out.buffer);
  for (let at = 0; at < out.length; at += bytes) {
    // q4_0: scale, then 16 bytes of two weights each, from -8 to 7. q6_k: 192 bytes of weights from -32 to 31, 16 scales, scale of all.
    if (type === 'q4_0') view.setUint16(at, half(DEVIATION / Math.sqrt((16 ** 2 - 1) / 12)), true);
    else {
      out.fill(1, at + 192, at + 208);
      view.setUint16(at + 208, half(DEVIATION / Math.sqrt((64 ** 2 - 1) / 12)), true);
    }
  }
  return out;
}

const NOISE = { q4_0: noise('q4_0'), q6_k: noise('q6_k') };

function matrix(name: string, type: 'q4_0' | 'q6_k', inputs: number, outputs: number): GgufTensor {
  const tensor = { name, type, shape: [inputs, outputs] } as const;
  return {
    ...tensor,
    *data() {
      for (let left = bytesOf(tensor); left > 0; left -= NOISE[type].length) yield NOISE[type].subarray(0, left);
    },
  };
}

/** The matrix of words. Bytes and control tokens are zero: they never win, so that an answer is text and does not end by chance. */
function wordMatrix(name: string, { width, vocabulary }: LlamaShape): GgufTensor {
  const rest = matrix(name, 'q6_k', width, vocabulary - FIRST_WORD);
  return {
    ...rest,
    shape: [width, vocabulary],
    *data() {
      yield new Uint8Array(bytesOf({ name, type: 'q6_k', shape: [width, FIRST_WORD] }));
      yield* rest.data();
    },
  };
}

const ones = (name: string, width: number): GgufTensor => ({
  name,
  type: 'f32',
  shape: [width],
  data: () => [new Uint8Array(new Float32Array(width).fill(1).buffer)],
});

/** All tensors of the file, in its order. */
export function llamaTensors(shape: LlamaShape): GgufTensor[] {
  const { width, layers, heads, sharedHeads, feedForward, tied, vocabulary } = shape;
  const shared = (width / heads) * sharedHeads;
  const layer = (index: number): GgufTensor[] => {
    const name = (part: string): string => `blk.${index}.${part}.weight`;
    return [
      ones(name('attn_norm'), width),
      matrix(name('attn_q'), 'q4_0', width, width),
      matrix(name('attn_k'), 'q4_0', width, shared),
      matrix(name('attn_v'), 'q4_0', width, shared),
      matrix(name('attn_output'), 'q4_0', width, width),
      ones(name('ffn_norm'), width),
      matrix(name('ffn_gate'), 'q4_0', width, feedForward),
      matrix(name('ffn_up'), 'q4_0', width, feedForward),
      matrix(name('ffn_down'), 'q4_0', feedForward, width),
    ];
  };
  const words = tied
    ? [wordMatrix('token_embd.weight', shape)]
    : [matrix('token_embd.weight', 'q4_0', width, vocabulary), wordMatrix('output.weight', shape)];
  return [...words, ...Array.from({ length: layers }, (_, index) => layer(index)).flat(), ones('output_norm.weight', width)];
}

function pairsOf(name: string, { vocabulary, width, layers, heads, sharedHeads, feedForward }: LlamaShape): GgufPair[] {
  const ids = Array.from({ length: vocabulary }, (_, id) => id);
  const token = (id: number): string =>
    ['<unk>', '<s>', '</s>'][id] ??
    (id < FIRST_WORD ? `<0x${(id - CONTROL_TOKENS).toString(16).toUpperCase().padStart(2, '0')}>` : `\u2581w${id}`);
  return [
    pair.text('general.architecture', 'llama'),
    pair.text('general.name', `random weights in the shape of ${name}, for timing only`),
    // Mostly Q4_0.
    pair.count('general.file_type', 2),
    pair.count('general.quantization_version', 2),
    pair.count('llama.context_length', CONTEXT),
    pair.count('llama.embedding_length', width),
    pair.count('llama.block_count', layers),
    pair.count('llama.feed_forward_length', feedForward),
    pair.count('llama.attention.head_count', heads),
    pair.count('llama.attention.head_count_kv', sharedHeads),
    pair.float('llama.attention.layer_norm_rms_epsilon', 1e-5),
    pair.float('llama.rope.freq_base', 500_000),
    pair.count('llama.rope.dimension_count', width / heads),
    pair.count('llama.vocab_size', vocabulary),
    pair.text('tokenizer.ggml.model', 'llama'),
    pair.texts('tokenizer.ggml.tokens', ids.map(token)),
    pair.floats(
      'tokenizer.ggml.scores',
      ids.map((id) => -id),
    ),
    // Unknown 2, control 3, byte 6, normal 1.
    pair.counts(
      'tokenizer.ggml.token_type',
      ids.map((id) => (id === 0 ? 2 : id < CONTROL_TOKENS ? 3 : id < FIRST_WORD ? 6 : 1)),
    ),
    pair.count('tokenizer.ggml.bos_token_id', 1),
    pair.count('tokenizer.ggml.eos_token_id', 2),
    pair.count('tokenizer.ggml.unknown_token_id', 0),
  ];
}

/** Writes the file once and returns its path. Memory: about 2 MiB and the vocabulary, whatever the size. */
export function randomLlama(name: string, shape: LlamaShape, directory: string): string {
  const file = path.join(directory, `random-llama-${name}.gguf`);
  if (existsSync(file)) return file;
  mkdirSync(directory, { recursive: true });
  writeGguf(file, pairsOf(name, shape), llamaTensors(shape));
  return file;
}
