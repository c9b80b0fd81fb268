/** The shelf of knowledge in Postgres: full text always, vectors where pgvector is installed. */
import type pg from 'pg';
import type { KnowledgeDocument, KnowledgeFinding, KnowledgeQuestion, KnowledgeShelf, KnowledgeState } from '../contracts/index.ts';
import type { Store } from './store.ts';

/** Text search configurations that come with Postgres. Another language is searched by its words as they are. */
const CONFIGURATIONS: Readonly<Record<string, string>> = { en: 'english', de: 'german', fr: 'french', es: 'spanish' };
const configurationOf = (language: string): string =>
  Object.hasOwn(CONFIGURATIONS, language) ? (CONFIGURATIONS[language] ?? '') : 'simple';

/** Passages that are looked at more closely: those with the rarest words of the question, up to so many (and all with the rarest one). */
const CANDIDATES = 1500;

export function knowledgeShelf(store: Pick<Store, 'use'>): KnowledgeShelf {
  return {
    known: (collection) => store.use((client) => known(client, collection)),
    put: (document, embeddings) => store.use((client) => inTransaction(client, () => put(client, document, embeddings))),
    remove: async (collection, paths) => {
      await store.use((client) =>
        client.query('DELETE FROM knowledge.document WHERE collection = $1 AND path = ANY ($2::text[])', [collection, paths]),
      );
    },
    finish: (collection) => store.use((client) => inTransaction(client, () => countTerms(client, collection))),
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
  // A heading says what its passages are about without being in them.
  await client.query(
    `INSERT INTO knowledge.passage (collection, passage_id, path, language, ordinal, heading, words, sha256, embedding, tsv)
     SELECT $1, p.id, $2, $3, p.ordinal, p.heading, p.words, decode(p.sha256, 'hex'), p.embedding::real[],
            setweight(to_tsvector($4::regconfig, p.heading), 'A') || to_tsvector($4::regconfig, p.words)
       FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) WITH ORDINALITY AS p(id, heading, words, sha256, embedding, ordinal)
     ON CONFLICT DO NOTHING`,
    [
      ...[collection, path, language, configurationOf(language)],
      ...[passages.map((one) => one.id), passages.map((one) => one.heading), passages.map((one) => one.text)],
      ...[passages.map((one) => one.sha256), passages.map((_, at) => asArray(embeddings?.[at]))],
    ],
  );
}

const asArray = (numbers: readonly number[] | undefined): string | null => (numbers === undefined ? null : `{${numbers.join(',')}}`);

async function countTerms(client: pg.ClientBase, collection: string): Promise<void> {
  await client.query('DELETE FROM knowledge.term WHERE collection = $1', [collection]);
  await client.query(
    `INSERT INTO knowledge.term (collection, language, lexeme, passages)
     SELECT $1, l.language, s.word, s.ndoc FROM (SELECT DISTINCT language FROM knowledge.passage WHERE collection = $1) l,
            ts_stat(format('SELECT tsv FROM knowledge.passage WHERE collection = %L AND language = %L', $1::text, l.language)) s
      UNION ALL SELECT $1, p.language, '', count(*) FROM knowledge.passage p WHERE p.collection = $1 GROUP BY p.language`,
    [collection],
  );
}

/**
 * The share of the question that a passage has, each word weighed by how rare it is: ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25
 * (Robertson and Zaragoza 2009). A word that no passage has counts most, so that what nobody wrote about is not answered.
 */
const BY_WORDS = `
WITH size AS (
  SELECT t.passages AS n FROM knowledge.term t WHERE t.collection = $1 AND t.language = $2 AND t.lexeme = ''
), asked AS MATERIALIZED (
  SELECT a.lexeme, '''' || replace(replace(a.lexeme, '\\', '\\\\'), '''', '''''') || '''' AS quoted, coalesce(t.passages, 0) AS n,
         ln(1 + (greatest(s.n - coalesce(t.passages, 0), 0) + 0.5) / (coalesce(t.passages, 0) + 0.5)) AS weight
    FROM size s, unnest(to_tsvector($3::regconfig, $4)) a
    LEFT JOIN knowledge.term t ON t.collection = $1 AND t.language = $2 AND t.lexeme = a.lexeme
), ranked AS (
  SELECT a.quoted, sum(a.n) OVER w AS upto, row_number() OVER w AS place
    FROM asked a WHERE a.n > 0 WINDOW w AS (ORDER BY a.n, a.quoted)
), wanted AS MATERIALIZED (
  SELECT string_agg(r.quoted, ' | ')::tsquery AS query FROM ranked r WHERE r.place = 1 OR r.upto <= ${CANDIDATES}
), words AS MATERIALIZED (
  SELECT array_agg(a.quoted::tsquery) AS each, array_agg(a.weight) AS weights, sum(a.weight) AS total FROM asked a
)
SELECT p.passage_id AS id, p.path, p.heading, p.words AS text, encode(p.sha256, 'hex') AS sha256, to_char(d.document_date, 'YYYY-MM-DD') AS date,
       (SELECT sum(o.weight) FROM unnest(v.each, v.weights) AS o(one, weight) WHERE p.tsv @@ o.one) / v.total AS score
  FROM words v, knowledge.passage p JOIN knowledge.document d ON d.collection = p.collection AND d.path = p.path
 WHERE p.collection = $1 AND p.language = $2 AND p.tsv @@ (SELECT w.query FROM wanted w)
   AND (d.max_age_days IS NULL OR d.document_date >= $5::date - d.max_age_days)
 ORDER BY score DESC, ts_rank(p.tsv, (SELECT w.query FROM wanted w), 1) DESC, p.path, p.ordinal LIMIT $6`;

const BY_VECTOR = `
SELECT p.passage_id AS id, p.path, p.heading, p.words AS text, encode(p.sha256, 'hex') AS sha256, to_char(d.document_date, 'YYYY-MM-DD') AS date,
       0::float8 AS score, 1 - (p.embedding::vector <=> $3::text::vector) AS similarity
  FROM knowledge.passage p JOIN knowledge.document d ON d.collection = p.collection AND d.path = p.path
 WHERE p.collection = $1 AND p.language = $2 AND cardinality(p.embedding) = $4
   AND (d.max_age_days IS NULL OR d.document_date >= $5::date - d.max_age_days)
 ORDER BY p.embedding::vector <=> $3::text::vector LIMIT $6`;

type Row = Omit<KnowledgeFinding, 'similarity'> & { similarity?: number | string };

async function find(client: pg.ClientBase, question: KnowledgeQuestion): Promise<readonly KnowledgeFinding[]> {
  const { collection, language, text, today, limit, embedding } = question;
  const configuration = configurationOf(language);
  const { rows } = await client.query<Row>({
    name: 'knowledge.find',
    text: BY_WORDS,
    values: [collection, language, configuration, text, today, limit],
  });
  const byWords = rows.map((row) => ({ ...row, similarity: null }));
  if (embedding === null) return byWords;
  const near = await client.query<Row>(BY_VECTOR, [collection, language, `[${embedding.join(',')}]`, embedding.length, today, limit]);
  return merged(byWords, near.rows);
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
