-- Knowledge: passages of the operator's own documents, found by words. Nothing here is the only copy: the folders are, and
-- everything can be emptied and indexed again. No personal content belongs here.
CREATE SCHEMA knowledge AUTHORIZATION audit_owner;
COMMENT ON SCHEMA knowledge IS 'Documents that answers are taken from. Can be emptied and indexed again.';
SET LOCAL ROLE audit_owner;

CREATE TABLE knowledge.document (
  collection    text NOT NULL,
  path          text NOT NULL,
  language      text NOT NULL,
  version       text NOT NULL,
  document_date date NOT NULL,
  max_age_days  integer CHECK (max_age_days > 0),
  problem       text,
  indexed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (collection, path)
);
COMMENT ON COLUMN knowledge.document.version IS 'Hash of the file and of the settings that it was read with: unchanged ones are passed over.';
COMMENT ON COLUMN knowledge.document.problem IS 'Why it has no passages.';

CREATE TABLE knowledge.passage (
  collection text    NOT NULL,
  passage_id text    NOT NULL,
  path       text    NOT NULL,
  language   text    NOT NULL,
  ordinal    integer NOT NULL,
  heading    text    NOT NULL,
  words      text    NOT NULL,
  sha256     bytea   NOT NULL CHECK (octet_length(sha256) = 32),
  tsv        tsvector NOT NULL,
  embedding  real[],
  PRIMARY KEY (collection, passage_id),
  FOREIGN KEY (collection, path) REFERENCES knowledge.document (collection, path) ON DELETE CASCADE
);
COMMENT ON COLUMN knowledge.passage.embedding IS 'Of a configured model; compared as type vector where pgvector is installed.';
-- Without a list of pending entries: every search would read it through.
CREATE INDEX passage_words ON knowledge.passage USING gin (tsv) WITH (fastupdate = off);
CREATE INDEX passage_document ON knowledge.passage (collection, path);

-- In how many passages a word is: rare words count more. Made anew after each indexing.
CREATE TABLE knowledge.term (
  collection text NOT NULL,
  language   text NOT NULL,
  lexeme     text NOT NULL,
  passages   integer NOT NULL,
  PRIMARY KEY (collection, language, lexeme)
);

-- Counts the words of a collection, and tells the planner how the tables look now: only their owner may.
CREATE FUNCTION knowledge.count_terms(counted text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM knowledge.term t WHERE t.collection = counted;
  INSERT INTO knowledge.term (collection, language, lexeme, passages)
  SELECT counted, l.language, s.word, s.ndoc
    FROM (SELECT DISTINCT p.language FROM knowledge.passage p WHERE p.collection = counted) l,
         ts_stat(format('SELECT tsv FROM knowledge.passage WHERE collection = %L AND language = %L', counted, l.language)) s
   UNION ALL SELECT counted, p.language, '', count(*) FROM knowledge.passage p WHERE p.collection = counted GROUP BY p.language;
  ANALYZE knowledge.document, knowledge.passage, knowledge.term;
END $$;

-- Passages with one of the wanted words, best first; the score is the share of the question's weight that a passage has. A function
-- for its settings: the index on words lies in memory, which the planner does not know, and it must see which words are asked for.
CREATE FUNCTION knowledge.find(
  asked_collection text, asked_language text, wanted tsquery, each tsquery[], weights double precision[], total double precision, today date, most integer
) RETURNS TABLE (id text, path text, heading text, "text" text, sha256 text, date text, score double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  RETURN QUERY WITH scored AS MATERIALIZED (
    SELECT p.passage_id, p.path, length(p.tsv) AS words,
           (SELECT sum(o.weight) FROM unnest(each, weights) AS o(one, weight) WHERE p.tsv @@ o.one) / total AS share
      FROM knowledge.passage p WHERE p.tsv @@ wanted AND p.collection = asked_collection AND p.language = asked_language
  ), best AS MATERIALIZED (
    SELECT s.passage_id, s.share, d.document_date FROM scored s
      JOIN knowledge.document d ON d.collection = asked_collection AND d.path = s.path
     WHERE d.max_age_days IS NULL OR d.document_date >= today - d.max_age_days
     ORDER BY s.share DESC, s.words, s.passage_id LIMIT most + 20
  )
  SELECT p.passage_id, p.path, p.heading, p.words, encode(p.sha256, 'hex'), to_char(b.document_date, 'YYYY-MM-DD'), b.share
    FROM best b JOIN knowledge.passage p ON p.collection = asked_collection AND p.passage_id = b.passage_id
   ORDER BY b.share DESC, ts_rank(p.tsv, wanted, 1) DESC, p.passage_id LIMIT most;
END $$;

GRANT USAGE ON SCHEMA knowledge TO gw_writer, auditor;
GRANT SELECT, INSERT, DELETE ON knowledge.document, knowledge.passage TO gw_writer;
GRANT SELECT ON knowledge.term TO gw_writer;
REVOKE ALL ON FUNCTION knowledge.count_terms(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION knowledge.find(text, text, tsquery, tsquery[], double precision[], double precision, date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION knowledge.count_terms(text) TO gw_writer;
GRANT EXECUTE ON FUNCTION knowledge.find(text, text, tsquery, tsquery[], double precision[], double precision, date, integer) TO gw_writer;
-- Answers in the log name passages: an auditor may read what was said to callers.
GRANT SELECT ON knowledge.document, knowledge.passage TO auditor;
RESET ROLE;
