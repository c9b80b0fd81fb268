/**
 * Silero VAD (v5 layout: input, state, sr -> output, stateN) over onnxruntime at 8 kHz, several calls in one run. One thread:
 * the default pool costs twice the CPU for this model. It blocks its thread while it computes and belongs into the worker.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { flatten } from './flat/index.ts';

/** 8 kHz samples of a window, and those of the window before that the model wants in front. */
export const NARROW = 256;
export const CONTEXT = 32;
const WIDTH = CONTEXT + NARROW;
export const MOST_IN_A_RUN = 64;
const HALF = 128;

/** What the model remembers of a call. */
export interface Memory {
  /** Two layers of 128. */
  readonly state: Float32Array;
  readonly context: Float32Array;
}

export function newMemory(): Memory {
  return { state: new Float32Array(2 * HALF), context: new Float32Array(CONTEXT) };
}

export function wipe(memory: Memory): void {
  memory.state.fill(0);
  memory.context.fill(0);
}

/** How far the two graphs of one model may differ: single precision, summed in another order. */
const SAME = 1e-4;
const OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};

export class Model {
  readonly #session: InferenceSession;
  readonly #rate: { readonly sr?: Tensor };
  readonly #input = new Float32Array(MOST_IN_A_RUN * WIDTH);
  readonly #state = new Float32Array(2 * MOST_IN_A_RUN * HALF);

  private constructor(session: InferenceSession) {
    this.#session = session;
    this.#rate = session.inputNames.includes('sr') ? { sr: new Tensor('int64', BigInt64Array.of(8000n), []) } : {};
  }

  /**
   * Runs the model in its flat form where it has one and where that gives the same answers, as it is otherwise. `asIs`: do not try.
   * Errors: Error when it is no such model.
   */
  static async load(bytes: Uint8Array, { asIs = false } = {}): Promise<Model> {
    const whole = await Model.#open(bytes);
    const flat = asIs ? null : await Model.#flat(bytes);
    if (flat === null) return whole;
    const same = await whole.#agrees(flat);
    await (same ? whole : flat).release();
    return same ? flat : whole;
  }

  static async #open(bytes: Uint8Array): Promise<Model> {
    const session = await InferenceSession.create(bytes, OPTIONS);
    const has = (names: readonly string[], wanted: readonly string[]): boolean => wanted.every((name) => names.includes(name));
    if (!has(session.inputNames, ['input', 'state', 'sr']) || !has(session.outputNames, ['output', 'stateN'])) {
      await session.release();
      throw new Error('it is no Silero VAD of version 5 or later: it wants inputs input, state, sr and outputs output, stateN');
    }
    const model = new Model(session);
    const [silence] = await model.run([newMemory()]);
    if (silence === undefined || !(silence < 0.5)) throw new Error(`it takes digital silence for speech (${String(silence)})`);
    return model;
  }

  static async #flat(bytes: Uint8Array): Promise<Model | null> {
    try {
      const flat = flatten(bytes);
      return flat === null ? null : new Model(await InferenceSession.create(flat, OPTIONS));
    } catch {
      // A file that onnxruntime reads and this code does not: the file as it is will do.
      return null;
    }
  }

  /** True when its graph has no branches left. */
  get flat(): boolean {
    return this.#rate.sr === undefined;
  }

  /** The same answers and the same memory on a few windows of tones and noise, several calls in a run. */
  async #agrees(other: Model): Promise<boolean> {
    const mine = [newMemory(), newMemory(), newMemory()];
    const theirs = [newMemory(), newMemory(), newMemory()];
    for (let step = 0; step < 8; step++) {
      for (let call = 0; call < mine.length; call++) {
        // A hum with overtones, loud and soft, and something like noise.
        const at = (i: number): number => Math.sin((i + step * NARROW) * 0.1) + Math.sin((i + call) * (i + step) * 0.37);
        const window = Float32Array.from({ length: NARROW }, (_, i) => at(i) * 0.3 ** (call + 1));
        this.window(call).set(window);
        other.window(call).set(window);
      }
      const [one, two] = [await this.run(mine), await other.run(theirs)];
      const far = (a: Float32Array, b: Float32Array | undefined): boolean => a.some((x, i) => !(Math.abs(x - (b?.[i] ?? NaN)) < SAME));
      if (far(one, two) || mine.some(({ state }, call) => far(state, theirs[call]?.state))) return false;
    }
    return true;
  }

  /** Where the samples (-1..1) of window `index` of the next run are to be put. */
  window(index: number): Float32Array {
    return this.#input.subarray(index * WIDTH + CONTEXT, (index + 1) * WIDTH);
  }

  /** Speech probability of each window that was put in place; memory i belongs to window i and is brought up to date. */
  async run(memories: readonly Memory[]): Promise<Float32Array> {
    const count = memories.length;
    for (const [index, { state, context }] of memories.entries()) {
      this.#input.set(context, index * WIDTH);
      this.#state.set(state.subarray(0, HALF), index * HALF);
      this.#state.set(state.subarray(HALF), (count + index) * HALF);
    }
    const { output, stateN } = await this.#session.run({
      input: new Tensor('float32', this.#input.subarray(0, count * WIDTH), [count, WIDTH]),
      state: new Tensor('float32', this.#state.subarray(0, 2 * count * HALF), [2, count, HALF]),
      ...this.#rate,
    });
    const probabilities = floats(output, count);
    const states = floats(stateN, 2 * count * HALF);
    for (const [index, { state, context }] of memories.entries()) {
      state.set(states.subarray(index * HALF, (index + 1) * HALF));
      state.set(states.subarray((count + index) * HALF, (count + index + 1) * HALF), HALF);
      context.set(this.#input.subarray((index + 1) * WIDTH - CONTEXT, (index + 1) * WIDTH));
    }
    return probabilities;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

function floats(tensor: Tensor | undefined, length: number): Float32Array {
  const data = tensor?.data;
  if (data instanceof Float32Array && data.length === length) return data;
  throw new Error(`the model gave no ${length} numbers`);
}
