/**
 * Where an engine may be: on this machine or a private network, else only with a named processor and legal basis. One rule for
 * recognisers, language models and synthesisers; pure, so that each of them can ask it about what a name resolves to.
 * Ranges: RFC 1122 (127/8), RFC 1918, RFC 3927 (169.254/16), RFC 4193 (fc00::/7), RFC 4291 (::1, fe80::/10, IPv4-mapped).
 */
import { ParleyError, type ErrorCode } from './errors.ts';
import type { ExternalProcessor } from './llm.ts';

/** Four numbers, or null for everything that is not an IPv4 address in dotted decimal. */
function ipv4(text: string): readonly number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null;
  const numbers = parts.map(Number);
  return numbers.every((number) => number <= 255) ? numbers : null;
}

/** An address whose last two groups are written as IPv4 in plain groups; null when that part is no IPv4 address. */
function withoutIpv4(address: string): string | null {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (tail === null) return address;
  const [, front = '', back = ''] = tail;
  const numbers = ipv4(back);
  if (numbers === null) return null;
  const [a = 0, b = 0, c = 0, d = 0] = numbers;
  return `${front}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** Eight groups, or null for everything that is not an IPv6 address. A zone (%eth0) is left out. */
function ipv6(text: string): readonly number[] | null {
  const [address = '', zone, ...more] = text.split('%');
  if (zone === '' || more.length > 0) return null;
  const plain = address.includes(':') ? withoutIpv4(address) : null;
  const halves = plain?.split('::') ?? [];
  if (halves.length < 1 || halves.length > 2) return null;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (!groups.flat().every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  const [front = [], back = []] = groups.map((half) => half.map((group) => parseInt(group, 16)));
  const missing = 8 - front.length - back.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  return [...front, ...Array.from({ length: missing }, () => 0), ...back];
}

/** Whether it is a literal address, as it stands in a URL (without brackets) or comes from a resolver. */
export function isAddress(text: string): boolean {
  return ipv4(text) !== null || ipv6(text) !== null;
}

/** True for loopback, link-local and private addresses, IPv4 in IPv6 included. Names and nonsense are not near. */
export function isNear(address: string): boolean {
  const four = ipv4(address);
  if (four !== null) return isNear4(four);
  const six = ipv6(address);
  if (six === null) return false;
  const [first = 0] = six;
  if (six.slice(0, 5).every((group) => group === 0) && six[5] === 0xffff) {
    const [high = 0, low = 0] = six.slice(6);
    return isNear4([high >> 8, high & 255, low >> 8, low & 255]);
  }
  const isLoopback = six.slice(0, 7).every((group) => group === 0) && six[7] === 1;
  return isLoopback || (first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfe80;
}

function isNear4([a = 0, b = 0]: readonly number[]): boolean {
  return a === 127 || a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168) || (a === 169 && b === 254);
}

/** What a kind of engine is called in messages, and its codes. */
export interface EngineWording {
  /** 'a recogniser' */
  readonly what: string;
  /** For a URL that is none of ours. */
  readonly badUrl: ErrorCode;
  /** For a place outside without a named processor. */
  readonly outside: ErrorCode;
}

/** Both fields are there and not blank, or it is null. Errors: `wording.outside`. */
export function checkedProcessor(external: ExternalProcessor | undefined, wording: EngineWording): ExternalProcessor | null {
  if (external === undefined) return null;
  if (external.processor.trim() === '' || external.legalBasis.trim() === '')
    throw new ParleyError(wording.outside, `${wording.what} outside this site needs both processor and legalBasis`);
  return external;
}

/** For engines that are outside wherever their address points: off unless somebody answers for them. Errors: `wording.outside`. */
export function namedProcessor(external: ExternalProcessor | undefined, who: string, wording: EngineWording): ExternalProcessor {
  const checked = checkedProcessor(external, wording);
  if (checked !== null) return checked;
  throw new ParleyError(wording.outside, `${who} is outside this site: name processor and legalBasis for it, or leave it off`);
}

/** The host of a URL as an address or a name, without the brackets of IPv6. */
export function hostOf(url: { readonly hostname: string }): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** All addresses that a host stands for must be near, unless a processor is named. Errors: `wording.outside`. */
export function judgeAddresses(
  host: string,
  addresses: readonly string[],
  external: ExternalProcessor | null,
  wording: EngineWording,
): void {
  if (external !== null || (addresses.length > 0 && addresses.every(isNear))) return;
  throw new ParleyError(
    wording.outside,
    `${host} is not on a private network: name processor and legalBasis for ${wording.what}, or use a local one`,
  );
}

/**
 * http or https, without user or password; https to everybody outside; a literal address must be near unless a processor is named.
 * What a name stands for is judged by `judgeAddresses` at each connection. Errors: `wording.badUrl`, `wording.outside`.
 */
export function checkEngineUrl(
  url: { readonly protocol: string; readonly username: string; readonly password: string; readonly hostname: string },
  external: ExternalProcessor | null,
  wording: EngineWording,
): void {
  const { what, badUrl } = wording;
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new ParleyError(badUrl, `${what} is reached by http or https, not by ${url.protocol}`);
  if (url.username !== '' || url.password !== '')
    throw new ParleyError(badUrl, `the URL of ${what} must not hold a user name or password; use the key file`);
  const host = hostOf(url);
  if (isAddress(host)) judgeAddresses(host, [host], external, wording);
  if (external !== null && url.protocol === 'http:' && !isNear(host) && host !== 'localhost')
    throw new ParleyError(badUrl, `${what} outside this site is reached by https: ${host} would get everything in clear`);
}
