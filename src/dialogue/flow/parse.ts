/** A flow file's text becomes a flow, or a list of everything that is wrong with it. */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { describeIssue, nearestWord, type Problem, ProblemsError, type SchemaIssue } from '../../contracts/index.ts';
import { compileFlow } from './compile.ts';
import { checkFlow } from './check.ts';
import type { Apis } from './openapi.ts';
import { flowSchema, type ParsedFlow, type Report, SLOT_SCHEMAS, type SlotFile, STEP_SCHEMAS, type StepFile } from './schema.ts';
import type { Flow } from './types.ts';
import { readYaml, type YamlText } from './yaml.ts';

/**
 * `file` names the file in messages; `includes` are the texts of its knowledge files, for the version; `apis`: the OpenAPI documents of the
 * configuration, null where there is none: operations are not looked up then.
 * Errors: ProblemsError (FLOW_INVALID) with every problem, its line and key.
 */
export function parseFlow(text: string, file: string, includes: readonly string[] = [], apis: Apis | null = null): Flow {
  return readFlow(text, file, includes, apis).flow;
}

/** The flow, and where its parts stand in the file. Errors: as parseFlow. */
export function readFlow(
  text: string,
  file: string,
  includes: readonly string[] = [],
  apis: Apis | null = null,
): { readonly flow: Flow; readonly place: YamlText['place'] } {
  const yaml = readYaml(text, file);
  const problems: Problem[] = yaml.errors.map(({ message, line, column }) => ({
    code: 'FLOW_INVALID',
    place: { file, line, column },
    message: `is not valid YAML: ${message}`,
  }));
  const report: Report = (path, message) => {
    problems.push({ code: 'FLOW_INVALID', place: yaml.place(path), message });
  };
  const parsed = yaml.errors.length === 0 ? shapes(yaml, report) : undefined;
  // References are looked at when every part has its shape: half a flow would name parts that are there.
  if (parsed !== undefined && isEmpty(problems)) checkFlow(parsed, file, report, apis);
  if (parsed !== undefined && isEmpty(problems))
    return { flow: compileFlow(parsed, file, versionOf([text, ...includes]), apis), place: (path) => yaml.place(path) };
  const [first, ...rest] = problems.sort((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0));
  throw new ProblemsError([first ?? { code: 'FLOW_INVALID', place: { file }, message: 'is empty, expected a flow' }, ...rest]);
}

// A function, as reports come in through a closure that the compiler does not follow.
function isEmpty(problems: readonly Problem[]): boolean {
  return problems.length === 0;
}

export function versionOf(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(createHash('sha256').update(text).digest());
  return hash.digest('hex');
}

/** Every part is checked by itself, so that one mistake does not hide the next. */
function shapes(yaml: YamlText, report: Report): ParsedFlow | undefined {
  const flow = shape(flowSchema, yaml.data, [], Object.keys(flowSchema.shape), report);
  const slots: Record<string, SlotFile> = {};
  for (const [name, value] of entries(yaml.data, 'slots')) {
    const slot = slotShape(value, ['slots', name], report);
    if (slot !== undefined) slots[name] = slot;
  }
  const steps: Record<string, StepFile> = {};
  for (const [name, value] of entries(yaml.data, 'steps')) {
    const step = stepShape(value, ['steps', name], report);
    if (step !== undefined) steps[name] = step;
  }
  return flow === undefined ? undefined : { flow, slots, steps };
}

function slotShape(value: unknown, path: readonly PropertyKey[], report: Report): SlotFile | undefined {
  const types = Object.keys(SLOT_SCHEMAS) as (keyof typeof SLOT_SCHEMAS)[];
  const type = types.find((candidate) => isRecord(value) && value['type'] === candidate);
  if (type === undefined) {
    const said = isRecord(value) ? value['type'] : undefined;
    report([...path, 'type'], describeIssue({ path, message: '', values: types }, said));
    return undefined;
  }
  return shape<SlotFile>(SLOT_SCHEMAS[type], value, path, Object.keys(SLOT_SCHEMAS[type].shape), report);
}

function stepShape(value: unknown, path: readonly PropertyKey[], report: Report): StepFile | undefined {
  const kinds = Object.keys(STEP_SCHEMAS) as (keyof typeof STEP_SCHEMAS)[];
  const found = kinds.filter((kind) => isRecord(value) && Object.hasOwn(value, kind));
  const [kind] = found;
  if (kind === undefined || found.length > 1) {
    const there = found.length > 1 ? `has ${found.join(' and ')}` : 'does nothing';
    const near = isRecord(value) && found.length === 0 ? Object.keys(value).map((key) => nearestWord(key, kinds)) : [];
    const hint = near.find((word) => word !== undefined);
    report(path, `${there}, expected exactly one of ${kinds.join(', ')}${hint === undefined ? '' : `; did you mean ${hint}?`}`);
    return undefined;
  }
  return shape<StepFile>(STEP_SCHEMAS[kind], value, path, Object.keys(STEP_SCHEMAS[kind].shape), report);
}

function shape<T>(
  schema: z.ZodType<T>,
  value: unknown,
  path: readonly PropertyKey[],
  keys: readonly string[],
  report: Report,
): T | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues as readonly SchemaIssue[]) {
    const at = [...path, ...issue.path];
    if (issue.keys !== undefined && issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) report([...at, key], unknownKey(key, issue.path.length === 0 ? keys : []));
    } else if (issue.code === 'invalid_key') {
      // The name of an entry is wrong, not its value.
      const message = issue.issues?.[0]?.message ?? issue.message;
      report(at, describeIssue({ path: issue.path, message }, issue.path.at(-1)));
    } else report(at, describeIssue(issue, valueAt(value, issue.path)));
  }
  return undefined;
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearestWord(key, known);
  if (near !== undefined) return `is not a known key; did you mean ${near}?`;
  return known.length === 0 ? 'is not a known key' : `is not a known key, expected one of ${known.join(', ')}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}

function entries(data: unknown, key: string): [string, unknown][] {
  const part = isRecord(data) ? data[key] : undefined;
  return isRecord(part) ? Object.entries(part) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
