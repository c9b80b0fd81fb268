import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ParleyError, type Logger } from '../contracts/index.ts';
import { eraseAnnounced, findEvents, insertBatch, insertCheckpoint, type EventPlace } from './audit-tables.ts';
import { findDrift } from './catalogue.ts';
import { startEmbedded, type EmbeddedOptions, type EmbeddedServer } from './embedded.ts';
import { storeError } from './failures.ts';
import { migrate } from './migrate.ts';
import { scramVerifier } from './secrets.ts';
import type { AuditBatch, CheckpointRow } from './rows.ts';

export type StoreOptions = {
  readonly log: Logger;
  /** Backoff between attempts: doubles from the first to the last. */
  readonly retryMs?: { readonly first: number; readonly last: number };
} & (
  | {
      /** A Postgres of the operator's own. The login must be gw_writer or a member of it. */
      readonly connectionString: string;
      /** Login that may create schemas; without it the first one migrates, and must be allowed to. */
      readonly adminConnectionString?: string;
    }
  | { readonly embedded: EmbeddedOptions }
);

export type StoreState = 'down' | 'up';

export interface Store {
  readonly state: StoreState;
  /** Why it is down; empty when it is up. */
  readonly why: string;
  /** Resolves after the first attempt, up or down; goes on trying until stop(). */
  start(): Promise<void>;
  stop(): Promise<void>;
  onState(listener: (state: StoreState, why: string) => void): void;
  /** Errors of these: STORE_DOWN (retry later), STORE_REFUSED, CHAIN_FORK. */
  insertAudit(batch: AuditBatch): Promise<void>;
  insertCheckpoint(row: CheckpointRow): Promise<void>;
  eraseAnnounced(): Promise<{ subjects: number; payloads: number }>;
  /** Which of these events are stored with this very hash, as "stream seq hash". */
  hasEvents(places: readonly EventPlace[]): Promise<ReadonlySet<string>>;
  /** Runs `work` on a connection of our own role. */
  use<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  /** How to connect as another role (auditor, dpo, gw_retention); null when passwords are the operator's. */
  connectionFor(role: string): Promise<pg.ClientConfig | null>;
}

const DATABASE = 'parley';
const WRITER = 'gw_writer';
const LOGINS = [WRITER, 'auditor', 'dpo', 'gw_retention'];

export function createStore(options: StoreOptions): Store {
  return new PostgresStore(options);
}

class PostgresStore implements Store {
  state: StoreState = 'down';
  why = 'not started';
  readonly #options: StoreOptions;
  readonly #log: Logger;
  readonly #listeners: ((state: StoreState, why: string) => void)[] = [];
  #pool: pg.Pool | null = null;
  #server: EmbeddedServer | null = null;
  #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #looping = false;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#log = options.log.child({ part: 'store' });
  }

  onState(listener: (state: StoreState, why: string) => void): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    this.#stop = new AbortController();
    await this.#attempt();
    if (this.state === 'down') this.#reconnect();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.#closePool();
    await this.#server?.stop();
    this.#server = null;
    this.#set('down', 'stopped');
  }

  async use<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    if (this.#pool === null) throw new ParleyError('STORE_DOWN', `Postgres cannot be reached (${this.why}).`);
    let client: pg.PoolClient | undefined;
    let broken = false;
    try {
      client = await this.#pool.connect();
      return await work(client);
    } catch (error) {
      const known = storeError(error);
      broken = known.code === 'STORE_DOWN';
      if (broken) this.#down(known.message);
      throw known;
    } finally {
      client?.release(broken);
    }
  }

  insertAudit(batch: AuditBatch): Promise<void> {
    return this.use((client) => insertBatch(client, batch));
  }

  insertCheckpoint(row: CheckpointRow): Promise<void> {
    return this.use((client) => insertCheckpoint(client, row));
  }

  eraseAnnounced(): Promise<{ subjects: number; payloads: number }> {
    return this.use((client) => eraseAnnounced(client));
  }

  hasEvents(places: readonly EventPlace[]): Promise<ReadonlySet<string>> {
    return this.use((client) => findEvents(client, places));
  }

  async connectionFor(role: string): Promise<pg.ClientConfig | null> {
    const server = this.#server;
    if (server === null) return null;
    return { host: server.host, port: server.port, database: DATABASE, user: role, password: await server.password(role) };
  }

  /** One attempt: server, schema, drift, pool. */
  async #attempt(): Promise<void> {
    try {
      await this.#prepare();
      const pool = new pg.Pool(await this.#writerConfig());
      // Without these handlers a server that goes away ends the process: the pool speaks for idle connections only.
      pool.on('error', (error) => this.#down(error.message));
      pool.on('connect', (client) => client.on('error', () => undefined));
      this.#pool = pool;
      const client = await pool.connect();
      try {
        await this.#checkDrift(client);
      } finally {
        client.release();
      }
      this.#set('up', '');
    } catch (error) {
      await this.#closePool();
      const known = storeError(error);
      this.#log.warn('Postgres is not usable', { code: known.code, why: known.message });
      this.#set('down', known.message);
    }
  }

  async #prepare(): Promise<void> {
    const options = this.#options;
    if ('embedded' in options) {
      this.#server ??= await this.#launch(options.embedded);
      await this.#prepareEmbedded(this.#server);
      return;
    }
    await withClient({ connectionString: options.adminConnectionString ?? options.connectionString, ...LIMITS }, async (client) => {
      const ran = await migrate(client);
      if (ran.length > 0) this.#log.info('migrations ran', { names: ran });
    });
  }

  async #launch(embedded: EmbeddedOptions): Promise<EmbeddedServer> {
    const server = await startEmbedded(embedded);
    server.onExit(() => {
      if (this.#server === server) this.#server = null;
      this.#down('the embedded Postgres ended');
    });
    return server;
  }

  async #prepareEmbedded(server: EmbeddedServer): Promise<void> {
    if (!server.owner) return;
    const admin = {
      host: server.host,
      port: server.port,
      user: server.superuser,
      password: await server.password(server.superuser),
      ...LIMITS,
    };
    await withClient({ ...admin, database: 'postgres' }, async (client) => {
      const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    });
    await withClient({ ...admin, database: DATABASE }, async (client) => {
      const ran = await migrate(client);
      if (ran.length > 0) this.#log.info('migrations ran', { names: ran });
      for (const role of LOGINS) {
        await client.query(`ALTER ROLE ${role} LOGIN PASSWORD '${scramVerifier(await server.password(role))}'`);
      }
    });
  }

  async #writerConfig(): Promise<pg.PoolConfig> {
    const options = this.#options;
    const common = { ...LIMITS, max: 4, application_name: 'parley', options: `-c role=${WRITER}`, allowExitOnIdle: true };
    if ('embedded' in options) return { ...(await this.connectionFor(WRITER)), ...common };
    return { connectionString: options.connectionString, ...common };
  }

  /** An object that is missing or changed stops shipping: events wait in the spool until the schema is whole again. */
  async #checkDrift(client: pg.PoolClient): Promise<void> {
    const drift = await findDrift(client);
    if (drift.missing.length > 0) {
      const first = drift.missing.slice(0, 3).join('; ');
      throw new ParleyError('STORE_DRIFT', `The schema differs from its migrations in ${drift.missing.length} places, first: ${first}.`);
    }
    if (drift.extra.length > 0) this.#log.warn('the schema has things that no migration made', { things: drift.extra.slice(0, 10) });
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  #down(why: string): void {
    if (this.#stopped()) return;
    if (this.state === 'up') this.#log.warn('Postgres went away', { why });
    this.#set('down', why);
    this.#reconnect();
  }

  #reconnect(): void {
    if (this.#looping || this.#stopped()) return;
    this.#looping = true;
    this.#loop = this.#retry().finally(() => {
      this.#looping = false;
      // It may have gone away again while the last attempt was still unwinding.
      if (this.state === 'down') this.#reconnect();
    });
  }

  async #retry(): Promise<void> {
    const { first, last } = this.#options.retryMs ?? { first: 250, last: 10_000 };
    for (let waitMs = first; !this.#stopped() && this.state === 'down'; waitMs = Math.min(last, waitMs * 2)) {
      // Up to a fifth more, so that many gateways do not come back in one beat.
      await sleep(waitMs * (1 + Math.random() / 5), undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stopped()) return;
      await this.#closePool();
      await this.#attempt();
    }
  }

  async #closePool(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    await pool?.end().catch(() => undefined);
  }

  #set(state: StoreState, why: string): void {
    const changed = state !== this.state;
    this.state = state;
    this.why = why;
    if (!changed) return;
    if (state === 'up') this.#log.info('Postgres is up');
    for (const listener of this.#listeners) listener(state, why);
  }
}

const LIMITS = { connectionTimeoutMillis: 5_000, query_timeout: 60_000, keepAlive: true };

async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
