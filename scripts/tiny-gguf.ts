/**
 * Writes a language model of about half a megabyte with random weights: the smallest file that llama.cpp loads as a "llama". What it says
 * means nothing; that a foreign server runs it over the real protocol is the point. Deterministic.
 * Format: GGUF 3 (magic, version, counts, typed key-value pairs, tensor directory, data aligned to 32 bytes), all little-endian.
 *
 *   node --import tsx scripts/tiny-gguf.ts FILE
 */
import { writeFileSync } from 'node:fs';
import { Draws } from '../bench/servers/draws.ts';

const WIDTH = 64;
const HEADS = 4;
const LAYERS = 2;
const FEED_FORWARD = 128;
const CONTEXT = 4096;
const ALIGNMENT = 32;

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

class Writer {
  readonly #parts: Buffer[] = [];
  size = 0;
  bytes(part: Buffer): this {
    this.#parts.push(part);
    this.size += part.length;
    return this;
  }
  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    return this.bytes(part);
  }
  u64(value: number): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    return this.bytes(part);
  }
  f32(values: readonly number[]): this {
    return this.bytes(Buffer.from(Float32Array.from(values).buffer));
  }
  text(value: string): this {
    const part = Buffer.from(value);
    return this.u64(part.length).bytes(part);
  }
  pad(): this {
    return this.bytes(Buffer.alloc((ALIGNMENT - (this.size % ALIGNMENT)) % ALIGNMENT));
  }
  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Value types of GGUF: uint32 4, int32 5, float32 6, string 8, array 9. */
const pairs: readonly ((writer: Writer) => unknown)[] = [
  (w) => w.text('general.architecture').u32(8).text('llama'),
  (w) => w.text('general.name').u32(8).text('tiny random, for tests only'),
  (w) => w.text('llama.context_length').u32(4).u32(CONTEXT),
  (w) => w.text('llama.embedding_length').u32(4).u32(WIDTH),
  (w) => w.text('llama.block_count').u32(4).u32(LAYERS),
  (w) => w.text('llama.feed_forward_length').u32(4).u32(FEED_FORWARD),
  (w) => w.text('llama.attention.head_count').u32(4).u32(HEADS),
  (w) => w.text('llama.attention.head_count_kv').u32(4).u32(HEADS),
  (w) => w.text('llama.attention.layer_norm_rms_epsilon').u32(6).f32([1e-5]),
  (w) =>
    w
      .text('llama.rope.dimension_count')
      .u32(4)
      .u32(WIDTH / HEADS),
  (w) => w.text('llama.vocab_size').u32(4).u32(vocabulary.length),
  (w) => w.text('tokenizer.ggml.model').u32(8).text('llama'),
  (w) => vocabulary.reduce((out, token) => out.text(token.text), w.text('tokenizer.ggml.tokens').u32(9).u32(8).u64(vocabulary.length)),
  (w) =>
    w
      .text('tokenizer.ggml.scores')
      .u32(9)
      .u32(6)
      .u64(vocabulary.length)
      .f32(vocabulary.map((_, i) => -i)),
  (w) => vocabulary.reduce((out, token) => out.u32(token.type), w.text('tokenizer.ggml.token_type').u32(9).u32(5).u64(vocabulary.length)),
  (w) => w.text('tokenizer.ggml.bos_token_id').u32(4).u32(1),
  (w) => w.text('tokenizer.ggml.eos_token_id').u32(4).u32(2),
  (w) => w.text('tokenizer.ggml.unknown_token_id').u32(4).u32(0),
  // A space in front of every text would not fit what a grammar expects after the prompt. Type 7: bool.
  (w) => w.text('tokenizer.ggml.add_space_prefix').u32(7).bytes(Buffer.of(0)),
  (w) => w.text('tokenizer.chat_template').u32(8).text(TEMPLATE),
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

function write(): Buffer {
  const writer = new Writer();
  writer.bytes(Buffer.from('GGUF')).u32(3).u64(tensors.length).u64(pairs.length);
  for (const pair of pairs) pair(writer);
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    writer.text(name).u32(shape.length);
    for (const size of shape) writer.u64(size);
    // Type 0 is float32.
    writer.u32(0).u64(offset);
    offset += Math.ceil((values.length * 4) / ALIGNMENT) * ALIGNMENT;
  }
  writer.pad();
  for (const { values } of tensors) writer.f32(values).pad();
  return writer.done();
}

const file = process.argv[2];
if (file === undefined) {
  console.error('usage: scripts/tiny-gguf.ts FILE');
  process.exit(64);
}
writeFileSync(file, write());
