/** llama-server of Debian (scripts/fetch-llama.sh), run from its private root without touching the host. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';

const HOME = join(import.meta.dirname, '../../.runtime/llama');
const MODEL = join(HOME, 'tiny-random.gguf');

export const llamaIsThere = existsSync(join(HOME, 'root/VERSION')) && existsSync(MODEL);

export interface LlamaServer {
  readonly origin: string;
  readonly slots: number;
  stop(): Promise<void>;
}

export async function startLlama(slots: number): Promise<LlamaServer> {
  const libraries = libraryFolder();
  const backends = join(libraries, 'ggml/backends0');
  // The slowest backend runs on every machine.
  const backend = readdirSync(backends).find((file) => /libggml-cpu(-x64|-armv8.0_1)?\.so$/.test(file));
  if (backend === undefined) throw new Error('no CPU backend in the private root');
  const loader = readdirSync(libraries).find((file) => /^ld-linux.*\.so/.test(file)) ?? '';
  const port = await freePort();
  const child = spawn(
    join(libraries, loader),
    // prettier-ignore
    ['--library-path', `${libraries}:${join(libraries, 'llama')}`, join(HOME, 'root/usr/bin/llama-server'),
      '--model', MODEL, '--alias', 'tiny', '--host', '127.0.0.1', '--port', String(port), '--parallel', String(slots),
      '--threads', '1', '--jinja', '--slots', '--no-webui', '--log-disable'],
    { stdio: 'ignore', env: { GGML_BACKEND_PATH: join(backends, backend) } },
  );
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const origin = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`llama-server ended with ${child.exitCode}`);
    const ready = await fetch(`${origin}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    origin,
    slots,
    stop: () => {
      child.kill();
      return gone;
    },
  };
}

function libraryFolder(): string {
  const lib = join(HOME, 'root/usr/lib');
  const triplet = readdirSync(lib).find((name) => existsSync(join(lib, name, 'ggml')));
  if (triplet === undefined) throw new Error('no libggml in the private root: run scripts/fetch-llama.sh');
  return join(lib, triplet);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
