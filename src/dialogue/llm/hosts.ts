/** Where a language model may be, by the rule of contracts/hosts.ts; names are resolved here. */
import { lookup } from 'node:dns/promises';
import {
  checkedProcessor as checked,
  checkEngineUrl,
  hostOf,
  isAddress,
  judgeAddresses,
  ParleyError,
  type EngineWording,
  type ExternalProcessor,
} from '../../contracts/index.ts';

const WORDING: EngineWording = { what: 'a language model', badUrl: 'LLM_REFUSED', outside: 'LLM_EXTERNAL' };

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
    checkEngineUrl(url, external, WORDING);
    this.#host = hostOf(url);
    this.#external = external;
    this.#resolve = resolve;
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
    if (this.#external !== null || isAddress(this.#host)) return;
    let addresses: readonly string[];
    try {
      addresses = await this.#resolve(this.#host);
    } catch {
      throw new ParleyError('LLM_FAILED', `the name ${this.#host} of a language model cannot be resolved`);
    }
    judgeAddresses(this.#host, addresses, this.#external, WORDING);
  }
}

/** Both fields are there and not blank, or it is null. Errors: LLM_EXTERNAL. */
export function checkedProcessor(external: ExternalProcessor | undefined): ExternalProcessor | null {
  return checked(external, WORDING);
}
