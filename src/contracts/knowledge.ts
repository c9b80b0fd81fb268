/** The shelf of knowledge: passages of documents that answers may be taken from, and how they are found again. */

/** One piece of a document, short enough to be said. */
export interface KnowledgePassage {
  /** From its place and text: the same passage has the same id after every indexing. 16 hex digits. */
  readonly id: string;
  /** Headings above it, outermost first, joined by ' / '; 'page 3' for a PDF, the first column for a table. */
  readonly heading: string;
  readonly text: string;
  /** Of the text, hex: what a log keeps instead of words. */
  readonly sha256: string;
}

export interface KnowledgeDocument {
  readonly collection: string;
  /** Relative to the folder of the collection, with '/'. */
  readonly path: string;
  /** Two letters. */
  readonly language: string;
  /** Of the file's bytes, hex. */
  readonly sha256: string;
  /** 'YYYY-MM-DD': what the document says itself, else when the file was changed. */
  readonly date: string;
  /** Older than this it is not answered from; null: never too old. */
  readonly maxAgeDays: number | null;
  /** Why it has no passages; null when it could be read. */
  readonly problem: string | null;
  readonly passages: readonly KnowledgePassage[];
}

export interface KnowledgeQuestion {
  readonly collection: string;
  readonly language: string;
  /** Words of a caller. */
  readonly text: string;
  /** 'YYYY-MM-DD': documents that are too old on this day are left out. */
  readonly today: string;
  readonly limit: number;
  /** Of the question by the same model as the passages'; null: by words alone. */
  readonly embedding: readonly number[] | null;
}

export interface KnowledgeFinding extends KnowledgePassage {
  readonly path: string;
  readonly date: string;
  /** How much of what was asked is in the passage, rare words counting more, 0 to 1. */
  readonly score: number;
  /** Cosine of question and passage; null without an embedding. */
  readonly similarity: number | null;
}

export interface KnowledgeState {
  readonly collection: string;
  readonly documents: number;
  readonly passages: number;
  readonly withVectors: number;
  readonly tooOld: number;
  readonly problems: readonly { readonly path: string; readonly problem: string }[];
  /** ISO time; null when it was never indexed. */
  readonly indexedAt: string | null;
}

/** Errors: STORE_DOWN, STORE_REFUSED. */
export interface KnowledgeShelf {
  /** What is known of a collection: path to the hash of the file and the settings that it was read with. */
  known(collection: string): Promise<ReadonlyMap<string, string>>;
  /** Replaces a document and its passages at once. `embeddings`: one for each passage, or null. */
  put(document: KnowledgeDocument, embeddings: readonly (readonly number[])[] | null): Promise<void>;
  remove(collection: string, paths: readonly string[]): Promise<void>;
  /** Counts words anew: after a run, before the next search. */
  finish(collection: string): Promise<void>;
  find(question: KnowledgeQuestion): Promise<readonly KnowledgeFinding[]>;
  state(collection: string, today: string): Promise<KnowledgeState>;
  /** Whether this Postgres can compare vectors: pgvector is there. */
  hasVectors(): Promise<boolean>;
}
