/**
 * One connection to ARI from its opening to its end: the events WebSocket, requests over it (or over HTTP where the
 * Asterisk is too old for that), and the watch for a socket that died without a word. Reconnecting is ari-client's.
 */
import WebSocket from 'ws';
import type { RawData } from 'ws';
import { ParleyError } from '../../contracts/index.ts';
import type { AriEvent } from './ari-types.ts';
import { decodeMessage, encodeRequest, parseBody } from './ari-wire.ts';
import type { AriReply, AriRequest } from './ari-wire.ts';
import type { AsteriskTiming } from './options.ts';

export interface ConnectionOptions {
  readonly url: string;
  readonly app: string;
  readonly user: string;
  readonly password: string;
  readonly timing: AsteriskTiming;
  readonly onEvent: (event: AriEvent) => void;
  readonly onOddity: (what: 'unknownEvents' | 'garbage' | 'strayReplies') => void;
  /** Once, when the connection is over for whatever reason. */
  readonly onClose: (why: string) => void;
}

/** A list of a thousand channels is about 1 MB. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const MAX_PENDING = 4096;

interface Pending {
  readonly resolve: (reply: AriReply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const GOODBYE_MS = 1000;

export class AriConnection {
  readonly #options: ConnectionOptions;
  readonly #authorization: string;
  readonly #socket: WebSocket;
  readonly #pending = new Map<string, Pending>();
  readonly #abort = new AbortController();
  #nextId = 1;
  #viaHttp = false;
  #aliveAt = performance.now();
  #pinger: NodeJS.Timeout | undefined;
  #why = '';
  #closed = false;

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#authorization = `Basic ${Buffer.from(`${options.user}:${options.password}`).toString('base64')}`;
    const query = `app=${encodeURIComponent(options.app)}&subscribeAll=false`;
    this.#socket = new WebSocket(`${options.url.replace(/^http/, 'ws')}/ari/events?${query}`, {
      headers: { authorization: this.#authorization },
      handshakeTimeout: options.timing.requestMs,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
  }

  /** Resolves when the socket is open and a first request was answered. Errors: PBX_AUTH, PBX_LINK_DOWN, PBX_TIMEOUT. */
  static async open(options: ConnectionOptions): Promise<AriConnection> {
    const connection = new AriConnection(options);
    await connection.#handshake();
    return connection;
  }

  get viaHttp(): boolean {
    return this.#viaHttp;
  }

  /** Closes as RFC 6455 wants it; an Asterisk that does not answer is left after a second. */
  async goodbye(): Promise<void> {
    if (this.#closed) return;
    this.#why = 'stopped';
    const socket = this.#socket;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GOODBYE_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.close(1000);
    });
    this.close('stopped');
  }

  close(why: string): void {
    if (this.#closed) return;
    this.#why = why;
    this.#socket.terminate();
    // terminate() reports 'close' only for a socket that had got somewhere.
    this.#end();
  }

  /** Errors: PBX_TIMEOUT, PBX_LINK_DOWN. An error status is a reply like any other. */
  request(request: AriRequest): Promise<AriReply> {
    if (this.#closed) return Promise.reject(this.#down());
    return this.#viaHttp ? this.#overHttp(request) : this.#overSocket(request, this.#options.timing.requestMs);
  }

  #handshake(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      socket.on('unexpected-response', (request, response) => {
        request.destroy();
        const status = response.statusCode ?? 0;
        const refused = status === 401 || status === 403;
        reject(
          refused
            ? new ParleyError('PBX_AUTH', `Asterisk refused the user name or the password of ARI (status ${status}).`)
            : new ParleyError('PBX_LINK_DOWN', `Asterisk answered ${status} to the request for events.`),
        );
        this.close('handshake refused');
      });
      socket.on('error', (error) => {
        this.#why = error.message;
        reject(new ParleyError('PBX_LINK_DOWN', `No connection to Asterisk: ${error.message}.`, { cause: error }));
      });
      socket.on('close', (code) => {
        if (this.#why === '') this.#why = `closed by Asterisk (${code})`;
        reject(this.#down());
        this.#end();
      });
      socket.on('message', (data, binary) => this.#receive(data, binary));
      socket.on('pong', () => (this.#aliveAt = performance.now()));
      socket.once('open', () => {
        this.#watch();
        this.#probe().then(resolve, reject);
      });
    });
  }

  /** Asterisk before 22.5, 21.10 and 20.15 does not answer on the socket: then HTTP it is. */
  async #probe(): Promise<void> {
    const request: AriRequest = { method: 'GET', target: '/asterisk/ping' };
    try {
      await this.#overSocket(request, this.#options.timing.probeMs);
    } catch (error) {
      if (this.#closed) throw error;
      await this.#overHttp(request);
      this.#viaHttp = true;
    }
  }

  #watch(): void {
    const { pingMs, silentMs } = this.#options.timing;
    this.#aliveAt = performance.now();
    this.#pinger = setInterval(() => {
      if (performance.now() - this.#aliveAt > silentMs) this.close('no sign of life from Asterisk');
      else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
    }, pingMs);
  }

  #receive(data: RawData, binary: boolean): void {
    if (this.#closed) return;
    this.#aliveAt = performance.now();
    const message = binary ? ({ t: 'garbage' } as const) : decodeMessage(textOf(data));
    switch (message.t) {
      case 'event':
        this.#options.onEvent(message.event);
        return;
      case 'reply':
        this.#settle(message.requestId, message.reply);
        return;
      case 'unknown-event':
        this.#options.onOddity('unknownEvents');
        return;
      case 'garbage':
        this.#options.onOddity('garbage');
    }
  }

  #settle(requestId: string, reply: AriReply): void {
    const pending = this.#pending.get(requestId);
    if (pending === undefined) {
      // An answer after its timeout, or to nothing we asked.
      this.#options.onOddity('strayReplies');
      return;
    }
    this.#pending.delete(requestId);
    clearTimeout(pending.timer);
    pending.resolve(reply);
  }

  #overSocket(request: AriRequest, timeoutMs: number): Promise<AriReply> {
    if (this.#pending.size >= MAX_PENDING) {
      return Promise.reject(new ParleyError('PBX_TIMEOUT', `${MAX_PENDING} requests to Asterisk wait for an answer: it is overloaded.`));
    }
    const requestId = String(this.#nextId++);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(requestId);
        reject(timeoutError(request, timeoutMs));
      }, timeoutMs);
      this.#pending.set(requestId, { resolve, reject, timer });
      this.#socket.send(encodeRequest(requestId, request));
    });
  }

  async #overHttp(request: AriRequest): Promise<AriReply> {
    const { url, timing } = this.#options;
    const signal = AbortSignal.any([AbortSignal.timeout(timing.requestMs), this.#abort.signal]);
    try {
      const response = await fetch(`${url}/ari${request.target}`, {
        method: request.method,
        headers: { authorization: this.#authorization },
        redirect: 'error',
        signal,
      });
      return { status: response.status, reason: response.statusText, body: parseBody(await response.text()) };
    } catch (error) {
      if (this.#closed) throw this.#down();
      if (signal.aborted) throw timeoutError(request, timing.requestMs);
      throw new ParleyError('PBX_LINK_DOWN', 'Asterisk could not be reached over HTTP.', { cause: error });
    }
  }

  #down(): ParleyError {
    return new ParleyError('PBX_LINK_DOWN', `The connection to Asterisk is down${this.#why === '' ? '' : `: ${this.#why}`}.`);
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#pinger);
    this.#abort.abort();
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(this.#down());
    }
    this.#pending.clear();
    this.#options.onClose(this.#why);
  }
}

function timeoutError(request: AriRequest, timeoutMs: number): ParleyError {
  const path = request.target.split('?')[0] ?? '';
  return new ParleyError('PBX_TIMEOUT', `Asterisk did not answer ${request.method} ${path} within ${timeoutMs} ms; it may have done it.`);
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return Buffer.isBuffer(data) ? data.toString('utf8') : Buffer.from(data).toString('utf8');
}
