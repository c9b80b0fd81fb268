/**
 * The fetch that the packages get: bounded, tied to our signal from the first byte, without redirects, and silent. It also reads the framing
 * (NDJSON or server-sent events) so far that a wrong shape becomes our error here, because the packages would print the text of a broken
 * line to the console, buffer a line without end, or wait for the end of a connection after the end of an answer.
 */
import { ParleyError, type Timers } from '../../contracts/index.ts';
import { brokeBeforeAnswer, statusError, toParleyError } from './failures.ts';

export type Framing = 'ndjson' | 'sse';

export interface TransportOptions {
  readonly framing: Framing;
  /** Engine and host, for messages. */
  readonly where: string;
  /** Aborts the request; without it the signal that the package gives counts. */
  readonly signal?: AbortSignal;
  readonly timers: Timers;
  /** Longest line, in bytes. */
  readonly maxLineBytes?: number;
  /** Longest answer, in bytes. */
  readonly maxBytes?: number;
}

type Fetch = typeof globalThis.fetch;

const LINE_FEED = 10;
/** How long an answered connection may take to end before it is closed by us instead of kept for the next request. */
const DRAIN_MS = 1000;
const MAX_ERROR_BYTES = 16 * 1024;

export function boundedFetch(options: TransportOptions): Fetch {
  return async (input, init) => {
    const signal = options.signal ?? init?.signal ?? null;
    let response: Response;
    try {
      response = await once(input, { ...init, signal, redirect: 'error' });
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw toParleyError(error, options.where);
    }
    if (!response.ok) throw statusError(response.status, await errorWord(response), options.where);
    if (response.body === null) throw new ParleyError('LLM_BAD_OUTPUT', `${options.where} answered without a body`);
    const bounded =
      response.headers.get('content-type')?.startsWith('application/json') === true
        ? whole(response.body, options)
        : lines(response.body, options);
    return new Response(bounded, { status: response.status, headers: response.headers });
  };
}

/** A chat has no effect on the server, so a kept-alive connection that just died is worth one more try. */
async function once(input: Parameters<Fetch>[0], request: RequestInit): Promise<Response> {
  try {
    return await fetch(input, request);
  } catch (error) {
    if (request.signal?.aborted === true || !brokeBeforeAnswer(error)) throw error;
    return await fetch(input, request);
  }
}

/** `type` or `code` of an OpenAI-shaped error body, if it is a plain word. */
async function errorWord(response: Response): Promise<string | null> {
  const bytes = await readUpTo(response.body, MAX_ERROR_BYTES).catch(() => new Uint8Array());
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : null;
  if (typeof error !== 'object' || error === null) return null;
  const word = 'code' in error && typeof error.code === 'string' ? error.code : 'type' in error ? error.type : null;
  return typeof word === 'string' && /^[\w.-]{1,64}$/.test(word) ? word : null;
}

async function readUpTo(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  while (size < limit) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(parts);
    parts.push(value);
    size += value.byteLength;
  }
  await reader.cancel();
  return Buffer.concat(parts).subarray(0, limit);
}

class Limits {
  readonly #options: TransportOptions;
  #total = 0;
  #line = 0;
  constructor(options: TransportOptions) {
    this.#options = options;
  }
  /** Errors: LLM_BAD_OUTPUT when the answer or one line of it is too long. */
  count(chunk: Uint8Array): void {
    const { where, maxBytes = 8 << 20, maxLineBytes = 1 << 20 } = this.#options;
    this.#total += chunk.byteLength;
    const last = chunk.lastIndexOf(LINE_FEED);
    this.#line = last < 0 ? this.#line + chunk.byteLength : chunk.byteLength - 1 - last;
    if (this.#total > maxBytes) throw new ParleyError('LLM_BAD_OUTPUT', `${where} answered with more than ${maxBytes} bytes`);
    if (this.#line > maxLineBytes) throw new ParleyError('LLM_BAD_OUTPUT', `${where} sent a line of more than ${maxLineBytes} bytes`);
  }
}

/** A body that is one JSON value (a list of models, an answer that is not streamed). */
function whole(body: ReadableStream<Uint8Array>, options: TransportOptions): ReadableStream<Uint8Array> {
  const limits = new Limits(options);
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        limits.count(chunk);
        controller.enqueue(chunk);
      },
    }),
  );
}

/** Cuts a stream of bytes into whole lines. */
class LineCutter {
  readonly #decoder = new TextDecoder();
  readonly #rest: string[] = [];

  /** All lines that are whole now, as one string; '' when none is. */
  push(chunk: Uint8Array): string {
    const text = this.#decoder.decode(chunk, { stream: true });
    const end = text.lastIndexOf('\n') + 1;
    const ready = end > 0 ? this.#rest.splice(0).join('') + text.slice(0, end) : '';
    if (end < text.length) this.#rest.push(text.slice(end));
    return ready;
  }

  /** What was left without a line feed. */
  end(): string {
    return this.#rest.splice(0).join('') + this.#decoder.decode();
  }
}

/** Whole lines only; ends at the protocol's last line, and lets the connection go back to the pool by reading on behind the reader's back. */
function lines(body: ReadableStream<Uint8Array>, options: TransportOptions): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const limits = new Limits(options);
  const cutter = new LineCutter();
  const encoder = new TextEncoder();
  const isLast = options.framing === 'ndjson' ? ndjsonLine(options.where) : sseLine;
  const next = async (): Promise<{ ready: string; ended: boolean }> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { ready: cutter.end(), ended: true };
      limits.count(value);
      const ready = cutter.push(value);
      if (ready !== '') return { ready, ended: false };
    }
  };
  let over = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { ready, ended } = over ? { ready: '', ended: true } : await next();
        const last = ready.split('\n').some(isLast);
        if (ready !== '') controller.enqueue(encoder.encode(ready));
        if (!ended && !last) return;
        if (!last && options.framing === 'ndjson') {
          // What came is handed on first: an error throws away what is not yet read.
          over = true;
          if (ready === '') throw new ParleyError('LLM_BAD_OUTPUT', `${options.where} ended its answer without saying that it is done`);
          return;
        }
        controller.close();
        if (!ended) drain(reader, options.timers);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Each line is a JSON object, or it is an error here. True for the line that ends the answer. */
function ndjsonLine(where: string): (line: string) => boolean {
  return (line) => {
    if (line.trim() === '') return false;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new ParleyError('LLM_BAD_OUTPUT', `${where} sent a line that is not JSON`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new ParleyError('LLM_BAD_OUTPUT', `${where} sent a line that is no JSON object`);
    return 'done' in value && value.done === true;
  };
}

function sseLine(line: string): boolean {
  return /^data: ?\[DONE\]/.test(line);
}

/** Reads the little that may follow the last line. What does not end soon is closed. */
function drain(reader: ReadableStreamDefaultReader<Uint8Array>, timers: Timers): void {
  const close = (): void => void reader.cancel().catch(() => undefined);
  const stop = timers.after(DRAIN_MS, close);
  const read = async (): Promise<void> => {
    for (let chunks = 0; chunks < 4; chunks++) if ((await reader.read()).done) return;
    close();
  };
  void read().then(stop, stop);
}
