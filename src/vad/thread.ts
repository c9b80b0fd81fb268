/**
 * Starts the worker. Built, it is a .js file. Run from source it is a .ts file, and Node does not hand a TypeScript loader down to
 * threads: the thread registers tsx first.
 */
import { Worker } from 'node:worker_threads';
import type { WorkerOptions } from './messages.ts';

const LOADER = 'tsx/esm/api';
const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export function startThread(workerData: WorkerOptions): Worker {
  const name = 'vad';
  if (PROGRAM.pathname.endsWith('.js')) return new Worker(PROGRAM, { name, workerData });
  const loader = JSON.stringify(import.meta.resolve(LOADER));
  const source = `import(${loader}).then((tsx) => { tsx.register(); return import(${JSON.stringify(PROGRAM.href)}); });`;
  return new Worker(source, { name, eval: true, execArgv: [], workerData });
}
