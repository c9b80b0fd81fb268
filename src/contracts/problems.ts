/**
 * What is wrong in a file that a person wrote: configuration and flows report all their problems at once, one line each,
 * with file, line, key, what is wrong and what was expected.
 */
import { ParleyError } from './errors.ts';
import type { ErrorCode, FilePlace } from './errors.ts';

export interface Problem {
  readonly code: ErrorCode;
  readonly place: FilePlace;
  /** What is wrong and what was expected, without the place. */
  readonly message: string;
}

/** `file:line: key: what is wrong, expected ...` */
export function problemLine(problem: Problem): string {
  const { file, line, key } = problem.place;
  const where = line === undefined ? file : `${file}:${line}`;
  return key === undefined || key === '' ? `${where}: ${problem.message}` : `${where}: ${key}: ${problem.message}`;
}

/** All problems of one or more files. `code` is the first problem's; the message has a line for each. */
export class ProblemsError extends ParleyError {
  readonly problems: readonly Problem[];
  constructor(problems: readonly [Problem, ...Problem[]]) {
    super(problems[0].code, problems.map(problemLine).join('\n'), { place: problems[0].place });
    this.name = 'ProblemsError';
    this.problems = problems;
  }
}

/** The candidate that was probably meant: same letters in another style (wait_ms, waitMs), or at most a third of them wrong. */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(bare(word), bare(candidate));
    if (distance < bestDistance && distance <= Math.max(1, Math.floor(candidate.length / 3))) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The part of a schema validator's issue that a message is made of. */
export interface SchemaIssue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
  /** Of a key that does not fit: why. */
  readonly issues?: readonly { readonly message: string }[];
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly origin?: string;
}

/**
 * One sentence about an issue: what is there, what was expected. Own messages of a schema begin with "expected", and the value is
 * shown before them; or with "has" or "is", and the value is not shown: it may be a secret.
 */
export function describeIssue(issue: SchemaIssue, value: unknown): string {
  if (issue.code === 'invalid_key') return `is a key that does not fit, ${issue.issues?.[0]?.message ?? 'expected another'}`;
  if (/^(has|is) /.test(issue.message)) return issue.message;
  if (issue.message.startsWith('expected')) return `is ${shown(value)}, ${issue.message}`;
  if (value === undefined) return `is missing, expected ${expectedOf(issue)}`;
  return `is ${shown(value)}, expected ${expectedOf(issue)}${suggestion(value, issue.values)}`;
}

function suggestion(value: unknown, values: readonly unknown[] | undefined): string {
  const near = typeof value === 'string' && values !== undefined ? nearestWord(value, values.map(String)) : undefined;
  return near === undefined ? '' : `; did you mean ${near}?`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
};

function expectedOf(issue: SchemaIssue): string {
  if (issue.values !== undefined)
    return issue.values.length === 1 ? shown(issue.values[0]) : `one of ${issue.values.map(String).join(', ')}`;
  if (issue.expected !== undefined) return TYPE_NAMES[issue.expected] ?? issue.expected;
  const unit = issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : '';
  if (issue.minimum !== undefined) return `at least ${issue.minimum}${unit}`;
  if (issue.maximum !== undefined) return `at most ${issue.maximum}${unit}`;
  return issue.message;
}

/** A value as it stands in the file, short. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map of keys';
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}..."`;
}

function bare(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Letters to add, drop, change or swap with their neighbour; bounded input: words of configuration keys. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const change = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Infinity;
      row.push(Math.min(change, swap, at(i - 1, j) + 1, at(i, j - 1) + 1));
    }
  }
  return at(a.length, b.length);
}
