/**
 * Flows on disk with their versions. `.versions/NAME/HASH.yaml` beside the flows holds every version that was ever activated, with its facts;
 * `.versions/active.json` says which one counts. A call keeps the flow that it began with: nothing here touches it.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ProblemsError } from '../../contracts/index.ts';
import { type Knowledge, parseFacts } from '../knowledge/facts.ts';
import { type FlowSet, linkFlows, loadFlows, type LoadedFlow, type ReadFlow } from './load.ts';
import { type Apis, type ApiSources, readApis } from './openapi.ts';
import { readFlow } from './parse.ts';
import { activate, type FlowVersions, NO_VERSIONS, rollback, versionFor } from './versions.ts';

interface KeptText {
  readonly flow: string;
  readonly facts: Readonly<Record<string, string>>;
}

interface Kept extends KeptText {
  /** Flows that it called when it was kept. */
  readonly called?: Readonly<Record<string, KeptText>>;
}

export class FlowShelf {
  readonly #directory: string;
  readonly #facts: string;
  readonly #sources: ApiSources | null;
  #apis: Apis | null;
  #files: FlowSet;
  #versions: Readonly<Record<string, FlowVersions>>;
  readonly #kept = new Map<string, LoadedFlow>();
  #problems: readonly string[] = [];

  private constructor(
    place: { readonly directory: string; readonly facts: string; readonly sources: ApiSources | null },
    found: { readonly files: FlowSet; readonly apis: Apis | null; readonly versions: Readonly<Record<string, FlowVersions>> },
  ) {
    this.#directory = place.directory;
    this.#facts = place.facts;
    this.#sources = place.sources;
    this.#files = found.files;
    this.#apis = found.apis;
    this.#versions = found.versions;
  }

  /** `sources`: OpenAPI documents of the configuration, read again with the flows; null without one. Errors: ProblemsError (FLOW_INVALID). */
  static async open(
    directory: string,
    factsDirectory = join(directory, '..', 'facts'),
    sources: ApiSources | null = null,
  ): Promise<FlowShelf> {
    const apis = sources === null ? null : await readApis(sources);
    const files = await loadFlows(directory, { factsDirectory, apis });
    const versions = await readVersions(directory);
    const shelf = new FlowShelf({ directory, facts: factsDirectory, sources }, { files, apis, versions });
    await shelf.#readActive();
    return shelf;
  }

  /**
   * Reads all again. What is broken changes nothing: the flows that were there stay. `check` may refuse them too, by throwing.
   * Errors: ProblemsError (FLOW_INVALID), and those of `check`.
   */
  async reload(check: (files: FlowSet) => void = () => undefined): Promise<void> {
    const apis = this.#sources === null ? null : await readApis(this.#sources);
    const files = await loadFlows(this.#directory, { factsDirectory: this.#facts, apis });
    const versions = await readVersions(this.#directory);
    check(files);
    this.#apis = apis;
    this.#versions = versions;
    this.#files = files;
    await this.#readActive();
  }

  /** Versions that should count and cannot: calls get the file instead. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  get files(): FlowSet {
    return this.#files;
  }

  get names(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** The flow as it is in its file now. */
  file(name: string): LoadedFlow | undefined {
    return this.#files.get(name);
  }

  versions(name: string): FlowVersions {
    return this.#versions[name] ?? NO_VERSIONS;
  }

  /** The flow of one call; the file's own where no version was activated or the kept one is gone. */
  flowFor(name: string, callId: string): LoadedFlow | undefined {
    const version = versionFor(this.versions(name), callId);
    return (version === null ? undefined : this.#kept.get(version)) ?? this.#files.get(name);
  }

  /** One version, where it is held: active, under trial, active before, or the file's. */
  flowOf(name: string, version: string): LoadedFlow | undefined {
    const file = this.#files.get(name);
    return file?.flow.version === version ? file : this.#kept.get(version);
  }

  /** Keeps the file's present version and makes it active. */
  async activate(name: string, percent = 100): Promise<string | null> {
    const loaded = this.#files.get(name);
    if (loaded === undefined) return null;
    const { version } = loaded.flow;
    const folder = join(this.#directory, '.versions', name);
    await mkdir(folder, { recursive: true });
    const called: Record<string, KeptText> = {};
    for (const [other, one] of loaded.called ?? []) called[other] = await this.#textOf(one);
    const kept: Kept = { ...(await this.#textOf(loaded)), called };
    const same = parseKept(kept, name, this.#apis).flow.version === version;
    if (!same) {
      const message = 'was changed since it was read, expected it to stay while it is kept: reload, then activate it again';
      throw new ProblemsError([{ code: 'FLOW_INVALID', place: { file: loaded.flow.file }, message }]);
    }
    await writeWhole(join(folder, `${version}.json`), JSON.stringify(kept));
    this.#kept.set(version, loaded);
    await this.#save(name, activate(this.versions(name), version, percent));
    return version;
  }

  /** The version that counts now; null when there was none before. */
  async rollback(name: string): Promise<string | null> {
    const before = rollback(this.versions(name));
    if (before === null) return null;
    await this.#save(name, before);
    await this.#readActive();
    return before.active;
  }

  /** Text of a kept version, or of the file; null when it is not there. */
  async text(name: string, version: string | null): Promise<string | null> {
    const loaded = this.#files.get(name);
    if (version === null) return loaded === undefined ? null : readFile(loaded.flow.file, 'utf8');
    return (await this.#read(name, version))?.flow ?? null;
  }

  async #save(name: string, state: FlowVersions): Promise<void> {
    this.#versions = { ...this.#versions, [name]: state };
    await writeWhole(join(this.#directory, '.versions', 'active.json'), JSON.stringify(this.#versions, null, 2));
  }

  async #textOf({ flow, facts }: LoadedFlow): Promise<KeptText> {
    const texts: Record<string, string> = {};
    for (const language of Object.keys(facts)) {
      const file = language === flow.language ? `${flow.facts ?? ''}.md` : `${flow.facts ?? ''}.${language}.md`;
      texts[language] = await readFile(join(this.#facts, file), 'utf8');
    }
    return { flow: await readFile(flow.file, 'utf8'), facts: texts };
  }

  async #readActive(): Promise<void> {
    const problems: string[] = [];
    for (const [name, { active, canary, previous }] of Object.entries(this.#versions)) {
      // A call that began with the version before this one may go on after a restart.
      if (previous[0] !== undefined) await this.#readKept(name, previous[0]);
      for (const version of [active, canary?.version ?? null]) {
        if (version === null) continue;
        const wrong = await this.#readKept(name, version);
        if (wrong !== null) problems.push(`version ${version.slice(0, 12)} of flow ${name} ${wrong}; calls get the file`);
      }
    }
    this.#problems = problems;
  }

  /** Null when it is there. One that is held already stays, whatever became of its file: calls may run it. */
  async #readKept(name: string, version: string): Promise<string | null> {
    if (this.#kept.has(version)) return null;
    const kept = await this.#read(name, version);
    if (kept === null) return 'is gone from .versions';
    try {
      const loaded = parseKept(kept, name, this.#apis);
      if (loaded.flow.version !== version) return 'was changed after it was kept';
      this.#kept.set(version, loaded);
      return null;
    } catch (error) {
      if (!(error instanceof ProblemsError)) throw error;
      return `is no longer valid: ${error.message}`;
    }
  }

  async #read(name: string, version: string): Promise<Kept | null> {
    if (!/^[0-9a-f]{64}$/.test(version)) return null;
    const text = await readFile(join(this.#directory, '.versions', basename(name), `${version}.json`), 'utf8').catch(() => null);
    try {
      return text === null ? null : (JSON.parse(text) as Kept);
    } catch {
      return null;
    }
  }
}

/** Errors: ProblemsError (FLOW_INVALID) when the rules for flows have changed since. */
function parseKept({ called = {}, ...own }: Kept, name: string, apis: Apis | null): LoadedFlow {
  const flows = new Map<string, ReadFlow>(
    Object.entries({ ...called, [name]: own }).map(([flow, text]) => [flow, readKept(text, flow, apis)]),
  );
  const loaded = linkFlows(flows).get(name);
  if (loaded === undefined) throw new RangeError(`no flow ${name}`);
  return loaded;
}

function readKept({ flow: text, facts: markdown }: KeptText, name: string, apis: Apis | null): ReadFlow {
  const facts: Record<string, Knowledge> = {};
  for (const [language, words] of Object.entries(markdown)) facts[language] = parseFacts(words, `${name}.${language}.md`);
  return { ...readFlow(text, `${name}.yaml`, Object.values(markdown), apis), facts };
}

async function readVersions(directory: string): Promise<Readonly<Record<string, FlowVersions>>> {
  const file = join(directory, '.versions', 'active.json');
  const text = await readFile(file, 'utf8').catch(() => '{}');
  try {
    return JSON.parse(text) as Record<string, FlowVersions>;
  } catch {
    throw new ProblemsError([
      { code: 'FLOW_INVALID', place: { file }, message: 'is no JSON, expected what `parley flows activate` wrote' },
    ]);
  }
}

/** Never half a file. */
async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
