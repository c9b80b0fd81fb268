import { lookup } from 'node:dns/promises';
import { access, constants, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { describeIssue, nearestWord, ParleyError, type Problem, ProblemsError, type SchemaIssue } from '../contracts/index.ts';
import { type Config, toConfig } from './config.ts';
import { engineFileProblems, type Resolve } from './engine-files.ts';
import { configSchema } from './schema.ts';
import { readYaml, type YamlText } from './yaml.ts';

/** Larger files were not written by a person. */
const MAX_BYTES = 1_000_000;

interface LoadOptions {
  /** Relative paths are relative to this folder; the working directory unless given. */
  readonly root?: string;
  /** What names of engines' hosts stand for; the system's resolver unless given. */
  readonly resolve?: Resolve;
}

/**
 * Reads, checks and freezes the configuration. Files that it names are looked for: a service that starts has all it needs.
 * Errors: ProblemsError (CONFIG_MISSING, CONFIG_SYNTAX, CONFIG_INVALID) with every problem, one line each.
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<Config> {
  const root = options.root ?? process.cwd();
  const yaml = readYaml(await readText(file), file);
  const problems: Problem[] = yaml.errors.map(({ line, column, message }) => ({
    code: 'CONFIG_SYNTAX',
    place: { file, line, column },
    message: `is not valid YAML: ${message}`,
  }));
  throwIfAny(problems);
  const parsed = configSchema.safeParse(yaml.data ?? {});
  if (!parsed.success) {
    for (const issue of parsed.error.issues as readonly SchemaIssue[]) problems.push(...problemsOf(issue, yaml));
    throwIfAny(problems);
    throw new ParleyError('CONFIG_INVALID', `${file} is not valid`);
  }
  const config = toConfig(parsed.data, file, (path) => resolve(root, path));
  throwIfAny([...(await missingFiles(config, yaml)), ...(await engineFiles(config, yaml, options.resolve ?? systemResolve))]);
  return config;
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) {
      throw new ProblemsError([{ code: 'CONFIG_INVALID', place: { file }, message: `has ${size} bytes, expected at most ${MAX_BYTES}` }]);
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof ParleyError) throw error;
    const code = codeOf(error);
    const message = code === 'ENOENT' ? 'does not exist, expected a copy of config/parley.example.yaml' : `cannot be read (${code})`;
    throw new ProblemsError([{ code: 'CONFIG_MISSING', place: { file }, message }]);
  }
}

function throwIfAny(problems: readonly Problem[]): void {
  const [first, ...rest] = [...problems].sort((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0));
  if (first !== undefined) throw new ProblemsError([first, ...rest]);
}

function problemsOf(issue: SchemaIssue, yaml: YamlText): Problem[] {
  const problem = (path: readonly PropertyKey[], message: string): Problem => ({
    code: 'CONFIG_INVALID',
    place: yaml.place(path),
    message,
  });
  if (issue.code !== 'unrecognized_keys') return [problem(issue.path, describeIssue(issue, valueAt(yaml.data, issue.path)))];
  const known = keysAt(issue.path);
  return (issue.keys ?? []).map((key) => problem([...issue.path, key], unknownKey(key, known)));
}

/** Its value is never shown: it may be a secret at the wrong place. */
function unknownKey(key: string, known: readonly string[]): string {
  const near = nearestWord(key, known);
  if (/password|passwd|secret|token|credential|api_?key|^(url|dsn)$/i.test(key)) {
    const fileKey = known.find((name) => name.toLowerCase() === `${key}file`.toLowerCase()) ?? known.find((name) => name.endsWith('File'));
    const where = fileKey === undefined ? '' : ` and name it in ${fileKey}`;
    return `is a secret or holds one, which this file must not: put it into a file of its own${where}`;
  }
  return near === undefined ? `is not a known key, expected one of ${known.join(', ')}` : `is not a known key; did you mean ${near}?`;
}

async function missingFiles(config: Config, yaml: YamlText): Promise<Problem[]> {
  const problems: Problem[] = [];
  const look = async (key: readonly string[], path: string | null, kind: 'file' | 'folder'): Promise<void> => {
    const message = path === null ? null : await whyNot(path, kind);
    if (message !== null) problems.push({ code: 'CONFIG_INVALID', place: yaml.place(key), message });
  };
  await look(['flows', 'directory'], config.flows.directory, 'folder');
  if (problems.length === 0) await look(['flows', 'default'], join(config.flows.directory, `${config.flows.default}.yaml`), 'file');
  await look(['pbx', 'passwordFile'], config.pbx.passwordFile, 'file');
  await look(['vad', 'model'], config.vad.engine === 'gate' ? null : config.vad.model, 'file');
  await look(['turn', 'detector', 'model'], config.turn.detector?.model ?? null, 'file');
  if (config.store.kind === 'url') {
    for (const key of ['urlFile', 'auditorUrlFile', 'dpoUrlFile', 'retentionUrlFile'] as const)
      await look(['store', key], config.store[key], 'file');
  }
  const syslog = config.audit.anchorSyslog;
  for (const key of ['caFile', 'certFile', 'keyFile'] as const) await look(['audit', 'anchorSyslog', key], syslog?.[key] ?? null, 'file');
  return problems;
}

async function engineFiles(config: Config, yaml: YamlText, resolveName: Resolve): Promise<Problem[]> {
  const found = await engineFileProblems(config, { whyNot: (path) => whyNot(path, 'file'), resolve: resolveName });
  return found.map(({ path, message }) => ({ code: 'CONFIG_INVALID', place: yaml.place(path), message }));
}

const systemResolve: Resolve = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

async function whyNot(path: string, kind: 'file' | 'folder'): Promise<string | null> {
  try {
    const found = await stat(path);
    const fits = kind === 'folder' ? found.isDirectory() : found.isFile();
    if (!fits) return `names ${path}, expected a ${kind}`;
    await access(path, constants.R_OK);
    return null;
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? `names ${path}, which does not exist` : `names ${path}, which cannot be read (${codeOf(error)})`;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}

/** JSON Schema (2020-12) of the configuration file, as it is written. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** The part of JSON Schema that zod makes of our keys. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  /** Of a list. */
  readonly items?: JsonSchema;
  readonly required?: readonly string[];
}

/** The keys that may stand at a place. */
function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let schema: JsonSchema | undefined = configJsonSchema();
  for (const key of path) {
    const inner: JsonSchema | boolean | undefined = schema?.properties?.[String(key)] ?? schema?.items ?? schema?.additionalProperties;
    schema = typeof inner === 'object' ? inner : undefined;
  }
  return Object.keys(schema?.properties ?? {});
}

/** The one line of a secret file. Errors: ParleyError (CONFIG_INVALID) that names the file, never what is in it. */
export async function readSecret(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new ParleyError('CONFIG_INVALID', `${file}: the secret file cannot be read (${codeOf(error)})`, { place: { file } });
  });
  const secret = text.trim();
  if (secret === '' || secret.includes('\n')) {
    throw new ParleyError(
      'CONFIG_INVALID',
      `${file}: has ${secret === '' ? 'no' : 'more than one'} line, expected the secret and nothing else`,
      { place: { file } },
    );
  }
  return secret;
}
