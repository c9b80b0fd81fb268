/**
 * Calls of HTTP tools. A host must be on the list; its address is resolved once, checked and used for the connection, so that a name cannot
 * point elsewhere a moment later. No redirects, 64 KiB at most.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { isIP } from 'node:net';
import type { ToolValue } from '../contracts/index.ts';
import { isPrivate } from './addresses.ts';
import { MAX_RESULT_BYTES, NotDone, Refused, type ToolAdapter, TooLarge } from './ports.ts';

export interface HttpToolOptions {
  /** 'host' or 'host:port'. */
  readonly allow: readonly string[];
  /** Hosts of `allow` that may be in a private network. */
  readonly allowPrivate: readonly string[];
  /** Headers by host: keys and tokens, from secret files. */
  readonly headers?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly lookup?: (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;
}

export function httpTools(options: HttpToolOptions): ToolAdapter {
  const lookup = options.lookup ?? ((host: string) => systemLookup(host, { all: true }));
  return async ({ target, arguments: given, idempotencyKey, signal }) => {
    if (target.t !== 'http') throw new Refused('this is no HTTP tool');
    const { url, rest } = filled(target.url, given);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const isListed = (list: readonly string[]): boolean => list.includes(host) || list.includes(url.host);
    if (!isListed(options.allow)) throw new Refused('the host is not on the list of hosts that tools may reach');
    const address = await addressOf(host, lookup, isListed(options.allowPrivate));
    const hasBody = target.method !== 'GET' && target.method !== 'DELETE';
    if (!hasBody) for (const [name, value] of Object.entries(rest)) url.searchParams.set(name, String(value));
    const body = hasBody ? JSON.stringify(rest) : null;
    const headers = {
      accept: 'application/json',
      'idempotency-key': idempotencyKey,
      ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
      ...(options.headers?.[url.host] ?? options.headers?.[host]),
    };
    return JSON.parse(await exchange(url, { method: target.method, headers, body, address, signal })) as unknown;
  };
}

/** Arguments fill their places in the path, percent-encoded; the others are left for query or body. */
function filled(template: string, given: Readonly<Record<string, ToolValue>>): { url: URL; rest: Record<string, ToolValue> } {
  const rest = { ...given };
  const text = template.replace(/\{([a-z0-9_]+)\}/g, (_, name: string) => {
    const value = String(given[name] ?? '');
    rest[name] = '';
    // A part of a path that is only dots would climb.
    if (/^\.*$/.test(value)) throw new Refused('an argument is no part of an address');
    return encodeURIComponent(value);
  });
  const used = new Set([...template.matchAll(/\{([a-z0-9_]+)\}/g)].map(([, name]) => name));
  return { url: new URL(text), rest: Object.fromEntries(Object.entries(rest).filter(([name]) => !used.has(name))) };
}

async function addressOf(
  host: string,
  lookup: NonNullable<HttpToolOptions['lookup']>,
  mayBePrivate: boolean,
): Promise<{ address: string; family: number }> {
  const found = isIP(host) === 0 ? await lookup(host).catch(() => []) : [{ address: host, family: isIP(host) }];
  const [first] = found;
  if (first === undefined) throw new NotDone('the host has no address');
  if (!mayBePrivate && found.some(({ address }) => isPrivate(address)))
    throw new Refused('the host is in a private network and not listed as such');
  return first;
}

interface Exchange {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly address: { readonly address: string; readonly family: number };
  readonly signal: AbortSignal;
}

export function exchange(url: URL, { method, headers, body, address, signal }: Exchange): Promise<string> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? secureRequest : plainRequest;
    let isConnected = false;
    const sent = send(
      url,
      {
        method,
        headers,
        signal,
        agent: false,
        lookup: (_host, options, done) => {
          if (options.all === true) done(null, [{ ...address }]);
          else done(null, address.address, address.family);
        },
      },
      (answer) => {
        const status = answer.statusCode ?? 0;
        if (status < 200 || status > 299) {
          answer.destroy();
          reject(
            status >= 300 && status < 500 && status !== 429 && status !== 408
              ? new Refused(`status ${status}`)
              : new Error(`status ${status}`),
          );
          return;
        }
        const parts: Buffer[] = [];
        let size = 0;
        answer.on('data', (part: Buffer) => {
          size += part.length;
          parts.push(part);
          if (size <= MAX_RESULT_BYTES) return;
          answer.destroy();
          reject(new TooLarge('the answer is too large'));
        });
        answer.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
        answer.on('error', reject);
      },
    );
    sent.on('socket', (socket) => socket.once('connect', () => (isConnected = true)));
    sent.on('error', (error) => reject(isConnected ? error : new NotDone(error.message)));
    sent.end(body ?? undefined);
  });
}
