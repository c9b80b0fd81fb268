/** What must be said before anything else, in each language, with a version: the log names it for every call. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { describeIssue, type Problem, ProblemsError, type SchemaIssue } from '../../contracts/index.ts';
import { readYaml } from '../flow/yaml.ts';

/** Texts by what they are for. */
export interface NoticeTexts {
  /** That this is a machine; said where the flow itself does not begin with a notice. */
  readonly disclosure: string;
  /** That the call is recorded, where it is recorded on another basis than consent. */
  readonly recorded: string;
  /** May it be recorded? Answered by yes or no, or the keys 1 and 2. */
  readonly mayRecord: string;
  readonly granted: string;
  readonly refused: string;
  /** After "stop the recording". */
  readonly withdrawn: string;
  /** The same where nothing was recorded. */
  readonly notRecorded: string;
}

export interface Notices {
  /** As the file names it. */
  readonly version: string;
  readonly byLanguage: Readonly<Record<string, NoticeTexts>>;
}

const text = z.string().trim().min(1, 'expected a text').max(500, 'expected at most 500 characters');
const texts = z.strictObject({
  disclosure: text,
  recorded: text,
  mayRecord: text,
  granted: text,
  refused: text,
  withdrawn: text,
  notRecorded: text,
});
const file = z.strictObject({
  version: z.string().trim().min(1, 'expected a name for this wording').max(40, 'expected at most 40 characters'),
  languages: z.record(z.string().regex(/^[a-z]{2}$/, 'expected a language code of two letters'), texts),
});

/** Errors: ProblemsError (CONFIG_INVALID) with file, line and key. */
export async function loadNotices(path: string): Promise<Notices> {
  let yamlText: string;
  try {
    yamlText = await readFile(path, 'utf8');
  } catch {
    throw new ProblemsError([
      { code: 'CONFIG_INVALID', place: { file: path }, message: 'cannot be read, expected the wording of notices' },
    ]);
  }
  return parseNotices(yamlText, path);
}

export function parseNotices(yamlText: string, path: string): Notices {
  const yaml = readYaml(yamlText, path);
  const problems: Problem[] = yaml.errors.map(({ message, line, column }) => ({
    code: 'CONFIG_INVALID',
    place: { file: path, line, column },
    message: `is not valid YAML: ${message}`,
  }));
  const result = file.safeParse(yaml.data);
  if (problems.length === 0 && result.success) return { version: result.data.version, byLanguage: result.data.languages };
  for (const issue of (result.error?.issues ?? []) as readonly SchemaIssue[])
    problems.push({ code: 'CONFIG_INVALID', place: yaml.place(issue.path), message: describeIssue(issue, undefined) });
  const [first, ...rest] = problems;
  throw new ProblemsError([first ?? { code: 'CONFIG_INVALID', place: { file: path }, message: 'is empty' }, ...rest]);
}

export function wordingSha256(words: string): string {
  return createHash('sha256').update(words).digest('hex');
}
