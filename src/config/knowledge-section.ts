/** Folders of documents that answers are taken from. */
import { z } from 'zod';

const path = z.string().trim().min(1, 'expected a path');
const name = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected a name of small letters, digits and underlines');
const language = z.string().regex(/^[a-z]{2}$/, 'expected a language code of two letters, as in "en"');
const share = z.number('expected a number, 0 to 1').min(0, 'expected a number, 0 to 1').max(1, 'expected a number, 0 to 1');
const whole = (min: number, max: number) => {
  const expected = `expected a whole number, ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};

const folder = z.strictObject({
  directory: path.describe('Folder with Markdown, HTML, PDF, CSV and text files; folders in it are taken too, hidden files are not.'),
  language: language.default('en').describe('Language of documents that name none themselves (returns.de.md, lang="de").'),
  maxAgeDays: whole(1, 36_500).optional().describe('Older documents are not answered from; never too old when left out.'),
});

const embedding = z.strictObject({
  url: z
    .string()
    .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'expected a URL, as in "http://127.0.0.1:11434"')
    .describe('Server of the embedding model: http://host:11434 of Ollama, or http://host/v1 of the OpenAI shape.'),
  protocol: z.enum(['ollama', 'openai']).default('ollama').describe('What it speaks.'),
  model: z.string().min(1, 'expected the name of a model').max(200).describe('Its model; another one makes everything be indexed anew.'),
  processor: z.string().trim().min(1, 'expected a name').max(200).optional().describe('Who runs it, as the record of processing names it.'),
  minSimilarity: share.default(0.75).describe('A passage is an answer from this cosine on, whatever its words are.'),
});

export const knowledgeSection = z.strictObject({
  folders: z.record(name, folder).default({}).describe('Collections of knowledge, by the names that flows use.'),
  threshold: share
    .default(0.5)
    .describe('How much of a question a passage must have to be an answer; below it Parley says that it does not know.'),
  maxFileMb: whole(1, 1024).default(16).describe('Larger files are not read.'),
  everyMinutes: whole(0, 10_080)
    .default(10)
    .describe('How often the folders are looked at for changes; 0: only by parley knowledge index.'),
  embedding: embedding.optional().describe('Finds passages by meaning, too; needs pgvector in Postgres. By words alone when left out.'),
});

export interface KnowledgeRules {
  readonly folders: Readonly<Record<string, { readonly directory: string; readonly language: string; readonly maxAgeDays: number | null }>>;
  readonly threshold: number;
  readonly maxFileBytes: number;
  /** 0: never by itself. */
  readonly everyMs: number;
  readonly embedding: {
    readonly url: string;
    readonly protocol: 'ollama' | 'openai';
    readonly model: string;
    readonly processor: string | null;
    readonly minSimilarity: number;
  } | null;
}

export function toKnowledgeRules(file: z.infer<typeof knowledgeSection>, absolute: (path: string) => string): KnowledgeRules {
  const folders = Object.entries(file.folders).map(
    ([key, one]) => [key, { directory: absolute(one.directory), language: one.language, maxAgeDays: one.maxAgeDays ?? null }] as const,
  );
  return {
    folders: Object.fromEntries(folders),
    threshold: file.threshold,
    maxFileBytes: file.maxFileMb * 1024 * 1024,
    everyMs: file.everyMinutes * 60_000,
    embedding: file.embedding === undefined ? null : { ...file.embedding, processor: file.embedding.processor ?? null },
  };
}
