/** Two real Postgres servers, one a streaming replica of the other, behind one address that moves: what a fail-over is to a gateway. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chown, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findBinaries } from '../../src/store/binaries.ts';
import { startEmbedded } from '../../src/store/index.ts';
import { migrate } from '../../src/store/migrate.ts';
import { serverUser } from '../../src/store/unprivileged.ts';
import { eventually } from './audit.ts';
import { testFolder } from './postgres.ts';

export interface Pair {
  /** As a login through the address, wherever it leads to now. */
  as(role: string): pg.ClientConfig;
  url(role: string): string;
  /** Resolves when the replica has what the primary has at this moment. */
  caughtUp(): Promise<void>;
  /** The replica gets nothing from now on: what is committed meanwhile is lost in the fail-over. */
  lag(): Promise<void>;
  /** The primary ends, the replica is promoted, the address moves. */
  failOver(): Promise<void>;
  close(): Promise<void>;
}

const PASSWORD = 'for-tests-only';
const SETTINGS = { fsync: 'off', shared_buffers: '32MB' };

export async function startPair(): Promise<Pair> {
  const folder = await testFolder();
  const options = { dataDir: join(folder, 'a'), settings: SETTINGS };
  const address = join(folder, 'address');
  let primary = await startEmbedded(options);
  const superuser = { user: primary.superuser, password: await primary.password(primary.superuser), port: primary.port };
  const onPrimary = { ...superuser, host: primary.host };
  await run({ ...onPrimary, database: 'postgres' }, (client) => client.query('CREATE DATABASE parley'));
  await run({ ...onPrimary, database: 'parley' }, async (client) => {
    await migrate(client);
    for (const role of ['gw_writer', 'auditor']) await client.query(`ALTER ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`);
  });
  // A copy of the stopped cluster, told to follow: a replica as pg_basebackup makes one.
  await primary.stop();
  const data = join(folder, 'b/data');
  await mkdir(join(folder, 'b'), { mode: 0o711 });
  await promisify(execFile)('cp', ['-a', join(folder, 'a/data'), data]);
  await writeFile(join(data, 'standby.signal'), '');
  const conninfo = `host=${onPrimary.host} port=${String(onPrimary.port)} user=${superuser.user} password=${superuser.password}`;
  await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`);
  primary = await startEmbedded(options);
  const replica = await startReplica(folder, data);
  const onReplica = { ...superuser, host: replica.host, database: 'postgres' };
  await eventually(() => isFollowing(onReplica), 60_000);
  await symlink(onPrimary.host, address);

  const as = (role: string): pg.ClientConfig => ({
    host: address,
    port: superuser.port,
    database: 'parley',
    user: role,
    password: PASSWORD,
  });
  return {
    as,
    url: (role) => `postgresql://${role}:${PASSWORD}@/parley?host=${encodeURIComponent(address)}&port=${String(superuser.port)}`,
    caughtUp: async () => {
      const lsn = await value({ ...onPrimary, database: 'postgres' }, 'SELECT pg_current_wal_lsn() AS v');
      await eventually(async () => (await value(onReplica, `SELECT (pg_last_wal_replay_lsn() >= '${lsn}')::text AS v`)) === 'true');
    },
    lag: async () => {
      await value(onReplica, `ALTER SYSTEM SET primary_conninfo = ''`);
      await value(onReplica, 'SELECT pg_reload_conf()::text AS v');
      await eventually(async () => !(await isFollowing(onReplica)));
    },
    failOver: async () => {
      await primary.stop();
      await value(onReplica, 'SELECT pg_promote()::text AS v');
      await symlink(replica.host, `${address}.new`);
      await rename(`${address}.new`, address);
    },
    close: async () => {
      await primary.stop();
      await replica.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startReplica(folder: string, data: string): Promise<{ host: string; stop(): Promise<void> }> {
  const user = await serverUser();
  const host = join(folder, 'b/run');
  await mkdir(host, { mode: 0o711 });
  if (user !== null) await chown(host, user.uid, user.gid);
  const settings = { ...SETTINGS, listen_addresses: '', port: '5432', unix_socket_directories: host, hot_standby: 'on' };
  const { postgres } = await findBinaries();
  const child = spawn(postgres, ['-D', data, ...Object.entries(settings).flatMap(([name, to]) => ['-c', `${name}=${to}`])], {
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    cwd: '/',
    stdio: 'ignore',
  });
  const gone = once(child, 'exit');
  return {
    host,
    stop: async () => {
      child.kill('SIGINT');
      await gone;
    },
  };
}

async function run<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const value = (config: pg.ClientConfig, sql: string): Promise<string> =>
  run(config, async (client) => (await client.query<{ v: string }>(sql)).rows[0]?.v ?? '');

/** False also while it cannot be reached yet. */
const isFollowing = (replica: pg.ClientConfig): Promise<boolean> =>
  value(replica, `SELECT count(*)::text AS v FROM pg_stat_wal_receiver WHERE status = 'streaming'`).then(
    (count) => count === '1',
    () => false,
  );
