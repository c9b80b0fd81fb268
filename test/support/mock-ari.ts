/** A small ARI of our own: it answers as told, says what it was asked, and can be cut, so that every failure can be had at will. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

export interface MockAri {
  readonly url: string;
  readonly requests: { method: string; uri: string; via: 'socket' | 'http' }[];
  readonly urls: string[];
  /** Answers by `METHOD path`; undefined = no answer at all. */
  answer: (method: string, path: string) => { status: number; body?: unknown } | undefined;
  password: string;
  /** An Asterisk that does not know REST over the events socket. */
  old: boolean;
  send(message: unknown): void;
  drop(): void;
  readonly connections: number;
}

export async function mockAri(t: { teardown: (fn: () => unknown) => void }): Promise<MockAri> {
  const sockets = new WebSocketServer({ noServer: true });
  let current: WebSocket | undefined;
  let connections = 0;
  const allowed = (request: IncomingMessage): boolean =>
    request.headers.authorization === `Basic ${Buffer.from(`parley:${mock.password}`).toString('base64')}`;
  const mock: MockAri = {
    url: '',
    requests: [],
    urls: [],
    password: 'right',
    old: false,
    answer: (_, path) => {
      if (path === '/asterisk/info') return { status: 200, body: { system: { version: '22.0.0' } } };
      if (path === '/channels' || path === '/bridges') return { status: 200, body: [] };
      return { status: 204 };
    },
    send: (message) => current?.send(typeof message === 'string' ? message : JSON.stringify(message)),
    drop: () => current?.terminate(),
    get connections() {
      return connections;
    },
  };
  const reply = (method: string, uri: string, via: 'socket' | 'http') => {
    mock.requests.push({ method, uri, via });
    return mock.answer(method, uri.split('?')[0] ?? '');
  };
  const server: Server = createServer((request: IncomingMessage, response: ServerResponse) => {
    mock.urls.push(request.url ?? '');
    if (!allowed(request)) return response.writeHead(401).end();
    const found = reply(request.method ?? '', (request.url ?? '').replace(/^\/ari/, ''), 'http');
    if (found !== undefined) response.writeHead(found.status).end(found.body === undefined ? '' : JSON.stringify(found.body));
    return undefined;
  });
  server.on('upgrade', (request, socket, head) => {
    mock.urls.push(request.url ?? '');
    if (!allowed(request)) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, (ws) => {
      connections++;
      current = ws;
      ws.on('message', (data: Buffer) => {
        if (mock.old) return;
        const asked = JSON.parse(data.toString()) as { request_id: string; method: string; uri: string };
        const found = reply(asked.method, `/${asked.uri}`, 'socket');
        if (found === undefined) return;
        const body = found.body === undefined ? {} : { message_body: JSON.stringify(found.body) };
        ws.send(
          JSON.stringify({ type: 'RESTResponse', request_id: asked.request_id, status_code: found.status, reason_phrase: '', ...body }),
        );
      });
    });
    return undefined;
  });
  await new Promise<void>((ok) => server.listen(0, '127.0.0.1', ok));
  t.teardown(() => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(mock, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
