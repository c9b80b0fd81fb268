/** The shelf of knowledge in Postgres: full text always, vectors where pgvector is installed. */
import type pg from 'pg';
import type { KnowledgeDocument, KnowledgeFinding, KnowledgeQuestion, KnowledgeShelf, KnowledgeState } from '../contracts/index.ts';
import type { Store } from './store.ts';

/** Text search configurations that come with Postgres. Another language is searched by its words as they are. */
const CONFIGURATIONS: Readonly<Record<string, string>> = { en: 'english', de: 'german', fr: 'french', es: 'spanish' };
const configurationOf = (language: string): string =>
  Object.hasOwn(CONFIGURATIONS, language) ? (CONFIGURATIONS[language] ?? '') : 'simple';

/** Passages that are looked at more closely: those with the rarest words of the question, up to so many (and all with the rarest one). */
const CANDIDATES = 1000;

export function knowledgeShelf(store: Pick<Store, 'use'>): KnowledgeShelf {
  return {
    known: (collection) => store.use((client) => known(client, collection)),
    put: (document, embeddings) => store.use((client) => inTransaction(client, () => put(client, document, embeddings))),
    remove: async (collection, paths) => {
      await store.use((client) =>
        client.query('DELETE FROM knowledge.document WHERE collection = $1 AND path = ANY ($2::text[])', [collection, paths]),
      );
    },
    finish: async (collection) => {
      await store.use((client) => client.query('SELECT knowledge.count_terms($1)', [collection]));
    },
    find: (question) => store.use((client) => find(client, question)),
    state: (collection, today) => store.use((client) => state(client, collection, today)),
    hasVectors: () => store.use(async (client) => (await client.query(`SELECT FROM pg_extension WHERE extname = 'vector'`)).rowCount === 1),
  };
}

async function inTransaction(client: pg.ClientBase, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await work();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function known(client: pg.ClientBase, collection: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ path: string; version: string }>(
    'SELECT path, version FROM knowledge.document WHERE collection = $1',
    [collection],
  );
  return new Map(rows.map((row) => [row.path, row.version]));
}

async function put(client: pg.ClientBase, document: KnowledgeDocument, embeddings: readonly (readonly number[])[] | null): Promise<void> {
  const { collection, path, language, passages } = document;
  await client.query('DELETE FROM knowledge.document WHERE collection = $1 AND path = $2', [collection, path]);
  await client.query(
    `INSERT INTO knowledge.document (collection, path, language, version, document_date, max_age_days, problem) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [collection, path, language, document.sha256, document.date, document.maxAgeDays, document.problem],
  );
  if (passages.length === 0) return;
  // Headings and the name of the file say what passages are about without being in them.
  await client.query(
    `INSERT INTO knowledge.passage (collection, passage_id, path, language, ordinal, heading, words, sha256, embedding, tsv)
     SELECT $1, p.id, $2, $3, p.ordinal, p.heading, p.words, decode(p.sha256, 'hex'), p.embedding::real[],
            setweight(to_tsvector($4::regconfig, p.heading || ' ' || $10), 'A') || to_tsvector($4::regconfig, p.words)
       FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) WITH ORDINALITY AS p(id, heading, words, sha256, embedding, ordinal)
     ON CONFLICT DO NOTHING`,
    [
      ...[collection, path, language, configurationOf(language)],
      ...[passages.map((one) => one.id), passages.map((one) => one.heading), passages.map((one) => one.text)],
      ...[passages.map((one) => one.sha256), passages.map((_, at) => asArray(embeddings?.[at]))],
      path.replace(/\.[A-Za-z]+$/, '').replace(/[^\p{L}\p{N}]+/gu, ' '),
    ],
  );
}

const asArray = (numbers: readonly number[] | undefined): string | null => (numbers === undefined ? null : `{${numbers.join(',')}}`);

/** The words of the question and in how many passages each is, rarest first; `size`: how many passages there are. */
const TERMS = `
SELECT a.lexeme, coalesce(t.n, 0) AS n, coalesce(s.n, 0) AS size
  FROM unnest(to_tsvector($3::regconfig, $4)) a
  LEFT JOIN LATERAL (SELECT o.passages AS n FROM knowledge.term o WHERE o.collection = $1 AND o.language = $2 AND o.lexeme = a.lexeme LIMIT 1) t ON true
  LEFT JOIN LATERAL (SELECT o.passages AS n FROM knowledge.term o WHERE o.collection = $1 AND o.language = $2 AND o.lexeme = '' LIMIT 1) s ON true
 ORDER BY 2, 1`;

interface Term {
  readonly lexeme: string;
  readonly n: number;
  readonly size: number;
}

/**
 * How rare a word is: ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25 (Robertson and Zaragoza 2009). One that no passage has counts most,
 * so that what nobody wrote about is not answered.
 */
const weightOf = ({ n, size }: Term): number => Math.log(1 + (Math.max(0, Math.max(size, FEW) - n) + 0.5) / (n + 0.5));

/** In a handful of passages every word is rare, and says no more for it. */
const FEW = 20;

const BY_VECTOR = `
SELECT p.passage_id AS id, p.path, p.heading, p.words AS text, encode(p.sha256, 'hex') AS sha256, to_char(d.document_date, 'YYYY-MM-DD') AS date,
       0::float8 AS score, 1 - (p.embedding::vector <=> $3::text::vector) AS similarity
  FROM knowledge.passage p JOIN knowledge.document d ON d.collection = p.collection AND d.path = p.path
 WHERE p.collection = $1 AND p.language = $2 AND cardinality(p.embedding) = $4
   AND (d.max_age_days IS NULL OR d.document_date >= $5::date - d.max_age_days)
 ORDER BY p.embedding::vector <=> $3::text::vector LIMIT $6`;

type Row = Omit<KnowledgeFinding, 'similarity'> & { similarity?: number | string };

async function find(client: pg.ClientBase, question: KnowledgeQuestion): Promise<readonly KnowledgeFinding[]> {
  const { collection, language, today, limit, embedding } = question;
  const byWords = await findByWords(client, question);
  if (embedding === null) return byWords;
  const values = [collection, language, `[${embedding.join(',')}]`, embedding.length, today, limit];
  const near = await client.query<Row>(BY_VECTOR, values).catch((error: unknown) => {
    // Without pgvector there is no such type: words go on working.
    if (error instanceof Error && 'code' in error && error.code === UNDEFINED_OBJECT) return { rows: [] };
    throw error;
  });
  return merged(byWords, near.rows);
}

/** SQLSTATE. */
const UNDEFINED_OBJECT = '42704';

async function findByWords(client: pg.ClientBase, question: KnowledgeQuestion): Promise<readonly KnowledgeFinding[]> {
  const { collection, language, text, today, limit } = question;
  const { rows: terms } = await client.query<Term>({
    name: 'knowledge.terms',
    text: TERMS,
    values: [collection, language, configurationOf(language), text],
  });
  const wanted = candidates(terms);
  if (wanted.length === 0) return [];
  const weights = terms.map(weightOf);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const { rows } = await client.query<Row>({
    name: 'knowledge.find',
    text: 'SELECT * FROM knowledge.find($1, $2, $3::tsquery, $4::tsquery[], $5, $6, $7, $8)',
    values: [collection, language, wanted.map(quoted).join(' | '), terms.map(quoted), weights, total, today, limit],
  });
  return rows.map((row) => ({ ...row, similarity: null }));
}

/** As tsquery reads it. */
const quoted = ({ lexeme }: Term): string => `'${lexeme.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** The rarest words that are there at all: as many as bring so many passages, but one at least. */
function candidates(terms: readonly Term[]): readonly Term[] {
  let upto = 0;
  return terms.filter(({ n }) => n > 0).filter(({ n }, at) => (upto += n) <= CANDIDATES || at === 0);
}

/** Both ways together, by their ranks (reciprocal rank fusion, Cormack et al. 2009). */
function merged(byWords: readonly KnowledgeFinding[], near: readonly Row[]): readonly KnowledgeFinding[] {
  const found = new Map<string, { finding: KnowledgeFinding; rank: number }>();
  byWords.forEach((finding, at) => found.set(finding.id, { finding, rank: 1 / (60 + at) }));
  near.forEach((row, at) => {
    const before = found.get(row.id);
    const similarity = Number(row.similarity);
    found.set(row.id, { finding: { ...(before?.finding ?? row), similarity }, rank: (before?.rank ?? 0) + 1 / (60 + at) });
  });
  return [...found.values()].sort((a, b) => b.rank - a.rank).map(({ finding }) => finding);
}

async function state(client: pg.ClientBase, collection: string, today: string): Promise<KnowledgeState> {
  const { rows } = await client.query<{ documents: string; old: string; at: Date | null; passages: string; vectors: string }>(
    `SELECT count(*) AS documents, max(d.indexed_at) AS at,
            count(*) FILTER (WHERE d.max_age_days IS NOT NULL AND d.document_date < $2::date - d.max_age_days) AS old,
            (SELECT count(*) FROM knowledge.passage p WHERE p.collection = $1) AS passages,
            (SELECT count(*) FROM knowledge.passage p WHERE p.collection = $1 AND p.embedding IS NOT NULL) AS vectors
       FROM knowledge.document d WHERE d.collection = $1`,
    [collection, today],
  );
  const problems = await client.query<{ path: string; problem: string }>(
    'SELECT path, problem FROM knowledge.document WHERE collection = $1 AND problem IS NOT NULL ORDER BY path LIMIT 100',
    [collection],
  );
  const row = rows[0];
  return {
    collection,
    documents: Number(row?.documents ?? 0),
    passages: Number(row?.passages ?? 0),
    withVectors: Number(row?.vectors ?? 0),
    tooOld: Number(row?.old ?? 0),
    problems: problems.rows,
    indexedAt: row?.at?.toISOString() ?? null,
  };
}
