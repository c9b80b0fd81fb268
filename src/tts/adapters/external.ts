/** What every external synthesiser needs before it may be made. */
import { readFile } from 'node:fs/promises';
import { ParleyError, type ExternalProcessor } from '../../contracts/index.ts';

const MOST_BYTES = 16_384;

/** Off unless somebody answers for it, wherever its address points. Errors: ENGINE_EXTERNAL. */
export function named(external: ExternalProcessor | undefined, who: string): ExternalProcessor {
  if (external === undefined || external.processor.trim() === '' || external.legalBasis.trim() === '')
    throw new ParleyError('ENGINE_EXTERNAL', `${who} gets what is said outside this site: name processor and legalBasis, or leave it off`);
  return external;
}

/** https; http only to this machine, where a proxy may stand. Errors: CONFIG_INVALID. */
export function checkedUrl(text: string, who: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const local = url !== null && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (url === null || url.username !== '' || url.password !== '' || !(url.protocol === 'https:' || (url.protocol === 'http:' && local)))
    throw new ParleyError('CONFIG_INVALID', `${who} is reached by https and without a password in its URL`);
  return url;
}

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
