/**
 * Writes a language model of about half a megabyte with random weights: the smallest file that llama.cpp loads as a "llama". What it says
 * means nothing; that a foreign server runs it over the real protocol is the point. Deterministic.
 *
 *   node --import tsx scripts/tiny-gguf.ts FILE
 */
import { Draws } from '../bench/servers/draws.ts';
import { pair, writeGguf, type GgufPair } from '../bench/support/gguf.ts';

const WIDTH = 64;
const HEADS = 4;
const LAYERS = 2;
const FEED_FORWARD = 128;
const CONTEXT = 4096;

const WORDS =
  'the a of to and in is you we can help with your day time name number please thank call open from until table book yes no one two three four five'.split(
    ' ',
  );
/** Token types of llama.cpp: normal 1, unknown 2, control 3, byte 6. */
const vocabulary = [
  { text: '<unk>', type: 2 },
  { text: '<s>', type: 3 },
  { text: '</s>', type: 3 },
  ...Array.from({ length: 256 }, (_, byte) => ({ text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, type: 6 })),
  ...WORDS.map((word) => ({ text: `\u2581${word}`, type: 1 })),
];
const TEMPLATE =
  "{% for message in messages %}{{ message['role'] + ': ' + (message['content'] or '') + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}";

const pairs: readonly GgufPair[] = [
  pair.text('general.architecture', 'llama'),
  pair.text('general.name', 'tiny random, for tests only'),
  pair.count('llama.context_length', CONTEXT),
  pair.count('llama.embedding_length', WIDTH),
  pair.count('llama.block_count', LAYERS),
  pair.count('llama.feed_forward_length', FEED_FORWARD),
  pair.count('llama.attention.head_count', HEADS),
  pair.count('llama.attention.head_count_kv', HEADS),
  pair.float('llama.attention.layer_norm_rms_epsilon', 1e-5),
  pair.count('llama.rope.dimension_count', WIDTH / HEADS),
  pair.count('llama.vocab_size', vocabulary.length),
  pair.text('tokenizer.ggml.model', 'llama'),
  pair.texts(
    'tokenizer.ggml.tokens',
    vocabulary.map((token) => token.text),
  ),
  pair.floats(
    'tokenizer.ggml.scores',
    vocabulary.map((_, i) => -i),
  ),
  pair.counts(
    'tokenizer.ggml.token_type',
    vocabulary.map((token) => token.type),
  ),
  pair.count('tokenizer.ggml.bos_token_id', 1),
  pair.count('tokenizer.ggml.eos_token_id', 2),
  pair.count('tokenizer.ggml.unknown_token_id', 0),
  // A space in front of every text would not fit what a grammar expects after the prompt.
  pair.flag('tokenizer.ggml.add_space_prefix', false),
  pair.text('tokenizer.chat_template', TEMPLATE),
];

const draws = new Draws(7n);
const random = (count: number, deviation: number): number[] => Array.from({ length: count }, () => draws.normal() * deviation);
const ones = (count: number): number[] => Array.from({ length: count }, () => 1);
/** Only words may win: bytes and control tokens would make text that is no text, or end the answer at once. */
const outputRows = vocabulary.flatMap((token) => (token.type === 1 ? random(WIDTH, 1) : random(WIDTH, 0.001)));

const tensors: readonly { name: string; shape: readonly number[]; values: readonly number[] }[] = [
  { name: 'token_embd.weight', shape: [WIDTH, vocabulary.length], values: random(WIDTH * vocabulary.length, 0.5) },
  ...Array.from({ length: LAYERS }, (_, layer) => [
    { name: `blk.${layer}.attn_norm.weight`, shape: [WIDTH], values: ones(WIDTH) },
    ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].map((part) => ({
      name: `blk.${layer}.${part}.weight`,
      shape: [WIDTH, WIDTH],
      values: random(WIDTH * WIDTH, 0.1),
    })),
    { name: `blk.${layer}.ffn_norm.weight`, shape: [WIDTH], values: ones(WIDTH) },
    { name: `blk.${layer}.ffn_gate.weight`, shape: [WIDTH, FEED_FORWARD], values: random(WIDTH * FEED_FORWARD, 0.1) },
    { name: `blk.${layer}.ffn_up.weight`, shape: [WIDTH, FEED_FORWARD], values: random(WIDTH * FEED_FORWARD, 0.1) },
    { name: `blk.${layer}.ffn_down.weight`, shape: [FEED_FORWARD, WIDTH], values: random(WIDTH * FEED_FORWARD, 0.1) },
  ]).flat(),
  { name: 'output_norm.weight', shape: [WIDTH], values: ones(WIDTH) },
  { name: 'output.weight', shape: [WIDTH, vocabulary.length], values: outputRows },
];

const file = process.argv[2];
if (file === undefined) {
  console.error('usage: scripts/tiny-gguf.ts FILE');
  process.exit(64);
}
writeGguf(
  file,
  pairs,
  tensors.map(({ name, shape, values }) => ({ name, shape, type: 'f32', data: () => [Buffer.from(Float32Array.from(values).buffer)] })),
);
