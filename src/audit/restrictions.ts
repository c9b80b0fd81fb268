import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../contracts/index.ts';
import { restrictedNumbers, type Store } from '../store/index.ts';
import { readOrCreateKey } from './keys.ts';
import { numberMac } from './vault.ts';

/**
 * Who does not want to talk to a machine (GDPR 18, 21). Kept in memory, because a call must not wait for a database, and in a file beside
 * the spool, because Postgres may be away when the gateway starts. Both hold keyed MACs of numbers only.
 */
export interface Restrictions {
  has(number: string): boolean;
  /** Reads the database again; what was known stays when it is away. */
  refresh(): Promise<void>;
}

export async function openRestrictions(options: {
  /** Folder of the spool. */
  readonly folder: string;
  readonly keysFolder: string;
  readonly store: Pick<Store, 'use' | 'onState' | 'state'>;
  readonly log: Logger;
}): Promise<Restrictions> {
  const { folder, keysFolder, store, log } = options;
  const key = await readOrCreateKey(join(keysFolder, 'number.key'));
  const path = join(folder, 'restricted');
  let known: ReadonlySet<string> = new Set((await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''));
  const refresh = async (): Promise<void> => {
    if (store.state === 'down') return;
    try {
      const macs = (await store.use(restrictedNumbers)).map((mac) => mac.toString('hex'));
      if (macs.length === known.size && macs.every((mac) => known.has(mac))) return;
      known = new Set(macs);
      await writeFile(`${path}.new`, `${macs.join('\n')}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch (error) {
      log.warn('the list of restricted numbers was not read; the last one counts', { why: error instanceof Error ? error.message : '' });
    }
  };
  store.onState((state) => void (state === 'up' && refresh()));
  await refresh();
  return {
    has: (number) => known.size > 0 && known.has(numberMac(key, number)?.toString('hex') ?? ''),
    refresh,
  };
}
