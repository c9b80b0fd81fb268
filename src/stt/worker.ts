import { spawn, type ChildProcessByStdio, type StdioOptions } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

import { ParleyError, type Logger } from '../contracts/index.ts';
import { parseWorkerLine, type WorkerMessage, type WorkerReady, type WorkerRequest } from './messages.ts';

/** One life of the recogniser program: from spawn to exit. A new life is a new object. */
export interface WorkerLife {
  readonly pid: number;
  readonly ready: WorkerReady;
  send(request: WorkerRequest): void;
  /** SIGKILL: a program that hangs does not listen to anything kinder. */
  kill(): void;
}

export interface WorkerSpawn {
  readonly program: string;
  readonly args: readonly string[];
  /** Inherited as file descriptor 3. */
  readonly audioFd: number;
  readonly startTimeoutMs: number;
  readonly logger: Logger;
  readonly onMessage: (message: WorkerMessage) => void;
  /** Called once, after the life began: exit code or signal. */
  readonly onExit: (why: string) => void;
}

const LONGEST_LINE = 4 * 1024 * 1024;
/** What the program may know of our environment: nothing secret. */
const PASSED_ON = ['PATH', 'LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES', 'OMP_NUM_THREADS'];

function environment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** Calls back with each line of a stream; a line that grows without end is dropped. */
export function onLines(stream: NodeJS.ReadableStream, listener: (line: string) => void): void {
  let pending = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    pending += chunk;
    for (let end = pending.indexOf('\n'); end >= 0; end = pending.indexOf('\n')) {
      listener(pending.slice(0, end));
      pending = pending.slice(end + 1);
    }
    if (pending.length > LONGEST_LINE) pending = '';
  });
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function lifeOf(child: Child, pid: number, ready: WorkerReady): WorkerLife {
  return {
    pid,
    ready,
    send: (request) => {
      if (child.stdin.writable) child.stdin.write(`${JSON.stringify(request)}\n`);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function startError(program: string, error: string, message: string): ParleyError {
  if (error === 'model') return new ParleyError('STT_MODEL', `the model cannot be loaded: ${message}`);
  return new ParleyError('STT_FAILED', `${program} refused to start (${error}): ${message}`);
}

/**
 * Starts the program and resolves when its model is loaded.
 * Errors: STT_MODEL (missing, truncated, no model, too large), STT_FAILED (program missing, died, or silent for too long).
 */
export function startWorker(options: WorkerSpawn): Promise<WorkerLife> {
  const { program, logger } = options;
  return new Promise((resolve, reject) => {
    // Node's types do not know of a fourth descriptor; the first three are pipes all the same. A group of its own: a signal to ours (Ctrl-C)
    // begins a drain, and callers are heard until it is over. When we are gone its standard input ends, and so does it.
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', options.audioFd];
    const child = spawn(program, options.args, { stdio, env: environment(), detached: true }) as Child;
    let life: WorkerLife | undefined;
    let ended = false;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end(`not ready after ${options.startTimeoutMs} ms`);
    }, options.startTimeoutMs);
    function end(why: string, error?: ParleyError): void {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      if (life) options.onExit(why);
      else reject(error ?? new ParleyError('STT_FAILED', `${program} ended before it was ready: ${why}`));
    }
    child.on('error', (cause) => {
      end(cause.message, new ParleyError('STT_FAILED', `${program} cannot be run: ${cause.message}; run npm run setup`, { cause }));
    });
    child.on('close', (code, signal) => {
      end(signal ?? `exit code ${code ?? -1}`);
    });
    child.stdin.on('error', () => undefined); // its end is told by 'close'
    let stderrBytes = 0;
    child.stderr.on('data', (chunk: Buffer) => {
      // Assertion texts of whisper.cpp at most; still, not a byte of it is logged: only that there was some.
      if (stderrBytes === 0) logger.warn('recogniser wrote to stderr', { pid: child.pid ?? 0 });
      stderrBytes += chunk.length;
    });
    onLines(child.stdout, (line) => {
      const message = parseWorkerLine(line);
      if (life) {
        if (!ended) options.onMessage(message);
      } else if (message.t === 'ready' && child.pid !== undefined && !ended) {
        clearTimeout(timer);
        life = lifeOf(child, child.pid, message.ready);
        resolve(life);
      } else if (message.t === 'error') {
        end(message.error, startError(program, message.error, message.message));
      }
    });
  });
}
