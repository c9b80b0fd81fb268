import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { copyBinaries, findBinaries, reachable, type Binaries } from './binaries.ts';
import { alive, isPostgresOf, startTicks, until } from './process-table.ts';
import { readOrCreatePassword } from './secrets.ts';
import { serverUser, type ServerUser } from './unprivileged.ts';

export interface EmbeddedOptions {
  /** Folder for the cluster, its passwords, socket and log. Made when missing. */
  readonly dataDir: string;
  /** Also listen on 127.0.0.1 at this port. Without it there is only a Unix socket. */
  readonly port?: number;
  /** Server settings, name to value; for tests (`fsync: 'off'`). */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedServer {
  /** Folder of the Unix socket. */
  readonly host: string;
  readonly port: number;
  /** False when another live process owns the server: then stop() leaves it running. */
  readonly owner: boolean;
  readonly superuser: string;
  password(role: string): Promise<string>;
  onExit(listener: () => void): void;
  stop(): Promise<void>;
}

const SOCKET_PORT = 5432;
const SUPERUSER = 'postgres';
const SHARED_HOME = '/var/lib/parley';
/** sun_path holds 107 bytes (unix(7)); the socket's own name takes 16 of them. */
const MAX_SOCKET_FOLDER = 90;
const READY_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

interface Place {
  readonly home: string;
  readonly data: string;
  readonly binaries: Binaries;
  readonly user: ServerUser | null;
}

/**
 * Starts a private, real Postgres: for one box, the demo and tests. It stops when this process stops or dies.
 * A server left behind by a killed process is stopped first; one that a live process owns is joined.
 * Errors: STORE_DOWN.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const place = await choosePlace(resolve(options.dataDir));
  const secrets = join(resolve(options.dataDir), 'secrets');
  const password = (role: string): Promise<string> => readOrCreatePassword(join(secrets, `${role}.password`));
  const common = { superuser: SUPERUSER, password };

  const running = await runningServer(place.data);
  if (running !== null) {
    const connection = await ownedByOther(place.home);
    if (connection !== null) return { ...connection, ...common, owner: false, onExit: () => undefined, stop: () => Promise.resolve() };
    process.kill(running, 'SIGINT');
    await until(() => !alive(running), STOP_LIMIT_MS);
  }
  if (!existsSync(join(place.data, 'PG_VERSION'))) await initialise(place, await password(SUPERUSER));
  return { ...(await launch(place, options)), ...common, owner: true };
}

/** The folder asked for, or one under /var/lib when the server's user cannot walk there (a clone below /root). */
async function choosePlace(dataDir: string): Promise<Place> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const user = await serverUser();
  let binaries = await findBinaries();
  let home = await realpath(dataDir);
  if (user !== null) {
    if (!(await reachable(binaries.postgres, user.uid, user.gid))) binaries = await copyBinaries(binaries, SHARED_HOME);
    if (!(await reachable(join(home, 'data'), user.uid, user.gid))) {
      home = join(SHARED_HOME, `postgres-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`);
      await mkdir(home, { recursive: true, mode: 0o711 });
      await chmod(SHARED_HOME, 0o711);
      await writeFile(join(dataDir, 'moved-to'), `${home}\n`);
    }
  }
  const data = join(home, 'data');
  return { home, data, binaries, user };
}

/** Made beside and then renamed: a cluster is there as a whole or not at all. */
async function initialise(place: Place, password: string): Promise<void> {
  if (existsSync(place.data) && (await readdir(place.data)).length > 0) {
    throw new ParleyError(
      'STORE_DOWN',
      `${place.data} holds something that is no Postgres cluster; initdb was not run. Name another folder.`,
    );
  }
  const fresh = `${place.data}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  const passwordFile = join(place.home, `initdb.${String(process.pid)}`);
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (place.user !== null) {
    await chown(fresh, place.user.uid, place.user.gid);
    await chown(passwordFile, place.user.uid, place.user.gid);
  }
  try {
    const args = [`--pgdata=${fresh}`, '--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`];
    await run(place.binaries.initdb, [...args, '--no-locale', '--encoding=UTF8', '--no-instructions'], place.user);
    await rename(fresh, place.data);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(fresh, { recursive: true, force: true });
  }
}

async function run(program: string, args: readonly string[], user: ServerUser | null): Promise<void> {
  const child = spawn(program, args, { ...identity(user), cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-2000)));
  const code = await new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  if (code !== 0) throw new ParleyError('STORE_DOWN', `initdb failed: ${complaint.trim()}`);
}

function identity(user: ServerUser | null): { uid?: number; gid?: number; env: NodeJS.ProcessEnv } {
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return user === null ? { env } : { uid: user.uid, gid: user.gid, env };
}

type Running = Pick<EmbeddedServer, 'host' | 'port' | 'onExit' | 'stop'>;

async function launch(place: Place, options: EmbeddedOptions): Promise<Running> {
  const host = await socketFolder(place);
  const port = options.port ?? SOCKET_PORT;
  const settings = {
    listen_addresses: options.port === undefined ? '' : '127.0.0.1',
    port: String(port),
    unix_socket_directories: host,
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    max_connections: '40',
    // No statement and no row of a person's data in the server's own log.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    ...options.settings,
  };
  const log = await openLog(join(place.home, 'postgres.log'));
  const args = ['-D', place.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const [command = place.binaries.postgres, ...rest] = [...tieToUs(), place.binaries.postgres, ...args];
  const child = spawn(command, rest, {
    ...identity(place.user),
    cwd: '/',
    stdio: ['ignore', log.fd, log.fd],
    // A signal to our group (Ctrl-C) begins a drain: the server stops when we stop it, or are gone.
    detached: true,
  });
  void log.close();
  const server = supervise(child);
  await ready(child, place);
  await writeOwner(place.home, { host, port });
  const stop = async (): Promise<void> => {
    await server.stop();
    if (!host.startsWith(place.home)) await rm(host, { recursive: true, force: true });
  };
  return { host, port, onExit: server.onExit, stop };
}

/** util-linux's setpriv asks the kernel to stop the server when we die: kill -9 leaves nothing behind. */
function tieToUs(): string[] {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'INT', '--'];
}

function supervise(child: ChildProcess): Pick<EmbeddedServer, 'onExit' | 'stop'> {
  let stopping = false;
  const listeners: (() => void)[] = [];
  const onProcessExit = (): void => void child.kill('SIGINT');
  process.once('exit', onProcessExit);
  const gone = new Promise<void>((done) => {
    const end = (): void => {
      process.removeListener('exit', onProcessExit);
      done();
      if (!stopping) for (const listener of listeners) listener();
    };
    child.once('exit', end).once('error', end);
  });
  return {
    onExit: (listener) => void listeners.push(listener),
    stop: async () => {
      stopping = true;
      // SIGINT is Postgres's fast shutdown: open transactions are rolled back, nothing committed is lost.
      child.kill('SIGINT');
      await gone;
    },
  };
}

async function ready(child: ChildProcess, place: Place): Promise<void> {
  const fate: { exited?: string } = {};
  child.once('exit', (code, signal) => (fate.exited = `exit ${String(code ?? signal)}`));
  child.once('error', (error) => (fate.exited = error.message));
  const up = await until(async () => fate.exited !== undefined || (await pidFile(place.data))?.status === 'ready', READY_LIMIT_MS);
  if (up && fate.exited === undefined) return;
  child.kill('SIGKILL');
  const why = fate.exited ?? 'not ready in time';
  throw new ParleyError('STORE_DOWN', `Embedded Postgres did not start (${why}); see ${join(place.home, 'postgres.log')}.`);
}

async function socketFolder(place: Place): Promise<string> {
  const wanted = join(place.home, 'run');
  const folder = wanted.length <= MAX_SOCKET_FOLDER ? wanted : await mkdtemp(join(tmpdir(), 'parley-pg-'));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (place.user !== null) await chown(folder, place.user.uid, place.user.gid);
  return folder;
}

async function openLog(path: string): Promise<{ fd: number; close(): Promise<void> }> {
  const large = await stat(path).then(
    (s) => s.size > 10 * 1024 * 1024,
    () => false,
  );
  if (large) await rename(path, `${path}.1`);
  return open(path, 'a', 0o600);
}

/** postmaster.pid: line 1 the pid, line 8 the state. */
async function pidFile(data: string): Promise<{ pid: number; status: string } | null> {
  try {
    const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 0 ? { pid, status: (lines[7] ?? '').trim() } : null;
  } catch {
    return null;
  }
}

/** The pid of a server on this cluster; a stale file whose number went to another program is removed. */
async function runningServer(data: string): Promise<number | null> {
  const file = await pidFile(data);
  if (file === null) return null;
  if (isPostgresOf(file.pid, data)) return file.pid;
  await rm(join(data, 'postmaster.pid'), { force: true });
  return null;
}

interface Owner {
  readonly pid: number;
  readonly started: string | null;
  readonly host: string;
  readonly port: number;
}

async function writeOwner(home: string, at: { host: string; port: number }): Promise<void> {
  const owner: Owner = { pid: process.pid, started: startTicks(process.pid), ...at };
  await writeFile(join(home, 'owner.json'), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
}

async function ownedByOther(home: string): Promise<{ host: string; port: number } | null> {
  try {
    const owner = JSON.parse(await readFile(join(home, 'owner.json'), 'utf8')) as Owner;
    return alive(owner.pid) && startTicks(owner.pid) === owner.started ? { host: owner.host, port: owner.port } : null;
  } catch {
    return null;
  }
}
