/** The author's own tests of a flow: what a caller says, and what must be heard, filled, called and never said. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { describeIssue, type Problem, ProblemsError, type SchemaIssue } from '../../contracts/index.ts';
import { readYaml } from './yaml.ts';

const list = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const value = z.union([z.string(), z.number(), z.boolean()]);
const record = z.record(z.string(), value);
/** `vanished`: nobody knows it any more. `slow`: it answers after a second with what stands beside it, or with nothing. */
const answer = z.union([z.enum(['fails', 'hangs', 'refuses', 'lies', 'vanished']), z.strictObject({ slow: record }), record]);

const turn = z.strictObject({
  says: z.string().optional(),
  keys: z.string().optional(),
  silent: z.boolean().optional(),
  unheard: z.boolean().optional(),
  transferFails: z.boolean().optional(),
  /** The caller talks into our reply before this. */
  interrupts: z.boolean().optional(),
  /** How sure the recogniser is, 0 to 1. */
  confidence: z.number().min(0).max(1).optional(),
  /** Keys of prompts that must be among those of the reply, or texts between slashes that its words must match. */
  hears: list.optional(),
  slots: record.optional(),
});

/** A synthetic caller: it answers what it is asked, in its manner, by itself. */
const caller = z.strictObject({
  /** What it says first, and at every open question until all is said. */
  wants: list,
  /** Answers by slot; `confirm` for what is read back (yes, unless given), `more` for anything else. */
  knows: z.record(z.string(), z.string()).default({}),
  persona: z.enum(['calm', 'hasty', 'chatty', 'mumbling', 'silent', 'forgetful', 'contrary']).default('calm'),
  /** For a language model in its place, where one is given: what it wants to come to. */
  goal: z.string().optional(),
  seed: z.int().default(1),
  turns: z.int().min(1).max(200).default(40),
});

const test = z.strictObject({
  name: z.string().min(1),
  variables: z.record(z.string(), z.string()).default({}),
  context: z.record(z.string(), z.string()).default({}),
  /** What each tool answers, always or in turn. */
  tools: z.record(z.string(), z.union([answer, z.array(answer).min(1)])).default({}),
  approves: z.enum(['yes', 'no', 'nobody']).default('nobody'),
  /** What the model says or calls, thought by thought. `by`: which one must have answered, by its name in the flow, or `usual`. */
  model: z
    .array(z.strictObject({ says: z.string().optional(), calls: list.optional(), with: record.default({}), by: z.string().optional() }))
    .default([]),
  /** Models of the flow that cannot answer: the usual one stands in. */
  modelsDown: list.default([]),
  turns: z.array(turn).max(200).default([]),
  caller: caller.optional(),
  language: z.string().optional(),
  /** May be held with real audio: words that the test recogniser knows, no tools. */
  audio: z.boolean().default(false),
  /** What is known when the call begins; `at` is the moment, with its zone. */
  facts: z
    .strictObject({
      to: z.string().optional(),
      from: z.string().optional(),
      at: z.iso.datetime({ offset: true }).optional(),
      history: z.strictObject({ calls: z.int(), lastOutcome: z.string().default(''), daysSince: z.int().default(0) }).optional(),
      contact: z.record(z.string(), z.string()).optional(),
      budget: z.number().optional(),
    })
    .default({}),
  /** What must have been kept about the contact. */
  remembers: z.record(z.string(), value).default({}),
  called: z.array(z.strictObject({ tool: z.string(), with: record.default({}) })).optional(),
  neverSaid: list.default([]),
  /** Outcome of the call, or `transfer DESK`. */
  ended: z.string().optional(),
  /** `waitMs`: longest that the caller waits for a word; `wayOnMs`: until there is a question, a transfer or an end. */
  bounds: z.strictObject({ turns: z.int(), cost: z.number(), waitMs: z.number(), wayOnMs: z.number() }).partial().default({}),
});

const file = z.strictObject({
  today: z.string().default('2026-11-20'),
  desks: z.array(z.string()).default([]),
  tests: z.array(test).min(1),
});

export type FlowTestFile = z.infer<typeof file>;
export type FlowTest = z.infer<typeof test>;
export type FlowTestTurn = z.infer<typeof turn>;
export type FlowTestCaller = z.infer<typeof caller>;

/** Errors: ProblemsError (FLOW_INVALID) with every problem and its line. */
export async function loadFlowTests(path: string): Promise<FlowTestFile> {
  const problem = (place: Problem['place'], message: string): Problem => ({ code: 'FLOW_INVALID', place, message });
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new ProblemsError([problem({ file: path }, `the tests of the flow cannot be read${code}`)]);
  });
  const yaml = readYaml(text, path);
  const syntax = yaml.errors.map(({ line, column, message }) => problem({ file: path, line, column }, `is not valid YAML: ${message}`));
  const result = file.safeParse(yaml.data);
  if (result.success && syntax.length === 0) return result.data;
  const shape =
    result.success || syntax.length > 0
      ? []
      : result.error.issues.map((issue) => problem(yaml.place(issue.path), describeIssue(issue as SchemaIssue, undefined)));
  const [first, ...rest] = [...syntax, ...shape];
  throw new ProblemsError([first ?? problem({ file: path }, 'is empty'), ...rest]);
}
