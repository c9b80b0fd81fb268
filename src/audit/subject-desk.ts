/** Whose rights are served, with what: the persons behind a number, and the keys of what is kept of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError, type Clock } from '../contracts/index.ts';
import { subjectsOf, type Store, type SubjectRow } from '../store/index.ts';
import type { Audit } from './log.ts';
import { decrypt, kekFile, numberMac } from './vault.ts';

export interface SubjectDesk {
  /** A running log: what is done here is an event before it is done. */
  readonly audit: Audit;
  readonly store: Store;
  readonly clock: Clock;
  readonly keysFolder: string;
}

/** A chain that is not in Postgres yet may hold this person too. */
const SHIP_LIMIT_MS = 10_000;

/** Errors: CONFIG_INVALID for what is no number, STORE_DOWN. */
export async function findSubjects(desk: SubjectDesk, number: string): Promise<readonly SubjectRow[]> {
  const mac = numberMac(await readKey(join(desk.keysFolder, 'number.key')), number);
  if (mac === null) throw new ParleyError('CONFIG_INVALID', 'A phone number has digits; nothing was looked up.');
  await shipAll(desk);
  return desk.store.use((client) => subjectsOf(client, mac));
}

export async function shipAll(desk: SubjectDesk): Promise<void> {
  if (!(await desk.audit.shipped(SHIP_LIMIT_MS))) {
    throw new ParleyError('STORE_DOWN', `${desk.audit.backlog} events still wait for Postgres; try again when it is back.`);
  }
}

/** The key of a subject. Errors: CONFIG_INVALID without the key of its week. */
export async function openKey(desk: Pick<SubjectDesk, 'keysFolder'>, { subjectId, wrappedDek, kekId }: SubjectRow): Promise<Buffer> {
  return decrypt(await readKey(kekFile(desk.keysFolder, kekId)), wrappedDek, Buffer.from(subjectId));
}

export async function readKey(path: string): Promise<Buffer> {
  try {
    return Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
  } catch (error) {
    throw new ParleyError('CONFIG_INVALID', `The key file ${path} cannot be read: without it this content cannot be found or opened.`, {
      cause: error,
      place: { file: path },
    });
  }
}
