/** Brings the shelf to what is in a folder: new and changed documents are read, deleted ones vanish, the rest is left alone. */
import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { type KnowledgeDocument, type KnowledgePassage, type KnowledgeShelf, type Logger, ParleyError } from '../../contracts/index.ts';
import { readCsv } from './csv.ts';
import type { Embedder } from './embedder.ts';
import { declaredEncoding, readHtml } from './html.ts';
import { readMarkdown } from './markdown.ts';
import { type PdfOptions, readPdf } from './pdf.ts';
import { passagesOf, type Reading } from './pieces.ts';
import { UnreadableDocument } from './problem.ts';
import { type Bytes, type Found, readBounded, scanFolder } from './scan.ts';
import { decoded } from './text.ts';

export interface KnowledgeFolder {
  /** Name that flows use. */
  readonly collection: string;
  readonly directory: string;
  /** Of documents that name none themselves: 'NAME.de.md', lang="de", language: de. */
  readonly language: string;
  readonly maxAgeDays: number | null;
}

export interface IndexOptions {
  readonly shelf: KnowledgeShelf;
  readonly logger: Logger;
  readonly maxFileBytes: number;
  /** Null: by words alone. */
  readonly embedder: Embedder | null;
  /** Accepts that a folder which had documents has none any more. */
  readonly mayBeEmpty?: boolean;
  readonly pdf?: PdfOptions;
  /** Called before each file; for progress, and for stopping a run: it throws. */
  readonly onFile?: (path: string) => void | Promise<void>;
}

export interface IndexReport {
  readonly collection: string;
  readonly read: number;
  readonly unchanged: number;
  readonly removed: number;
  /** Went away between the look at the folder and the reading. */
  readonly vanished: number;
  readonly passages: number;
  readonly problems: readonly { readonly path: string; readonly problem: string }[];
  /** Why the passages have no vectors although a model is configured; null when they have them or need none. */
  readonly withoutVectors: string | null;
}

/** Another number here reads everything anew. */
const READER_VERSION = 1;

/** Errors: KNOWLEDGE_FOLDER, STORE_DOWN. One document that cannot be read is a line in the report. */
export async function indexFolder(folder: KnowledgeFolder, options: IndexOptions): Promise<IndexReport> {
  const { shelf } = options;
  const [files, before] = [await scanFolder(folder.directory), await shelf.known(folder.collection)];
  if (files.length === 0 && before.size > 0 && options.mayBeEmpty !== true)
    throw new ParleyError(
      'KNOWLEDGE_FOLDER',
      `The folder ${folder.directory} is empty, but ${before.size} documents were indexed from it (a disk that is not mounted?). They are kept; parley knowledge index --empty removes them.`,
    );
  const vectors = await vectorsOf(options);
  const run = new Run(folder, options, vectors.embedder, before);
  for (const file of files) await run.take(file);
  const gone = [...before.keys()].filter((path) => !run.present.has(path));
  if (gone.length > 0) await shelf.remove(folder.collection, gone);
  if (gone.length > 0 || run.read > 0) await shelf.finish(folder.collection);
  const { read, unchanged, vanished, passages, problems } = run;
  return {
    collection: folder.collection,
    read,
    unchanged,
    removed: gone.length,
    vanished,
    passages,
    problems,
    withoutVectors: vectors.why,
  };
}

async function vectorsOf({ embedder, shelf }: IndexOptions): Promise<{ embedder: Embedder | null; why: string | null }> {
  if (embedder === null) return { embedder: null, why: null };
  if (await shelf.hasVectors()) return { embedder, why: null };
  const why =
    'knowledge.embedding is configured, but this Postgres has no extension vector: install pgvector (Debian: postgresql-NN-pgvector), run CREATE EXTENSION vector in the database as a superuser, then index again. Until then passages are found by their words.';
  return { embedder: null, why };
}

class Run {
  readonly present = new Set<string>();
  readonly problems: { path: string; problem: string }[] = [];
  read = 0;
  unchanged = 0;
  vanished = 0;
  passages = 0;
  readonly #folder: KnowledgeFolder;
  readonly #options: IndexOptions;
  readonly #embedder: Embedder | null;
  readonly #before: ReadonlyMap<string, string>;

  constructor(folder: KnowledgeFolder, options: IndexOptions, embedder: Embedder | null, before: ReadonlyMap<string, string>) {
    this.#folder = folder;
    this.#options = options;
    this.#embedder = embedder;
    this.#before = before;
  }

  async take(found: Found): Promise<void> {
    await this.#options.onFile?.(found.path);
    let bytes: Bytes | null;
    try {
      bytes = await readBounded(found, this.#options.maxFileBytes);
    } catch (error) {
      await this.#refused(found, error, 'unread');
      return;
    }
    if (bytes === null) {
      this.vanished += 1;
      return;
    }
    this.present.add(found.path);
    const version = this.#version(bytes.bytes);
    if (this.#before.get(found.path) === version) {
      this.unchanged += 1;
      return;
    }
    try {
      await this.#store(found, bytes, version);
    } catch (error) {
      await this.#refused(found, error, version);
    }
  }

  async #store(found: Found, bytes: Bytes, version: string): Promise<void> {
    const { collection, language, maxAgeDays } = this.#folder;
    const reading = await readDocument(found, bytes.bytes, this.#options.pdf);
    const passages = passagesOf(collection, found.path, reading.sections);
    const embeddings = await this.#embedded(passages);
    const document: KnowledgeDocument = {
      ...{ collection, path: found.path, sha256: version, problem: null, passages },
      language: languageOf(found.path) ?? reading.language ?? language,
      date: reading.date ?? bytes.changed,
      maxAgeDays: reading.maxAgeDays ?? maxAgeDays,
    };
    await this.#options.shelf.put(document, embeddings);
    this.read += 1;
    this.passages += passages.length;
  }

  async #embedded(passages: readonly KnowledgePassage[]): Promise<readonly (readonly number[])[] | null> {
    if (this.#embedder === null || passages.length === 0) return null;
    return this.#embedder.embed(passages.map(({ heading, text }) => `${heading}\n${text}`));
  }

  /** What cannot be read any more is not answered from either. */
  async #refused({ path }: Found, error: unknown, version: string): Promise<void> {
    if (!(error instanceof UnreadableDocument)) throw error;
    this.present.add(path);
    this.problems.push({ path, problem: error.message });
    this.#options.logger.warn('a document of the knowledge cannot be read', {
      collection: this.#folder.collection,
      problem: error.message,
    });
    const { collection, language } = this.#folder;
    const empty = { language, date: '1970-01-01', maxAgeDays: null, passages: [] };
    await this.#options.shelf.put({ collection, path, sha256: version, problem: error.message, ...empty }, null);
    this.read += 1;
  }

  #version(bytes: Buffer): string {
    const { language, maxAgeDays } = this.#folder;
    const settings = JSON.stringify([READER_VERSION, language, maxAgeDays, this.#embedder?.model ?? null]);
    return createHash('sha256').update(settings).update(bytes).digest('hex');
  }
}

/** Rejects with UnreadableDocument. */
async function readDocument(found: Found, bytes: Buffer, pdf: PdfOptions = {}): Promise<Reading> {
  const kind = extname(found.path).toLowerCase();
  if (kind === '.pdf') {
    if (!bytes.subarray(0, 1024).includes('%PDF-')) throw new UnreadableDocument('is called a PDF and is none');
    return readPdf(found.file, pdf);
  }
  if (kind === '.html' || kind === '.htm') return readHtml(decoded(bytes, declaredEncoding(bytes)));
  const text = decoded(bytes);
  if (kind === '.csv') return readCsv(text);
  if (kind === '.txt') {
    const section = { heading: '', paragraphs: text.split(/\r?\n\s*\r?\n/) };
    return { sections: [section], date: null, language: null, maxAgeDays: null };
  }
  return readMarkdown(text);
}

/** 'returns.de.md' */
const languageOf = (path: string): string | null => /\.([a-z]{2})\.[A-Za-z]+$/.exec(path)?.[1] ?? null;
