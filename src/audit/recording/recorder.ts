/**
 * Recordings: each under a key of its own, which the vault keeps as a subject of its own. So everything that holds for a person's
 * words holds for audio: erasing the number, the end of its time, a legal hold, and a withdrawal that takes this recording alone.
 */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';
import {
  type CallRecorder,
  type Clock,
  type Logger,
  ParleyError,
  type RecordedLine,
  type Recording,
  type RecordingOptions,
} from '../../contracts/index.ts';
import { randomUUID } from 'node:crypto';
import type { Audit } from '../log.ts';
import { measureRecording, recordingFile } from './file.ts';
import type { FromThread, ToThread } from './messages.ts';
import { startThread } from './thread.ts';

export interface RecorderOptions {
  readonly audit: Pick<Audit, 'newSubject'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the audio memory, which must keep what is sent. */
  readonly audioFd: number;
  readonly folder: string;
  /** How long a recording may be kept. */
  readonly retentionDays: number;
  /** Audio waits so long in memory for the words in it. Longer than an utterance and its decode, shorter than the audio memory. */
  readonly holdMs?: number;
  readonly chunkMs?: number;
}

const HOLD_MS = 24_000;
const CHUNK_MS = 5000;
const ANSWER_MS = 5000;

/** Errors: RECORDING_FAILED when the folder cannot be made. */
export function createRecorder(options: RecorderOptions): CallRecorder {
  return new ThreadedRecorder(options);
}

interface Waiting {
  readonly resolve: (message: Extract<FromThread, { t: 'started' | 'done' }>) => void;
  readonly reject: (error: Error) => void;
}

class ThreadedRecorder implements CallRecorder {
  readonly holdMs: number;
  readonly #options: RecorderOptions;
  readonly #logger: Logger;
  readonly #open = new Map<string, OneRecording>();
  readonly #waiting = new Map<string, Waiting>();
  #thread: Worker | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.holdMs = options.holdMs ?? HOLD_MS;
    this.#logger = options.logger.child({ part: 'recorder' });
    try {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new ParleyError('RECORDING_FAILED', `The folder ${options.folder} cannot be made.`, { cause: error });
    }
  }

  async start(options: RecordingOptions): Promise<Recording> {
    const { audit, retentionDays } = this.#options;
    const { subjectId, key } = audit.newSubject({ number: options.number, retentionDays });
    const { slot, generation, rateHz, fromSample, log } = options;
    await log({ type: 'recording.started', subjectId, body: { recording: subjectId, rateHz, channels: 2, fromSample } });
    const recording = new OneRecording(subjectId, options, this.#hands(subjectId));
    this.#open.set(subjectId, recording);
    try {
      await this.#ask(subjectId, { t: 'start', take: { id: subjectId, key, slot, generation, rateHz, fromSample } });
    } catch (error) {
      this.#open.delete(subjectId);
      await log({ type: 'recording.stopped', body: { recording: subjectId, why: 'failed', chunks: 0, samples: 0, silenced: 0 } });
      throw error;
    } finally {
      key.fill(0);
    }
    return recording;
  }

  async adopt(id: string, { log, told }: Parameters<CallRecorder['adopt']>[1]): Promise<Recording> {
    const found = await measureRecording(recordingFile(this.#options.folder, id)).catch((error: unknown) => {
      throw new ParleyError('RECORDING_FAILED', `Recording ${id} cannot be read.`, { cause: error });
    });
    if (!told) await log({ type: 'recording.broken', body: { recording: id, why: 'crash', ...found } });
    return new OneRecording(id, { log }, this.#hands(id), { ...found, silenced: 0 });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#open.values()].map((recording) => recording.stop('gateway-stopped', null)));
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    thread.postMessage({ t: 'close' } satisfies ToThread);
    await new Promise((ended) => thread.once('exit', ended));
  }

  #hands(id: string): Hands {
    return {
      tell: (message) => this.#thread?.postMessage(message),
      ask: (message) => this.#ask(id, message),
      nowUs: () => Math.round(this.#options.clock.wallUs()),
      remove: () => rm(recordingFile(this.#options.folder, id), { force: true }),
    };
  }

  #ask(id: string, message: ToThread): Promise<Extract<FromThread, { t: 'started' | 'done' }>> {
    const thread = this.#running();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(id, 'the recorder does not answer'), ANSWER_MS);
      this.#waiting.set(id, {
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      thread.postMessage(message);
    });
  }

  #running(): Worker {
    if (this.#thread !== null) return this.#thread;
    const { folder, audioFd, chunkMs } = this.#options;
    const thread = startThread({ folder, audioFd, holdMs: this.holdMs, chunkMs: chunkMs ?? CHUNK_MS });
    thread.on('message', (message: FromThread) => this.#onMessage(message));
    const gone = (error?: Error): void => {
      if (this.#thread !== thread) return;
      this.#thread = null;
      for (const id of [...this.#open.keys()]) this.#fail(id, error?.message ?? 'the recorder ended');
    };
    thread.on('error', gone);
    thread.on('exit', () => gone());
    thread.unref();
    this.#thread = thread;
    return thread;
  }

  #onMessage(message: FromThread): void {
    if (message.t === 'chunk') this.#open.get(message.id)?.wrote(message.chunk);
    else if (message.t === 'late') this.#logger.warn('a number was understood after its audio was written', { recording: message.id });
    else if (message.t === 'failed') this.#fail(message.id, message.why);
    else {
      if (message.t === 'done') this.#open.delete(message.id);
      this.#waiting.get(message.id)?.resolve(message);
      this.#waiting.delete(message.id);
    }
  }

  #fail(id: string, why: string): void {
    this.#logger.error('recording failed', { code: 'RECORDING_FAILED', recording: id, why });
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    const recording = this.#open.get(id);
    this.#open.delete(id);
    if (waiting !== undefined) waiting.reject(new ParleyError('RECORDING_FAILED', `Recording ${id} failed: ${why}.`));
    else recording?.failed();
  }
}

interface Hands {
  readonly tell: (message: ToThread) => void;
  readonly ask: (message: ToThread) => Promise<Extract<FromThread, { t: 'started' | 'done' }>>;
  readonly nowUs: () => number;
  readonly remove: () => Promise<void>;
}

class OneRecording implements Recording {
  readonly id: string;
  readonly #options: Pick<RecordingOptions, 'log'>;
  readonly #hands: Hands;
  #written = { chunks: 0, samples: 0, silenced: 0 };
  #end: Promise<void> | null = null;

  /** `over`: what another process has written of it. */
  constructor(
    id: string,
    options: Pick<RecordingOptions, 'log'>,
    hands: Hands,
    over?: { chunks: number; samples: number; silenced: number },
  ) {
    this.id = id;
    this.#options = options;
    this.#hands = hands;
    if (over === undefined) return;
    this.#written = over;
    this.#end = Promise.resolve();
  }

  silence(line: RecordedLine, fromSample: number, toSample: number): void {
    if (this.#end === null) this.#hands.tell({ t: 'silence', id: this.id, line, fromSample, toSample });
  }

  async pause(why: 'secure' | 'asked'): Promise<void> {
    if (this.#end !== null) return;
    this.#hands.tell({ t: 'pause', id: this.id, on: true });
    await this.#options.log({ type: 'recording.paused', body: { recording: this.id, why } });
  }

  async resume(): Promise<void> {
    if (this.#end !== null) return;
    await this.#options.log({ type: 'recording.resumed', body: { recording: this.id } });
    this.#hands.tell({ t: 'pause', id: this.id, on: false });
  }

  stop(why: string, unheardFromSample: number | null): Promise<void> {
    return (this.#end ??= this.#stop(why, unheardFromSample));
  }

  async #stop(why: string, unheardFromSample: number | null): Promise<void> {
    const asked = this.#hands.ask({ t: 'stop', id: this.id, unheardFromSample });
    const failed = await asked.then(
      () => false,
      () => true,
    );
    await this.#options.log({ type: 'recording.stopped', body: { recording: this.id, why: failed ? 'failed' : why, ...this.#written } });
  }

  async shred(why: string): Promise<void> {
    // A recording that is over can still be taken back.
    const wasOver = this.#end;
    await (this.#end = this.#shred(why, wasOver));
  }

  async #shred(why: string, wasOver: Promise<void> | null): Promise<void> {
    const { log } = this.#options;
    await wasOver;
    this.#hands.tell({ t: 'pause', id: this.id, on: true });
    await log({ type: 'recording.shredded', body: { recording: this.id, why, chunks: this.#written.chunks } });
    const request = randomUUID();
    await log({ type: 'subject.erased', subjectId: this.id, body: { request, reason: why, throughUs: this.#hands.nowUs() } });
    if (wasOver === null) await this.#hands.ask({ t: 'shred', id: this.id }).catch(() => undefined);
    await this.#hands.remove();
  }

  /** The thread has written a piece. */
  wrote({ chunk, samples, silenced, sha256 }: Extract<FromThread, { t: 'chunk' }>['chunk']): void {
    const before = this.#written;
    this.#written = { chunks: before.chunks + 1, samples: before.samples + samples, silenced: before.silenced + silenced };
    const body = { recording: this.id, chunk, samples, silenced, sha256 };
    this.#options.log({ type: 'recording.chunk', body }).catch(() => undefined);
  }

  failed(): void {
    this.#end ??= this.#options
      .log({ type: 'recording.stopped', body: { recording: this.id, why: 'failed', ...this.#written } })
      .catch(() => undefined);
  }
}
