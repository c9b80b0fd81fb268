/**
 * The work of the worker process: voices loaded once, several utterances in turn. One piece is computed at a time; the next one
 * goes to whoever has not been heard yet, else to whoever is nearest to running out of audio. Between two pieces messages are
 * read, so an abort takes effect after the piece at hand.
 */
import { messageOf } from './failure.ts';
import { VoiceRunner, type Piece, type RunnerFacts, type RunnerOptions, type Utterance } from './runner.ts';
import { loadVoiceFile } from './voice-file.ts';
import type { VoiceConfig } from './voice-config.ts';
import { ParleyError, type ErrorCode } from '../../contracts/index.ts';

export type ToDesk =
  | { readonly t: 'load'; readonly id: number; readonly path: string; readonly sha256: string | null; readonly options: RunnerOptions }
  /** `voice` is the id of its load message. */
  | { readonly t: 'speak'; readonly id: number; readonly voice: number; readonly utterance: Utterance }
  | { readonly t: 'abort'; readonly id: number };

export interface LoadedVoice {
  readonly sha256: string;
  readonly config: VoiceConfig;
  readonly facts: RunnerFacts;
}

export type FromDesk =
  | { readonly t: 'loaded'; readonly id: number; readonly voice: LoadedVoice }
  /** `frames` (of each id) come with the first piece. The PCM belongs to the receiver. */
  | {
      readonly t: 'piece';
      readonly id: number;
      readonly pcm: Int16Array<ArrayBuffer>;
      readonly frames: readonly number[] | null;
      readonly hopSamples: number | null;
      readonly last: boolean;
    }
  | { readonly t: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string };

/** Pause between two pieces, in which messages are read. */
type Breathe = () => Promise<void>;

interface Job {
  readonly id: number;
  readonly pieces: AsyncGenerator<Piece, void, undefined>;
  readonly hopSamples: number | null;
  readonly rateHz: number;
  /** When the first piece was sent, and how much audio since. */
  startedMs: number | null;
  sentMs: number;
}

export class Desk {
  readonly #send: (message: FromDesk) => void;
  readonly #nowMs: () => number;
  readonly #breathe: Breathe;
  readonly #voices = new Map<number, { runner: VoiceRunner; config: VoiceConfig }>();
  readonly #jobs = new Map<number, Job>();
  #working = false;

  constructor(send: (message: FromDesk) => void, nowMs: () => number, breathe: Breathe) {
    this.#send = send;
    this.#nowMs = nowMs;
    this.#breathe = breathe;
  }

  receive(message: ToDesk): void {
    if (message.t === 'load') void this.#load(message);
    else if (message.t === 'abort') this.#jobs.delete(message.id);
    else this.#speak(message);
  }

  async #load({ id, path, sha256, options }: Extract<ToDesk, { t: 'load' }>): Promise<void> {
    try {
      const file = await loadVoiceFile(path, sha256 ?? undefined);
      const runner = await VoiceRunner.load(file, options);
      this.#voices.set(id, { runner, config: file.config });
      this.#send({ t: 'loaded', id, voice: { sha256: file.sha256, config: file.config, facts: runner.facts } });
    } catch (error) {
      const message = error instanceof ParleyError ? error.message : `The voice ${path} cannot be used: ${messageOf(error)}`;
      this.#send({ t: 'failed', id, code: 'TTS_VOICE', message });
    }
  }

  #speak({ id, voice, utterance }: Extract<ToDesk, { t: 'speak' }>): void {
    const loaded = this.#voices.get(voice);
    if (loaded === undefined) {
      this.#send({ t: 'failed', id, code: 'TTS_FAILED', message: 'the voice is not loaded' });
      return;
    }
    const { runner, config } = loaded;
    const job: Job = {
      id,
      pieces: runner.run(utterance),
      hopSamples: runner.facts.hopSamples,
      rateHz: config.rateHz,
      startedMs: null,
      sentMs: 0,
    };
    this.#jobs.set(id, job);
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      await this.#step(job);
      await this.#breathe();
    }
    this.#working = false;
  }

  /** Who gets the next piece. Jobs are in order of arrival. */
  #next(): Job | undefined {
    let chosen: Job | undefined;
    let least = Infinity;
    const now = this.#nowMs();
    for (const job of this.#jobs.values()) {
      if (job.startedMs === null) return job;
      const leadMs = job.sentMs - (now - job.startedMs);
      if (leadMs < least) [chosen, least] = [job, leadMs];
    }
    return chosen;
  }

  async #step(job: Job): Promise<void> {
    try {
      const { value } = await job.pieces.next();
      if (!this.#jobs.has(job.id)) return;
      if (value === undefined) throw new Error('the voice ended without a last piece');
      const pcm = toPcm(value.samples);
      job.startedMs ??= this.#nowMs();
      job.sentMs += (pcm.length * 1000) / job.rateHz;
      if (value.last) this.#jobs.delete(job.id);
      this.#send({ t: 'piece', id: job.id, pcm, frames: value.frames, hopSamples: job.hopSamples, last: value.last });
    } catch (error) {
      this.#jobs.delete(job.id);
      this.#send({ t: 'failed', id: job.id, code: 'TTS_FAILED', message: messageOf(error) });
    }
  }
}

/** -1..1 → 16 bit, clipped. Errors: Error for samples that are no numbers: a broken voice, better silent than noise. */
export function toPcm(samples: Float32Array): Int16Array<ArrayBuffer> {
  const pcm = new Int16Array(samples.length);
  for (let index = 0; index < samples.length; index++) {
    const sample = samples[index] ?? 0;
    if (Number.isNaN(sample)) throw new Error('the voice gave samples that are no numbers');
    pcm[index] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
  }
  return pcm;
}
