/** Secrets of external synthesisers. */
import { readFile } from 'node:fs/promises';
import { ParleyError } from '../../contracts/index.ts';

const MOST_BYTES = 16_384;

/** A file that holds a secret. Errors: TTS_FAILED. */
export async function readSecret(file: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw unusable(file, `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  if (text === '' || text.length > MOST_BYTES) throw unusable(file, 'must hold the secret and nothing else');
  return text;
}

export function unusable(file: string, what: string): ParleyError {
  return new ParleyError('TTS_FAILED', `the secret file of a synthesiser ${what}`, { place: { file } });
}
