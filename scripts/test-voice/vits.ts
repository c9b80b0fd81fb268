/**
 * The frame of a Piper voice: the inputs, outputs and alignment of VITS as Piper exports it. Durations come from a table per
 * phoneme; text half, flow and vocoder are filled in by the two voices beside this file.
 */
import { makeHead } from '../../src/tts/piper/onnx/build.ts';
import { FLOAT, INT64, makeValue, writeModel } from '../../src/tts/piper/onnx/model.ts';
import { GraphBuilder } from './builder.ts';

export interface Frame {
  /** Symbols of the embedding table. */
  readonly symbols: number;
  readonly channels: number;
  readonly speakers: number;
  readonly seed: number;
  /** Frames per symbol at length_scale 1. */
  readonly frames: readonly number[];
  /** [symbols, channels] table of the text half. */
  embedding(builder: GraphBuilder): string;
  /** [1, N, C] embedded symbols → [1, N, C] means of the latent. */
  text(builder: GraphBuilder, embedded: string): string;
  /** z_p [1, C, T] and y_mask [1, 1, T] → z [1, C, T]. */
  flow(builder: GraphBuilder, latent: string, mask: string): string;
  /** z·mask [1, C, T], speaker vector [1, C, 1] or null → audio [1, 1, samples] in -1..1. */
  vocoder(builder: GraphBuilder, latent: string, speaker: string | null): string;
}

const OPSET = 15;

/** The ONNX file. Inputs input, input_lengths, scales (and sid); output `output` [1, 1, 1, samples], as the exporter of Piper gives them. */
export function buildVits(frame: Frame): Uint8Array {
  const builder = new GraphBuilder(frame.seed);
  const embedded = builder.op('/enc_p/emb', 'Gather', [frame.embedding(builder), 'input']);
  const means = frame.text(builder, embedded);
  const durations = addDurations(builder, frame);
  const { mask, path } = addAlignment(builder, durations);
  const aligned = builder.op('', 'MatMul', [path, means]);
  const latent = addNoise(builder, builder.op('', 'Transpose', [aligned], { perm: [0, 2, 1] }));
  const flowed = frame.flow(builder, latent, mask);
  const masked = builder.named('Mul', [flowed, mask], '/Mul_7_output_0');
  const audio = frame.vocoder(builder, masked, frame.speakers > 1 ? addSpeaker(builder, frame) : null);
  builder.named('Unsqueeze', [audio, builder.ints('/axes_1', [1])], 'output');
  const inputs = [makeValue('input', INT64, [-1, -1]), makeValue('input_lengths', INT64, [-1]), makeValue('scales', FLOAT, [3])];
  if (frame.speakers > 1) inputs.push(makeValue('sid', INT64, [-1]));
  return writeModel(makeHead('parley test voice', OPSET), {
    name: 'voice',
    nodes: builder.nodes,
    initializers: builder.initializers,
    inputs,
    outputs: [makeValue('output', FLOAT, [-1, 1, -1, -1])],
  });
}

/** w_ceil [1, 1, N]: frames per phoneme, as VITS makes them: ceil(w · x_mask · length_scale). */
function addDurations(builder: GraphBuilder, frame: Frame): string {
  const table = builder.floats(
    'dp.table',
    [frame.symbols],
    frame.frames.map((frames) => frames - 0.5),
  );
  const width = builder.op('/dp', 'Gather', [table, 'input']);
  const scale = builder.op('', 'Gather', ['scales', builder.ints('/one', [1])]);
  const scaled = builder.op('', 'Mul', [width, scale]);
  const wide = builder.op('', 'Unsqueeze', [scaled, builder.ints('/axis_1', [1])]);
  return builder.op('', 'Ceil', [wide]);
}

/** y_mask [1, 1, T] and the monotonic path [1, T, N] of commons.generate_path. */
function addAlignment(builder: GraphBuilder, durations: string): { mask: string; path: string } {
  const zero = builder.ints('/zero', [0], []);
  const step = builder.ints('/step', [1], []);
  const total = builder.op('', 'ReduceSum', [durations, builder.ints('/axes_12', [1, 2])], { keepdims: 0 });
  const length = builder.op('', 'Cast', [total], { to: INT64 });
  const longest = builder.op('', 'ReduceMax', [length], { keepdims: 0 });
  const positions = builder.op('', 'Range', [zero, longest, step]);
  const inside = builder.op('', 'Less', [positions, builder.op('', 'Unsqueeze', [length, builder.ints('/axis_one', [1])])]);
  const flat = builder.op('', 'Cast', [inside], { to: FLOAT });
  const mask = builder.op('', 'Unsqueeze', [flat, builder.ints('/axis_mid', [1])]);
  const ends = builder.op('', 'CumSum', [durations, builder.ints('/axis_2', [2], [])]);
  const starts = builder.op('', 'Sub', [ends, durations]);
  const column = builder.op('', 'Unsqueeze', [builder.op('', 'Cast', [positions], { to: FLOAT }), builder.ints('/axis_last', [1])]);
  const before = builder.op('', 'Less', [column, ends]);
  const after = builder.op('', 'GreaterOrEqual', [column, starts]);
  const path = builder.op('', 'Cast', [builder.op('', 'And', [before, after])], { to: FLOAT });
  return { mask, path };
}

/** z_p = m_p + noise · noise_scale. */
function addNoise(builder: GraphBuilder, means: string): string {
  const noise = builder.op('', 'RandomNormalLike', [means]);
  const scale = builder.op('', 'Gather', ['scales', builder.ints('/index_0', [0])]);
  return builder.op('', 'Add', [means, builder.op('', 'Mul', [noise, scale])]);
}

function addSpeaker(builder: GraphBuilder, frame: Frame): string {
  const table = builder.noise('emb_g.weight', [frame.speakers, frame.channels], 0.2);
  const row = builder.op('/emb_g', 'Gather', [table, 'sid']);
  return builder.op('', 'Unsqueeze', [row, builder.ints('/axis_g', [2])]);
}
