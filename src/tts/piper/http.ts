/**
 * Piper's own HTTP server (`python3 -m piper.http_server --host 127.0.0.1 --port 5000`), for sites that run it already.
 * It buffers a whole WAV per request and knows no streaming: one sentence per request keeps the first sound early.
 * Source: piper1-gpl, src/piper/http_server.py: POST /synthesize with JSON, answer audio/wav.
 */
import {
  ParleyError,
  type ExternalProcessor,
  type SpeechChunk,
  type SpeechClip,
  type SpeechOptions,
  type TextToSpeech,
} from '../../contracts/index.ts';
import { checkedProcessor, checkedUrl } from '../hosts.ts';
import { post } from '../post.ts';
import { failed, messageOf } from './failure.ts';
import { clausesOf } from './sentences.ts';
import { readAloud } from './reading/index.ts';
import { LeadTrimmer } from './trimmer.ts';
import { parseWav } from './wav.ts';

export interface PiperHttpOptions {
  /** Default http://127.0.0.1:5000. The server has no password: keep it on this machine. */
  readonly url?: string;
  /** Voice name by language tag, for a server with several. */
  readonly voices?: Readonly<Record<string, string>>;
  /** A sentence without its audio for so long has failed (default 5000). */
  readonly timeoutMs?: number;
  readonly speaker?: string;
  /** For a server outside private networks. */
  readonly external?: ExternalProcessor;
}

const MAX_CHARS = 5000;
const MAX_WAV_BYTES = 32 * 1024 ** 2;

class PiperHttp implements TextToSpeech {
  readonly name = 'piper-http';
  readonly description: string;
  readonly maxChars = MAX_CHARS;
  readonly external: ExternalProcessor | null;
  readonly #options: PiperHttpOptions;
  readonly #url: URL;
  #stopped = false;

  constructor(options: PiperHttpOptions) {
    this.#options = options;
    this.external = checkedProcessor(options.external);
    this.#url = new URL('/synthesize', checkedUrl(options.url ?? 'http://127.0.0.1:5000', this.external));
    this.description = `Piper HTTP server at ${this.#url.host}`;
  }

  /** Asks the server for a word. Errors: TTS_FAILED. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.#request('a', { language: '' });
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
    return { pcm, rateHz: chunks[0]?.rateHz ?? 22050, firstMs: firstMs ?? totalMs, totalMs };
  }

  async *stream(text: string, options: SpeechOptions): AsyncGenerator<SpeechChunk, void, undefined> {
    options.signal?.throwIfAborted();
    if (text.length > MAX_CHARS) throw failed(`the text has ${text.length} characters, ${MAX_CHARS} are allowed`);
    let trimmer: { rateHz: number; lead: LeadTrimmer } | null = null;
    for (const clauses of clausesOf(readAloud(text, options.language))) {
      const sentence = clauses.map(({ words, mark }) => `${words.map((word) => word.say).join(' ')}${mark}`).join(' ');
      const { pcm, rateHz } = await this.#request(sentence, options);
      trimmer ??= { rateHz, lead: new LeadTrimmer(rateHz) };
      if (trimmer.rateHz !== rateHz)
        throw failed(`the Piper server changed its sample rate from ${trimmer.rateHz} to ${rateHz} within a text`);
      yield* trimmer.lead.add(pcm, []);
    }
    yield* trimmer?.lead.end() ?? [];
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return Promise.resolve();
  }

  async #request(text: string, options: SpeechOptions): Promise<{ pcm: Int16Array; rateHz: number }> {
    if (this.#stopped) throw failed('the synthesiser is stopped');
    const { timeoutMs = 5000 } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
    try {
      const body = JSON.stringify(this.#question(text, options));
      const headers = { 'content-type': 'application/json' };
      const answer = await post({ url: this.#url, headers, body, external: this.external, mostBytes: MAX_WAV_BYTES, signal });
      if (answer.status !== 200) throw new Error(`it answered with status ${answer.status}`);
      return parseWav(answer.body);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof ParleyError) throw error;
      if (timeout.aborted) throw failed(`the Piper server at ${this.#url.host} gave no answer within ${timeoutMs} ms`, error);
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      throw failed(`the Piper server at ${this.#url.host} failed: ${messageOf(error)}${cause}`, error);
    }
  }

  #question(text: string, { language, voice, rate }: SpeechOptions): Record<string, string | number> {
    const { voices = {}, speaker } = this.#options;
    const named = voice ?? voices[language] ?? voices[language.split('-')[0] ?? ''];
    return {
      text,
      ...(named === undefined ? {} : { voice: named }),
      ...(speaker === undefined ? {} : { speaker }),
      ...(rate === undefined ? {} : { length_scale: 1 / rate }),
    };
  }
}

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
export function createPiperHttp(options: PiperHttpOptions): TextToSpeech {
  return new PiperHttp(options);
}
