/** Where a recogniser may be, by the rule of contracts/hosts.ts. */
import { lookup } from 'node:dns';
import { engineHosts } from '../../contracts/index.ts';

export const { checkedProcessor, checkedUrl, named, nearLookup } = engineHosts(
  { what: 'a recogniser', badUrl: 'CONFIG_INVALID', outside: 'ENGINE_EXTERNAL', example: 'http://127.0.0.1:8080' },
  lookup,
);
