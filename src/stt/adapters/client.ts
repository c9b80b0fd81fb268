/**
 * One HTTP server, spoken to in whole JSON answers: bounded, without redirects, closed the moment somebody gives up. Messages of errors hold
 * the host and the status, never what the server wrote: it may be what a caller said.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { ParleyError, type ExternalProcessor } from '../../contracts/index.ts';
import { checkedUrl, nearLookup } from './hosts.ts';

export interface Question {
  readonly method: 'GET' | 'POST';
  /** Added to the base address; with a leading slash, and a query where one is needed. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
}

export interface Answer {
  readonly status: number;
  /** Undefined when it was no JSON. */
  readonly json: unknown;
}

const MAX_ANSWER_BYTES = 1 << 20;
const IDLE_MS = 30_000;

export class Client {
  /** Host and port, for messages. */
  readonly where: string;
  readonly #base: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #external: ExternalProcessor | null;

  /** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
  constructor(url: string, external: ExternalProcessor | null) {
    this.#base = checkedUrl(url, external);
    this.#external = external;
    this.where = this.#base.host;
    const options = { keepAlive: true, timeout: IDLE_MS, maxFreeSockets: 8 };
    this.#agent = this.#base.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** Errors: STT_FAILED; an aborted request throws the signal's reason. */
  async ask(question: Question, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    try {
      return await this.#once(question, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StaleConnection)) throw this.#failure(error);
    }
    try {
      // A kept connection that the server had just closed: nothing was answered, a transcription has no effect, so once more.
      return await this.#once(question, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#failure(error);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #once({ method, path, headers, body }: Question, signal: AbortSignal): Promise<Answer> {
    const url = new URL(this.#base.href.replace(/\/+$/, '') + path);
    const options: RequestOptions = {
      method,
      agent: this.#agent,
      signal,
      headers: { accept: 'application/json', ...headers, ...(body === null ? {} : { 'content-length': String(body.length) }) },
      ...(this.#external === null ? { lookup: nearLookup } : {}),
    };
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
        readBounded(response).then(
          (bytes) => resolve({ status: response.statusCode ?? 0, json: parsed(bytes) }),
          (error: unknown) => {
            request.destroy();
            reject(error instanceof Error ? error : new Error('broke off'));
          },
        );
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(stale ? new StaleConnection('stale', { cause: error }) : error);
      });
      request.end(body ?? undefined);
    });
  }

  #failure(error: unknown): ParleyError {
    if (error instanceof ParleyError) return error;
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      error instanceof TooLong
        ? `answered with more than ${MAX_ANSWER_BYTES} bytes`
        : `cannot be reached or broke off (${code ?? 'half an answer'})`;
    return new ParleyError('STT_FAILED', `the recogniser at ${this.where} ${why}`, { cause: error });
  }
}

class StaleConnection extends Error {}
class TooLong extends Error {}

async function readBounded(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_ANSWER_BYTES) throw new TooLong('too long');
    parts.push(part);
  }
  if (!response.complete) throw new Error('half an answer');
  return Buffer.concat(parts, length);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
