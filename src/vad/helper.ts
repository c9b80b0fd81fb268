/**
 * Starts the worker as a process of its own. Not a thread: onnxruntime brings the whole process down when its thread is ended in the
 * middle of an inference ("terminate called after throwing Napi::Error"), and a worker that hangs can only be ended by force.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { AUDIO_FD } from './messages.ts';

/** What a worker needs of our environment; passwords stay here. */
const PASSED = ['PATH', 'LD_LIBRARY_PATH', 'HOME', 'TMPDIR', 'LANG'];

export function startHelper(audioFd: number): ChildProcess {
  const program = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
  const env = Object.fromEntries(PASSED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  // Run from source, the worker is a .ts file and needs the loader that we were started with.
  const execArgv = program.pathname.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as ('ignore' | 'inherit' | 'ipc' | number)[];
  stdio.splice(AUDIO_FD, 0, audioFd);
  return fork(program, { execArgv, env, stdio });
}
