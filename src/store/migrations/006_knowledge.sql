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
CREATE INDEX passage_words ON knowledge.passage USING gin (tsv);
CREATE INDEX passage_document ON knowledge.passage (collection, path);

-- In how many passages a word is: rare words count more. Made anew after each indexing.
CREATE TABLE knowledge.term (
  collection text NOT NULL,
  language   text NOT NULL,
  lexeme     text NOT NULL,
  passages   integer NOT NULL,
  PRIMARY KEY (collection, language, lexeme)
);

GRANT USAGE ON SCHEMA knowledge TO gw_writer, auditor;
GRANT SELECT, INSERT, UPDATE, DELETE ON knowledge.document, knowledge.passage, knowledge.term TO gw_writer;
-- Answers in the log name passages: an auditor may read what was said to callers.
GRANT SELECT ON knowledge.document, knowledge.passage TO auditor;
RESET ROLE;
