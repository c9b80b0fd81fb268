/**
 * Writes src/telephony/asterisk/ari-types.ts from Asterisk's own description of ARI (Swagger 1.2 files in
 * share/asterisk/rest-api). `--check` changes nothing and exits 1 when the committed file differs.
 *
 *   tsx scripts/generate-ari-types.ts [--check] [REST-API-FOLDER]
 *
 * Where the folder is missing, or belongs to another version than the committed file, the check passes with a note:
 * it cannot judge, and a new Asterisk must not break a build.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

interface Property {
  readonly type: string;
  readonly required?: boolean;
  readonly allowableValues?: { readonly valueType: string; readonly values?: readonly string[] };
}
interface Model {
  readonly id: string;
  readonly properties: Readonly<Record<string, Property>>;
  readonly subTypes?: readonly string[];
}
interface Parameter {
  readonly name: string;
  readonly paramType: 'path' | 'query' | 'body';
  readonly dataType: string;
  readonly required?: boolean;
  readonly allowMultiple?: boolean;
  readonly allowableValues?: Property['allowableValues'];
}
interface Operation {
  readonly httpMethod: string;
  readonly upgrade?: string;
  readonly responseClass: string;
  readonly parameters?: readonly Parameter[];
}
interface ApiFile {
  readonly apis: readonly { readonly path: string; readonly operations: readonly Operation[] }[];
  readonly models?: Readonly<Record<string, Model>>;
}

const FILES = [
  'applications',
  'asterisk',
  'bridges',
  'channels',
  'deviceStates',
  'endpoints',
  'events',
  'playbacks',
  'recordings',
  'sounds',
] as const;
const SCALARS: Readonly<Record<string, string>> = {
  string: 'string',
  Date: 'string',
  int: 'number',
  long: 'number',
  double: 'number',
  boolean: 'boolean',
  object: 'Readonly<Record<string, unknown>>',
  containers: 'Readonly<Record<string, unknown>>',
  void: 'undefined',
  binary: 'string',
};

/** Asterisk's type name as TypeScript; model names stay as they are and are noted in `seen`. */
function typeOf(name: string, seen: Set<string>): string {
  const list = /^List\[(.+)\]$/.exec(name)?.[1];
  if (list !== undefined) return `readonly ${typeOf(list, seen)}[]`;
  const scalar = SCALARS[name];
  if (scalar !== undefined) return scalar;
  seen.add(name);
  return name;
}

function choice(type: string, allowed: Property['allowableValues']): string {
  return type === 'string' && allowed?.valueType === 'LIST' && allowed.values !== undefined
    ? allowed.values.map((value) => JSON.stringify(value)).join(' | ')
    : type;
}

function field(name: string, type: string, required: boolean): string {
  return `readonly ${/^\w+$/.test(name) ? name : JSON.stringify(name)}${required ? '' : '?'}: ${type};`;
}

/** Name of each model that has a parent, and the parent. */
function parents(models: ReadonlyMap<string, Model>): Map<string, string> {
  const found = new Map<string, string>();
  for (const model of models.values()) for (const child of model.subTypes ?? []) found.set(child, model.id);
  return found;
}

function modelText(model: Model, parent: string | undefined, isEvent: boolean, seen: Set<string>): string {
  const lines = Object.entries(model.properties).map(([name, property]) =>
    field(name, choice(typeOf(property.type, seen), property.allowableValues), property.required === true),
  );
  if (isEvent) lines.unshift(`readonly type: '${model.id}';`);
  if (parent !== undefined) seen.add(parent);
  return `interface ${model.id}${parent === undefined ? '' : ` extends ${parent}`} {\n${lines.join('\n')}\n}`;
}

function operationText(path: string, operation: Operation, seen: Set<string>): string {
  const parameters = operation.parameters ?? [];
  const names = parameters.filter((parameter) => parameter.paramType === 'path').map((parameter) => `'${parameter.name}'`);
  const query = parameters
    .filter((parameter) => parameter.paramType === 'query')
    .map((p) => field(p.name, choice(typeOf(p.dataType, seen), p.allowableValues), p.required === true));
  const body = parameters.find((parameter) => parameter.paramType === 'body');
  return [
    `'${operation.httpMethod} ${path}': {`,
    `path: ${names.length === 0 ? 'never' : names.join(' | ')};`,
    `query: ${query.length === 0 ? 'Readonly<Record<never, never>>' : `{ ${query.join(' ')} }`};`,
    body === undefined ? '' : `body: ${typeOf(body.dataType, seen)};`,
    `result: ${typeOf(operation.responseClass, seen)};`,
    '};',
  ].join('\n');
}

function render(files: readonly ApiFile[], header: string): string {
  const models = new Map<string, Model>();
  for (const file of files) for (const model of Object.values(file.models ?? {})) models.set(model.id, model);
  const parentOf = parents(models);
  const events = [...(models.get('Event')?.subTypes ?? [])].filter((name) => name !== 'RESTResponse').sort();
  const wanted = new Set<string>(events);
  const operations = files
    .flatMap((file) => file.apis.flatMap((api) => api.operations.map((operation) => ({ path: api.path, operation }))))
    .filter(({ operation }) => operation.upgrade === undefined)
    .map(({ path, operation }) => operationText(path, operation, wanted));
  // A Set keeps what is added while it is walked: this reaches every model that an event or an operation needs.
  const bodies = new Map<string, string>();
  for (const name of wanted) {
    const model = models.get(name);
    if (model === undefined) throw new Error(`the description names ${name} but does not define it`);
    bodies.set(name, modelText(model, parentOf.get(name), events.includes(name), wanted));
  }
  return [
    header,
    ...[...bodies.keys()].sort().map((name) => bodies.get(name) ?? ''),
    `/** Every event, told apart by \`type\`. */\nexport type AriEvent = ${events.join(' | ')};`,
    `export const ARI_EVENT_TYPES = [${events.map((name) => `'${name}'`).join(', ')}] as const satisfies readonly AriEvent['type'][];`,
    `/** Every request: \`METHOD /path\`, its path and query parameters, its body and what comes back. */\nexport interface AriOperations {\n${operations.join('\n')}\n}`,
    'export type AriChannel = Channel;',
    '',
  ].join('\n\n');
}

const check = process.argv.includes('--check');
const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const candidates = [given, join(root, '.runtime/asterisk/root/usr/share/asterisk/rest-api'), '/usr/share/asterisk/rest-api'];
const folder = candidates.find((candidate) => candidate !== undefined && existsSync(join(candidate, 'events.json')));
const target = join(root, 'src/telephony/asterisk/ari-types.ts');

if (folder === undefined) {
  console.error('ari-types: no rest-api folder of an Asterisk here; run scripts/setup.sh first.');
  process.exit(check ? 0 : 69);
}
// scripts/asterisk/install.sh writes VERSION at the root that `usr/share/asterisk/rest-api` lies in.
const versionFile = join(folder, '../../../../VERSION');
const version = existsSync(versionFile) ? (/\d+\.\d+\.\d+/.exec(readFileSync(versionFile, 'utf8'))?.[0] ?? 'unknown') : 'unknown';
const header = `// Generated by scripts/generate-ari-types.ts from the description of ARI in Asterisk ${version}. Do not edit.`;
const committed = existsSync(target) ? readFileSync(target, 'utf8') : '';
if (check && !committed.startsWith(header)) {
  console.error(`ari-types: the Asterisk here is ${version}; the committed types come from another one, so they are not compared.`);
  process.exit(0);
}
const files = FILES.map((name) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as ApiFile);
const text = await format(render(files, header), { ...(await resolveConfig(target)), parser: 'typescript' });
if (!check) {
  writeFileSync(target, text);
} else if (committed !== text) {
  console.error(
    'ari-types: src/telephony/asterisk/ari-types.ts is not what this Asterisk describes; run: npx tsx scripts/generate-ari-types.ts',
  );
  process.exit(1);
}
