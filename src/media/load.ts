/** The only place that loads the addon. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ParleyError } from '../contracts/index.ts';
import { API_VERSION, type NativeMedia } from './native.ts';

const ADDON = join('build', 'Release', 'parley_media.node');

/** The package root: the nearest folder above with a binding.gyp, so that src/ (tsx) and dist/ find the same addon. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'binding.gyp'))) {
    const parent = dirname(folder);
    if (parent === folder) throw failed('no folder above this program holds a binding.gyp', undefined);
    folder = parent;
  }
  return folder;
}

function failed(what: string, cause: unknown): ParleyError {
  const solutions = [
    'compile it: npm run setup (or scripts/build-native.sh)',
    `it was compiled by another Node.js or for another machine than this one (${process.version}, ${process.platform}-${process.arch}): scripts/build-native.sh --force`,
    'Linux is required: the engine uses epoll, timerfd and memfd',
  ];
  return new ParleyError(
    'MEDIA_ADDON',
    `The media addon ${ADDON} could not be loaded: ${what}. Likely solutions: ${solutions.join('; ')}.`,
    {
      cause,
    },
  );
}

let loaded: NativeMedia | undefined;

/** Errors: MEDIA_ADDON_VERSION when the addon is of another version than src/media, before anything of it is called. */
export function checkedVersion(addon: unknown): NativeMedia {
  const version = typeof addon === 'object' && addon !== null && 'apiVersion' in addon ? addon.apiVersion : undefined;
  if (version === API_VERSION) return addon as NativeMedia;
  throw new ParleyError(
    'MEDIA_ADDON_VERSION',
    `The media addon ${ADDON} has ${typeof version === 'number' ? `API version ${version}` : 'no API version'}, this program needs ${API_VERSION}: compile it again with scripts/build-native.sh.`,
  );
}

/** Loads once; another path is for tests. Errors: MEDIA_ADDON, MEDIA_ADDON_VERSION. */
export function loadAddon(path?: string): NativeMedia {
  if (loaded !== undefined && path === undefined) return loaded;
  const file = path ?? join(packageRoot(), ADDON);
  if (!existsSync(file)) throw failed('the file does not exist', undefined);
  let addon: unknown;
  try {
    addon = createRequire(import.meta.url)(file);
  } catch (error) {
    throw failed(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), error);
  }
  loaded = checkedVersion(addon);
  return loaded;
}
