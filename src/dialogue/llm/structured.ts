/** Answers that are data: asked for with a schema, checked against it, one repair try, then the fallback. */
import { z } from 'zod';
import {
  ParleyError,
  type ChatMessage,
  type ChatRequest,
  type ErrorCode,
  type JsonSchema,
  type LanguageModel,
  type TokenUsage,
} from '../../contracts/index.ts';

export interface StructuredAsk<T> {
  readonly schema: z.ZodType<T>;
  /** Used when the model cannot or does not do it. */
  readonly fallback: T;
  /** Longest answer that is read at all. */
  readonly maxChars?: number;
}

export interface StructuredAnswer<T> {
  readonly value: T;
  readonly source: 'model' | 'repaired' | 'fallback';
  /** Why the first or the second answer was not taken: paths and rules, no word of the answer. */
  readonly problems: readonly string[];
  readonly failure: ErrorCode | null;
  readonly usage: TokenUsage;
}

type Try<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] };

/** A schema as JSON, for tools and formats. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input' });
}

/** The checker of a JSON Schema that came from a flow file or a tool. Errors: LLM_REFUSED for a schema that cannot be checked. */
export function checkerOf(schema: JsonSchema): z.ZodType {
  try {
    return z.fromJSONSchema(schema);
  } catch (error) {
    throw new ParleyError('LLM_REFUSED', 'this JSON Schema cannot be checked: use types, properties, required, enum and limits only', {
      cause: error,
    });
  }
}

/** Errors: only an abort, with its reason; everything else ends in the fallback. */
export async function askStructured<T>(
  model: LanguageModel,
  request: Omit<ChatRequest, 'format'>,
  ask: StructuredAsk<T>,
): Promise<StructuredAnswer<T>> {
  const format = jsonSchemaOf(ask.schema);
  let usage: TokenUsage = { promptTokens: 0, completionTokens: 0, cachedTokens: null };
  let messages: readonly ChatMessage[] = request.messages;
  let problems: readonly string[] = [];
  for (const source of ['model', 'repaired'] as const) {
    try {
      const answer = await read(model, { ...request, messages, format }, ask.maxChars ?? 32_000);
      usage = sum(usage, answer.usage);
      const tried = check(answer.text, ask.schema);
      if (tried.ok) return { value: tried.value, source, problems, failure: null, usage };
      problems = tried.problems;
      messages = [...request.messages, { role: 'assistant', text: answer.text }, { role: 'user', text: repairRequest(problems) }];
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      const failure = error instanceof ParleyError ? error.code : 'LLM_FAILED';
      return { value: ask.fallback, source: 'fallback', problems, failure, usage };
    }
  }
  return { value: ask.fallback, source: 'fallback', problems, failure: 'LLM_BAD_OUTPUT', usage };
}

function repairRequest(problems: readonly string[]): string {
  return `That does not fit the schema:\n${problems.join('\n')}\nAnswer again with the JSON only.`;
}

async function read(model: LanguageModel, request: ChatRequest, maxChars: number): Promise<{ text: string; usage: TokenUsage | null }> {
  let text = '';
  let usage: TokenUsage | null = null;
  for await (const delta of model.chat(request)) {
    if (delta.t === 'text') text += delta.text;
    if (delta.t === 'usage') usage = delta.usage;
    if (text.length > maxChars)
      throw new ParleyError(
        'LLM_BAD_OUTPUT',
        `${model.name} answered with more than ${maxChars} characters where a small JSON value was asked for`,
      );
  }
  return { text, usage };
}

function check<T>(text: string, schema: z.ZodType<T>): Try<T> {
  let value: unknown;
  try {
    value = JSON.parse(bareJson(text));
  } catch {
    return { ok: false, problems: ['(whole answer): not JSON'] };
  }
  const checked = schema.safeParse(value);
  if (checked.success) return { ok: true, value: checked.data };
  return {
    ok: false,
    problems: checked.error.issues.slice(0, 8).map((issue) => `${issue.path.map(String).join('.') || '(whole answer)'}: ${rule(issue)}`),
  };
}

/** What was expected; zod's own sentence may quote what it got. */
function rule(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be ${issue.expected}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`;
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}`;
  return issue.code.replaceAll('_', ' ');
}

/** Models wrap JSON in fences or a sentence in spite of everything; takes what lies between the first opening and the last closing bracket. */
function bareJson(text: string): string {
  const start = text.search(/[[{]/);
  const end = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']'));
  return start >= 0 && end > start ? text.slice(start, end + 1) : text;
}

function sum(a: TokenUsage, b: TokenUsage | null): TokenUsage {
  if (b === null) return a;
  const cachedTokens = b.cachedTokens === null ? a.cachedTokens : (a.cachedTokens ?? 0) + b.cachedTokens;
  return { promptTokens: a.promptTokens + b.promptTokens, completionTokens: a.completionTokens + b.completionTokens, cachedTokens };
}
