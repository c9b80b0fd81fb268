import type { ExternalProcessor, SpeechChunk, SpeechClip, SpeechOptions, TextToSpeech } from '../../contracts/index.ts';
import { ParleyError } from '../../contracts/index.ts';
import { LeadTrimmer } from '../piper/trimmer.ts';
import { isSpeakable, plainText, spokenText } from '../text.ts';

export interface CloudOptions {
  /** A gap of so long in the answer, or before it, is a failure (default 5000). */
  readonly timeoutMs?: number;
  /** Requests at once (default 4); more wait, at most 64. */
  readonly lanes?: number;
}

export interface CloudQuestion {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One provider's way of speaking. The answer's body is raw PCM, 16 bit little-endian, mono. */
export interface CloudProtocol {
  readonly name: string;
  readonly description: string;
  readonly external: ExternalProcessor;
  readonly rateHz: number;
  readonly maxChars: number;
  /** Reads secrets. Errors: TTS_FAILED. */
  start(): Promise<void>;
  /** `text` is plain and not empty. */
  question(text: string, options: SpeechOptions): CloudQuestion;
}

/** Ten minutes of speech: nothing that a call says is longer. */
const MOST_SECONDS = 600;
const MOST_WAITING = 64;

const failed = (message: string, cause?: unknown): ParleyError =>
  new ParleyError('TTS_FAILED', message, cause === undefined ? {} : { cause });

/** A synthesiser that streams PCM over HTTP: bounded, without redirects, closed when the speech is given up. */
export class CloudTts implements TextToSpeech {
  readonly name: string;
  readonly description: string;
  readonly external: ExternalProcessor;
  readonly maxChars: number;
  readonly #protocol: CloudProtocol;
  readonly #timeoutMs: number;
  readonly #lanes: number;
  #running = 0;
  #waiting: (() => void)[] = [];
  #started = false;

  constructor(protocol: CloudProtocol, { timeoutMs = 5000, lanes = 4 }: CloudOptions) {
    this.#protocol = protocol;
    this.#timeoutMs = timeoutMs;
    this.#lanes = lanes;
    this.name = protocol.name;
    this.external = protocol.external;
    this.maxChars = protocol.maxChars;
    this.description = `${protocol.description}, processor ${protocol.external.processor}`;
  }

  async start(): Promise<void> {
    await this.#protocol.start();
    this.#started = true;
  }

  stop(): Promise<void> {
    this.#started = false;
    return Promise.resolve();
  }

  async synthesise(text: string, options: SpeechOptions): Promise<SpeechClip> {
    const startedAt = performance.now();
    const chunks: SpeechChunk[] = [];
    let firstMs: number | null = null;
    for await (const chunk of this.stream(text, options)) {
      firstMs ??= performance.now() - startedAt;
      chunks.push(chunk);
    }
    const totalMs = performance.now() - startedAt;
    const pcm = new Int16Array(chunks.reduce((sum, chunk) => sum + chunk.pcm.length, 0));
    for (const chunk of chunks) pcm.set(chunk.pcm, chunk.fromSample);
    return { pcm, rateHz: this.#protocol.rateHz, firstMs: firstMs ?? totalMs, totalMs };
  }

  async *stream(text: string, options: SpeechOptions): AsyncGenerator<SpeechChunk, void, undefined> {
    options.signal?.throwIfAborted();
    if (!this.#started) throw failed('the synthesiser is not started');
    if (text.length > this.maxChars) throw failed(`the text has ${text.length} characters, ${this.maxChars} are allowed`);
    const plain = spokenText(plainText(text), options.language);
    if (!isSpeakable(plain)) return;
    const leave = await this.#enter();
    const controller = new AbortController();
    const watchdog = new Watchdog(this.#timeoutMs, controller);
    const onAbort = (): void => controller.abort();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      options.signal?.throwIfAborted();
      watchdog.fed();
      const lead = new LeadTrimmer(this.#protocol.rateHz);
      for await (const pcm of this.#audio(plain, options, controller.signal, watchdog)) yield* lead.add(pcm, []);
      yield* lead.end();
    } catch (error) {
      options.signal?.throwIfAborted();
      throw this.#failure(error, watchdog.bit);
    } finally {
      watchdog.stop();
      options.signal?.removeEventListener('abort', onAbort);
      // Left early: the provider need not go on.
      controller.abort();
      leave();
    }
  }

  async *#audio(
    text: string,
    options: SpeechOptions,
    signal: AbortSignal,
    watchdog: Watchdog,
  ): AsyncGenerator<Int16Array, void, undefined> {
    const { url, headers, body } = this.#protocol.question(text, options);
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'error', signal });
    if (!response.ok || response.body === null) throw failed(`${url.host} answered with status ${response.status}`);
    const type = response.headers.get('content-type') ?? '';
    if (!/^(audio\/|application\/octet-stream)/.test(type)) throw failed(`${url.host} answered with something that is no audio`);
    let samples = 0;
    let rest: Uint8Array = new Uint8Array(0);
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      watchdog.fed();
      const bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
      const pcm = samplesOf(bytes);
      rest = bytes.subarray(pcm.length * 2);
      samples += pcm.length;
      if (samples > MOST_SECONDS * this.#protocol.rateHz) throw failed(`${url.host} answered with more than ${MOST_SECONDS} s of audio`);
      if (pcm.length > 0) yield pcm;
    }
    if (rest.length > 0 || samples === 0) throw failed(`${url.host} answered with ${samples === 0 ? 'no audio' : 'half a sample'}`);
  }

  #failure(error: unknown, late: boolean): ParleyError {
    if (late) return failed(`${this.name} sent nothing for ${this.#timeoutMs} ms`, error);
    if (error instanceof ParleyError) return error;
    return failed(`${this.name} cannot be reached or broke off`, error);
  }

  async #enter(): Promise<() => void> {
    if (this.#running >= this.#lanes) {
      if (this.#waiting.length >= MOST_WAITING) throw failed(`${MOST_WAITING} texts wait already: the synthesiser is overloaded`);
      await new Promise<void>((go) => this.#waiting.push(go));
    } else this.#running++;
    return () => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    };
  }
}

/** Aborts when it is not fed in time. */
class Watchdog {
  readonly #ms: number;
  readonly #controller: AbortController;
  #timer: NodeJS.Timeout | undefined;
  /** It was hungry too long. */
  bit = false;

  constructor(ms: number, controller: AbortController) {
    this.#ms = ms;
    this.#controller = controller;
  }

  fed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.bit = true;
      this.#controller.abort();
    }, this.#ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function samplesOf(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int16Array.from({ length: bytes.length >> 1 }, (_, n) => view.getInt16(2 * n, true));
}
