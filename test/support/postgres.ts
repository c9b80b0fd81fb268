/**
 * A real Postgres for one test file, in a folder of its own, reached by a Unix socket; a database of its own for each test,
 * copied from a migrated template.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../../src/store/migrate.ts';
import { startEmbedded, type EmbeddedServer } from '../../src/store/index.ts';

export interface TestDatabase {
  readonly name: string;
  /** Settings for a login; the superuser by default. */
  as(role?: string): pg.ClientConfig;
  /** The same as a connection string. */
  url(role?: string): string;
  /** Runs statements as a login; the superuser by default. */
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, values?: unknown[], role?: string): Promise<R[]>;
}

export interface TestPostgres {
  /** A new database: empty but migrated, or a copy of another one that nobody is connected to. */
  database(copyOf?: TestDatabase): Promise<TestDatabase>;
  /** An outage: the server ends, and starts again with what it had. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its folder. */
  close(): Promise<void>;
}

const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '64MB' };
const PASSWORD = 'for-tests-only';
const ROLES = ['gw_writer', 'auditor', 'dpo', 'gw_retention'];

/** A folder that the server's user can walk through, also when the tests run as root. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-test-'));
  await chmod(folder, 0o711);
  return folder;
}

export async function startPostgres(settings: Readonly<Record<string, string>> = FAST): Promise<TestPostgres> {
  const folder = await testFolder();
  const options = { dataDir: join(folder, 'pg'), settings };
  let server: EmbeddedServer = await startEmbedded(options);
  const superPassword = await server.password(server.superuser);
  const config = (database: string, role = server.superuser): pg.ClientConfig => ({
    host: server.host,
    port: server.port,
    database,
    user: role,
    password: role === server.superuser ? superPassword : PASSWORD,
  });
  await once(config('postgres'), 'CREATE DATABASE template_parley');
  const client = new pg.Client(config('template_parley'));
  await client.connect();
  await migrate(client);
  for (const role of ROLES) await client.query(`ALTER ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`);
  await client.end();

  let count = 0;
  return {
    database: async (copyOf) => {
      const name = `test_${String(++count)}`;
      await once(config('postgres'), `CREATE DATABASE ${name} TEMPLATE ${copyOf?.name ?? 'template_parley'}`);
      const as = (role?: string): pg.ClientConfig => config(name, role);
      return {
        name,
        as,
        url: (role = server.superuser) => {
          const { user = '', password } = as(role);
          return `postgresql://${user}:${encodeURIComponent(String(password))}@/${name}?host=${encodeURIComponent(server.host)}&port=${String(server.port)}`;
        },
        query: (sql, values, role) => once(as(role), sql, values),
      };
    },
    stop: () => server.stop(),
    start: async () => {
      server = await startEmbedded(options);
    },
    close: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function once<R extends pg.QueryResultRow>(config: pg.ClientConfig, sql: string, values?: unknown[]): Promise<R[]> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<R>(sql, values)).rows;
  } finally {
    await client.end();
  }
}
