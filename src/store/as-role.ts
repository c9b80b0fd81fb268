import pg from 'pg';
import { storeError } from './failures.ts';

/** Runs one statement as another login (dpo, gw_retention) on a connection of its own. Errors: STORE_DOWN, STORE_REFUSED. */
export async function asRole(
  connection: string | pg.ClientConfig,
  sql: string,
  values: readonly unknown[],
): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(typeof connection === 'string' ? { connectionString: connection } : connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql, [...values])).rows;
  } catch (error) {
    throw storeError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
