/** Starts the engine servers as processes of their own, for tests and benches, and talks to their control door. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RequestState, Script, SeenRequest } from './calls.ts';

export type ServerName = 'ollama' | 'openai' | 'whisper' | 'piper';

const PROGRAMS: Readonly<Record<ServerName, string>> = {
  ollama: import.meta.resolve('./ollama-server.ts'),
  openai: import.meta.resolve('./openai-server.ts'),
  whisper: import.meta.resolve('./whisper-server.ts'),
  piper: import.meta.resolve('./piper-server.ts'),
};

export interface EngineServer {
  readonly origin: string;
  /** Base address for one call: everything sent there is scripted and recorded under this id. */
  callUrl(id: string): string;
  script(id: string, script: Script): Promise<void>;
  seen(id: string): Promise<readonly SeenRequest[]>;
  /** Waits until request `n` of the call is so far. */
  until(id: string, n: number, wanted: { readonly state: RequestState } | { readonly parts: number }): Promise<SeenRequest>;
  release(id: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startServer(name: ServerName, args: readonly string[] = []): Promise<EngineServer> {
  const program = fileURLToPath(PROGRAMS[name]);
  // tsx is found from here, not from the directory that the caller stands in.
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '' },
  });
  const port = await readyPort(child, name);
  const origin = `http://127.0.0.1:${port}`;
  const control = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${origin}/_control/calls/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.json();
  };
  return {
    origin,
    callUrl: (id) => `${origin}/call/${id}`,
    script: (id, script) => control('PUT', id, script).then(() => undefined),
    seen: async (id) => ((await control('GET', id)) as { requests: SeenRequest[] }).requests,
    until: async (id, n, wanted) =>
      (await control('GET', `${id}/${n}?${'state' in wanted ? `state=${wanted.state}` : `parts=${wanted.parts}`}`)) as SeenRequest,
    release: (id) => control('POST', `${id}/release`).then(() => undefined),
    stop: () => ended(child),
  };
}

function readyPort(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error('no standard output'));
    child.once('exit', (code) => reject(new Error(`the ${name} server ended with ${code ?? 'a signal'} before it was ready`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { ready?: boolean; port?: number };
      if (said.ready === true && said.port !== undefined) resolve(said.port);
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.stdin?.end();
  });
}
