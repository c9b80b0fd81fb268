/**
 * OpenAPI operations as tools: a document (3.0 or 3.1) becomes a table of operations, and a flow's tool that names one becomes a plain HTTP
 * tool. Only what a phone needs: parameters of path and query, and the fields of a JSON body.
 */
import { readFile } from 'node:fs/promises';
import { type Problem, ProblemsError, type ToolTarget } from '../../contracts/index.ts';
import { didYouMean } from './references.ts';
import type { FlowFile, Report, ToolFile } from './schema.ts';
import { readYaml } from './yaml.ts';

/** A document and the base address of its service, as the configuration names them. */
export type ApiSources = Readonly<Record<string, { readonly file: string; readonly url: string }>>;

interface Parameter {
  /** Name on the wire. */
  readonly wire: string;
  readonly place: 'path' | 'query' | 'body';
  readonly required: boolean;
  readonly type: 'string' | 'number' | 'boolean' | null;
}

interface Operation {
  readonly method: Extract<ToolTarget, { t: 'http' }>['method'];
  /** With {name} as the document writes it. */
  readonly path: string;
  /** By the names that arguments have in flows: petId is pet_id. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Why it cannot be a tool; null when it can. */
  readonly problem: string | null;
}

interface Api {
  readonly url: string;
  readonly operations: ReadonlyMap<string, Operation>;
}

export type Apis = ReadonlyMap<string, Api>;

type Node = Readonly<Record<string, unknown>>;

const MAX_BYTES = 5_000_000;
const MAX_REFERENCES = 20;
const METHODS = { get: 'GET', post: 'POST', put: 'PUT', patch: 'PATCH', delete: 'DELETE' } as const;

/** Errors: ProblemsError (FLOW_INVALID) with every document that cannot be used. */
export async function readApis(sources: ApiSources): Promise<Apis> {
  const apis = new Map<string, Api>();
  const problems: Problem[] = [];
  for (const [name, { file, url }] of Object.entries(sources)) {
    try {
      apis.set(name, { url, operations: parseApi(await textOf(file), file) });
    } catch (error) {
      if (!(error instanceof ProblemsError)) throw error;
      problems.push(...error.problems);
    }
  }
  const [first, ...rest] = problems;
  if (first !== undefined) throw new ProblemsError([first, ...rest]);
  return apis;
}

async function textOf(file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw wrong({ file }, `cannot be read${code}, expected the OpenAPI document that tools.openapi names`);
  });
  if (bytes.length > MAX_BYTES) throw wrong({ file }, `has ${bytes.length} bytes, expected at most ${MAX_BYTES}`);
  return bytes.toString('utf8');
}

function parseApi(text: string, file: string): ReadonlyMap<string, Operation> {
  const yaml = readYaml(text, file);
  const [broken] = yaml.errors;
  if (broken !== undefined) throw wrong({ file, line: broken.line, column: broken.column }, `is not valid YAML or JSON: ${broken.message}`);
  const root = nodeOf(yaml.data);
  const version = root['openapi'];
  if (typeof version !== 'string' || !/^3\.[01]\./.test(version))
    throw wrong(
      yaml.place(['openapi']),
      `${version === undefined ? 'is missing' : `is ${JSON.stringify(version)}`}, expected an OpenAPI document 3.0 or 3.1`,
    );
  const operations = new Map<string, Operation>();
  for (const [path, given] of Object.entries(nodeOf(root['paths']))) {
    if (!path.startsWith('/')) throw wrong(yaml.place(['paths', path]), 'is no path, expected one that begins with a slash');
    const item = resolved(root, given);
    for (const [key, method] of Object.entries(METHODS)) {
      const operation = nodeOf(item[key]);
      const id = operation['operationId'];
      if (typeof id !== 'string') continue;
      if (operations.has(id))
        throw wrong(yaml.place(['paths', path, key, 'operationId']), `is "${id}" a second time, expected each operationId once`);
      operations.set(id, readOperation(root, { method, path, item, operation }));
    }
  }
  return operations;
}

function readOperation(
  root: Node,
  { method, path, item, operation }: { method: Operation['method']; path: string; item: Node; operation: Node },
): Operation {
  const parameters = new Map<string, Parameter>();
  const problems: string[] = [];
  const add = (wire: string, parameter: Omit<Parameter, 'wire'>): void => {
    const name = argumentName(wire);
    const twin = parameters.get(name);
    // The operation's own parameters come after those of its path, and win.
    if (twin !== undefined && (twin.wire !== wire || twin.place !== parameter.place))
      problems.push(`has two parameters that are ${name} in a flow`);
    parameters.set(name, { wire, ...parameter });
  };
  for (const given of [...listOf(item['parameters']), ...listOf(operation['parameters'])]) {
    const { name, in: place, required, schema } = resolved(root, given);
    const isRequired = place === 'path' || required === true;
    if (typeof name !== 'string') problems.push('has a parameter without a name');
    else if (place === 'path' || place === 'query') add(name, { place, required: isRequired, type: typeOf(resolved(root, schema)) });
    else if (isRequired) problems.push(`needs ${name} in ${String(place)}, expected parameters in path, query and body only`);
  }
  const body = resolved(root, operation['requestBody']);
  const media = Object.entries(nodeOf(body['content'])).find(([type]) => /^application\/(json|[a-z0-9.+-]+\+json)\b/.test(type))?.[1];
  if (media === undefined && body['required'] === true) problems.push('needs a body that is not JSON');
  const { properties, required } = objectOf(root, nodeOf(media)['schema']);
  for (const [name, schema] of Object.entries(properties))
    add(name, { place: 'body', required: body['required'] === true && required.includes(name), type: typeOf(resolved(root, schema)) });
  for (const [, wire = ''] of path.matchAll(/\{([^}]*)\}/g)) {
    const known = parameters.get(argumentName(wire));
    if (known?.place !== 'path' || known.wire !== wire) problems.push(`has {${wire}} in its path and no parameter for it`);
  }
  return { method, path, parameters, problem: problems[0] ?? null };
}

/** Fields of an object, with those that allOf adds. */
function objectOf(root: Node, schema: unknown, depth = 0): { properties: Node; required: readonly unknown[] } {
  const node = resolved(root, schema);
  const parts = depth < MAX_REFERENCES ? listOf(node['allOf']).map((part) => objectOf(root, part, depth + 1)) : [];
  return {
    properties: Object.assign({}, ...parts.map(({ properties }) => properties), nodeOf(node['properties'])) as Node,
    required: [...parts.flatMap(({ required }) => required), ...listOf(node['required'])],
  };
}

/** What a local reference names; anything else is nothing. */
function resolved(root: Node, given: unknown): Node {
  let node = nodeOf(given);
  for (let n = 0; n < MAX_REFERENCES && typeof node['$ref'] === 'string'; n++) {
    const path = /^#\/(.*)$/.exec(node['$ref'])?.[1]?.split('/') ?? [];
    const names = path.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    node = names.length === 0 ? {} : names.reduce<Node>((inner, name) => nodeOf(Object.hasOwn(inner, name) ? inner[name] : {}), root);
  }
  return node;
}

function typeOf(schema: Node): Parameter['type'] {
  const types = [schema['type']].flat().filter((type) => type !== 'null');
  const [type] = types;
  if (types.length !== 1) return null;
  if (type === 'integer' || type === 'number') return 'number';
  return type === 'string' || type === 'boolean' ? type : null;
}

/** petId and pet-id are pet_id: arguments of flows have small letters. */
function argumentName(wire: string): string {
  return wire
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();
}

const nodeOf = (value: unknown): Node => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const wrong = (place: Problem['place'], message: string): ProblemsError => new ProblemsError([{ code: 'FLOW_INVALID', place, message }]);

// ---- what a flow makes of it ----

/** Every tool of the flow that names an operation: it is there, and gets what it needs and nothing else. */
export function checkOperations({ tools }: FlowFile, apis: Apis, report: Report): void {
  for (const [name, tool] of Object.entries(tools)) if (tool.openapi !== undefined) checkOperation(tool, ['tools', name], apis, report);
}

function checkOperation(tool: ToolFile, path: readonly string[], apis: Apis, report: Report): void {
  const { api = '', operation: id = '' } = tool.openapi ?? {};
  const found = apis.get(api);
  if (found === undefined) {
    report(
      [...path, 'openapi', 'api'],
      `is "${api}", expected a name in tools.openapi of the configuration${didYouMean(api, [...apis.keys()])}`,
    );
    return;
  }
  const operation = found.operations.get(id);
  if (operation === undefined || operation.problem !== null) {
    const why =
      operation === undefined ? `is no operationId of ${api}${didYouMean(id, [...found.operations.keys()])}` : (operation.problem ?? '');
    report([...path, 'openapi', 'operation'], `is "${id}", which ${why}`);
    return;
  }
  const known = [...operation.parameters.keys()];
  for (const [argument, field] of Object.entries(tool.arguments)) {
    const parameter = operation.parameters.get(argument);
    if (parameter === undefined)
      report(
        [...path, 'arguments', argument],
        `is no parameter of ${id}, expected one of ${known.join(', ')}${didYouMean(argument, known)}`,
      );
    else if (parameter.type !== null && parameter.type !== field.type)
      report([...path, 'arguments', argument, 'type'], `is ${field.type}, expected ${parameter.type}, as ${id} takes it`);
  }
  for (const [argument, { required, wire }] of operation.parameters) {
    if (required && tool.arguments[argument]?.optional !== false)
      report([...path, 'arguments'], `lack ${argument} (not optional), expected it: ${id} needs ${wire}`);
  }
}

/** Of a checked tool. */
export function operationTarget({ openapi, arguments: given }: ToolFile, apis: Apis): Extract<ToolTarget, { t: 'http' }> | null {
  const api = apis.get(openapi?.api ?? '');
  const operation = api?.operations.get(openapi?.operation ?? '');
  if (api === undefined || operation === undefined) return null;
  const used = [...operation.parameters].filter(([name]) => name in given);
  const path = operation.path.replace(/\{([^}]+)\}/g, (_, wire: string) => `{${argumentName(wire)}}`);
  return {
    t: 'http',
    method: operation.method,
    url: `${api.url.replace(/\/+$/, '')}${path}`,
    query: used.filter(([, { place }]) => place === 'query').map(([name]) => name),
    names: Object.fromEntries(used.filter(([name, { wire }]) => wire !== name).map(([name, { wire }]) => [name, wire])),
  };
}
