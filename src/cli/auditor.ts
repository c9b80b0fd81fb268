import type { Config } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { silentLogger } from '../observability/index.ts';
import { loginOf, storeOptions } from '../parts/index.ts';
import { createStore, type readAudit } from '../store/index.ts';

type Connection = Parameters<typeof readAudit>[0];

/**
 * Connects as the auditor: the embedded Postgres gives that login, an own one names it in store.auditorUrlFile; without that the gateway's
 * login must do, which may not see payload hashes. An embedded server that runs already is used and left alone. Errors: STORE_DOWN.
 */
export async function withAuditor<T>(config: Config, work: (connection: Connection) => Promise<T>): Promise<T> {
  const options = await storeOptions(config, silentLogger);
  const store = createStore(options);
  if ('connectionString' in options) return work((await loginOf(config, store, 'auditor')) ?? options.connectionString);
  try {
    await store.start();
    const connection = await loginOf(config, store, 'auditor');
    if (connection === null) throw new ParleyError('STORE_DOWN', `the embedded Postgres cannot be reached: ${store.why}`);
    return await work(connection);
  } finally {
    await store.stop();
  }
}
