/** Where a synthesiser may be, by the rule of contracts/hosts.ts. A name is judged at every new connection. */
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import {
  checkedProcessor as checked,
  checkEngineUrl,
  judgeAddresses,
  namedProcessor,
  ParleyError,
  type EngineWording,
  type ExternalProcessor,
} from '../contracts/index.ts';

const WORDING: EngineWording = { what: 'a synthesiser', badUrl: 'CONFIG_INVALID', outside: 'ENGINE_EXTERNAL' };

/** Both fields are there and not blank, or it is null. Errors: ENGINE_EXTERNAL. */
export function checkedProcessor(external: ExternalProcessor | undefined): ExternalProcessor | null {
  return checked(external, WORDING);
}

/** Off unless somebody answers for it, wherever its address points. Errors: ENGINE_EXTERNAL. */
export function named(external: ExternalProcessor | undefined, who: string): ExternalProcessor {
  return namedProcessor(external, who, WORDING);
}

/** Errors: CONFIG_INVALID for a URL that is none of ours, ENGINE_EXTERNAL for a literal address that is not near. */
export function checkedUrl(text: string, external: ExternalProcessor | null): URL {
  if (!URL.canParse(text)) throw new ParleyError('CONFIG_INVALID', 'the address of a synthesiser is no URL, as in "http://127.0.0.1:5000"');
  const url = new URL(text);
  checkEngineUrl(url, external, WORDING);
  return url;
}

/** For connections without a named processor: a name that points outside gets none. */
export const nearLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    try {
      if (error !== null) throw error;
      judgeAddresses(
        hostname,
        addresses.map(({ address }) => address),
        null,
        WORDING,
      );
    } catch (refusal) {
      callback(refusal as NodeJS.ErrnoException, '', 0);
      return;
    }
    if (options.all === true) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 0);
  });
};
