/** The live events of a running gateway, over its loopback API. */
import { request } from 'node:http';
import type { LiveEvent } from '../call/index.ts';

export type LiveCallEvent = LiveEvent['event'] & { readonly atUs: number };

export interface LiveFeed {
  close(): void;
}

export interface Gateway {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

/** A line longer than this is not one of ours. */
const MAX_LINE = 1 << 20;

/** Resolves when the feed is open. `onEvent` gets every event from then on; `onClose` is told once. */
export function followEvents(
  gateway: Gateway,
  onEvent: (event: LiveCallEvent) => void,
  onClose: () => void = () => undefined,
): Promise<LiveFeed> {
  return new Promise((resolve, reject) => {
    const call = request({ ...gateway, path: '/v1/events', headers: { authorization: `Bearer ${gateway.token}` } }, (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        reject(new Error(`the gateway at ${gateway.host}:${gateway.port} answered ${String(response.statusCode)} to /v1/events`));
        return;
      }
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = (lines.pop() ?? '').slice(0, MAX_LINE);
        for (const line of lines) if (line.startsWith('data: ')) onEvent(JSON.parse(line.slice(6)) as LiveCallEvent);
      });
      response.on('close', onClose);
      resolve({ close: () => call.destroy() });
    });
    call.on('error', reject);
    call.end();
  });
}

/** The health page, or null when nobody answers. */
export function health(
  gateway: Omit<Gateway, 'token'>,
): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> } | null> {
  return new Promise((resolve) => {
    const call = request({ ...gateway, path: '/healthz', timeout: 1000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> }));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(null));
    call.end();
  });
}

/** Asks for an act of the composition root. Errors: those of the connection. */
export function ask(
  { token, ...gateway }: Gateway,
  path: string,
  input: Readonly<Record<string, unknown>>,
): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const call = request({ ...gateway, path, method: 'POST', headers, timeout: 30_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> }));
    });
    call.on('timeout', () => call.destroy(new Error(`the gateway did not answer ${path} in 30 s`)));
    call.on('error', reject);
    call.end(JSON.stringify(input));
  });
}
