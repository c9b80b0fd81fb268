/** Starts the recorder's thread, built (.js) or from source: Node hands no TypeScript loader down to threads, so it registers tsx first. */
import { Worker } from 'node:worker_threads';
import type { ThreadOptions } from './messages.ts';

const LOADER = 'tsx/esm/api';
const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export function startThread(workerData: ThreadOptions): Worker {
  const name = 'recorder';
  if (PROGRAM.pathname.endsWith('.js')) return new Worker(PROGRAM, { name, workerData });
  const loader = JSON.stringify(import.meta.resolve(LOADER));
  const source = `import(${loader}).then((tsx) => { tsx.register(); return import(${JSON.stringify(PROGRAM.href)}); });`;
  return new Worker(source, { name, eval: true, execArgv: [], workerData });
}
