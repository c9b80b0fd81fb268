/** The rule of hosts.ts as one kind of engine uses it. Resolving names is the user's: nothing here does I/O. */
import { ParleyError } from './errors.ts';
import { checkedProcessor, checkEngineUrl, type EngineWording, judgeAddresses, namedProcessor } from './hosts.ts';
import type { ExternalProcessor } from './llm.ts';

interface Address {
  readonly address: string;
  readonly family: number;
}
interface LookupOptions {
  readonly all?: boolean | undefined;
}

/** `lookup` of node:dns, when it is asked for all addresses. */
export type LookupAll<O extends LookupOptions> = (
  host: string,
  options: O & { all: true },
  callback: (error: Error | null, addresses: Address[]) => void,
) => void;

/** `lookup` as a connection takes it: `address` is a list when all were asked for. */
export type NearLookup<O extends LookupOptions> = (
  host: string,
  options: O,
  callback: (error: Error | null, address: string | Address[], family?: number) => void,
) => void;

export interface EngineHosts<O extends LookupOptions> {
  /** Both fields are there and not blank, or it is null. Errors: `wording.outside`. */
  readonly checkedProcessor: (external: ExternalProcessor | undefined) => ExternalProcessor | null;
  /** For engines that are outside wherever their address points: off unless somebody answers for them. Errors: `wording.outside`. */
  readonly named: (external: ExternalProcessor | undefined, who: string) => ExternalProcessor;
  /** Errors: `wording.badUrl` for a URL that is none of ours, `wording.outside` for a literal address that is not near. */
  readonly checkedUrl: (text: string, external: ExternalProcessor | null) => URL;
  /**
   * For connections without a named processor: a name that points outside gets no connection. Judged at every new one, so that a name
   * cannot begin to point elsewhere.
   */
  readonly nearLookup: NearLookup<O>;
}

/** `example`: a URL as it should be, for messages. */
export function engineHosts<O extends LookupOptions>(
  wording: EngineWording & { readonly example: string },
  lookup: LookupAll<O>,
): EngineHosts<O> {
  const { what, badUrl, example } = wording;
  return {
    checkedProcessor: (external) => checkedProcessor(external, wording),
    named: (external, who) => namedProcessor(external, who, wording),
    checkedUrl: (text, external) => {
      if (!URL.canParse(text)) throw new ParleyError(badUrl, `the address of ${what} is no URL, as in "${example}"`);
      const url = new URL(text);
      checkEngineUrl(url, external, wording);
      return url;
    },
    nearLookup: (host, options, callback) => {
      lookup(host, { ...options, all: true }, (error, addresses) => {
        const refusal =
          error ??
          refusalOf(() =>
            judgeAddresses(
              host,
              addresses.map(({ address }) => address),
              null,
              wording,
            ),
          );
        if (refusal !== null) callback(refusal, '', 0);
        else if (options.all === true) callback(null, addresses);
        else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 0);
      });
    },
  };
}

function refusalOf(judge: () => void): Error | null {
  try {
    judge();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
