import { readFile } from 'node:fs/promises';
import {
  ParleyError,
  type AudioMemory,
  type DecodeRequest,
  type DecodeResult,
  type ExternalProcessor,
  type Logger,
  type SpeechToText,
  type SttSession,
} from '../../contracts/index.ts';
import { AudioReader, type AudioRange } from './audio-reader.ts';
import { Client } from './client.ts';
import { Lanes } from './lanes.ts';
import type { Protocol } from './protocol.ts';
import { shape } from './shape.ts';

/** Options that all recognisers behind HTTP share. */
export interface RecogniserOptions {
  /** Requests at once (default 4). */
  readonly lanes?: number;
  /** Decodes that may wait for a lane (default 64); more are refused. */
  readonly mostWaiting?: number;
  /** A decode without its words for so long, waiting included, has failed (default 10 s). */
  readonly decodeTimeoutMs?: number;
  /** How long a decode waits for audio that is just being said (default 200 ms). */
  readonly waitMs?: number;
  /** Longest utterance that is sent (default 60 s). */
  readonly mostMs?: number;
  readonly startTimeoutMs?: number;
  readonly logger: Logger;
}

const DEFAULTS = { lanes: 4, mostWaiting: 64, decodeTimeoutMs: 10_000, waitMs: 200, mostMs: 60_000, startTimeoutMs: 5000 };
/** A server that failed so often in a row counts as down until it answers again. */
const DOWN_AFTER = 3;
const MOST_PROMPT_CHARS = 1000;
const MOST_KEY_BYTES = 16_384;
const SAMPLES_PER_MS = 16;

interface Call {
  readonly slot: number;
  readonly generation: number;
  readonly language: string;
  readonly running: Set<Running>;
}

interface Running {
  readonly kind: 'partial' | 'final';
  readonly controller: AbortController;
}

const aborted = (why: string): ParleyError => new ParleyError('STT_ABORTED', `the decode was given up: ${why}`);

/** A recogniser that is asked over HTTP, one request per decode. Errors as in the port. */
export class HttpRecogniser implements SpeechToText {
  readonly name: string;
  readonly description: string;
  readonly external: ExternalProcessor | null;
  readonly #protocol: Protocol;
  readonly #options: Required<RecogniserOptions>;
  readonly #client: Client;
  readonly #lanes: Lanes;
  readonly #calls = new Set<Call>();
  #reader: AudioReader | null = null;
  #key = '';
  #failures = 0;
  #listener: (state: 'up' | 'down', why: string) => void = () => undefined;

  constructor(protocol: Protocol, options: RecogniserOptions) {
    this.#protocol = protocol;
    this.#options = { ...DEFAULTS, ...options };
    this.#client = new Client(protocol.url, protocol.external);
    this.#lanes = new Lanes(this.#options.lanes, this.#options.mostWaiting);
    this.name = protocol.name;
    this.external = protocol.external;
    this.description = `${protocol.description} at ${this.#client.where}${protocol.external === null ? '' : `, processor ${protocol.external.processor}`}`;
  }

  onState(listener: (state: 'up' | 'down', why: string) => void): void {
    this.#listener = listener;
  }

  async start(audio: AudioMemory): Promise<void> {
    const reader = await AudioReader.open(audio);
    this.#key = await keyOf(this.#protocol.keyFile);
    const { probe } = this.#protocol;
    if (probe !== null) {
      const answer = await this.#client
        .ask(probe.question(this.#key), AbortSignal.timeout(this.#options.startTimeoutMs))
        .catch((error: unknown) => {
          if (error instanceof ParleyError) throw error;
          throw new ParleyError(
            'STT_FAILED',
            `the recogniser at ${this.#client.where} gave no answer within ${this.#options.startTimeoutMs} ms`,
          );
        });
      if (answer.status === 401 || answer.status === 403)
        throw new ParleyError('STT_FAILED', `the recogniser at ${this.#client.where} refuses our key (status ${answer.status})`);
      const wrong = probe.check(answer);
      if (wrong !== null) throw new ParleyError('STT_MODEL', `the recogniser at ${this.#client.where} ${wrong}`);
    }
    this.#reader = reader;
    this.#options.logger.info('recogniser is ready', { engine: this.name, host: this.#client.where, external: this.external !== null });
  }

  open({ slot, generation, language }: { callId: string; slot: number; generation: number; language: string }): SttSession {
    const call: Call = { slot, generation, language, running: new Set() };
    this.#calls.add(call);
    return {
      decode: (request, signal) => this.#decode(call, request, signal),
      close: () => {
        this.#calls.delete(call);
        giveUp(call, () => true, 'the call is over');
      },
    };
  }

  stop(): Promise<void> {
    this.#reader = null;
    for (const call of this.#calls) giveUp(call, () => true, 'the recogniser is being stopped');
    this.#client.close();
    return Promise.resolve();
  }

  async #decode(call: Call, request: DecodeRequest, signal?: AbortSignal): Promise<DecodeResult> {
    if (signal?.aborted === true) throw aborted('by the one who asked');
    if (this.#reader === null) throw new ParleyError('STT_FAILED', 'the recogniser is not running');
    if (!this.#calls.has(call)) throw new ParleyError('STT_FAILED', 'the call is over');
    const running: Running = { kind: request.kind, controller: new AbortController() };
    // A newer partial says all that an older one would; a final says it better.
    giveUp(call, ({ kind }) => kind === 'partial', 'a newer decode took over');
    call.running.add(running);
    const { controller } = running;
    const { decodeTimeoutMs } = this.#options;
    const timer = setTimeout(() => {
      controller.abort(new ParleyError('STT_FAILED', `no words from ${this.#client.where} after ${decodeTimeoutMs} ms`));
    }, decodeTimeoutMs);
    const onAbort = (): void => controller.abort(aborted('by the one who asked'));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#answered(this.#reader, call, request, controller.signal);
    } catch (error) {
      controller.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      call.running.delete(running);
    }
  }

  async #answered(reader: AudioReader, call: Call, request: DecodeRequest, signal: AbortSignal): Promise<DecodeResult> {
    const { fromSample, toSample, prompt } = request;
    const range: AudioRange = { slot: call.slot, generation: call.generation, fromSample, toSample };
    if (toSample - fromSample > this.#options.mostMs * SAMPLES_PER_MS)
      throw new ParleyError('STT_FAILED', `an utterance of more than ${this.#options.mostMs} ms is not sent`);
    const askedAt = performance.now();
    // Copied before the wait: while a decode waits for its lane the ring goes on.
    const pcm = await reader.read(range, this.#options.waitMs, signal);
    if (pcm.length === 0) return { text: '', confidence: 0, words: [], queueMs: 0, decodeMs: 0 };
    return this.#lanes.run(request.kind, signal, async () => {
      const sentAt = performance.now();
      const utterance = { pcm, language: call.language, prompt: prompt?.slice(-MOST_PROMPT_CHARS) ?? null };
      const shaped = await this.#heard(() => this.#client.ask(this.#protocol.question(utterance, this.#key), signal), request, signal);
      return { ...shaped, queueMs: sentAt - askedAt, decodeMs: performance.now() - sentAt };
    });
  }

  async #heard(
    ask: () => ReturnType<Client['ask']>,
    { fromSample, toSample }: DecodeRequest,
    signal: AbortSignal,
  ): Promise<ReturnType<typeof shape>> {
    try {
      const { status, json } = await ask();
      if (status !== 200) throw new ParleyError('STT_FAILED', `the recogniser at ${this.#client.where} answered with status ${status}`);
      const shaped = this.#shaped(json, fromSample, toSample);
      this.#went(true);
      return shaped;
    } catch (error) {
      // What we gave up ourselves says nothing about the server, except that it let the time pass.
      const ours = signal.aborted && !(signal.reason instanceof ParleyError && signal.reason.code === 'STT_FAILED');
      if (!ours) this.#went(false);
      throw error;
    }
  }

  #shaped(json: unknown, fromSample: number, toSample: number): ReturnType<typeof shape> {
    try {
      if (typeof json !== 'object' || json === null) throw new Error('its answer is no JSON object');
      return shape(this.#protocol.answer(json), fromSample, toSample);
    } catch (error) {
      throw new ParleyError('STT_FAILED', `the recogniser at ${this.#client.where} speaks another protocol: ${(error as Error).message}`);
    }
  }

  #went(well: boolean): void {
    if (well) {
      if (this.#failures >= DOWN_AFTER) this.#listener('up', 'it answers again');
      this.#failures = 0;
    } else if (++this.#failures === DOWN_AFTER) {
      this.#options.logger.error('recogniser is down', { engine: this.name, host: this.#client.where });
      this.#listener('down', `${DOWN_AFTER} failures in a row`);
    }
  }
}

function giveUp(call: Call, which: (running: Running) => boolean, why: string): void {
  for (const running of [...call.running]) if (which(running)) running.controller.abort(aborted(why));
}

async function keyOf(file: string | undefined): Promise<string> {
  if (file === undefined) return '';
  let key: string;
  try {
    key = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new ParleyError(
      'STT_FAILED',
      `the key file of a recogniser cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      {
        place: { file },
      },
    );
  }
  if (key === '' || key.length > MOST_KEY_BYTES || /[^\x21-\x7e]/.test(key))
    throw new ParleyError('STT_FAILED', 'the key file of a recogniser must hold the key and nothing else', { place: { file } });
  return key;
}
