/**
 * What all engine servers share: loopback, a free port, one JSON line when ready, the call in the path, and a control door for tests:
 *   PUT  /_control/calls/ID            the script (JSON of calls.ts)
 *   GET  /_control/calls/ID            what was seen
 *   GET  /_control/calls/ID/N?state=closed | ?parts=3   waits until request N is so far
 *   POST /_control/calls/ID/release    lets held answers go on
 * Ends when its standard input ends, so that no server outlives who started it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Calls, type Call, type RequestState, type Script } from './calls.ts';
import { PROFILES, type Profile } from './draws.ts';
import { SharedServer } from './queue.ts';

export interface Setting {
  readonly profile: Profile;
  readonly queue: SharedServer;
  readonly options: Readonly<Record<string, string | undefined>>;
}

export interface Exchange {
  readonly call: Call;
  /** Path after /call/ID, without the query. */
  readonly path: string;
  readonly method: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly setting: Setting;
}

const MAX_BODY_BYTES = 64 << 20;

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new Error('body too large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Starts the server of this process. Options: --seed N --profile A|B|C|D|none --capacity C, and what the server itself knows. */
export function serve(name: string, defaultCapacity: number, handle: (exchange: Exchange) => Promise<void>): void {
  const { values } = parseArgs({
    strict: false,
    options: { seed: { type: 'string' }, profile: { type: 'string' }, capacity: { type: 'string' } },
  });
  const options = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));
  const profile = PROFILES[options['profile'] ?? 'none'];
  if (profile === undefined) throw new Error(`unknown profile; known: ${Object.keys(PROFILES).join(', ')}`);
  const setting = { profile, queue: new SharedServer(Number(options['capacity'] ?? defaultCapacity)), options };
  const calls = new Calls(Number(options['seed'] ?? 1));
  const server = createServer((request, response) => {
    response.socket?.setNoDelay(true);
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://loopback');
    const control = /^\/_control\/calls\/([^/]+)(\/.*)?$/.exec(pathname);
    const work =
      control === null
        ? handle(exchangeOf(calls, pathname, request, response, setting))
        : steer(calls.of(control[1] ?? ''), control[2] ?? '', searchParams, request, response);
    work.catch((error: unknown) => {
      if (!response.headersSent) sendJson(response, 500, { error: error instanceof Error ? error.message : 'failed' });
      else response.destroy();
    });
  });
  // A bench of minutes must not lose its connections to a pause.
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () =>
    console.log(JSON.stringify({ ready: true, server: name, port: (server.address() as AddressInfo).port })),
  );
  process.stdin.resume().on('end', () => process.exit(0));
}

function exchangeOf(calls: Calls, pathname: string, request: IncomingMessage, response: ServerResponse, setting: Setting): Exchange {
  const named = /^\/call\/([^/]+)(\/.*)$/.exec(pathname);
  return {
    call: calls.of(named?.[1] ?? 'default'),
    path: named?.[2] ?? pathname,
    method: request.method ?? 'GET',
    request,
    response,
    setting,
  };
}

async function steer(call: Call, rest: string, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'PUT') {
    call.set(JSON.parse((await readBody(request)).toString()) as Script);
    sendJson(response, 200, {});
    return;
  }
  if (rest === '/release') {
    call.release();
    sendJson(response, 200, {});
    return;
  }
  if (rest === '') {
    sendJson(response, 200, { requests: call.requests });
    return;
  }
  const parts = query.get('parts');
  const seen = await call.until(Number(rest.slice(1)), parts === null ? ((query.get('state') ?? 'open') as RequestState) : Number(parts));
  sendJson(response, 200, seen);
}
