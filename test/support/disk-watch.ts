/** What a service and everything that it started write to: regular files that were open for writing, or are new, while somebody watched. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface DiskWatch {
  /** Ends it. Files that no longer have a name are listed with what the kernel says: '(deleted)'. */
  stop(): readonly string[];
}

const LOOK_MS = 50;
/** Walking the list of processes costs more than walking the descriptors of a few. */
const FAMILY_MS = 1000;

/** This process and all that descend from it, at every moment. */
export function watchDisk(): DiskWatch {
  const seen = new Set<string>();
  let pids = family(process.pid);
  const look = (): void => pids.forEach((pid) => writtenBy(pid).forEach((name) => seen.add(name)));
  const looking = setInterval(look, LOOK_MS);
  const counting = setInterval(() => (pids = family(process.pid)), FAMILY_MS);
  look();
  return {
    stop: () => {
      clearInterval(looking);
      clearInterval(counting);
      return [...seen].sort();
    },
  };
}

function family(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = unlessGone(() => readFileSync(`/proc/${name}/stat`, 'utf8'));
    if (stat !== null) parents.set(Number(name), Number(stat.replace(/^.*\) /s, '').split(' ')[1]));
  }
  const isOurs = (pid: number): boolean => pid === root || (parents.has(pid) && isOurs(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(isOurs);
}

function writtenBy(pid: number): readonly string[] {
  const fds = unlessGone(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return fds.flatMap((fd) => {
    const name = unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    if (name === null || !name.startsWith('/') || /^\/(dev\/(null|pts|ptmx|tty|urandom|random)|proc|sys|memfd:)/.test(name)) return [];
    const flags = unlessGone(() => /flags:\s+0?(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1]) ?? '0';
    const isFile = unlessGone(() => statSync(`/proc/${pid}/fd/${fd}`).isFile()) ?? false;
    return isFile && (Number.parseInt(flags, 8) & 3) !== 0 ? [name] : [];
  });
}

/** Processes and descriptors end while they are looked at. */
function unlessGone<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
