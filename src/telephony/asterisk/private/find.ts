/** Finds an Asterisk program to run: the host's own, or the private one that scripts/setup.sh put under .runtime. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ParleyError } from '../../../contracts/index.ts';

export interface AsteriskProgram {
  /** Program and first arguments: a private Asterisk runs through the dynamic loader of its own root. */
  readonly command: readonly [string, ...string[]];
  readonly modules: string;
  readonly data: string;
  readonly origin: 'host' | 'private';
}

/** Of src/ and of dist/ alike: both lie one level below the project. */
export const PROJECT_ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const OLDEST = 20;

/**
 * The host's Asterisk 20 or later wins, unless PARLEY_PRIVATE_ASTERISK=1 or `preferPrivate`. Error: PBX_FAILED when there is none.
 */
export function findAsterisk(options: { preferPrivate?: boolean; root?: string } = {}): AsteriskProgram {
  const root = options.root ?? join(PROJECT_ROOT, '.runtime/asterisk/root');
  const wantPrivate = options.preferPrivate ?? process.env['PARLEY_PRIVATE_ASTERISK'] === '1';
  const found = (wantPrivate ? undefined : hostAsterisk()) ?? privateAsterisk(root);
  if (found === undefined)
    throw new ParleyError('PBX_FAILED', `There is no Asterisk here (looked for asterisk in PATH and in ${root}): run npm run setup.`);
  return found;
}

function hostAsterisk(): AsteriskProgram | undefined {
  const path = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const program = path.map((folder) => join(folder, 'asterisk')).find((candidate) => existsSync(candidate));
  if (program === undefined || majorOf(program) < OLDEST) return undefined;
  const modules = modulesUnder('/');
  return modules === undefined ? undefined : { command: [program], modules, data: dataUnder('/'), origin: 'host' };
}

function majorOf(program: string): number {
  try {
    return Number(/^Asterisk (\d+)\./.exec(execFileSync(program, ['-V'], { encoding: 'utf8', timeout: 5000 }))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function privateAsterisk(root: string): AsteriskProgram | undefined {
  const program = join(root, 'usr/sbin/asterisk');
  const modules = modulesUnder(root);
  const libraries = modules === undefined ? undefined : join(modules, '../..');
  const loader = [join(root, 'usr/lib64'), libraries]
    .flatMap((folder) => (folder !== undefined && existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []))
    .find((file) => /\/ld-linux-[^/]*\.so\.\d$/.test(file));
  if (!existsSync(program) || modules === undefined || libraries === undefined || loader === undefined) return undefined;
  return {
    command: [loader, '--argv0', 'asterisk', '--library-path', libraries, program],
    modules,
    data: dataUnder(root),
    origin: 'private',
  };
}

function modulesUnder(root: string): string | undefined {
  const lib = join(root, 'usr/lib');
  const multiarch = existsSync(lib) ? readdirSync(lib).filter((name) => name.endsWith('-linux-gnu')) : [];
  return [...multiarch.map((name) => join(lib, name)), lib, join(root, 'usr/lib64')]
    .map((folder) => join(folder, 'asterisk/modules'))
    .find((folder) => existsSync(folder));
}

function dataUnder(root: string): string {
  const share = join(root, 'usr/share/asterisk');
  return existsSync(share) ? share : join(root, 'var/lib/asterisk');
}
