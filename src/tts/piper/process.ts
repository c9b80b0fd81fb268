/**
 * Starts a program of this folder as a process of its own, with messages both ways. Not a thread: onnxruntime brings the whole
 * process down when its thread is ended in the middle of an inference (measured: "terminate called after throwing
 * Napi::Error"), and a fault in native code must cost a sentence, not the calls.
 */
import { fork, type ChildProcess } from 'node:child_process';

/** What a worker needs of our environment; passwords stay here. */
const PASSED = ['PATH', 'LD_LIBRARY_PATH', 'HOME', 'TMPDIR', 'LANG'];

export function startProcess(program: URL): ChildProcess {
  const env = Object.fromEntries(PASSED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  // Run from source, the worker is a .ts file and needs the loader that we were started with.
  const execArgv = program.pathname.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  return fork(program, { execArgv, env, serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
}
