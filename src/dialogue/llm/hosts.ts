/**
 * Where a language model may be: on this machine or a private network, else only with a named processor and legal basis.
 * Ranges: RFC 1122 (127/8), RFC 1918, RFC 3927 (169.254/16), RFC 4193 (fc00::/7), RFC 4291 (::1, fe80::/10).
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { ParleyError, type ExternalProcessor } from '../../contracts/index.ts';

const near = new BlockList();
for (const [address, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const) {
  near.addSubnet(address, bits, 'ipv4');
}
for (const [address, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  near.addSubnet(address, bits, 'ipv6');

/** True for loopback, link-local and private addresses, IPv4 in IPv6 included. */
export function isNear(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && near.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** All addresses of a name. */
export type Resolve = (name: string) => Promise<readonly string[]>;

const systemResolve: Resolve = async (name) => (await lookup(name, { all: true })).map((entry) => entry.address);

/**
 * The rule for one server. A literal address is judged at once, a name each time `check` is called: at start and when a call warms its
 * prompt, because what a name points to may change, and in any case before the first request.
 */
export class HostRule {
  readonly #host: string;
  readonly #external: ExternalProcessor | null;
  readonly #resolve: Resolve;
  #known = false;

  /** Errors: LLM_EXTERNAL for a literal address that is not near, LLM_REFUSED for a URL that is none of ours. */
  constructor(url: URL, external: ExternalProcessor | null, resolve: Resolve = systemResolve) {
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new ParleyError('LLM_REFUSED', `a language model is reached by http or https, not by ${url.protocol}`);
    if (url.username !== '' || url.password !== '')
      throw new ParleyError('LLM_REFUSED', 'the URL of a language model must not hold a user name or password; use the key file');
    this.#host = url.hostname.replace(/^\[|\]$/g, '');
    this.#external = external;
    this.#resolve = resolve;
    if (isIP(this.#host) !== 0) this.#judge([this.#host]);
  }

  /** Nothing is sent to a name that was never judged. */
  async ensure(): Promise<void> {
    if (!this.#known) await this.check();
  }

  async check(): Promise<void> {
    this.#known = false;
    await this.#checkName();
    this.#known = true;
  }

  async #checkName(): Promise<void> {
    if (this.#external !== null || isIP(this.#host) !== 0) return;
    let addresses: readonly string[];
    try {
      addresses = await this.#resolve(this.#host);
    } catch {
      throw new ParleyError('LLM_FAILED', `the name ${this.#host} of a language model cannot be resolved`);
    }
    this.#judge(addresses);
  }

  #judge(addresses: readonly string[]): void {
    if (this.#external !== null || (addresses.length > 0 && addresses.every(isNear))) return;
    throw new ParleyError(
      'LLM_EXTERNAL',
      `${this.#host} is not on a private network: name processor and legalBasis for this engine, or use a local server`,
    );
  }
}

/** Both fields are there and not blank, or it is null. Errors: LLM_EXTERNAL. */
export function checkedProcessor(external: ExternalProcessor | undefined): ExternalProcessor | null {
  if (external === undefined) return null;
  if (external.processor.trim() === '' || external.legalBasis.trim() === '') {
    throw new ParleyError('LLM_EXTERNAL', 'an external language model needs both processor and legalBasis');
  }
  return external;
}
