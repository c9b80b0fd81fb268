import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const ERASED = 'erased';

/** Beside the keys, where a restored database cannot forget it: the random ids of everybody who was erased. */
export async function rememberErased(keysFolder: string, subjectIds: readonly string[]): Promise<void> {
  const file = await open(join(keysFolder, ERASED), 'a', 0o600);
  try {
    await file.appendFile(subjectIds.map((id) => `${id}\n`).join(''));
    await file.datasync();
  } finally {
    await file.close();
  }
}

export async function erasedSubjects(keysFolder: string): Promise<readonly string[]> {
  const text = await readFile(join(keysFolder, ERASED), 'utf8').catch(() => '');
  return [...new Set(text.split('\n').filter((line) => /^[0-9a-f-]{36}$/.test(line)))];
}
