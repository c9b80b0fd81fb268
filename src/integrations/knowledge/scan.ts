/** Which files of a folder are documents, and their bytes: bounded in number, depth and size; nothing outside of the folder is read. */
import { constants, type Dirent } from 'node:fs';
import { open, readdir, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ParleyError } from '../../contracts/index.ts';
import { UnreadableDocument } from './problem.ts';

export interface Found {
  /** Relative to the folder, with '/'. */
  readonly path: string;
  /** Absolute, without links. */
  readonly file: string;
  /** Set when it must not be read. */
  readonly problem: string | null;
}

const KINDS = /\.(md|markdown|txt|html?|pdf|csv)$/i;
const MAX_FILES = 20_000;
const MAX_DEPTH = 16;

/** Documents in the order of their paths. Errors: KNOWLEDGE_FOLDER. */
export async function scanFolder(folder: string): Promise<readonly Found[]> {
  const root = await realpath(folder).catch((error: unknown) => {
    throw new ParleyError('KNOWLEDGE_FOLDER', `The folder ${folder} is not there; what was indexed from it is kept.`, { cause: error });
  });
  const found: Found[] = [];
  await walk(root, root, 0, found);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function walk(root: string, directory: string, depth: number, found: Found[]): Promise<void> {
  let entries: Dirent[];
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (depth > 0 && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new ParleyError('KNOWLEDGE_FOLDER', `The folder ${directory} cannot be read; what was indexed from it is kept.`, {
      cause: error,
    });
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const place = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (depth >= MAX_DEPTH) throw new ParleyError('KNOWLEDGE_FOLDER', `${place} lies deeper than ${MAX_DEPTH} folders; move it up.`);
      await walk(root, place, depth + 1, found);
    } else if (KINDS.test(entry.name)) found.push(await looked(root, place, entry));
    if (found.length > MAX_FILES)
      throw new ParleyError('KNOWLEDGE_FOLDER', `${root} has more than ${MAX_FILES} documents; divide it into several folders.`);
  }
}

async function looked(root: string, place: string, entry: Dirent): Promise<Found> {
  const path = relative(root, place).split(sep).join('/');
  if (entry.isFile()) return { path, file: place, problem: null };
  if (!entry.isSymbolicLink()) return { path, file: place, problem: 'is no ordinary file' };
  const target = await realpath(place).catch(() => null);
  if (target === null) return { path, file: place, problem: 'is a link to nothing' };
  if (!target.startsWith(root + sep)) return { path, file: place, problem: 'is a link that leads out of the folder' };
  return { path, file: target, problem: null };
}

export interface Bytes {
  readonly bytes: Buffer;
  /** 'YYYY-MM-DD' of the last change. */
  readonly changed: string;
}

/** Null when the file is gone meanwhile. Rejects with UnreadableDocument. */
export async function readBounded({ file, problem }: Found, maxBytes: number): Promise<Bytes | null> {
  if (problem !== null) throw new UnreadableDocument(problem);
  // NOFOLLOW: a file that was exchanged for a link since it was looked at. NONBLOCK: a pipe would keep us waiting.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new UnreadableDocument(code === 'EACCES' ? 'may not be read by Parley' : code === 'ELOOP' ? 'became a link' : 'cannot be opened');
  });
  if (handle === null) return null;
  try {
    const { size, mtime, isFile } = await handle.stat().then((stat) => ({ size: stat.size, mtime: stat.mtime, isFile: stat.isFile() }));
    if (!isFile) throw new UnreadableDocument('is no ordinary file');
    if (size > maxBytes) throw tooLarge(size, maxBytes);
    // What grows while it is read is cut off by the buffer's size, and read again at the next run.
    const bytes = Buffer.alloc(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await handle.read(bytes, length, size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { bytes: bytes.subarray(0, length), changed: mtime.toISOString().slice(0, 10) };
  } finally {
    await handle.close();
  }
}

const tooLarge = (size: number, maxBytes: number): UnreadableDocument =>
  new UnreadableDocument(`has ${Math.ceil(size / 1e6)} MB, expected at most ${Math.round(maxBytes / 1e6)} MB (knowledge.maxFileMb)`);
