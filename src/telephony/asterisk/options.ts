/** What the Asterisk driver needs to know, checked before anything is connected. */
import { ParleyError } from '../../contracts/index.ts';
import type { Codec, Logger } from '../../contracts/index.ts';

export interface AsteriskOptions {
  /** Where Asterisk's HTTP server is: `http://127.0.0.1:8088`, with its prefix when http.conf sets one. No user in it. */
  readonly url: string;
  /** The name that the dialplan uses: `Stasis(parley,…)`. Also the prefix of our channel and bridge ids. */
  readonly app: string;
  readonly user: string;
  readonly password: string;
  readonly logger: Logger;
  /** How long a call stays without us before Asterisk takes it back (leases.ts); 0 or left out: for ever. */
  readonly leaseSeconds?: number;
  readonly timing?: Partial<AsteriskTiming>;
}

export interface AsteriskTiming {
  /** First and longest wait between two connection attempts. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A ping goes out this often; a socket without any sign of life for `silentMs` is dead: found out within the sum of both. */
  readonly pingMs: number;
  readonly silentMs: number;
  /** Time for an answer to a request, and for a media leg to appear. */
  readonly requestMs: number;
  /** Time for REST over the events socket to answer the first time; after that HTTP is used. */
  readonly probeMs: number;
  /** Wait before taking the application name back from another program that took it. */
  readonly replacedMs: number;
}

export const DEFAULT_TIMING: AsteriskTiming = {
  backoffMinMs: 100,
  backoffMaxMs: 5000,
  pingMs: 1000,
  silentMs: 4000,
  requestMs: 5000,
  probeMs: 1500,
  replacedMs: 30_000,
};

/** Asterisk's base URL without a slash at the end. Error: CONFIG_INVALID. */
export function parseAriUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ParleyError('CONFIG_INVALID', 'The URL of ARI must start with http:// or https://, for example http://127.0.0.1:8088.');
  }
  if (url.username !== '' || url.password !== '') {
    throw new ParleyError('CONFIG_INVALID', 'The URL of ARI must not hold a user or a password: use the keys for them.');
  }
  if (url.search !== '' || url.hash !== '') {
    throw new ParleyError('CONFIG_INVALID', 'The URL of ARI must end after its path: no ? and no #.');
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/ari$/, '')}`;
}

/** The application name becomes part of ids and of dialplan lines. Error: CONFIG_INVALID. */
export function checkApp(app: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_]{0,31}$/.test(app)) {
    throw new ParleyError('CONFIG_INVALID', 'The application name must be 1 to 32 letters, digits or _ and begin with a letter.');
  }
  return app;
}

const TWO_WAY = new Set<string>(['ulaw', 'alaw', 'slin', 'g722'] satisfies Codec[]);
const ONLY_TO_US = new Set<string>(['slin16'] satisfies Codec[]);

/**
 * The format of a media leg as a codec of ours. Over plain RTP Asterisk has no SDP with us: it knows static payload
 * types only, and drops what we send as slin16 or opus without a word. So those are refused here, at configuration time. It sends
 * slin16 to us, and takes a format with a static type for an answer: wideband without a decoder is slin16 in, g722 out.
 * Error: CONFIG_INVALID.
 */
export function checkMediaFormat(format: string, direction: 'receive' | 'send' = 'send'): Codec {
  if (TWO_WAY.has(format) || (direction === 'receive' && ONLY_TO_US.has(format))) return format as Codec;
  throw new ParleyError(
    'CONFIG_INVALID',
    `Media format '${format}' does not work both ways over RTP with Asterisk (its payload type is dynamic, and what we send would be dropped in silence): use ulaw, alaw, slin or g722, and slin16 only for what comes from it.`,
  );
}
