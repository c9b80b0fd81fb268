/**
 * Runs one voice with onnxruntime: whole, or cut into text, flow and vocoder (onnx/split.ts) with the latter two over chunks.
 * Blocks its process while it computes: it belongs into the worker (worker.ts).
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { messageOf } from './failure.ts';
import type { Model } from './onnx/model.ts';
import { splitVoice, type ChunkedGraph, type SplitVoice } from './onnx/split.ts';
import { chunkFrames, nextWindow } from './schedule.ts';
import type { VoiceFile } from './voice-file.ts';

export interface RunnerOptions {
  /** Threads of one inference. 1 unless the machine has cores to spare: more threads raise the tail under load (measured). */
  readonly threads: number;
  /** Longest vocoder chunk in frames: an abort waits for one chunk at most. */
  readonly chunkFrames: number;
  /** 'whole' never cuts, 'two' leaves the flow in the text half; for comparisons. */
  readonly cuts: 'best' | 'two' | 'whole';
  /** What onnxruntime computes with; 'cpu' when left out. 'cuda' needs libraries that its package does not carry, and fails without. */
  readonly provider?: 'cpu' | 'cuda';
}

type SessionSettings = Pick<RunnerOptions, 'threads' | 'provider'>;

export interface RunnerFacts {
  /** Graphs that the voice runs as: 3 text, flow, vocoder; 2 text with flow, vocoder; 1 whole. */
  readonly graphs: 1 | 2 | 3;
  /** Why it is not three. */
  readonly why: string | null;
  /** Whether the load check gave bit-identical audio cut and whole; null when the voice runs whole. */
  readonly bitIdentical: boolean | null;
  /** Samples per frame; null when the voice runs whole. */
  readonly hopSamples: number | null;
  readonly marginFrames: number | null;
}

export interface Utterance {
  readonly ids: readonly number[];
  /** noise_scale, length_scale, noise_w. */
  readonly scales: readonly [number, number, number];
  /** Speaker, for voices with several. */
  readonly sid: number | null;
}

export interface Piece {
  /** Samples in -1..1. */
  readonly samples: Float32Array;
  /** Frames of each id, with the first piece; null when the voice does not tell. */
  readonly frames: readonly number[] | null;
  readonly last: boolean;
}

/** Four minutes at 22,050 Hz: a sentence that gets longer has gone wrong. */
const MOST_FRAMES = 20_000;
const FLOW_AHEAD_FRAMES = 400;
/** Audio that differs by more than this in the load check has been cut in the wrong place. */
const TOLERANCE = 1e-4;

/** Without its bytes: onnxruntime has its own copy. */
interface Stage extends Omit<ChunkedGraph, 'bytes'> {
  readonly session: InferenceSession;
}

interface Stages {
  readonly text: InferenceSession;
  readonly latent: string;
  readonly durations: string | null;
  readonly flow: Stage | null;
  readonly vocoder: Stage;
}

export class VoiceRunner {
  readonly facts: RunnerFacts;
  readonly #whole: InferenceSession | null;
  readonly #stages: Stages | null;
  readonly #options: RunnerOptions;
  readonly #output: string;

  private constructor(facts: RunnerFacts, whole: InferenceSession | null, stages: Stages | null, options: RunnerOptions, output: string) {
    this.facts = facts;
    this.#whole = whole;
    this.#stages = stages;
    this.#options = options;
    this.#output = output;
  }

  /**
   * Cuts the voice and checks the cut: some phonemes are spoken cut and whole, and only a cut that gives the same audio is used.
   * Errors: Error from onnxruntime when the model does not run at all.
   */
  static async load({ model, bytes, config }: VoiceFile, options: RunnerOptions): Promise<VoiceRunner> {
    const output = model.graph.outputs[0]?.name ?? '';
    const whole = await open(bytes, options);
    const utterance: Utterance = { ids: checkIds(config.symbols), scales: [0, 1, 0], sid: config.speakers > 1 ? 0 : null };
    const expected = await runWhole(whole, output, utterance);
    const { runner, why } = await cutRunner(candidatesOf(model, options), options, output, utterance, expected);
    if (runner !== null) {
      await whole.release();
      return runner;
    }
    return new VoiceRunner({ graphs: 1, why, bitIdentical: null, hopSamples: null, marginFrames: null }, whole, null, options, output);
  }

  /** A runner of these cuts, not yet checked. */
  static async cut(split: SplitVoice, why: string | null, options: RunnerOptions, output: string): Promise<VoiceRunner> {
    const stages = await openStages(split, options);
    const { perFrame, marginFrames } = stages.vocoder;
    const facts = { graphs: stages.flow === null ? 2 : 3, why, bitIdentical: null, hopSamples: perFrame, marginFrames } as const;
    return new VoiceRunner(facts, null, stages, options, output);
  }

  checked(bitIdentical: boolean): VoiceRunner {
    return new VoiceRunner({ ...this.facts, bitIdentical }, null, this.#stages, this.#options, this.#output);
  }

  /** Speaks; each piece is computed when it is asked for. */
  async *run(utterance: Utterance): AsyncGenerator<Piece, void, undefined> {
    if (this.#stages === null) {
      if (this.#whole === null) throw new Error('the voice is released');
      yield { samples: await runWhole(this.#whole, this.#output, utterance), frames: null, last: true };
      return;
    }
    const { text, latent: latentName, durations, flow, vocoder } = this.#stages;
    const made = await text.run(feedsOf(text, utterance));
    const latent = frameTensor(made[latentName]);
    const total = latent.frames;
    if (total > MOST_FRAMES) throw new Error(`the sentence came out ${total} frames long, more than ${MOST_FRAMES}`);
    let frames = framesOf(durations === null ? undefined : made[durations], utterance.ids.length, total);
    const masked = flow === null ? new Ready(latent) : new Flow(flow, latent, utterance.sid);
    let done = 0;
    while (done < total) {
      const wanted = chunkFrames(done, this.#options.chunkFrames);
      const window = nextWindow(done, wanted, total, vocoder.marginFrames);
      await masked.upTo(window.to);
      const audio = await runStage(vocoder, masked.frames, window.from, window.to, utterance.sid);
      if (audio.length !== (window.to - window.from) * vocoder.perFrame)
        throw new Error('the vocoder gave another number of samples than it should');
      const hop = vocoder.perFrame;
      const samples = audio.slice((window.keepFrom - window.from) * hop, (window.keepTo - window.from) * hop);
      done = window.keepTo;
      yield { samples, frames, last: done === total };
      frames = null;
    }
  }

  /** All of it. */
  async collect(utterance: Utterance): Promise<Float32Array> {
    const pieces: Float32Array[] = [];
    for await (const piece of this.run(utterance)) pieces.push(piece.samples);
    const all = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  async release(): Promise<void> {
    await this.#whole?.release();
    await this.#stages?.text.release();
    await this.#stages?.flow?.session.release();
    await this.#stages?.vocoder.session.release();
  }
}

/** The cuts to try, best first, and why there are not more. */
function candidatesOf(model: Model, { cuts }: RunnerOptions): { splits: SplitVoice[]; why: string | null } {
  if (cuts === 'whole') return { splits: [], why: 'cuts are switched off' };
  const split = splitVoice(model);
  if (!split.ok) return { splits: [], why: split.why };
  const two = split.withoutFlow ?? split.voice;
  if (cuts === 'two') return { splits: [two], why: 'the cut before the flow is switched off' };
  return split.withoutFlow === null ? { splits: [two], why: split.voice.noFlow } : { splits: [split.voice, two], why: null };
}

/** The first cut that gives the same audio as the whole voice. */
async function cutRunner(
  { splits, why: given }: { splits: readonly SplitVoice[]; why: string | null },
  options: RunnerOptions,
  output: string,
  utterance: Utterance,
  expected: Float32Array,
): Promise<{ runner: VoiceRunner | null; why: string | null }> {
  let why = given;
  for (const split of splits) {
    try {
      const runner = await VoiceRunner.cut(split, why, options, output);
      const difference = differenceOf(expected, await runner.collect(utterance));
      if (difference <= TOLERANCE) return { runner: runner.checked(difference === 0), why };
      why = `cut and whole differ by ${difference}`;
      await runner.release();
    } catch (error) {
      why = messageOf(error);
    }
  }
  return { runner: null, why };
}

/** Latent frames [channels, frames] that are there already. */
interface FrameBuffer {
  readonly data: Float32Array;
  readonly channels: number;
  readonly frames: number;
}

class Ready {
  readonly frames: FrameBuffer;
  constructor(frames: FrameBuffer) {
    this.frames = frames;
  }
  upTo(): Promise<void> {
    return Promise.resolve();
  }
}

/** Masked latent frames, computed as far as they are needed. */
class Flow {
  readonly frames: FrameBuffer;
  readonly #stage: Stage;
  readonly #input: FrameBuffer;
  readonly #sid: number | null;
  #done = 0;

  constructor(stage: Stage, input: FrameBuffer, sid: number | null) {
    this.#stage = stage;
    this.#input = input;
    this.#sid = sid;
    this.frames = { ...input, data: new Float32Array(input.data.length) };
  }

  async upTo(frame: number): Promise<void> {
    const { channels, frames: total, data } = this.frames;
    while (this.#done < frame) {
      // The first frames at once, later ones ahead: its margins are wide, so long stretches cost less.
      const wanted = this.#done === 0 ? frame : Math.max(frame - this.#done, FLOW_AHEAD_FRAMES);
      const window = nextWindow(this.#done, wanted, total, this.#stage.marginFrames);
      const made = await runStage(this.#stage, this.#input, window.from, window.to, this.#sid);
      const width = window.to - window.from;
      if (made.length !== channels * width) throw new Error('the flow gave another number of frames than it should');
      for (let channel = 0; channel < channels; channel++) {
        const row = channel * width - window.from;
        data.set(made.subarray(row + window.keepFrom, row + window.keepTo), channel * total + window.keepFrom);
      }
      this.#done = window.keepTo;
    }
  }
}

const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};

const open = (bytes: Uint8Array, { threads, provider = 'cpu' }: SessionSettings): Promise<InferenceSession> =>
  InferenceSession.create(bytes, { ...SESSION_OPTIONS, executionProviders: [provider], intraOpNumThreads: threads });

async function openStages(split: SplitVoice, settings: SessionSettings): Promise<Stages> {
  const text = await open(split.text, settings);
  const flow = split.flow === null ? null : await openStage(split.flow, settings);
  return { text, latent: split.latent, durations: split.durations, flow, vocoder: await openStage(split.vocoder, settings) };
}

async function openStage({ bytes, ...graph }: ChunkedGraph, settings: SessionSettings): Promise<Stage> {
  return { ...graph, session: await open(bytes, settings) };
}

function feedsOf(session: InferenceSession, { ids, scales, sid }: Utterance): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {
    input: new Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
    input_lengths: new Tensor('int64', BigInt64Array.of(BigInt(ids.length)), [1]),
    scales: new Tensor('float32', Float32Array.from(scales), [3]),
    sid: new Tensor('int64', BigInt64Array.of(BigInt(sid ?? 0)), [1]),
  };
  return Object.fromEntries(session.inputNames.map((name) => [name, feeds[name] ?? fail(`the voice wants an unknown input ${name}`)]));
}

function fail(message: string): never {
  throw new Error(message);
}

async function runWhole(session: InferenceSession, output: string, utterance: Utterance): Promise<Float32Array> {
  return floatsOf((await session.run(feedsOf(session, utterance)))[output]);
}

/** Frames [from, to) of the input through one stage. */
async function runStage(stage: Stage, input: FrameBuffer, from: number, to: number, sid: number | null): Promise<Float32Array> {
  const width = to - from;
  const cut = new Float32Array(input.channels * width);
  for (let channel = 0; channel < input.channels; channel++) {
    cut.set(input.data.subarray(channel * input.frames + from, channel * input.frames + to), channel * width);
  }
  const feeds: Record<string, Tensor> = { [stage.input]: new Tensor('float32', cut, [1, input.channels, width]) };
  if (stage.mask !== null) feeds[stage.mask] = new Tensor('float32', new Float32Array(width).fill(1), [1, 1, width]);
  if (stage.speaker) feeds['sid'] = new Tensor('int64', BigInt64Array.of(BigInt(sid ?? 0)), [1]);
  return floatsOf((await stage.session.run(feeds))[stage.output]);
}

function floatsOf(tensor: Tensor | undefined): Float32Array {
  const data = tensor?.data;
  return data instanceof Float32Array ? data : fail('the voice gave no float tensor');
}

function frameTensor(tensor: Tensor | undefined): FrameBuffer {
  const data = floatsOf(tensor);
  const [batch, channels = 0, frames = 0] = tensor?.dims ?? [];
  return batch === 1 && frames > 0 && channels > 0 && data.length === channels * frames
    ? { data, channels, frames }
    : fail('the latent has another shape than [1, channels, frames]');
}

/** Frames of each id, or null when they do not add up to the audio. */
function framesOf(tensor: Tensor | undefined, ids: number, total: number): readonly number[] | null {
  if (!(tensor?.data instanceof Float32Array) || tensor.data.length !== ids) return null;
  const frames = [...tensor.data];
  return frames.every((count) => Number.isInteger(count) && count >= 0) && frames.reduce((sum, count) => sum + count, 0) === total
    ? frames
    : null;
}

/** Begin, forty-five phonemes with pads, end: enough for several chunks of each stage. */
function checkIds(symbols: number): number[] {
  const ids = [1, 0];
  for (let index = 0; index < 45; index++) ids.push(Math.min(symbols - 1, 3 + ((index * 7) % 30)), 0);
  return [...ids, 2];
}

function differenceOf(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let index = 0; index < a.length; index++) {
    const difference = Math.abs((a[index] ?? 0) - (b[index] ?? 0));
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}
