/**
 * An end-of-turn model of the operator's over onnxruntime: audio in, one probability out. Two shapes of input are known, by their rank:
 *   [1, samples]     the caller's samples, -1 to 1
 *   [1, 80, frames]  Whisper's features of them, normalised: as Smart Turn 3 has it ([1, 80, 800], 8 s)
 * Audio shorter than the window is preceded by silence. It blocks its thread while it computes and belongs into the worker.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { BANDS, logMel, normalised } from './mel.ts';

const SAMPLES_PER_MS = 16;
const HOP = 160;
const MOST_SAMPLES = 30_000 * SAMPLES_PER_MS;

export class EndOfTurnModel {
  /** What the model is given. */
  readonly samples: number;
  readonly shape: 'samples' | 'features';
  readonly #session: InferenceSession;
  readonly #input: string;

  private constructor(session: InferenceSession, input: string, size: { samples: number; shape: 'samples' | 'features' }) {
    this.#session = session;
    this.#input = input;
    this.samples = size.samples;
    this.shape = size.shape;
  }

  /** `windowMs`: audio that it is given, where the file leaves it open. Errors: Error when it is no such model. */
  static async load(bytes: Uint8Array, windowMs: number): Promise<EndOfTurnModel> {
    const session = await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    try {
      const model = new EndOfTurnModel(session, session.inputNames[0] ?? '', sizeOf(session, windowMs));
      await model.probability(new Int16Array(model.samples));
      return model;
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** Of `samples` samples. Errors: Error when the model gives no probability. */
  async probability(pcm: Int16Array): Promise<number> {
    const samples = Float32Array.from(pcm, (sample) => sample / 32768);
    const frames = this.samples / HOP;
    const tensor =
      this.shape === 'samples'
        ? new Tensor('float32', samples, [1, this.samples])
        : new Tensor('float32', logMel(normalised(samples), frames), [1, BANDS, frames]);
    const outputs = await this.#session.run({ [this.#input]: tensor });
    const data = outputs[this.#session.outputNames[0] ?? '']?.data;
    const probability = data instanceof Float32Array && data.length === 1 ? (data[0] ?? NaN) : NaN;
    if (!(probability >= 0 && probability <= 1)) throw new Error('its first output is no probability from 0 to 1');
    return probability;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

function sizeOf(session: InferenceSession, windowMs: number): { samples: number; shape: 'samples' | 'features' } {
  const [input, ...more] = session.inputMetadata;
  if (input?.isTensor !== true || input.type !== 'float32' || more.length > 0) throw new Error('it wants other inputs than one of float32');
  const [batch, second, third] = input.shape;
  const open = Math.floor((windowMs * SAMPLES_PER_MS) / HOP) * HOP;
  const length = (dim: number | string | undefined, unit: number): number => (typeof dim === 'number' && dim > 0 ? dim * unit : open);
  const free = typeof batch !== 'number' || batch === 1 || batch < 0;
  const samples = input.shape.length === 2 ? length(second, 1) : length(third, HOP);
  const known = input.shape.length === 2 || (input.shape.length === 3 && second === BANDS);
  if (!free || !known || samples > MOST_SAMPLES)
    throw new Error(`its input is [${input.shape.join(', ')}], expected [1, samples] or [1, 80, frames]`);
  return { samples, shape: input.shape.length === 2 ? 'samples' : 'features' };
}
