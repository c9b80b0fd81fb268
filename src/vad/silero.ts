import type { ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import type { AudioMemory, GateEvent, Logger, Vad, VadEvent, VadSession, VadStats } from '../contracts/index.ts';
import { startHelper } from './helper.ts';
import type { FromWorker, Order, Thresholds, ToWorker, WorkerCounts } from './messages.ts';
import { Spurt } from './spurt.ts';
import { Tally } from './tally.ts';

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
  /** Calls that are listened to while we are silent without waiting for their gate (default 1000); 0: none. */
  readonly mostListening?: number;
  /** A worker that is silent for so long while it owes an answer hangs (default 1000). */
  readonly hangMs?: number;
  /** Pause before the first restart and the longest one (default 50, 5000). */
  readonly restart?: { readonly firstMs: number; readonly mostMs: number };
  /** For tests: another process. */
  readonly helper?: (audioFd: number) => ChildProcess;
  readonly logger: Logger;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 2_000;
const NO_COUNTS: WorkerCounts = { windows: 0, runs: 0, listening: 0, cpuMs: 0 };

interface Call {
  readonly spurt: Spurt;
  readonly slot: number;
  readonly generation: number;
}

/** Silero in one worker process for all calls; the gate's edges stand in while there is no worker. */
export class Silero implements Vad {
  readonly name = 'silero';
  readonly #options: SileroOptions;
  readonly #logger: Logger;
  readonly #calls = new Map<number, Call>();
  readonly #tally = new Tally();
  #audio: AudioMemory | null = null;
  /** The process that runs, ready or not; the same once it is ready. */
  #process: ChildProcess | null = null;
  #worker: ChildProcess | null = null;
  #orders: Order[] = [];
  #sha256 = '';
  #nextCall = 1;
  #listener: (state: 'up' | 'down', why: string) => void = () => undefined;
  #counts = NO_COUNTS;
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
    this.#tally.opened();
    this.#order({ t: 'listen', call, slot, generation });
    return {
      onEvent: (given) => {
        listener = given;
      },
      gate: (edge) => this.#gate(call, edge),
      near: (sample) => this.#near(call, sample),
      playing: (on) => {
        if (!this.#calls.has(call) || spurt.playing === on) return;
        spurt.playing = on;
        this.#order(on ? { t: 'rest', call } : { t: 'listen', call, slot, generation });
      },
      close: () => {
        listener = () => undefined;
        if (!this.#calls.delete(call)) return;
        this.#tally.closed(spurt.discarded);
        this.#order({ t: 'forget', call });
      },
    };
  }

  stats(): VadStats {
    const discarded = [...this.#calls.values()].reduce((sum, { spurt }) => sum + spurt.discarded, 0);
    return this.#tally.stats({ sessions: this.#calls.size, discarded, counts: this.#counts });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#watch);
    this.#watch = undefined;
    this.#giveUpAll();
    const ready = this.#worker !== null;
    this.#worker = null;
    const child = this.#process;
    if (child === null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (ready) post(child, { t: 'stop' });
    else child.kill('SIGKILL');
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(impatience);
  }

  // ---- calls ----

  #gate(call: number, edge: GateEvent): void {
    const known = this.#calls.get(call);
    if (known === undefined) return;
    const { spurt, slot, generation } = known;
    const order = spurt.gate(edge, this.#worker !== null);
    if (this.#worker === null && edge.t === 'speech-start') this.#tally.unheard++;
    if (order === null) return;
    this.#order(order.t === 'close' ? { ...order, call } : { ...order, call, slot, generation });
    this.#watchOver();
  }

  /** Of no use where the model listens anyway. */
  #near(call: number, sample: number): void {
    const known = this.#calls.get(call);
    if (known === undefined) return;
    const { spurt, slot, generation } = known;
    const order = spurt.near(sample);
    const heardAnyway = !spurt.playing && this.#calls.size <= this.#mostListening;
    if (order !== null && !heardAnyway) this.#order({ t: 'near', sample, call, slot, generation });
  }

  /** The media engine tells of many calls in one turn of the loop: one message for all of them. */
  #order(order: Order): void {
    if (this.#worker === null) return;
    if (this.#orders.length === 0) {
      queueMicrotask(() => {
        const orders = this.#orders;
        this.#orders = [];
        if (this.#worker !== null) post(this.#worker, { t: 'orders', orders });
      });
    }
    this.#orders.push(order);
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

  get #mostListening(): number {
    return this.#options.mostListening ?? 1000;
  }

  #thresholds(): Thresholds {
    const { start = 0.5, stop = Math.min(0.35, start), minSpeechMs = 32, minSilenceMs = 160 } = this.#options;
    return { start, stop, minSpeechMs, minSilenceMs };
  }

  async #launch(audio: AudioMemory): Promise<void> {
    const { model } = this.#options;
    try {
      const child = (this.#options.helper ?? startHelper)(audio.fd);
      this.#process = child;
      await this.#ready(child, audio);
    } catch (error) {
      throw new ParleyError('VAD_MODEL', `The voice activity model ${model} cannot be used: ${reasonOf(error)}.`);
    }
  }

  #ready(child: ChildProcess, audio: AudioMemory): Promise<void> {
    const { model, preRollMs = 96, mostBehind = 2 } = this.#options;
    const mostListening = this.#mostListening;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`it was not ready after ${START_TIMEOUT_MS} ms`));
        child.kill('SIGKILL');
      }, START_TIMEOUT_MS);
      child.on('message', (message: FromWorker) => {
        if (message.t === 'refused') reject(new Error(message.why));
        else if (message.t === 'news') this.#onNews(child, message);
        else {
          clearTimeout(timer);
          this.#sha256 = message.sha256;
          if (!this.#stopping) this.#take(child);
          resolve();
        }
      });
      const gone = (why: string): void => {
        clearTimeout(timer);
        if (this.#process === child) this.#process = null;
        reject(new Error(why));
        this.#lost(child, why);
      };
      child.on('error', (error) => gone(reasonOf(error)));
      child.on('exit', (code, signal) => gone(`its process ended with ${signal ?? `code ${code}`}`));
      const thresholds = this.#thresholds();
      post(child, { t: 'start', options: { model, audioBytes: audio.bytes, thresholds, preRollMs, mostBehind, mostListening } });
    });
  }

  #take(child: ChildProcess): void {
    this.#worker = child;
    for (const [call, { spurt, slot, generation }] of this.#calls) if (!spurt.playing) this.#order({ t: 'listen', call, slot, generation });
  }

  #onNews(child: ChildProcess, { news, counts }: Extract<FromWorker, { t: 'news' }>): void {
    if (child !== this.#worker) return;
    this.#heard = true;
    this.#counts = counts;
    this.#restartMs = this.#options.restart?.firstMs ?? 50;
    for (const item of news) {
      const spurt = this.#calls.get(item.call)?.spurt;
      if (spurt === undefined) continue;
      if (item.t === 'shed') this.#shed();
      this.#safely(() => {
        spurt.news(item);
        return true;
      });
    }
  }

  #shed(): void {
    if (this.#tally.shed++ === 0) this.#logger.warn('voice activity detector lags behind; the talk gate decides for some calls');
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
          worker.kill('SIGKILL');
        }
      });
    }, this.#options.hangMs ?? 1000);
    this.#watch.unref();
  }

  #lost(child: ChildProcess, why: string): void {
    if (this.#worker !== child) return;
    this.#worker = null;
    this.#orders = [];
    this.#tally.lost(this.#counts);
    this.#counts = NO_COUNTS;
    this.#tally.unheard += this.#giveUpAll();
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
          this.#tally.restarts++;
          this.#logger.info('voice activity detector is back', { restarts: this.#tally.restarts });
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

/** A process that is gone has told so, or will. */
function post(child: ChildProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => undefined);
}

function checkThresholds({ start, stop, minSpeechMs, minSilenceMs }: Thresholds): void {
  if (!(start > 0 && start < 1 && stop > 0 && stop <= start))
    throw new RangeError(`vad: start ${start} and stop ${stop} are no probabilities with 0 < stop <= start < 1`);
  if (!(minSpeechMs >= 0 && minSilenceMs >= 0)) throw new RangeError('vad: minSpeechMs and minSilenceMs are not negative');
}

/** The clock that the media threads stamp events with. */
const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
