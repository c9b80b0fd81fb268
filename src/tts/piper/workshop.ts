/**
 * The gateway's side of the worker process: hands out utterances, brings pieces back, starts the worker again when it dies or hangs.
 * Bounded: more than `mostUtterances` at once are refused, so that a burst costs an error and not the memory.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { ParleyError, type Logger } from '../../contracts/index.ts';
import type { FromDesk, LoadedVoice, ToDesk } from './desk.ts';
import { failed } from './failure.ts';
import { startProcess } from './process.ts';
import type { RunnerOptions, Utterance } from './runner.ts';

export interface WorkshopOptions {
  readonly mostUtterances: number;
  /** A worker that owes an answer and gives none for this long hangs. */
  readonly hangMs: number;
  readonly log?: Logger;
  /** For tests: another worker program. */
  readonly program?: URL;
}

export interface VoicePlan {
  readonly path: string;
  readonly sha256: string | null;
  readonly options: RunnerOptions;
}

export type WorkPiece = Extract<FromDesk, { t: 'piece' }>;

interface Waiting {
  readonly kind: 'load' | 'speak';
  readonly give: (message: Exclude<FromDesk, { t: 'failed' }>) => void;
  readonly fail: (error: ParleyError) => void;
}

// `.ts` when run from source, `.js` when built.
const PROGRAM = new URL(`./worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url);
/** Reading, checking and cutting a voice takes longer than a sentence. */
const LOAD_PATIENCE = 4;
const RESTART_MS = 200;
const MOST_RESTART_MS = 5000;
/** What is kept of the worker's stderr to tell why it died. */
const MOST_LAST_WORDS = 500;

export class Workshop {
  readonly #options: WorkshopOptions;
  readonly #plans = new Map<string, VoicePlan>();
  /** Voice path → the load of it in the present worker. */
  #loads = new Map<string, { id: number; voice: Promise<LoadedVoice> }>();
  readonly #waiting = new Map<number, Waiting>();
  #worker: ChildProcess | null = null;
  #nextId = 1;
  #hang: NodeJS.Timeout | null = null;
  #restart: NodeJS.Timeout | null = null;
  #restartMs = RESTART_MS;
  #closed = false;

  constructor(options: WorkshopOptions) {
    this.#options = options;
  }

  /** How often the worker was started, for tests and metrics. */
  starts = 0;

  /** Process id of the present worker. */
  get pid(): number | undefined {
    return this.#worker?.pid;
  }

  /** Loads a voice and keeps it: a new worker gets it again. Errors: TTS_VOICE. */
  async load(plan: VoicePlan): Promise<LoadedVoice> {
    this.#plans.set(plan.path, plan);
    return this.#loadNow(plan).voice;
  }

  #loadNow(plan: VoicePlan): { id: number; voice: Promise<LoadedVoice> } {
    const known = this.#loads.get(plan.path);
    if (known !== undefined) return known;
    const id = this.#nextId++;
    const voice = new Promise<LoadedVoice>((resolve, reject) => {
      this.#waiting.set(id, {
        kind: 'load',
        give: (message) => (message.t === 'loaded' ? resolve(message.voice) : undefined),
        fail: reject,
      });
    });
    const load = { id, voice };
    voice.catch(() => {
      if (this.#loads.get(plan.path) === load) this.#loads.delete(plan.path);
    });
    this.#loads.set(plan.path, load);
    this.#post({ t: 'load', id, path: plan.path, sha256: plan.sha256, options: plan.options });
    return load;
  }

  /** Speaks one sentence; pieces in order. Ending the loop early, or the signal, ends the work. Errors: TTS_FAILED, the signal's reason. */
  async *speak(path: string, utterance: Utterance, signal?: AbortSignal): AsyncGenerator<WorkPiece, void, undefined> {
    signal?.throwIfAborted();
    const plan = this.#plans.get(path);
    if (plan === undefined) throw failed(`the voice ${path} was never loaded`);
    if (this.#waiting.size >= this.#options.mostUtterances)
      throw failed(`${this.#waiting.size} utterances are waiting for the synthesiser; it is overloaded`);
    const load = this.#loadNow(plan);
    await load.voice;
    signal?.throwIfAborted();
    const mailbox = new Mailbox<WorkPiece>();
    const id = this.#nextId++;
    const onAbort = (): void => mailbox.fail(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(id, {
      kind: 'speak',
      give: (message) => (message.t === 'piece' ? mailbox.put(message) : undefined),
      fail: (error) => mailbox.fail(error),
    });
    this.#post({ t: 'speak', id, voice: load.id, utterance });
    try {
      for (;;) {
        const piece = await mailbox.take();
        yield piece;
        if (piece.last) return;
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      if (this.#waiting.delete(id)) this.#post({ t: 'abort', id });
      this.#watch();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const worker = this.#worker;
    this.#worker = null;
    this.#failAll('the synthesiser is stopped');
    this.#watch();
    if (worker === null) return;
    hold(worker, true);
    if (worker.kill('SIGKILL')) await once(worker, 'exit');
  }

  #post(message: ToDesk): void {
    if (this.#closed) return this.#failAll('the synthesiser is stopped');
    // While a dead worker rests before its restart nothing is queued: the callers fail over at once.
    if (this.#worker === null && this.#restart !== null) return this.#failAll('the synthesiser is starting again');
    this.#worker ??= this.#start();
    this.#worker.send(message, (error) => {
      if (error !== null) this.#receive({ t: 'failed', id: message.id, code: 'TTS_FAILED', message: error.message });
    });
    this.#watch();
  }

  #start(): ChildProcess {
    this.starts++;
    const worker = startProcess(this.#options.program ?? PROGRAM);
    let lastWords = '';
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => (lastWords = (lastWords + text).slice(-MOST_LAST_WORDS)));
    worker.on('message', (message: FromDesk) => {
      if (this.#worker === worker) this.#receive(message);
    });
    worker.on('error', (error) => this.#lost(worker, error.message));
    worker.on('exit', (code, signal) =>
      this.#lost(worker, `${signal ?? `exit code ${code ?? 'unknown'}`}${lastWords === '' ? '' : `: ${lastWords.trim()}`}`),
    );
    return worker;
  }

  #receive(message: FromDesk): void {
    const waiting = this.#waiting.get(message.id);
    if (message.t === 'failed' || message.t === 'loaded' || message.last) this.#waiting.delete(message.id);
    this.#restartMs = RESTART_MS;
    if (message.t === 'failed')
      waiting?.fail(
        new ParleyError(message.code, message.code === 'TTS_FAILED' ? `The voice failed: ${message.message}` : message.message),
      );
    else waiting?.give(message);
    this.#watch(true);
  }

  /** The worker died, or was ended because it hung. Everything it owed fails; a new one loads the voices again. */
  #lost(worker: ChildProcess, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#loads = new Map();
    this.#failAll(`the synthesiser ended (${why}); it is started again`);
    this.#watch();
    if (this.#closed) return;
    this.#options.log?.error('the speech worker ended', { why });
    this.#restart = setTimeout(() => {
      this.#restart = null;
      for (const plan of this.#plans.values()) void this.#loadNow(plan).voice.catch(() => undefined);
    }, this.#restartMs).unref();
    this.#restartMs = Math.min(MOST_RESTART_MS, this.#restartMs * 2);
  }

  #failAll(message: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) each.fail(failed(message));
  }

  /** Runs the hang timer exactly while an answer is owed; keeps the process alive as long. */
  #watch(answered = false): void {
    const owed = this.#waiting.size > 0;
    if (this.#worker !== null) hold(this.#worker, owed);
    if (this.#hang !== null && owed && !answered) return;
    if (this.#hang !== null) clearTimeout(this.#hang);
    this.#hang = null;
    const worker = this.#worker;
    if (!owed || worker === null) return;
    const loads = [...this.#waiting.values()].some((waiting) => waiting.kind === 'load');
    const patienceMs = this.#options.hangMs * (loads ? LOAD_PATIENCE : 1);
    this.#hang = setTimeout(() => {
      this.#hang = null;
      this.#lost(worker, `no answer for ${patienceMs} ms`);
      worker.kill('SIGKILL');
    }, patienceMs);
  }
}

/** An idle worker does not keep the gateway alive; one that owes an answer does. */
function hold(worker: ChildProcess, on: boolean): void {
  for (const handle of [worker, worker.channel, worker.stderr instanceof Socket ? worker.stderr : null]) {
    if (on) handle?.ref();
    else handle?.unref();
  }
}

/** Pieces that came and were not taken yet. */
class Mailbox<T> {
  readonly #items: T[] = [];
  #failure: { reason: unknown } | null = null;
  #wake: (() => void) | null = null;

  put(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** Pieces that wait are dropped. */
  fail(reason: unknown): void {
    this.#items.length = 0;
    this.#failure ??= { reason };
    this.#wake?.();
  }

  async take(): Promise<T> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.reason;
      const item = this.#items.shift();
      if (item !== undefined) return item;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }
}
