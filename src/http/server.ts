/**
 * The loopback API: health for a watchdog, open calls and live events for the command line and the console.
 *   GET /healthz     200 or 503, no token
 *   GET /v1/calls    open calls                      bearer token
 *   GET /v1/events   server-sent events, live        bearer token
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { CallRunner, LiveEvent } from '../call/index.ts';
import { type Logger, ParleyError } from '../contracts/index.ts';

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly runner: CallRunner;
  readonly logger: Logger;
  /** Parts of the health answer that the composition root knows. */
  readonly health: () => Readonly<Record<string, boolean | number | string>>;
}

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
  if (request.method !== 'GET') return json(response, 405, { error: 'only GET' });
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

function authorised(request: IncomingMessage, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(`Bearer ${token}`));
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
