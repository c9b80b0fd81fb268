import type { ChildProcessWithoutNullStreams } from 'node:child_process';

import { ParleyError } from '../contracts/index.ts';
import {
  exitProblem,
  joined,
  spawnEspeak,
  spawnProblem,
  timeoutProblem,
  type Speaker,
  type SpeakerOptions,
  type Spoken,
} from './speaker.ts';
import { WaveStream } from './wave-stream.ts';

/**
 * A process per text, where the end of the stream is the end of the text and the same words sound the same
 * (docs/adr/0001). One is always started ahead and waits with its voice loaded.
 */
export class SpareSpeaker implements Speaker {
  readonly #options: SpeakerOptions;
  #spare: ChildProcessWithoutNullStreams;
  #closed = false;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#spare = this.#start();
  }

  say(text: string): Promise<Spoken> {
    if (this.#closed) return Promise.reject(new ParleyError('TTS_FAILED', 'the synthesiser is being stopped'));
    const child = this.#spare;
    this.#spare = this.#start();
    return this.#speak(child, text);
  }

  close(): void {
    this.#closed = true;
    this.#spare.kill('SIGKILL');
  }

  #start(): ChildProcessWithoutNullStreams {
    const child = spawnEspeak(this.#options);
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    child.stderr.resume();
    return child;
  }

  #speak(child: ChildProcessWithoutNullStreams, text: string): Promise<Spoken> {
    const startedAtMs = performance.now();
    const stream = new WaveStream();
    const parts: Int16Array[] = [];
    let firstMs = 0;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(timeoutProblem(this.#options));
      }, this.#options.timeoutMs);
      child.on('error', (cause) => {
        clearTimeout(timer);
        reject(spawnProblem(this.#options, cause));
      });
      child.stdout.on('data', (chunk: Buffer) => {
        if (firstMs === 0) firstMs = performance.now() - startedAtMs;
        parts.push(stream.push(chunk));
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (code === 0 && stream.rateHz > 0) resolve({ pcm: joined(parts), rateHz: stream.rateHz, firstMs });
        else reject(exitProblem(this.#options, signal ?? `exit code ${code ?? -1}`));
      });
      child.stdin.end(`${text}\n`);
    });
  }
}
