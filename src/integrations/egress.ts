/**
 * The one way out to other machines: a host must be listed; its name is resolved once, the address is checked and used for the
 * connection, so that a name cannot point elsewhere a moment later; no redirects; answers are bounded.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { isIP } from 'node:net';
import { isPrivate } from './addresses.ts';
import { NotDone, Refused, TooLarge } from './ports.ts';

export interface Egress {
  /** 'host' or 'host:port'. */
  readonly allow: readonly string[];
  /** Hosts of `allow` that may be in a private network. */
  readonly allowPrivate: readonly string[];
  readonly lookup?: (host: string) => Promise<readonly Address[]>;
}

export interface Address {
  readonly address: string;
  readonly family: number;
}

export interface Request {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** What a configuration names itself: this host alone, wherever it is. */
export function egressTo(...urls: readonly string[]): Egress {
  const hosts = urls.map((url) => new URL(url).host);
  return { allow: hosts, allowPrivate: hosts };
}

/** Errors: Refused (not listed, private), NotDone (nothing was sent), TooLarge; a status is an answer, whatever it is. */
export async function sendPinned(url: URL, request: Request, egress: Egress): Promise<Answer> {
  return exchange(url, request, await addressFor(url, egress));
}

export async function addressFor(url: URL, { allow, allowPrivate, lookup }: Egress): Promise<Address> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isListed = (list: readonly string[]): boolean => list.includes(host) || list.includes(url.host);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Refused('the address is not of HTTP');
  if (!isListed(allow)) throw new Refused('the host is not on the list of hosts that tools may reach');
  const resolve = lookup ?? ((name: string) => systemLookup(name, { all: true }));
  const found = isIP(host) === 0 ? await resolve(host).catch(() => []) : [{ address: host, family: isIP(host) }];
  const [first] = found;
  if (first === undefined) throw new NotDone('the host has no address');
  if (!isListed(allowPrivate) && found.some(({ address }) => isPrivate(address)))
    throw new Refused('the host is in a private network and not listed as such');
  return first;
}

function exchange(url: URL, { method, headers, body, signal, maxBytes }: Request, address: Address): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? secureRequest : plainRequest;
    let isConnected = false;
    const length = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = send(
      url,
      {
        method,
        headers: { ...headers, ...length },
        signal,
        agent: false,
        lookup: (_host, options, done) => {
          if (options.all === true) done(null, [{ ...address }]);
          else done(null, address.address, address.family);
        },
      },
      (answer) => {
        const parts: Buffer[] = [];
        let size = 0;
        answer.on('data', (part: Buffer) => {
          size += part.length;
          parts.push(part);
          if (size <= maxBytes) return;
          answer.destroy();
          reject(new TooLarge('the answer is too large'));
        });
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(parts).toString('utf8') });
        });
        answer.on('error', reject);
        answer.on('close', () => reject(new Error('the answer broke off')));
      },
    );
    sent.on('socket', (socket) => socket.once('connect', () => (isConnected = true)));
    sent.on('error', (error) => reject(isConnected ? error : new NotDone(error.message)));
    sent.end(body ?? undefined);
  });
}
