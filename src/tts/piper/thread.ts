/**
 * Starts a program of this folder as a worker thread. Built, that is a .js file. Run from source it is a .ts file, and Node
 * does not hand a TypeScript loader down to threads: the thread first registers tsx, then imports the program.
 */
import { Worker } from 'node:worker_threads';

const LOADER = 'tsx/esm/api';

export function startThread(program: URL, name: string): Worker {
  if (!program.pathname.endsWith('.ts')) return new Worker(program, { name });
  const loader = JSON.stringify(import.meta.resolve(LOADER));
  const source = `import(${loader}).then((tsx) => { tsx.register(); return import(${JSON.stringify(program.href)}); });`;
  return new Worker(source, { name, eval: true, execArgv: [] });
}
