import { readFileSync } from 'node:fs';
import path from 'node:path';

import {
  ParleyError,
  type AudioMemory,
  type DecodeRequest,
  type DecodeResult,
  type Logger,
  type SpeechToText,
  type SttSession,
} from '../contracts/index.ts';
import type { WorkerMessage, WorkerReady } from './messages.ts';
import { PendingDecodes, refusal, resultOf, type PendingDecode } from './pending.ts';
import { Watchdog } from './watchdog.ts';
import { startWorker, type WorkerLife } from './worker.ts';

export interface WhisperOptions {
  /** The recogniser program, built by scripts/build-whisper.sh. */
  readonly program: string;
  /** Any ggml Whisper file. */
  readonly model: string;
  /** CPU threads that all decodes may use together; default: the cores of the machine. */
  readonly threads?: number;
  /** Decodes in flight at once; default: the cores of the machine. */
  readonly lanes?: number;
  /** Use a GPU when the program was built for one (default true). */
  readonly gpu?: boolean;
  /** How long a decode waits for audio that is just being said. */
  readonly waitMs?: number;
  /** A decode without an answer for so long has failed (default 15 s). */
  readonly decodeTimeoutMs?: number;
  /** A worker that does not advance for so long, though it decodes, is killed and started again (default 5 s). */
  readonly hangMs?: number;
  /**
   * After a crash or a hang the new worker is asked once more for the finals that were lost, if it is there within this
   * time (default 3 s); finals that come meanwhile wait as long. Then they fail, so that the caller can be told. 0: at once.
   */
  readonly resendWithinMs?: number;
  readonly startTimeoutMs?: number;
  /** Pause before the first restart and the longest one. */
  readonly restart?: { readonly firstMs: number; readonly mostMs: number };
  readonly logger: Logger;
}

type StateListener = (state: 'up' | 'down', why: string) => void;
interface OpenSession {
  readonly slot: number;
  readonly generation: number;
  readonly language: string;
}

const DEFAULTS = {
  waitMs: 200,
  decodeTimeoutMs: 15_000,
  hangMs: 5_000,
  resendWithinMs: 3_000,
  startTimeoutMs: 120_000,
  restart: { firstMs: 50, mostMs: 5_000 },
};

/** A note beside a model file ("ggml-x.bin" -> "ggml-x.json") may say what it is: {"label": "test fixture"}. */
function labelOf(model: string): string {
  try {
    const note: unknown = JSON.parse(readFileSync(model.replace(/\.bin$/, '.json'), 'utf8'));
    if (typeof note === 'object' && note !== null && 'label' in note && typeof note.label === 'string') return ` (${note.label})`;
  } catch {
    // no note: an ordinary model
  }
  return '';
}

class Whisper implements SpeechToText {
  readonly name = 'whisper';
  readonly description: string;
  readonly #options: WhisperOptions;
  readonly #logger: Logger;
  readonly #pending = new PendingDecodes();
  readonly #sessions = new Map<number, OpenSession>();
  #audio: AudioMemory | undefined;
  #life: WorkerLife | undefined;
  #listener: StateListener = () => undefined;
  #nextId = 1;
  #watchdog: Watchdog | undefined;
  #restartMs = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  /** Runs while finals may wait for a new worker. */
  #graceTimer: NodeJS.Timeout | undefined;
  #stopping = false;
  #ended: (() => void) | undefined;

  constructor(options: WhisperOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ engine: 'whisper' });
    this.description = `${path.basename(options.model)}${labelOf(options.model)}`;
  }

  onState(listener: StateListener): void {
    this.#listener = listener;
  }

  async start(audio: AudioMemory): Promise<void> {
    this.#audio = audio;
    this.#stopping = false;
    const ready = await this.#spawn(audio);
    this.#logger.info('recogniser is ready', {
      model: ready.model,
      whisper: ready.whisper,
      lanes: ready.lanes,
      threads: ready.threads,
      abort: ready.abort,
    });
  }

  open(options: { callId: string; slot: number; generation: number; language: string }): SttSession {
    const session = this.#nextId++;
    const { slot, generation } = options;
    // Whisper knows languages, not countries: en for en-US.
    const language = options.language.split(/[-_]/)[0]?.toLowerCase() ?? 'auto';
    this.#sessions.set(session, { slot, generation, language });
    this.#life?.send({ op: 'open', session, slot, generation, language });
    return {
      decode: (request, signal) => this.#decode(session, request, signal),
      close: () => {
        this.#close(session);
      },
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    this.#endGrace();
    this.#pending.rejectAll(() => new ParleyError('STT_ABORTED', 'the recogniser is being stopped'));
    const life = this.#life;
    if (!life) return;
    const ended = new Promise<void>((resolve) => (this.#ended = resolve));
    life.send({ op: 'quit' });
    const impatience = setTimeout(() => {
      life.kill();
    }, 1_000);
    await ended;
    clearTimeout(impatience);
  }

  #arguments(): string[] {
    const { model, threads, lanes, gpu, waitMs } = this.#options;
    const args = ['--model', model, '--audio-fd', '3', '--wait-ms', String(waitMs ?? DEFAULTS.waitMs)];
    if (threads !== undefined) args.push('--threads', String(threads));
    if (lanes !== undefined) args.push('--lanes', String(lanes));
    if (gpu === false) args.push('--no-gpu');
    return args;
  }

  async #spawn(audio: AudioMemory): Promise<WorkerReady> {
    const life = await startWorker({
      program: this.#options.program,
      args: this.#arguments(),
      audioFd: audio.fd,
      startTimeoutMs: this.#options.startTimeoutMs ?? DEFAULTS.startTimeoutMs,
      logger: this.#logger,
      onMessage: (message) => {
        this.#heard(message);
      },
      onExit: (why) => {
        this.#died(why);
      },
    });
    this.#life = life;
    this.#endGrace();
    if (this.#stopping) life.kill();
    for (const [session, open] of this.#sessions) life.send({ op: 'open', session, ...open });
    for (const decode of this.#pending) this.#send(life, decode);
    this.#watchdog = new Watchdog({
      hangMs: this.#options.hangMs ?? DEFAULTS.hangMs,
      ping: () => {
        life.send({ op: 'ping' });
      },
      busy: () => this.#pending.size > 0,
      onHang: () => {
        this.#logger.error('recogniser hangs and is killed', { pid: life.pid });
        life.kill();
      },
    });
    return life.ready;
  }

  #heard(message: WorkerMessage): void {
    switch (message.t) {
      case 'result':
        this.#restartMs = 0; // it works: the next fault starts with the shortest pause again
        this.#pending.take(message.id)?.resolve(resultOf(message));
        return;
      case 'refused':
        this.#pending.take(message.id)?.reject(refusal(message.error));
        return;
      case 'error':
        this.#logger.warn('recogniser refused a request', { error: message.error });
        return;
      case 'garbage':
        this.#logger.warn('recogniser sent a line that is no answer');
        return;
      case 'pong':
        this.#watchdog?.pong(message.running, message.progress);
        return;
      case 'ready':
        return;
    }
  }

  #endGrace(): void {
    clearTimeout(this.#graceTimer);
    this.#graceTimer = undefined;
  }

  #died(why: string): void {
    this.#life = undefined;
    this.#endGrace();
    this.#watchdog?.stop();
    this.#ended?.();
    const grace = this.#stopping ? 0 : (this.#options.resendWithinMs ?? DEFAULTS.resendWithinMs);
    const again = (decode: PendingDecode): boolean => grace > 0 && decode.request.kind === 'final' && decode.sent < 2;
    this.#pending.rejectAll(
      () => new ParleyError('STT_FAILED', `the recogniser died (${why}); it is being restarted`),
      (decode) => !again(decode),
    );
    if (this.#stopping) return;
    if (grace > 0) {
      this.#graceTimer = setTimeout(() => {
        this.#graceTimer = undefined;
        this.#pending.rejectAll(() => new ParleyError('STT_FAILED', `the recogniser died (${why}) and was not back after ${grace} ms`));
      }, grace);
    }
    this.#logger.error('recogniser died', { why });
    this.#listener('down', why);
    this.#restart();
  }

  #restart(): void {
    const { firstMs, mostMs } = this.#options.restart ?? DEFAULTS.restart;
    const pauseMs = this.#restartMs;
    this.#restartMs = Math.min(mostMs, Math.max(firstMs, pauseMs * 2));
    this.#restartTimer = setTimeout(() => void this.#revive(), pauseMs);
  }

  async #revive(): Promise<void> {
    if (this.#stopping || !this.#audio) return;
    try {
      const ready = await this.#spawn(this.#audio);
      // Stopped while it started: it is killed as soon as it is there.
      if (this.#isStopping()) return;
      this.#logger.info('recogniser is back', { model: ready.model });
      this.#listener('up', 'restarted');
    } catch (error) {
      if (this.#isStopping()) return;
      this.#logger.error('recogniser could not be restarted', { why: error instanceof ParleyError ? error.code : 'unknown' });
      this.#restart();
    }
  }

  /** A method: it changes while others are awaited. */
  #isStopping(): boolean {
    return this.#stopping;
  }

  #decode(session: number, request: DecodeRequest, signal?: AbortSignal): Promise<DecodeResult> {
    const life = this.#life;
    if (signal?.aborted === true) return Promise.reject(refusal('aborted'));
    if (!this.#sessions.has(session)) return Promise.reject(refusal('call-closed'));
    const waits = this.#graceTimer !== undefined && request.kind === 'final';
    if (!life && !waits) return Promise.reject(new ParleyError('STT_FAILED', 'the recogniser is not running; it is being restarted'));
    const id = this.#nextId++;
    const answer = new Promise<DecodeResult>((resolve, reject) => {
      const decode: PendingDecode = { id, session, request, sent: 0, resolve, reject };
      this.#pending.add(decode, this.#options.decodeTimeoutMs ?? DEFAULTS.decodeTimeoutMs, () => {
        this.#timedOut(id);
      });
      if (life) this.#send(life, decode);
    });
    if (!signal) return answer;
    const abort = (): void => {
      this.#pending.take(id)?.reject(refusal('aborted'));
      this.#life?.send({ op: 'abort', id });
    };
    signal.addEventListener('abort', abort, { once: true });
    return answer.finally(() => {
      signal.removeEventListener('abort', abort);
    });
  }

  #send(life: WorkerLife, decode: PendingDecode): void {
    const { id, session, request } = decode;
    const { fromSample, toSample, kind, prompt } = request;
    decode.sent++;
    life.send({ op: 'decode', id, session, fromSample, toSample, kind, ...(prompt === undefined ? {} : { prompt }) });
  }

  /** No answer in time, though the worker may be well: only this decode is lost. */
  #timedOut(id: number): void {
    const limitMs = this.#options.decodeTimeoutMs ?? DEFAULTS.decodeTimeoutMs;
    this.#pending
      .take(id)
      ?.reject(
        new ParleyError('STT_FAILED', `no words after ${limitMs} ms: the recogniser is overloaded or the model too slow for this machine`),
      );
    this.#life?.send({ op: 'abort', id });
  }

  #close(session: number): void {
    if (!this.#sessions.delete(session)) return;
    this.#pending.rejectAll(
      () => refusal('aborted'),
      (decode) => decode.session === session,
    );
    this.#life?.send({ op: 'close', session });
  }
}

/**
 * Whisper in a program of its own (native/whisper): the model resident, several decodes in flight, restarted by itself
 * when it dies or hangs; open calls go on. Errors as in the port; `start` also STT_FAILED when the program is missing.
 */
export function createWhisper(options: WhisperOptions): SpeechToText {
  return new Whisper(options);
}
