/** Files that are named after a call and hold words of it: removed with the person, put aside while they may not be used. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallFileKind, erasedCalls, restrictedCalls, type Store } from '../store/index.ts';

export interface CallFiles {
  readonly folder: string;
  readonly kind: CallFileKind;
  /** How our own files end; others are left alone. */
  readonly suffixes: readonly string[];
}

/** Below the folder: what is kept and not used (GDPR 18, recital 67). */
const ASIDE = 'restricted';
const CALL_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** Removes the files of everybody whose keys are gone. Run it after an erasure and hourly. Returns how many. Errors: STORE_DOWN. */
export async function sweepCallFiles(store: Pick<Store, 'use'>, files: CallFiles): Promise<number> {
  const found = [...(await filesIn(files.folder, files)), ...(await filesIn(join(files.folder, ASIDE), files))];
  const gone = await among(found, (ids) => store.use((client) => erasedCalls(client, ids, files.kind)));
  await Promise.all(gone.map(({ path }) => rm(path, { force: true })));
  return gone.length;
}

/** Puts files of restricted calls aside, and those back whose restriction was lifted. Errors: STORE_DOWN, those of the file system. */
export async function shelveCallFiles(store: Pick<Store, 'use'>, files: CallFiles): Promise<void> {
  const aside = join(files.folder, ASIDE);
  const restricted = (ids: readonly string[]): Promise<readonly string[]> => store.use((client) => restrictedCalls(client, ids));
  const inUse = await among(await filesIn(files.folder, files), restricted);
  const put = await filesIn(aside, files);
  const still = await among(put, restricted);
  if (inUse.length > 0) await mkdir(aside, { recursive: true, mode: 0o700 });
  for (const { path, name } of inUse) await rename(path, join(aside, name));
  for (const file of put) if (!still.includes(file)) await rename(file.path, join(files.folder, file.name));
}

interface CallFile {
  readonly path: string;
  readonly name: string;
  readonly callId: string;
}

async function filesIn(folder: string, { suffixes }: CallFiles): Promise<readonly CallFile[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => {
    const callId = CALL_ID.exec(name)?.[0];
    return callId === undefined || !suffixes.some((suffix) => name.endsWith(suffix)) ? [] : [{ path: join(folder, name), name, callId }];
  });
}

async function among(
  files: readonly CallFile[],
  ask: (ids: readonly string[]) => Promise<readonly string[]>,
): Promise<readonly CallFile[]> {
  if (files.length === 0) return [];
  const ids = new Set(await ask([...new Set(files.map(({ callId }) => callId))]));
  return files.filter(({ callId }) => ids.has(callId));
}
