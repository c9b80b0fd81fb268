import { BlockList, isIP } from 'node:net';

export interface Destination {
  /** A name or an address, in small letters. */
  readonly host: string;
  readonly port: number;
  /** The key of the configuration, or the flow, that wants it. */
  readonly for: string;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('0.0.0.0');
loopback.addAddress('::1', 'ipv6');
loopback.addAddress('::', 'ipv6');

/** True for what does not leave this machine. An IPv4 address may be written as IPv6 (::ffff:127.0.0.1). */
export function isLocal(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

export const bareHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'ws:': 80, 'wss:': 443 };

/** Every value below `value` that is as a whole a URL to connect to, by its path. A host that is filled in later is none. */
export function urlsIn(value: unknown, path: string): readonly Destination[] {
  if (typeof value === 'string') {
    const url = /^(https?|wss?):\/\/[^\s{}/]+(\/\S*)?$/i.test(value) && URL.canParse(value) ? new URL(value) : null;
    return url === null ? [] : [{ host: bareHost(url.hostname), port: Number(url.port) || (PORTS[url.protocol] ?? 0), for: path }];
  }
  if (value instanceof Map) return [...value].flatMap(([key, inner]) => urlsIn(inner, `${path}.${String(key)}`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => urlsIn(inner, path === '' ? key : `${path}.${key}`));
}
