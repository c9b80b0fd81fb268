import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** True while a process with this id exists (also one of another user). */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When the process started, in clock ticks since boot: with the pid a name that is never used twice. Null when unknown. */
export function startTicks(pid: number): string | null {
  try {
    const line = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** True when `pid` is a Postgres server that works in `dataDir`: a number in a stale file may belong to anyone by now. */
export function isPostgresOf(pid: number, dataDir: string): boolean {
  try {
    return readlinkSync(`/proc/${String(pid)}/cwd`) === dataDir && readFileSync(`/proc/${String(pid)}/comm`, 'utf8').trim() === 'postgres';
  } catch {
    return false;
  }
}

/** Waits until `done` holds; false when `limitMs` passed. */
export async function until(done: () => boolean | Promise<boolean>, limitMs: number, everyMs = 20): Promise<boolean> {
  const rounds = Math.ceil(limitMs / everyMs);
  for (let round = 0; round < rounds; round++) {
    if (await done()) return true;
    await sleep(everyMs);
  }
  return done();
}
