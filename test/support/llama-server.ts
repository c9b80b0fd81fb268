/** llama-server of Debian (scripts/fetch-llama.sh), run from its private root without touching the host. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { serveLlama, type LlamaProcess } from '../../bench/support/llama-server.ts';

const HOME = join(import.meta.dirname, '../../.runtime/llama');
const MODEL = join(HOME, 'tiny-random.gguf');

export const llamaIsThere = existsSync(join(HOME, 'root/VERSION')) && existsSync(MODEL);

export interface LlamaServer extends LlamaProcess {
  readonly slots: number;
}

export async function startLlama(slots: number, model = MODEL): Promise<LlamaServer> {
  const libraries = libraryFolder();
  const backends = join(libraries, 'ggml/backends0');
  // The slowest backend runs on every machine.
  const backend = readdirSync(backends).find((file) => /libggml-cpu(-x64|-armv8.0_1)?\.so$/.test(file));
  if (backend === undefined) throw new Error('no CPU backend in the private root');
  const loader = readdirSync(libraries).find((file) => /^ld-linux.*\.so/.test(file)) ?? '';
  const server = await serveLlama(
    join(libraries, loader),
    // prettier-ignore
    ['--library-path', `${libraries}:${join(libraries, 'llama')}`, join(HOME, 'root/usr/bin/llama-server'),
      '--model', model, '--alias', 'tiny', '--parallel', String(slots),
      '--threads', '1', '--jinja', '--slots', '--no-webui', '--log-disable'],
    { GGML_BACKEND_PATH: join(backends, backend) },
  );
  return { ...server, slots };
}

function libraryFolder(): string {
  const lib = join(HOME, 'root/usr/lib');
  const triplet = readdirSync(lib).find((name) => existsSync(join(lib, name, 'ggml')));
  if (triplet === undefined) throw new Error('no libggml in the private root: run scripts/fetch-llama.sh');
  return join(lib, triplet);
}
