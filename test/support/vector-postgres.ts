/** A database with pgvector: of the Postgres that the tests start, where that has it; else of the one that the environment names. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../../src/store/migrate.ts';
import { startPostgres } from './postgres.ts';

/** URL of a superuser of a Postgres whose machine has pgvector. A database of our own is made in it, and dropped. */
const NAMED = 'PARLEY_TEST_VECTOR_POSTGRES';

export interface VectorDatabase {
  /** Of a superuser. */
  readonly url: string;
  close(): Promise<void>;
}

/** What is missing, for whoever reads the output of a test or a bench. */
export const NO_VECTORS = `no Postgres with pgvector: set ${NAMED} to the URL of a superuser of one, as in postgresql://postgres@127.0.0.1:5432/postgres`;

/** Null where no Postgres has it. */
export async function vectorDatabase(): Promise<VectorDatabase | null> {
  const named = process.env[NAMED];
  if (named !== undefined && named !== '') return inNamed(named);
  const postgres = await startPostgres({ shared_buffers: '128MB' });
  const database = await postgres.database();
  const found = await database.query(`SELECT FROM pg_available_extensions WHERE name = 'vector'`);
  if (found.length === 0) {
    await postgres.close();
    return null;
  }
  await database.query('CREATE EXTENSION vector');
  return { url: database.url(), close: () => postgres.close() };
}

async function inNamed(url: string): Promise<VectorDatabase> {
  const name = `parley_test_${randomUUID().replaceAll('-', '')}`;
  const own = new URL(url);
  own.pathname = `/${name}`;
  await as(url, (client) => client.query(`CREATE DATABASE ${name}`));
  const close = (): Promise<void> => as(url, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  try {
    await as(own.href, async (client) => {
      await migrate(client);
      await client.query('CREATE EXTENSION vector');
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { url: own.href, close };
}

async function as(connectionString: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
