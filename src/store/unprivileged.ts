import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ParleyError } from '../contracts/index.ts';

const run = promisify(execFile);

/** Whom Postgres runs as. Null: as ourselves. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const OWN_USER = 'parley-postgres';

async function lookUp(name: string): Promise<ServerUser | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/**
 * Postgres refuses to run as root. As root we use the user `postgres` when the system has one, or make one of our own.
 * Errors: STORE_DOWN when neither works.
 */
export async function serverUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const existing = (await lookUp('postgres')) ?? (await lookUp(OWN_USER));
  if (existing !== null) return existing;
  try {
    await run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      OWN_USER,
    ]);
  } catch (error) {
    throw new ParleyError(
      'STORE_DOWN',
      `Postgres cannot run as root, and the user ${OWN_USER} could not be made; make it, or start Parley as an ordinary user.`,
      { cause: error },
    );
  }
  const made = await lookUp(OWN_USER);
  if (made === null) throw new ParleyError('STORE_DOWN', `The user ${OWN_USER} was made but cannot be found; check nsswitch.conf.`);
  return made;
}
