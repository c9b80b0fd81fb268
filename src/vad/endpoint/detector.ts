/**
 * The end-of-turn detector: an operator's model in a process of its own, which reads the audio memory itself. A process, not a thread:
 * onnxruntime takes the whole program along when its thread ends in the middle of an inference, and a bad model must cost evidence,
 * not calls. While it is down there is no evidence, and the wait is what it was without.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { basename } from 'node:path';
import { type AudioMemory, type EndOfTurnDetector, type Logger, ParleyError } from '../../contracts/index.ts';
import type { FromModel, ToModel } from './messages.ts';

export interface EndOfTurnOptions {
  /** An ONNX file: audio in, probability out (see model.ts). */
  readonly model: string;
  /** Audio that the model is given where its file leaves that open; default 8000. */
  readonly windowMs?: number;
  /** An answer that takes longer comes too late; one that takes ten times longer never comes. Default 500. */
  readonly answerMs?: number;
  readonly restartMs?: number;
  readonly logger: Logger;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 2000;
const HANGS_TIMES = 10;
/** The descriptor of the audio memory in the process: after stdio and the channel. */
const AUDIO_FD = 4;
/** What the process needs of our environment; passwords stay here. */
const PASSED = ['PATH', 'LD_LIBRARY_PATH', 'HOME', 'TMPDIR', 'LANG'];
const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

interface Asked {
  readonly resolve: (probability: number) => void;
  readonly reject: (why: Error) => void;
}

class OnnxDetector implements EndOfTurnDetector {
  readonly name = 'onnx';
  readonly #options: EndOfTurnOptions;
  readonly #logger: Logger;
  readonly #asked = new Map<number, Asked>();
  #audio: AudioMemory | null = null;
  #child: ChildProcess | null = null;
  #ready = false;
  #sha256 = '';
  #shape = '';
  #next = 1;
  #stopping = false;
  #restart: NodeJS.Timeout | undefined;
  #hang: NodeJS.Timeout | undefined;

  constructor(options: EndOfTurnOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ engine: 'end-of-turn' });
  }

  get description(): string {
    const hash = this.#sha256 === '' ? '' : ` (sha256 ${this.#sha256.slice(0, 12)}, ${this.#shape})`;
    return `end-of-turn model: ${basename(this.#options.model)}${hash}`;
  }

  async start(audio: AudioMemory): Promise<void> {
    this.#audio = audio;
    this.#stopping = false;
    await this.#launch(audio);
    this.#logger.info('end-of-turn detector is ready', { model: basename(this.#options.model), sha256: this.#sha256 });
  }

  ask(call: { readonly slot: number; readonly generation: number }, toSample: number, signal: AbortSignal): Promise<number> {
    if (!this.#ready || signal.aborted) return Promise.reject(new Error('nobody answers'));
    const id = this.#next++;
    const answered = new Promise<number>((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    const giveUp = (why: string): void => {
      if (this.#take(id, (asked) => asked.reject(new Error(why)))) this.#post({ t: 'forget', id });
    };
    const { answerMs = 500 } = this.#options;
    const impatience = setTimeout(() => giveUp('too late'), answerMs);
    const onAbort = (): void => giveUp('the pause is over');
    signal.addEventListener('abort', onAbort, { once: true });
    this.#post({ t: 'ask', id, slot: call.slot, generation: call.generation, toSample });
    this.#hang ??= setTimeout(() => this.#hangs(), answerMs * HANGS_TIMES);
    return answered.finally(() => {
      clearTimeout(impatience);
      signal.removeEventListener('abort', onAbort);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    clearTimeout(this.#hang);
    this.#nobody('stopped');
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#post({ t: 'stop' });
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(impatience);
  }

  #launch(audio: AudioMemory): Promise<void> {
    const { model, windowMs = 8000 } = this.#options;
    const env = Object.fromEntries(PASSED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
    const execArgv = PROGRAM.pathname.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
    const child = fork(PROGRAM, { execArgv, env, stdio: ['ignore', 'ignore', 'ignore', 'ipc', audio.fd] });
    this.#child = child;
    child.send({ t: 'start', model, windowMs, audioFd: AUDIO_FD, audioBytes: audio.bytes } satisfies ToModel);
    return new Promise((resolve, reject) => {
      const refuse = (why: string): void => {
        clearTimeout(timer);
        reject(new ParleyError('TURN_DETECTOR', `The end-of-turn model ${model} cannot be used: ${why}.`));
        child.kill('SIGKILL');
      };
      const timer = setTimeout(() => refuse(`it was not ready after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
      child.on('message', (message: FromModel) => {
        if (message.t === 'refused') refuse(message.why);
        else if (message.t === 'ready') {
          clearTimeout(timer);
          [this.#sha256, this.#shape, this.#ready] = [message.sha256, message.shape, true];
          resolve();
        } else this.#onAnswer(message);
      });
      child.on('error', (error) => refuse(error.message));
      child.on('exit', (code, signal) => {
        refuse(`its process ended (${signal ?? String(code)})`);
        this.#onExit(child);
      });
    });
  }

  #onAnswer(message: Extract<FromModel, { t: 'answer' | 'none' }>): void {
    clearTimeout(this.#hang);
    this.#hang = undefined;
    this.#take(message.id, ({ resolve, reject }) => {
      if (message.t === 'answer') resolve(message.probability);
      else reject(new Error(message.why));
    });
  }

  #onExit(child: ChildProcess): void {
    if (this.#child !== child || !this.#ready) return;
    this.#nobody('the model has died');
    if (this.#stopping) return;
    this.#logger.warn('end-of-turn detector has died and is started again');
    this.#again();
  }

  #again(): void {
    this.#restart = setTimeout(() => {
      if (this.#stopping || this.#audio === null) return;
      this.#launch(this.#audio).catch((error: unknown) => {
        this.#logger.warn('end-of-turn detector does not come back yet', {
          reason: error instanceof Error ? error.message : String(error),
        });
        if (!this.#stopping) this.#again();
      });
    }, this.#options.restartMs ?? 1000);
  }

  /** Nothing came for so long although something was asked. */
  #hangs(): void {
    this.#hang = undefined;
    this.#logger.warn('end-of-turn detector hangs');
    this.#child?.kill('SIGKILL');
  }

  #nobody(why: string): void {
    this.#ready = false;
    clearTimeout(this.#hang);
    this.#hang = undefined;
    for (const id of [...this.#asked.keys()]) this.#take(id, ({ reject }) => reject(new Error(why)));
  }

  #take(id: number, end: (asked: Asked) => void): boolean {
    const asked = this.#asked.get(id);
    if (asked === undefined) return false;
    this.#asked.delete(id);
    end(asked);
    return true;
  }

  #post(message: ToModel): void {
    if (this.#child?.connected === true) this.#child.send(message);
  }
}

/** Errors of start: TURN_DETECTOR. */
export function createEndOfTurnDetector(options: EndOfTurnOptions): EndOfTurnDetector {
  return new OnnxDetector(options);
}
