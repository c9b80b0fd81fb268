/** A thin client of the Model Context Protocol (JSON-RPC 2.0, protocol 2025-06-18) over stdio and streamable HTTP: initialize and tools/call. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { type Answer, type Egress, egressTo, sendPinned } from './egress.ts';
import { MAX_RESULT_BYTES, NotDone, Refused, type ToolAdapter, TooLarge } from './ports.ts';

const PROTOCOL = '2025-06-18';

export type McpServer =
  | { readonly t: 'stdio'; readonly command: string; readonly args: readonly string[] }
  | {
      readonly t: 'http';
      readonly url: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Its own host, wherever that is, when left out. */
      readonly egress?: Egress;
    };

interface Connection {
  request(method: string, params: unknown, signal: AbortSignal): Promise<unknown>;
  close(): void;
}

/** A greeting takes no longer than this, whoever waits for it. */
const GREETING_MS = 5000;
/** One that ends again and again is not started more often than this. */
const RESTART_MS = 1000;

/** One connection per server, opened at the first call and again after it died: the call under way fails, the next one finds it back. */
export class McpClients {
  readonly #servers: Readonly<Record<string, McpServer>>;
  readonly #open = new Map<string, Promise<Connection>>();
  readonly #startedMs = new Map<string, number>();

  constructor(servers: Readonly<Record<string, McpServer>>) {
    this.#servers = servers;
  }

  readonly adapter: ToolAdapter = async ({ target, arguments: given, signal }) => {
    if (target.t !== 'mcp') throw new Refused('this is no MCP tool');
    const connection = await this.#connection(target.server);
    return dataOf(await connection.request('tools/call', { name: target.tool, arguments: given }, signal));
  };

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const connection of await Promise.allSettled(open)) if (connection.status === 'fulfilled') connection.value.close();
  }

  async #connection(name: string): Promise<Connection> {
    const server = Object.hasOwn(this.#servers, name) ? this.#servers[name] : undefined;
    if (server === undefined) throw new Refused('there is no such MCP server');
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const forget = (): void => {
      this.#open.delete(name);
    };
    const nowMs = performance.now();
    if (nowMs - (this.#startedMs.get(name) ?? -RESTART_MS) < RESTART_MS)
      throw new NotDone(`the MCP server '${name}' has just ended; it is started again in a moment`);
    this.#startedMs.set(name, nowMs);
    const signal = AbortSignal.timeout(GREETING_MS);
    const opening = (async () => {
      const connection = server.t === 'stdio' ? new StdioConnection(server, forget) : new HttpConnection(server, forget);
      const hello = { protocolVersion: PROTOCOL, capabilities: {}, clientInfo: { name: 'parley', version: '1' } };
      try {
        await connection.request('initialize', hello, signal);
        await connection.notify('notifications/initialized');
      } catch (error) {
        connection.close();
        if (error instanceof Refused) throw error;
        throw new NotDone(`the MCP server '${name}' cannot be reached: ${error instanceof Error ? error.message : 'no connection'}`);
      }
      return connection;
    })();
    this.#open.set(name, opening);
    opening.catch(forget);
    return opening;
  }
}

/** Structured content, or text that is a JSON object. */
function dataOf(result: unknown): unknown {
  const { structuredContent, content, isError } = (result ?? {}) as { structuredContent?: unknown; content?: unknown; isError?: unknown };
  if (isError === true) throw new Refused('the MCP tool reported an error');
  if (structuredContent !== undefined) return structuredContent;
  const parts: readonly unknown[] = Array.isArray(content) ? content : [];
  const text = (parts.find((part) => (part as { type?: unknown }).type === 'text') as { text?: unknown } | undefined)?.text;
  if (typeof text !== 'string') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return { text };
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

class StdioConnection implements Connection {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #rest = '';

  constructor(server: Extract<McpServer, { t: 'stdio' }>, onEnd: () => void) {
    this.#child = spawn(server.command, [...server.args], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child.stdout.setEncoding('utf8');
    this.#child.stdout.on('data', (text: string) => this.#read(text));
    const end = (): void => {
      onEnd();
      for (const { reject } of this.#waiting.values()) reject(new Error('the MCP server has ended'));
      this.#waiting.clear();
    };
    this.#child.on('error', end);
    this.#child.on('close', end);
    this.#child.stdin.on('error', end);
  }

  request(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      signal.addEventListener(
        'abort',
        () => {
          if (this.#waiting.delete(id)) reject(new Error('given up'));
        },
        { once: true },
      );
      this.#send({ jsonrpc: '2.0', id, method, params });
    });
  }

  notify(method: string): Promise<void> {
    this.#send({ jsonrpc: '2.0', method });
    return Promise.resolve();
  }

  close(): void {
    this.#child.stdin.end();
    this.#child.kill();
  }

  #send(message: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #read(text: string): void {
    this.#rest += text;
    if (this.#rest.length > 2 * MAX_RESULT_BYTES) {
      this.#rest = '';
      for (const { reject } of this.#waiting.values()) reject(new TooLarge('the answer is too large'));
      this.#waiting.clear();
      this.close();
      return;
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = parsed(line);
      const waiting = typeof message?.id === 'number' ? this.#waiting.get(message.id) : undefined;
      if (message === null || waiting === undefined || typeof message.id !== 'number') continue;
      this.#waiting.delete(message.id);
      settle(message, waiting);
    }
  }
}

class HttpConnection implements Connection {
  readonly #server: Extract<McpServer, { t: 'http' }>;
  readonly #url: URL;
  readonly #egress: Egress;
  readonly #forget: () => void;
  #session: string | null = null;
  #next = 1;

  constructor(server: Extract<McpServer, { t: 'http' }>, forget: () => void) {
    this.#server = server;
    this.#url = new URL(server.url);
    this.#egress = server.egress ?? egressTo(server.url);
    this.#forget = forget;
  }

  async request(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    const id = this.#next++;
    const { text, headers } = await this.#post({ jsonrpc: '2.0', id, method, params }, signal);
    const isStream = headers['content-type']?.includes('text/event-stream') === true;
    const messages = isStream ? text.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5)] : [])) : [text];
    const message = messages.map(parsed).find((one) => one?.id === id);
    if (message === undefined || message === null) throw new Error('no answer in what the MCP server sent');
    return new Promise((resolve, reject) => settle(message, { resolve, reject }));
  }

  async notify(method: string): Promise<void> {
    await this.#post({ jsonrpc: '2.0', method }, AbortSignal.timeout(3000));
  }

  close(): void {
    // The session ends by itself on the server.
    this.#session = null;
  }

  async #post(message: unknown, signal: AbortSignal): Promise<Answer> {
    const hadSession = this.#session !== null;
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': PROTOCOL,
      ...this.#server.headers,
      ...(this.#session === null ? {} : { 'mcp-session-id': this.#session }),
    };
    const request = { method: 'POST', headers, body: JSON.stringify(message), signal, maxBytes: MAX_RESULT_BYTES };
    const answer = await sendPinned(this.#url, request, this.#egress);
    if (answer.status === 404 && hadSession) {
      // It was restarted and does not know us any more: nothing was done, the next call greets it anew.
      this.#forget();
      throw new NotDone('the MCP server has forgotten the session');
    }
    if (answer.status < 200 || answer.status > 299) throw new Error(`status ${answer.status}`);
    const session = answer.headers['mcp-session-id'];
    this.#session = typeof session === 'string' ? session : this.#session;
    return answer;
  }
}

interface Message {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

function parsed(text: string): Message | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

function settle(message: Message, { resolve, reject }: Waiting): void {
  // The server's own words may hold anything: they are not passed on.
  if (message.error !== undefined) reject(new Refused('the MCP server answered with an error'));
  else resolve(message.result);
}
