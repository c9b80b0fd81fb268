import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';

/** A pid with the time its process started: a pair that no later process has. */
function nameOf(pid: number): string | null {
  try {
    const line = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    return `${String(pid)} ${line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return null;
  }
}

/** Makes this process the only writer of a folder; a lock of a dead process is taken over. Errors: SPOOL_FAILED. Returns the release. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
  const ours = nameOf(process.pid) ?? String(process.pid);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeFile(path, ours, { flag: 'wx', mode: 0o600 });
      return () => rm(path, { force: true });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'EEXIST')
        throw new ParleyError('SPOOL_FAILED', `The spool folder ${folder} cannot be written (${String(code)}).`, { cause: error });
    }
    const holder = await readFile(path, 'utf8').catch(() => '');
    if (holder !== '' && nameOf(Number.parseInt(holder, 10)) === holder) break;
    await rm(path, { force: true });
  }
  throw new ParleyError('SPOOL_FAILED', `The spool folder ${folder} is in use by another process; give each gateway a folder of its own.`);
}
