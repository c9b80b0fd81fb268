import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';

import { ParleyError } from '../contracts/index.ts';

/** One espeak-ng voice, ready to speak. */
export interface Speaker {
  /** Plain text, already checked. Errors: TTS_FAILED. */
  say(text: string): Promise<Spoken>;
  close(): void;
}

export interface Spoken {
  readonly pcm: Int16Array;
  readonly rateHz: number;
  readonly firstMs: number;
}

export interface SpeakerOptions {
  readonly program: string;
  readonly voice: string;
  readonly rateWpm: number;
  readonly timeoutMs: number;
}

/** Text never becomes an argument: it could begin with a dash. */
export function spawnEspeak(options: SpeakerOptions): ChildProcessWithoutNullStreams {
  const args = ['-b', '1', '-v', options.voice, '-s', String(options.rateWpm), '--stdout', '--stdin'];
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' };
  // A group of its own: a signal to ours (Ctrl-C) begins a drain, in which callers still hear whole sentences.
  return spawn(options.program, args, { stdio: ['pipe', 'pipe', 'pipe'], env, detached: true });
}

export function spawnProblem(options: SpeakerOptions, cause: Error): ParleyError {
  return new ParleyError(
    'TTS_FAILED',
    `${options.program} cannot be run: ${cause.message}; install it (Debian: apt-get install espeak-ng)`,
    { cause },
  );
}

export function exitProblem(options: SpeakerOptions, why: string): ParleyError {
  return new ParleyError(
    'TTS_FAILED',
    `${options.program} ended (${why}) while speaking with voice "${options.voice}"; does the voice exist?`,
  );
}

export function timeoutProblem(options: SpeakerOptions): ParleyError {
  return new ParleyError('TTS_FAILED', `${options.program} gave no audio for ${options.timeoutMs} ms; it is started again`);
}

export function joined(parts: readonly Int16Array[]): Int16Array {
  const pcm = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    pcm.set(part, at);
    at += part.length;
  }
  return pcm;
}
