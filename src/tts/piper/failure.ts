import { ParleyError } from '../../contracts/index.ts';

export function failed(message: string, cause?: unknown): ParleyError {
  return new ParleyError('TTS_FAILED', message, cause === undefined ? {} : { cause });
}

export function unusable(file: string, message: string, cause?: unknown): ParleyError {
  return new ParleyError('TTS_VOICE', `The voice ${file} cannot be used: ${message}`, {
    ...(cause === undefined ? {} : { cause }),
    place: { file },
  });
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
