import { basename } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { ParleyError } from '../contracts/index.ts';
import type { AudioMemory, GateEvent, Logger, Vad, VadEvent, VadSession, VadStats } from '../contracts/index.ts';
import type { FromWorker, Thresholds, ToWorker, WorkerCounts, WorkerOptions } from './messages.ts';
import { Spurt } from './spurt.ts';
import { startThread } from './thread.ts';

export interface SileroOptions {
  /** Path of the model: Silero VAD 5 or later. */
  readonly model: string;
  /** Speech begins at `start` (default 0.5), and ends after `minSilenceMs` (default 160) below `stop` (default 0.35). */
  readonly start?: number;
  readonly stop?: number;
  /** How long the model must be sure before speech begins, default 32; counted in windows of 32 ms. */
  readonly minSpeechMs?: number;
  readonly minSilenceMs?: number;
  /** Audio from before the gate's first voiced sample that the model hears first, to have its bearings (default 96). */
  readonly preRollMs?: number;
  /** Windows of 32 ms that the model may lag behind before the gate decides about a call (default 2). */
  readonly mostBehind?: number;
  /** A worker that is silent for so long while it owes an answer hangs (default 1000). */
  readonly hangMs?: number;
  /** Pause before the first restart and the longest one (default 50, 5000). */
  readonly restart?: { readonly firstMs: number; readonly mostMs: number };
  /** For tests: another thread. */
  readonly thread?: (options: WorkerOptions) => Worker;
  readonly logger: Logger;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 2_000;

interface Call {
  readonly spurt: Spurt;
  readonly slot: number;
  readonly generation: number;
}

/** Silero in one worker thread for all calls; the gate's edges stand in while there is no worker. */
export class Silero implements Vad {
  readonly name = 'silero';
  readonly #options: SileroOptions;
  readonly #logger: Logger;
  readonly #calls = new Map<number, Call>();
  #audio: AudioMemory | null = null;
  /** The thread that runs, ready or not; the same once it is ready. */
  #thread: Worker | null = null;
  #worker: Worker | null = null;
  #sha256 = '';
  #nextCall = 1;
  #listener: (state: 'up' | 'down', why: string) => void = () => undefined;
  #counts: WorkerCounts = { windows: 0, runs: 0 };
  #earlier: WorkerCounts = { windows: 0, runs: 0 };
  #shed = 0;
  #unheard = 0;
  #restarts = 0;
  #restartMs: number;
  #restartTimer: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  #heard = false;
  #stopping = false;

  constructor(options: SileroOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ engine: 'silero' });
    this.#restartMs = options.restart?.firstMs ?? 50;
    checkThresholds(this.#thresholds());
  }

  get description(): string {
    const hash = this.#sha256 === '' ? '' : ` (sha256 ${this.#sha256.slice(0, 12)})`;
    return `Silero VAD: ${basename(this.#options.model)}${hash}`;
  }

  get state(): 'up' | 'down' {
    return this.#worker === null ? 'down' : 'up';
  }

  onState(listener: (state: 'up' | 'down', why: string) => void): void {
    this.#listener = listener;
  }

  async start(audio: AudioMemory): Promise<void> {
    this.#audio = audio;
    this.#stopping = false;
    await this.#launch(audio);
    this.#logger.info('voice activity detector is ready', { model: basename(this.#options.model), sha256: this.#sha256 });
  }

  open({ slot, generation }: { callId: string; slot: number; generation: number }): VadSession {
    const call = this.#nextCall++;
    let listener: (event: VadEvent) => void = () => undefined;
    const spurt = new Spurt((event) => listener(event));
    this.#calls.set(call, { spurt, slot, generation });
    return {
      onEvent: (given) => {
        listener = given;
      },
      gate: (edge) => this.#gate(call, edge),
      close: () => {
        listener = () => undefined;
        if (this.#calls.delete(call)) this.#post({ t: 'forget', call });
      },
    };
  }

  stats(): VadStats {
    return {
      sessions: this.#calls.size,
      windows: this.#earlier.windows + this.#counts.windows,
      runs: this.#earlier.runs + this.#counts.runs,
      shed: this.#shed,
      unheard: this.#unheard,
      restarts: this.#restarts,
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#watch);
    this.#watch = undefined;
    this.#giveUpAll();
    this.#worker = null;
    const thread = this.#thread;
    if (thread === null) return;
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    thread.postMessage({ t: 'stop' } satisfies ToWorker);
    const impatience = setTimeout(() => void thread.terminate(), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(impatience);
  }

  // ---- calls ----

  #gate(call: number, edge: GateEvent): void {
    const known = this.#calls.get(call);
    if (known === undefined) return;
    const { spurt, slot, generation } = known;
    const order = spurt.gate(edge, this.#worker !== null);
    if (this.#worker === null && edge.t === 'speech-start') this.#unheard++;
    if (order === null) return;
    this.#post(order.t === 'open' ? { ...order, call, slot, generation } : { ...order, call });
    this.#watchOver();
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #giveUpAll(): number {
    const atUs = nowUs();
    let count = 0;
    for (const { spurt } of this.#calls.values()) if (this.#safely(() => spurt.giveUp(atUs))) count++;
    return count;
  }

  /** One call's listener must not cost the others their events. */
  #safely(act: () => boolean): boolean {
    try {
      return act();
    } catch (error) {
      this.#logger.error('voice activity listener failed', { reason: reasonOf(error) });
      return true;
    }
  }

  // ---- the worker ----

  #thresholds(): Thresholds {
    const { start = 0.5, stop = Math.min(0.35, start), minSpeechMs = 32, minSilenceMs = 160 } = this.#options;
    return { start, stop, minSpeechMs, minSilenceMs };
  }

  #launch(audio: AudioMemory): Promise<void> {
    const { model, preRollMs = 96, mostBehind = 2, thread = startThread } = this.#options;
    const worker = thread({ model, audioFd: audio.fd, audioBytes: audio.bytes, thresholds: this.#thresholds(), preRollMs, mostBehind });
    this.#thread = worker;
    return new Promise((resolve, reject) => {
      const refuse = (why: string): void => {
        clearTimeout(timer);
        reject(new ParleyError('VAD_MODEL', `The voice activity model ${model} cannot be used: ${why}.`));
      };
      const timer = setTimeout(() => {
        refuse(`it was not ready after ${START_TIMEOUT_MS} ms`);
        void worker.terminate();
      }, START_TIMEOUT_MS);
      worker.on('message', (message: FromWorker) => {
        if (message.t === 'refused') refuse(message.why);
        else if (message.t === 'news') this.#onNews(worker, message);
        else {
          clearTimeout(timer);
          this.#sha256 = message.sha256;
          if (!this.#stopping) this.#worker = worker;
          resolve();
        }
      });
      worker.on('error', (error: unknown) => {
        refuse(reasonOf(error));
        this.#lost(worker, reasonOf(error));
      });
      worker.on('exit', (code) => {
        if (this.#thread === worker) this.#thread = null;
        refuse(`its thread ended with code ${code}`);
        this.#lost(worker, `thread ended with code ${code}`);
      });
    });
  }

  #onNews(worker: Worker, { news, counts }: Extract<FromWorker, { t: 'news' }>): void {
    if (worker !== this.#worker) return;
    this.#heard = true;
    this.#counts = counts;
    this.#restartMs = this.#options.restart?.firstMs ?? 50;
    for (const item of news) {
      const spurt = this.#calls.get(item.call)?.spurt;
      if (spurt === undefined) continue;
      if (item.t === 'shed') this.#shed++;
      this.#safely(() => {
        spurt.news(item);
        return true;
      });
    }
  }

  /** Runs while an answer is owed: whoever owes one gives a sign of life every 100 ms. */
  #watchOver(): void {
    if (this.#watch !== undefined) return;
    this.#heard = false;
    this.#watch = setTimeout(() => {
      // Timers come before messages: after a pause of the main loop the signs of life are still to be read.
      setImmediate(() => {
        this.#watch = undefined;
        const worker = this.#worker;
        if (worker === null || ![...this.#calls.values()].some(({ spurt }) => spurt.busy)) return;
        if (this.#heard) this.#watchOver();
        else {
          this.#lost(worker, 'it gave no sign of life');
          void worker.terminate();
        }
      });
    }, this.#options.hangMs ?? 1000);
    this.#watch.unref();
  }

  #lost(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#earlier = { windows: this.stats().windows, runs: this.stats().runs };
    this.#counts = { windows: 0, runs: 0 };
    this.#unheard += this.#giveUpAll();
    this.#logger.warn('voice activity detector is down; the talk gate decides', { why });
    this.#listener('down', why);
    this.#restartLater();
  }

  #restartLater(): void {
    const audio = this.#audio;
    if (this.#stopping || audio === null) return;
    this.#restartTimer = setTimeout(() => {
      this.#launch(audio).then(
        () => {
          if (this.#stopping) return;
          this.#restarts++;
          this.#logger.info('voice activity detector is back', { restarts: this.#restarts });
          this.#listener('up', 'restarted');
        },
        (error: unknown) => {
          this.#logger.error('voice activity detector does not start', { reason: reasonOf(error) });
          this.#restartLater();
        },
      );
    }, this.#restartMs).unref();
    this.#restartMs = Math.min(this.#options.restart?.mostMs ?? 5000, this.#restartMs * 2);
  }
}

function checkThresholds({ start, stop, minSpeechMs, minSilenceMs }: Thresholds): void {
  if (!(start > 0 && start < 1 && stop > 0 && stop <= start))
    throw new RangeError(`vad: start ${start} and stop ${stop} are no probabilities with 0 < stop <= start < 1`);
  if (!(minSpeechMs >= 0 && minSilenceMs >= 0)) throw new RangeError('vad: minSpeechMs and minSilenceMs are not negative');
}

/** The clock that the media threads stamp events with. */
const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
