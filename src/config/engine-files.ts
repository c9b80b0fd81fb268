/** What the engines of a configuration name outside it: model files, key files and their mode, hosts and what their names stand for. */
import { stat } from 'node:fs/promises';
import { hostOf, isAddress, isNear } from '../contracts/index.ts';
import type { EngineChoices, LlmChoice, SttChoice, TtsChoice } from './engine-choices.ts';
import { type EngineKindName, type EngineProblem, OUTSIDE } from './engines.ts';

/** All addresses of a name. */
export type Resolve = (name: string) => Promise<readonly string[]>;

export interface EngineLook {
  /** Why a path is no readable file; null when it is one. */
  readonly whyNot: (path: string) => Promise<string | null>;
  readonly resolve: Resolve;
}

type AnyChoice = SttChoice | TtsChoice | LlmChoice;

/** How long a name server has; what it does not say is judged when the engine is reached. */
const RESOLVE_MS = 2000;

export async function engineFileProblems(config: EngineChoices, look: EngineLook): Promise<EngineProblem[]> {
  const problems: EngineProblem[] = [];
  const file = async (path: readonly (string | number)[], name: string | undefined): Promise<boolean> => {
    const message = name === undefined ? null : await look.whyNot(name);
    if (message !== null) problems.push({ path, message });
    return name !== undefined && message === null;
  };
  for (const kind of ['stt', 'tts', 'llm'] as const) {
    for (const { engine, at } of placesOf(kind, config)) {
      if (engine.engine === 'whisper' || engine.engine === 'piper') await file([...at, 'model'], engine.model);
      if ('models' in engine)
        for (const [name, voice] of Object.entries(engine.models ?? {})) await file([...at, 'models', name, 'file'], voice.file);
      if ((await file([...at, 'keyFile'], engine.keyFile)) && engine.keyFile !== undefined)
        problems.push(...(await modeProblems([...at, 'keyFile'], engine.keyFile)));
      if (engine.external === null && engine.url !== undefined && (await pointsOutside(engine.url, look.resolve)))
        problems.push({ path: [...at, 'url'], message: OUTSIDE });
    }
  }
  return problems;
}

function placesOf(kind: EngineKindName, config: EngineChoices): { engine: AnyChoice; at: readonly (string | number)[] }[] {
  const chain = config[kind].engines.map((engine, index) => ({ engine, at: placeOf(kind, index) }));
  const named = kind === 'llm' ? config.llm.named.map((engine) => ({ engine, at: ['llm', 'named', engine.name] })) : [];
  return [...chain, ...named];
}

export function placeOf(kind: EngineKindName, index: number): readonly (string | number)[] {
  return index === 0 ? [kind] : [kind, 'then', index - 1];
}

async function modeProblems(path: readonly (string | number)[], name: string): Promise<EngineProblem[]> {
  const mode = (await stat(name)).mode & 0o777;
  if ((mode & 0o077) === 0) return [];
  return [{ path, message: `names ${name}, which others may read (mode 0${mode.toString(8)}), expected mode 0600` }];
}

/** A name that cannot be resolved now is judged at each connection: a site may be set up while its name server is away. */
async function pointsOutside(url: string, resolve: Resolve): Promise<boolean> {
  const host = hostOf(new URL(url));
  if (isAddress(host) || host === 'localhost') return false;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((settle) => (timer = setTimeout(() => settle([]), RESOLVE_MS)));
  const addresses = await Promise.race([resolve(host).catch(() => []), late]);
  clearTimeout(timer);
  return !addresses.every(isNear);
}
