/**
 * Deepgram's streaming recogniser, an external processor: off unless the configuration names processor and legal basis. Each partial sends what
 * was said since the one before, so that at the end of a turn only its last samples are still on their way. A line per utterance: nothing of
 * one call or turn is on the line of another.
 */
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
import { AudioReader } from './audio-reader.ts';
import { DeepgramLine } from './deepgram-line.ts';
import { checkedUrl, named } from './hosts.ts';
import { shape } from './shape.ts';

export interface DeepgramStreamOptions {
  readonly external: ExternalProcessor;
  /** File that holds the key and nothing else. */
  readonly keyFile: string;
  /** Default nova-3. */
  readonly model?: string;
  /** Default https://api.deepgram.com; http only to this machine. */
  readonly url?: string;
  /** A final without its words for so long has failed (default 10 s). */
  readonly decodeTimeoutMs?: number;
  /** How long a decode waits for audio that is just being said (default 200 ms). */
  readonly waitMs?: number;
  readonly logger: Logger;
}

/** A partial waits so long for news, then says what it has. */
const NEWS_MS = 250;
const CONNECT_MS = 3_000;
const DOWN_AFTER = 3;

interface Call {
  readonly slot: number;
  readonly generation: number;
  readonly language: string;
  readonly over: AbortController;
  line: { readonly deepgram: DeepgramLine; readonly fromSample: number; sentSample: number } | null;
  /** Decodes of a call run one after another: their samples go out in order. */
  last: Promise<unknown>;
  partial: AbortController | null;
}

const givenUp = (why: string): ParleyError => new ParleyError('STT_ABORTED', `the decode was given up: ${why}`);

class DeepgramStream implements SpeechToText {
  readonly name = 'deepgram';
  readonly description: string;
  readonly external: ExternalProcessor;
  readonly #options: DeepgramStreamOptions;
  readonly #base: URL;
  readonly #calls = new Set<Call>();
  #reader: AudioReader | null = null;
  #key = '';
  #failures = 0;
  #listener: (state: 'up' | 'down', why: string) => void = () => undefined;

  constructor(options: DeepgramStreamOptions) {
    const { model = 'nova-3', url = 'https://api.deepgram.com' } = options;
    this.external = named(options.external, 'Deepgram');
    this.#base = checkedUrl(url, this.external);
    this.#options = options;
    this.description = `Deepgram ${model}, streaming, at ${this.#base.host}, processor ${this.external.processor}`;
  }

  onState(listener: (state: 'up' | 'down', why: string) => void): void {
    this.#listener = listener;
  }

  /** Asks nobody: that would cost money and tell something to others. */
  async start(audio: AudioMemory): Promise<void> {
    const text = await readFile(this.#options.keyFile, 'utf8').catch(() => '');
    this.#key = text.trim();
    if (!/^[\x21-\x7e]{1,16384}$/.test(this.#key))
      throw new ParleyError('STT_FAILED', 'the key file of a recogniser must hold the key and nothing else', {
        place: { file: this.#options.keyFile },
      });
    this.#reader = await AudioReader.open(audio);
  }

  open({ slot, generation, language }: { callId: string; slot: number; generation: number; language: string }): SttSession {
    const call: Call = { slot, generation, language, over: new AbortController(), line: null, last: Promise.resolve(), partial: null };
    this.#calls.add(call);
    return { decode: (request, signal) => this.#decode(call, request, signal), close: () => this.#close(call, 'the call is over') };
  }

  stop(): Promise<void> {
    this.#reader = null;
    for (const call of [...this.#calls]) this.#close(call, 'the recogniser is being stopped');
    return Promise.resolve();
  }

  #close(call: Call, why: string): void {
    this.#calls.delete(call);
    call.over.abort(givenUp(why));
    call.line?.deepgram.close();
    call.line = null;
  }

  async #decode(call: Call, request: DecodeRequest, signal?: AbortSignal): Promise<DecodeResult> {
    if (signal?.aborted === true) throw givenUp('by the one who asked');
    if (this.#reader === null || !this.#calls.has(call))
      throw new ParleyError('STT_FAILED', 'the call is over, or the recogniser is not running');
    // A newer decode says all that an older partial would.
    call.partial?.abort(givenUp('a newer decode took over'));
    const own = new AbortController();
    call.partial = request.kind === 'partial' ? own : null;
    const onAbort = (): void => own.abort(givenUp('by the one who asked'));
    signal?.addEventListener('abort', onAbort, { once: true });
    const given = AbortSignal.any([own.signal, call.over.signal]);
    const askedAt = performance.now();
    const before = call.last;
    const run = before.then(() => this.#hear(call, request, given, askedAt));
    call.last = run.catch(() => undefined);
    try {
      return await run;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      if (call.partial === own) call.partial = null;
    }
  }

  async #hear(call: Call, request: DecodeRequest, signal: AbortSignal, askedAt: number): Promise<DecodeResult> {
    signal.throwIfAborted();
    const { fromSample, toSample, kind } = request;
    const sentAt = performance.now();
    const none = { text: '', confidence: 0, words: [], queueMs: 0, decodeMs: 0 };
    if (fromSample > toSample) throw new ParleyError('STT_FAILED', 'the range ends before it begins');
    if (fromSample === toSample) return none;
    const { decodeTimeoutMs = 10_000 } = this.#options;
    try {
      const line = await this.#sent(call, fromSample, toSample, signal);
      const heard = await (kind === 'final' ? line.finalise(decodeTimeoutMs, signal) : line.soFar(NEWS_MS, signal));
      this.#went(true);
      const inside = { ...heard, words: heard.words.length === 0 ? null : heard.words };
      return { ...shape(inside, fromSample, toSample), queueMs: sentAt - askedAt, decodeMs: performance.now() - sentAt };
    } catch (error) {
      signal.throwIfAborted();
      call.line?.deepgram.close();
      call.line = null;
      this.#went(false);
      throw error instanceof ParleyError ? error : new ParleyError('STT_FAILED', 'the recogniser failed', { cause: error });
    }
  }

  /** The line of this utterance, with all samples up to `toSample` on their way. */
  async #sent(call: Call, fromSample: number, toSample: number, signal: AbortSignal): Promise<DeepgramLine> {
    const known = call.line;
    const goesOn = known !== null && known.fromSample === fromSample && known.sentSample <= toSample && !known.deepgram.failed;
    if (!goesOn) known?.deepgram.close();
    const line = goesOn ? known : { deepgram: this.#dial(call.language), fromSample, sentSample: fromSample };
    call.line = line;
    const { slot, generation } = call;
    const range = { slot, generation, fromSample: line.sentSample, toSample };
    const pcm = (await this.#reader?.read(range, this.#options.waitMs ?? 200, signal)) ?? new Int16Array(0);
    line.sentSample = toSample;
    await line.deepgram.send(pcm);
    return line.deepgram;
  }

  #dial(language: string): DeepgramLine {
    const url = new URL('/v1/listen', this.#base);
    url.protocol = this.#base.protocol === 'https:' ? 'wss:' : 'ws:';
    // mip_opt_out: what callers say trains nobody's model.
    const { model = 'nova-3' } = this.#options;
    const asked = {
      model,
      language,
      punctuate: 'true',
      interim_results: 'true',
      encoding: 'linear16',
      sample_rate: '16000',
      channels: '1',
      mip_opt_out: 'true',
    };
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
    return new DeepgramLine({ url, key: this.#key, where: this.#base.host, connectMs: CONNECT_MS });
  }

  #went(well: boolean): void {
    if (well) {
      if (this.#failures >= DOWN_AFTER) this.#listener('up', 'it answers again');
      this.#failures = 0;
    } else if (++this.#failures === DOWN_AFTER) {
      this.#options.logger.error('recogniser is down', { engine: this.name, host: this.#base.host });
      this.#listener('down', `${DOWN_AFTER} failures in a row`);
    }
  }
}

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
export function createDeepgramStream(options: DeepgramStreamOptions): SpeechToText {
  return new DeepgramStream(options);
}
