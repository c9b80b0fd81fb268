/**
 * Where a recogniser may be: on this machine or a private network, else only with a named processor and legal basis. A name is judged by
 * what it resolves to at every new connection, so that a name cannot begin to point elsewhere.
 * Ranges: RFC 1122 (127/8), RFC 1918, RFC 3927 (169.254/16), RFC 4193 (fc00::/7), RFC 4291 (::1, fe80::/10).
 */
import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ParleyError, type ExternalProcessor } from '../../contracts/index.ts';

const near = new BlockList();
for (const [address, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const)
  near.addSubnet(address, bits, 'ipv4');
for (const [address, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  near.addSubnet(address, bits, 'ipv6');

export function isNear(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && near.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

const refusal = (host: string): ParleyError =>
  new ParleyError(
    'ENGINE_EXTERNAL',
    `${host} is not on a private network: name processor and legalBasis for this recogniser, or use a local one`,
  );

/** Both fields are there and not blank, or it is null. Errors: ENGINE_EXTERNAL. */
export function checkedProcessor(external: ExternalProcessor | undefined): ExternalProcessor | null {
  if (external === undefined) return null;
  if (external.processor.trim() === '' || external.legalBasis.trim() === '')
    throw new ParleyError('ENGINE_EXTERNAL', 'an external recogniser needs both processor and legalBasis');
  return external;
}

/** Errors: CONFIG_INVALID for a URL that is none of ours, ENGINE_EXTERNAL for a literal address that is not near. */
export function checkedUrl(text: string, external: ExternalProcessor | null): URL {
  if (!URL.canParse(text)) throw new ParleyError('CONFIG_INVALID', 'the address of a recogniser is no URL, as in "http://127.0.0.1:8080"');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new ParleyError('CONFIG_INVALID', `a recogniser is reached by http or https, not by ${url.protocol}`);
  if (url.username !== '' || url.password !== '')
    throw new ParleyError('CONFIG_INVALID', 'the URL of a recogniser must not hold a user name or password; use the key file');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (external === null && isIP(host) !== 0 && !isNear(host)) throw refusal(host);
  if (external !== null && url.protocol === 'http:' && !isNear(host) && host !== 'localhost')
    throw new ParleyError('CONFIG_INVALID', `an external recogniser is reached by https: ${url.host} would get callers' voices in clear`);
  return url;
}

/** For connections without a named processor: a name that points outside gets none. */
export const nearLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '', 0);
      return;
    }
    const [first] = addresses;
    if (first === undefined || !addresses.every(({ address }) => isNear(address))) {
      callback(refusal(hostname), '', 0);
      return;
    }
    if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};
