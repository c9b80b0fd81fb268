/**
 * What a disk may hold after a power cut. test/fixtures/power-cut.c writes down what a program changed and what it synced; from that, any
 * moment can be made into a folder again: what was synced is there, of the rest any part of it, sector by sector and in any order.
 * Entries of a folder are there up to one of the changes made after its last sync (journaling file systems keep their order).
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const SECTOR_BYTES = 512;
const HEAD_BYTES = 21;

export interface Change {
  readonly op: 'W' | 'T' | 'C' | 'U' | 'R' | 'S' | 'A';
  readonly path: string;
  /** Offset of a write, size of a truncation. */
  readonly number: number;
  readonly data: Buffer;
}

/** Builds the library into `folder`. Returns its path. Errors: of the C compiler. */
export async function buildPowerCut(folder: string): Promise<string> {
  const library = join(folder, 'power-cut.so');
  const source = join(import.meta.dirname, '../fixtures/power-cut.c');
  await promisify(execFile)('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl']);
  return library;
}

/** The last record may be cut off by a kill. */
export async function readJournal(file: string): Promise<readonly Change[]> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  const changes: Change[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    const pathEnd = at + HEAD_BYTES + bytes.readUInt32LE(at + 1);
    const end = pathEnd + Number(bytes.readBigUInt64LE(at + 13));
    if (end > bytes.length) break;
    changes.push({
      op: bytes.toString('latin1', at, at + 1) as Change['op'],
      path: bytes.toString('utf8', at + HEAD_BYTES, pathEnd),
      number: Number(bytes.readBigUInt64LE(at + 5)),
      data: bytes.subarray(pathEnd, end),
    });
    at = end;
  }
  return changes;
}

/** What was said on standard output by then. */
export const saidBy = (changes: readonly Change[]): string =>
  Buffer.concat(changes.flatMap(({ op, data }) => (op === 'A' ? [data] : []))).toString('utf8');

interface File {
  synced: Buffer;
  pending: Change[];
}

type Entries = ReadonlyMap<string, File>;

export class Disk {
  /** Folder to what it holds for certain, and to how it has changed since. */
  readonly #certain = new Map<string, Entries>();
  readonly #since = new Map<string, Entries[]>();
  #files = new Map<string, File>();

  /** A disk that holds this folder, all of it synced. */
  static async of(folder: string): Promise<Disk> {
    const disk = new Disk();
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) disk.#files.set(path, { synced: await readFile(path), pending: [] });
    }
    for (const path of disk.#files.keys()) disk.#certain.set(dirname(path), disk.#entries(dirname(path)));
    return disk;
  }

  /** Of a disk on which nothing has changed yet. */
  copy(): Disk {
    const disk = new Disk();
    const files = new Map([...this.#files].map(([path, file]) => [path, { ...file, pending: [...file.pending] }]));
    disk.#files = files;
    for (const folder of this.#certain.keys()) disk.#certain.set(folder, disk.#entries(folder));
    return disk;
  }

  apply(change: Change): void {
    const { op, path, data } = change;
    const file = this.#files.get(path);
    if (op === 'W' || op === 'T') file?.pending.push(change);
    else if (op === 'S') this.#sync(path, file);
    else if (op !== 'A') {
      this.#files = new Map(this.#files);
      if (op === 'C') this.#files.set(path, { synced: Buffer.alloc(0), pending: [] });
      else this.#files.delete(path);
      const to = op === 'R' ? data.toString('utf8') : path;
      if (op === 'R' && file !== undefined) this.#files.set(to, file);
      for (const folder of new Set([dirname(path), dirname(to)]))
        this.#since.set(folder, [...(this.#since.get(folder) ?? []), this.#entries(folder)]);
    }
  }

  #sync(path: string, file: File | undefined): void {
    if (file === undefined) {
      this.#certain.set(path, this.#entries(path));
      this.#since.delete(path);
      return;
    }
    file.synced = file.pending.reduce((bytes, change) => changed(bytes, change, () => 'kept'), file.synced);
    file.pending = [];
  }

  #entries(folder: string): Entries {
    return new Map([...this.#files].filter(([path]) => dirname(path) === folder));
  }

  /** Writes what is left after a cut now into `to` (a new folder) instead of `from`. `random`: 0 to 1, each call another. */
  async cut(from: string, to: string, random: () => number): Promise<void> {
    await mkdir(to, { recursive: true });
    for (const folder of new Set([...this.#certain.keys(), ...this.#since.keys()])) {
      const states = [this.#certain.get(folder) ?? new Map<string, File>(), ...(this.#since.get(folder) ?? [])];
      const entries = states[Math.floor(random() * states.length)] ?? new Map<string, File>();
      for (const [path, file] of entries) {
        const target = join(to, path.slice(from.length));
        if (!existsSync(dirname(target))) await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await writeFile(target, leftOf(file, random), { mode: 0o600 });
      }
    }
  }
}

type Fate = 'kept' | 'lost';

/** Half of the cuts lose all that was not synced; the others keep any sectors of it, so that writes are torn and out of order. */
function leftOf({ synced, pending }: File, random: () => number): Buffer {
  const share = random() < 0.5 ? 0 : random();
  return pending.reduce((bytes, change) => changed(bytes, change, () => (random() < share ? 'kept' : 'lost')), synced);
}

/** A lost sector keeps what was there; where nothing was, and something behind it was kept, it is zero. */
function changed(bytes: Buffer, { op, number, data }: Change, fate: () => Fate): Buffer {
  if (op === 'T') {
    if (fate() === 'lost') return bytes;
    return number <= bytes.length ? bytes.subarray(0, number) : Buffer.concat([bytes, Buffer.alloc(number - bytes.length)]);
  }
  let result = bytes;
  for (let at = 0; at < data.length;) {
    const end = Math.min(data.length, at + SECTOR_BYTES - ((number + at) % SECTOR_BYTES));
    if (fate() === 'kept') {
      const size = Math.max(result.length, number + end);
      const next = Buffer.alloc(size);
      result.copy(next);
      data.copy(next, number + at, at, end);
      result = next;
    }
    at = end;
  }
  return result;
}
