/** `parley models list | pull | verify | prune`: the files that the engines need. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { PROJECT_ROOT } from '../parts/index.ts';
import { EXIT } from './exit.ts';
import { download, type FileState, type Model, type ModelFile, readModels, stateOf } from './model-files.ts';

export interface ModelsCommand {
  /** The project; for tests. */
  readonly root?: string;
  /** Take a model although its licence forbids some uses. */
  readonly acceptLicence?: boolean;
}

const megabytes = (model: Model): string => `${Math.ceil(model.files.reduce((sum, file) => sum + file.bytes, 0) / 1e6)} MB`;

export async function modelsList({ root = PROJECT_ROOT }: ModelsCommand): Promise<number> {
  for (const model of await readModels(root)) {
    const states = await Promise.all(model.files.map((file) => stateOf(root, file, false)));
    console.log(
      `${model.name.padEnd(30)} ${worst(states).padEnd(8)} ${megabytes(model).padStart(8)}  ${model.licence}  ${model.languages.join(', ')}`,
    );
    console.log(`${' '.repeat(31)}${model.purpose}`);
    if (model.forbids !== undefined) console.log(`${' '.repeat(31)}licence forbids ${model.forbids}`);
  }
  return EXIT.ok;
}

function worst(states: readonly FileState[]): FileState {
  return (['damaged', 'missing', 'partial'] as const).find((state) => states.includes(state)) ?? 'ok';
}

export async function modelsPull(name: string, { root = PROJECT_ROOT, acceptLicence = false }: ModelsCommand): Promise<number> {
  const model = await find(root, name);
  if (model.forbids !== undefined) {
    console.log(`${model.name}: the licence (${model.licence}) forbids ${model.forbids}.`);
    if (!acceptLicence) {
      console.log('Run the command again with --accept-licence if your use is allowed.');
      return EXIT.failed;
    }
  }
  for (const file of model.files) {
    if ((await stateOf(root, file, true)) === 'ok') {
      console.log(`${file.path}: there and verified`);
      continue;
    }
    try {
      await download(root, file, progressBar(file));
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'MODEL_DOWNLOAD') byHand(root, model);
      throw error;
    }
    console.log(`\r${file.path}: verified, sha256 ${file.sha256.slice(0, 16)}…`.padEnd(79));
  }
  return EXIT.ok;
}

/** For sites without a way out: what to carry, and where to put it. */
function byHand(root: string, model: Model): void {
  console.log(`\nWithout a way to the internet, fetch these on another machine and copy them here:`);
  for (const file of model.files)
    console.log(`  ${file.url ?? ''}\n    -> ${join(root, file.path)}   (${file.bytes} bytes, sha256 ${file.sha256})`);
  console.log(`Then: parley models verify ${model.name}\n`);
}

/** All models that are there, or one. Every byte is hashed. */
export async function modelsVerify(name: string | undefined, { root = PROJECT_ROOT }: ModelsCommand): Promise<number> {
  const models = name === undefined ? await readModels(root) : [await find(root, name)];
  let bad = 0;
  for (const model of models) {
    for (const file of model.files) {
      const state = await stateOf(root, file, true);
      if (state === 'missing' && name === undefined) continue;
      console.log(`${state.padEnd(8)} ${file.path}`);
      if (state !== 'ok') bad++;
    }
  }
  return bad === 0 ? EXIT.ok : EXIT.failed;
}

/** Removes broken-off downloads and damaged files of models.json. Files that it does not know are named and left. */
export async function modelsPrune({ root = PROJECT_ROOT }: ModelsCommand): Promise<number> {
  const files = (await readModels(root)).flatMap((model) => model.files);
  for (const file of files) {
    const state = await stateOf(root, file, true);
    const path = join(root, file.path);
    if (state === 'damaged' && file.url !== undefined) await remove(path, `${file.path}: damaged`);
    if (state !== 'missing') await rm(`${path}.part`, { force: true });
  }
  const known = new Set([...files.map((file) => file.path), 'models/models.json', 'models/README.md']);
  for (const entry of await readdir(join(root, 'models'), { withFileTypes: true })) {
    if (entry.isFile() && !known.has(`models/${entry.name}`)) console.log(`models/${entry.name}: not in models.json, left alone`);
  }
  return EXIT.ok;
}

async function remove(path: string, line: string): Promise<void> {
  await rm(path);
  console.log(`${line}, removed`);
}

async function find(root: string, name: string): Promise<Model> {
  const models = await readModels(root);
  const model = models.find((candidate) => candidate.name === name);
  if (model !== undefined) return model;
  throw new ParleyError('MODEL_UNKNOWN', `there is no model '${name}', expected one of: ${models.map((each) => each.name).join(', ')}`);
}

function progressBar(file: ModelFile): (bytes: number) => void {
  let shown = -1;
  return (bytes) => {
    const percent = Math.floor((bytes / file.bytes) * 100);
    if (percent === shown) return;
    shown = percent;
    const bar = '#'.repeat(Math.floor(percent / 4)).padEnd(25);
    if (process.stdout.isTTY) process.stdout.write(`\r${file.path}  [${bar}] ${String(percent).padStart(3)} %`);
    else if (percent % 10 === 0) console.log(`${file.path}: ${percent} %`);
  };
}
