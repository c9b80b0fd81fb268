/** Reads a folder of flow files and the knowledge they name. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Problem, ProblemsError } from '../../contracts/index.ts';
import { type Knowledge, parseFacts } from '../knowledge/facts.ts';
import { calledFrom, checkCalls, type Linkable } from './link.ts';
import type { Apis } from './openapi.ts';
import { readFlow, versionOf } from './parse.ts';
import type { Flow } from './types.ts';
import type { YamlText } from './yaml.ts';

export interface LoadedFlow {
  readonly flow: Flow;
  /** Knowledge by language code. */
  readonly facts: Readonly<Record<string, Knowledge>>;
  /** Flows that it calls, and those that they call, by name. */
  readonly called?: ReadonlyMap<string, LoadedFlow>;
  /** Where a part of the flow stands in its file; for what the configuration has to say about it. */
  readonly place?: YamlText['place'];
}

/** A flow by itself, before the others are known. */
export interface ReadFlow extends Linkable {
  readonly facts: Readonly<Record<string, Knowledge>>;
}

/** Flows by name. */
export type FlowSet = ReadonlyMap<string, LoadedFlow>;

/** Files larger than this were not written by a person. */
const MAX_BYTES = 1_000_000;

/**
 * Every *.yaml of `directory`. A flow's knowledge is `NAME.md` in `factsDirectory`, `NAME.LANGUAGE.md` for its other languages.
 * Errors: ProblemsError (FLOW_INVALID) with the problems of all files.
 */
export async function loadFlows(directory: string, options: { factsDirectory?: string; apis?: Apis | null } = {}): Promise<FlowSet> {
  const factsDirectory = options.factsDirectory ?? join(directory, '..', 'facts');
  const flows = new Map<string, ReadFlow>();
  const problems: Problem[] = [];
  const names = await readdir(directory).catch((error: unknown) => {
    throw unreadable(directory, 'the folder of the flows cannot be read', error);
  });
  for (const file of names.filter((name) => /\.ya?ml$/.test(name) && !/\.test\.ya?ml$/.test(name)).sort()) {
    try {
      const loaded = await loadFlow(join(directory, file), factsDirectory, options.apis ?? null);
      const twin = flows.get(loaded.flow.name)?.flow.file;
      if (twin === undefined) flows.set(loaded.flow.name, loaded);
      else
        problems.push({
          code: 'FLOW_INVALID',
          place: { file: loaded.flow.file },
          message: `is the same flow as ${twin}, expected one file for each`,
        });
    } catch (error) {
      if (!(error instanceof ProblemsError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (flows.size === 0 && problems.length === 0) {
    problems.push({ code: 'FLOW_INVALID', place: { file: directory }, message: 'has no flow, expected at least one file NAME.yaml' });
  }
  if (problems.length === 0) problems.push(...checkCalls(flows));
  const [first, ...rest] = problems;
  if (first !== undefined) throw new ProblemsError([first, ...rest]);
  return linkFlows(flows);
}

/** Flows from texts, linked and checked like those of a folder. Errors: ProblemsError (FLOW_INVALID). */
export function linkTexts(files: readonly { readonly text: string; readonly file: string }[]): FlowSet {
  const flows = new Map<string, ReadFlow>();
  for (const { text, file } of files) {
    const read = readFlow(text, file);
    flows.set(read.flow.name, { ...read, facts: {} });
  }
  const [first, ...rest] = checkCalls(flows);
  if (first !== undefined) throw new ProblemsError([first, ...rest]);
  return linkFlows(flows);
}

/** Every flow with those that it calls; its version covers them too. They must have been checked. */
export function linkFlows(flows: ReadonlyMap<string, ReadFlow>): FlowSet {
  const linked = [...flows].map(([name, { flow, facts, place }]): [string, LoadedFlow] => {
    const names = calledFrom(flows, name);
    if (names.length === 0) return [name, { flow, facts, place }];
    const others = names.flatMap((other): [string, LoadedFlow][] => {
      const found = flows.get(other);
      return found === undefined ? [] : [[other, { flow: found.flow, facts: found.facts, place: found.place }]];
    });
    const version = versionOf([flow.version, ...others.map(([, other]) => other.flow.version)]);
    return [name, { flow: { ...flow, version }, facts, place, called: new Map(others) }];
  });
  return new Map(linked);
}

async function loadFlow(file: string, factsDirectory: string, apis: Apis | null): Promise<ReadFlow> {
  const text = await readText(file);
  const { flow, place } = readFlow(text, file, [], apis);
  if (flow.facts === null) return { flow, place, facts: {} };
  const facts: Record<string, Knowledge> = {};
  const includes: string[] = [];
  for (const language of flow.languages) {
    const name = language === flow.language ? `${flow.facts}.md` : `${flow.facts}.${language}.md`;
    const path = join(factsDirectory, name);
    const markdown = await readText(path, `, which ${basename(file)} names as its facts`);
    facts[language] = parseFacts(markdown, path);
    includes.push(markdown);
  }
  // Parsed again with what it includes: the version covers every word that a caller may hear.
  return { ...readFlow(text, file, includes, apis), facts };
}

async function readText(file: string, role = ''): Promise<string> {
  let bytes;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw unreadable(file, `cannot be read${role}`, error);
  }
  if (bytes.length > MAX_BYTES) throw unreadable(file, `has ${bytes.length} bytes, expected at most ${MAX_BYTES}`, null);
  return bytes.toString('utf8');
}

function unreadable(file: string, what: string, error: unknown): ProblemsError {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return new ProblemsError([{ code: 'FLOW_INVALID', place: { file }, message: `${what}${code}` }]);
}
