/** Model files: what models/models.json promises, what lies on the disk, and how a missing file comes there, resumable and verified. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ParleyError } from '../contracts/index.ts';

export interface ModelFile {
  /** Relative to the project. */
  readonly path: string;
  /** Absent for files that come with the repository. */
  readonly url?: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface Model {
  readonly name: string;
  readonly kind: 'stt' | 'tts' | 'vad';
  readonly purpose: string;
  readonly licence: string;
  /** What the licence does not allow; shown before every download. */
  readonly forbids?: string;
  readonly languages: readonly string[];
  /** Made for tests; never for callers. */
  readonly fixture?: boolean;
  readonly files: readonly ModelFile[];
}

export type FileState = 'ok' | 'missing' | 'partial' | 'damaged';

export async function readModels(root: string): Promise<readonly Model[]> {
  const text = await readFile(join(root, 'models/models.json'), 'utf8');
  return (JSON.parse(text) as { models: Model[] }).models;
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

const sizeOf = (path: string): Promise<number | null> =>
  stat(path).then(
    (found) => found.size,
    () => null,
  );

/** With `deep` the content is hashed, else the size must do. */
export async function stateOf(root: string, file: ModelFile, deep: boolean): Promise<FileState> {
  const path = join(root, file.path);
  const size = await sizeOf(path);
  if (size === null) return (await sizeOf(`${path}.part`)) === null ? 'missing' : 'partial';
  if (size !== file.bytes) return 'damaged';
  return deep && (await sha256Of(path)) !== file.sha256 ? 'damaged' : 'ok';
}

/**
 * Downloads into NAME.part, goes on where an earlier try stopped, and gives the file its name only when size and hash are right.
 * Errors: MODEL_DOWNLOAD (retryable: what has come is kept), MODEL_DAMAGED (what came is not the model; it is thrown away).
 */
export async function download(root: string, file: ModelFile, progress: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
  const path = join(root, file.path);
  if (file.url === undefined) {
    throw new ParleyError(
      'MODEL_DOWNLOAD',
      `${file.path} comes with the repository and has no address; restore it with git checkout ${file.path}`,
    );
  }
  const part = `${path}.part`;
  await mkdir(dirname(path), { recursive: true });
  let have = (await sizeOf(part)) ?? 0;
  if (have > file.bytes) {
    await rm(part);
    have = 0;
  }
  if (have < file.bytes)
    await fetchRest({ url: file.url, part, have, bytes: file.bytes, progress, ...(signal === undefined ? {} : { signal }) });
  const hash = await sha256Of(part);
  if (hash !== file.sha256) {
    await rm(part);
    throw new ParleyError('MODEL_DAMAGED', `${file.path}: what came has sha256 ${hash}, expected ${file.sha256}; it was thrown away`);
  }
  await rename(part, path);
}

interface Rest {
  readonly url: string;
  readonly part: string;
  readonly have: number;
  readonly bytes: number;
  readonly progress: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

async function fetchRest({ url, part, have, bytes, progress, signal }: Rest): Promise<void> {
  const failed = (why: string, cause?: unknown): ParleyError => new ParleyError('MODEL_DOWNLOAD', `${url}: ${why}`, { cause });
  let response: Response;
  try {
    response = await fetch(url, { headers: have > 0 ? { range: `bytes=${have}-` } : {}, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    throw failed('cannot be reached from here', error);
  }
  if (!response.ok || response.body === null) throw failed(`the server answered ${response.status}`);
  // A server that does not know ranges sends the whole file again.
  const resumed = response.status === 206;
  let at = resumed ? have : 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      at += chunk.length;
      progress(Math.min(at, bytes));
      done(at > bytes ? failed(`sends more than the ${bytes} bytes of the model`) : null, chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(response.body), counted, createWriteStream(part, { flags: resumed ? 'a' : 'w' }));
  } catch (error) {
    if (at > bytes) await rm(part, { force: true });
    throw error instanceof ParleyError ? error : failed(`broke off after ${at} of ${bytes} bytes; run the command again to go on`, error);
  }
  if (at < bytes) throw failed(`ended after ${at} of ${bytes} bytes; run the command again to go on`);
}
