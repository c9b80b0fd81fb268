/**
 * The loopback API: health for a watchdog, open calls and live events for the command line and the console.
 *   GET /healthz     200 or 503, no token
 *   GET /v1/calls    open calls                      bearer token
 *   GET /v1/events   server-sent events, live        bearer token
 *   POST /v1/...     acts of the composition root    bearer token, JSON in and out
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { CallRunner, LiveEvent } from '../call/index.ts';
import { type Logger, ParleyError } from '../contracts/index.ts';

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly runner: Pick<CallRunner, 'linkUp' | 'openCalls' | 'watch'>;
  readonly logger: Logger;
  /** By path. An act gets the JSON object of the request; what it returns is the answer. */
  readonly acts?: Readonly<Record<string, Act>>;
  /** Parts of the health answer that the composition root knows. */
  readonly health: () => Readonly<Record<string, boolean | number | string>>;
}

/** Errors: ParleyError becomes 400 (CONFIG_INVALID), 503 (retryable) or 409; anything else 500. */
export type Act = (input: Readonly<Record<string, unknown>>) => Promise<unknown>;

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A watcher that does not read is cut off rather than buffered without end. */
const MAX_BACKLOG_BYTES = 1 << 20;

/** Errors: PORT_IN_USE. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const watchers = new Set<ServerResponse>();
  const server = createServer((request, response) => route(request, response, options, watchers));
  server.headersTimeout = 5000;
  server.requestTimeout = 10_000;
  await listen(server, options);
  const stopWatching = options.runner.watch((event) => broadcast(watchers, event));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        stopWatching();
        for (const watcher of watchers) watcher.end();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(taken ? new ParleyError('PORT_IN_USE', `http: ${host}:${port} is in use; change http.port or stop the other program`) : error);
    });
    server.listen(port, host, resolve);
  });
}

function broadcast(watchers: ReadonlySet<ServerResponse>, event: LiveEvent): void {
  if (watchers.size === 0) return;
  const line = `data: ${JSON.stringify({ atUs: event.atUs, ...event.event })}\n\n`;
  for (const watcher of watchers) {
    if (watcher.writableLength > MAX_BACKLOG_BYTES) watcher.destroy();
    else watcher.write(line);
  }
}

function route(request: IncomingMessage, response: ServerResponse, options: HttpOptions, watchers: Set<ServerResponse>): void {
  const path = (request.url ?? '').split('?')[0];
  if (request.method === 'POST') {
    void act(request, response, options, path ?? '');
    return;
  }
  if (request.method !== 'GET') return json(response, 405, { error: 'only GET and POST' });
  if (path === '/healthz') {
    const health = { pbx: options.runner.linkUp, calls: options.runner.openCalls().length, ...options.health() };
    return json(response, options.runner.linkUp ? 200 : 503, health);
  }
  if (!authorised(request, options.token)) return json(response, 401, { error: 'bearer token missing or wrong' });
  if (path === '/v1/calls') return json(response, 200, options.runner.openCalls());
  if (path === '/v1/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': live\n\n');
    watchers.add(response);
    response.on('close', () => watchers.delete(response));
    return;
  }
  json(response, 404, { error: 'no such page' });
}

async function act(request: IncomingMessage, response: ServerResponse, options: HttpOptions, path: string): Promise<void> {
  try {
    if (!authorised(request, options.token)) {
      json(response, 401, { error: 'bearer token missing or wrong' });
      return;
    }
    const perform = Object.hasOwn(options.acts ?? {}, path) ? options.acts?.[path] : undefined;
    if (perform === undefined) {
      json(response, 404, { error: 'no such act' });
      return;
    }
    const input = await readObject(request);
    if (input === null) {
      json(response, 400, { error: `expected a JSON object of at most ${MAX_BODY_BYTES} bytes` });
      return;
    }
    json(response, 200, await perform(input));
  } catch (error) {
    const known = error instanceof ParleyError;
    if (!known) options.logger.error('an act failed', { path, reason: error instanceof Error ? error.message : 'unknown' });
    const status = !known ? 500 : error.code === 'CONFIG_INVALID' ? 400 : error.retryable ? 503 : 409;
    json(response, status, known ? { code: error.code, error: error.message } : { error: 'failed; see the log' });
  }
}

const MAX_BODY_BYTES = 64 * 1024;

/** Null for what is no JSON object, or too large. */
async function readObject(request: IncomingMessage): Promise<Record<string, unknown> | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) return null;
    parts.push(part);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function authorised(request: IncomingMessage, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(`Bearer ${token}`));
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
