/**
 * A program that is killed takes its private Asterisk along, where the kernel can be asked to (setpriv); elsewhere it runs on without a
 * program that knows its password. Either way its calls are over: the next start ends what is left, and can say so.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type Leftover = 'none' | 'gone' | 'ended';

const fileIn = (runDir: string): string => join(runDir, 'running.pid');
const CHECKS = 100;
const CHECK_MS = 50;

export function markRunning(runDir: string, pid: number): void {
  writeFileSync(fileIn(runDir), `${pid}\n`, { mode: 0o600 });
}

export function markStopped(runDir: string): void {
  rmSync(fileIn(runDir), { force: true });
}

/** Ends an Asterisk that was left here, and waits until its ports are free. */
export async function endLeftover(runDir: string): Promise<Leftover> {
  const pid = Number(read(fileIn(runDir)));
  if (!Number.isInteger(pid) || pid <= 0) return 'none';
  const isOurs = (): boolean => read(`/proc/${pid}/cmdline`).includes(join(runDir, 'etc/asterisk.conf'));
  const left: Leftover = isOurs() ? 'ended' : 'gone';
  for (let check = 0; check < CHECKS && isOurs(); check++) {
    end(pid);
    await sleep(CHECK_MS);
  }
  markStopped(runDir);
  return left;
}

/** Nobody can talk to it in an orderly way any more. It may be gone by now. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
