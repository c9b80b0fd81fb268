/**
 * Knowledge: 10,000 passages out of Markdown files, with a vocabulary as language has one (Zipf), indexed into a real Postgres, then
 * searched by callers' questions: known ones (words of a passage among fillers) and ones that no document answers. Where a Postgres has
 * pgvector (test/support/vector-postgres.ts), the same passages by words and meaning together, with a stand-in for the model.
 * Options: --passages N (10000), --vectors off.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createEmbedder, egressTo, indexFolder, searchKnowledge } from '../src/integrations/index.ts';
import { createStore, knowledgeShelf } from '../src/store/index.ts';
import { startPostgres, testFolder } from '../test/support/postgres.ts';
import { keepingLogger } from '../test/support/quiet-log.ts';
import { NO_VECTORS, vectorDatabase } from '../test/support/vector-postgres.ts';
import { startServer } from './servers/start.ts';
import { type BenchResult, benchResult, type BenchRow, percentile } from './support/result.ts';

const VOCABULARY = 20_000;
const WORDS = 40;
const PER_FILE = 20;
const QUESTIONS = 1000;

/** Mulberry32: the same corpus at every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const SYLLABLES = 'ba ke li mo nu ra se ti vo wa gu pe do fi ha jo ka le mi zo'.split(' ');
/** A word that is no stop word and has no ending that a stemmer would cut. */
const word = (rank: number): string => {
  let text = '';
  for (let rest = rank + 400; rest > 0; rest = Math.floor(rest / SYLLABLES.length)) text += SYLLABLES[rest % SYLLABLES.length] ?? '';
  return `${text}x`;
};

const PLAIN = `SELECT p.passage_id, p.words FROM knowledge.passage p WHERE p.tsv @@ to_tsquery('english', $1) AND p.collection = 'bench'
 ORDER BY ts_rank(p.tsv, to_tsquery('english', $1)) DESC LIMIT 3`;

/** Processor time of a process so far, in steps of 10 ms. */
async function cpuMsOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export async function run(options: Readonly<Record<string, string>> = {}): Promise<BenchResult> {
  const count = Number(options['passages'] ?? 10_000);
  const random = seeded(7);
  // Zipf with exponent 1 by inversion of the logarithm.
  const drawn = (): number => Math.min(VOCABULARY - 1, Math.floor(Math.exp(random() * Math.log(VOCABULARY))) - 1);
  const passages = Array.from({ length: count }, () => Array.from({ length: WORDS }, () => word(drawn())));
  const folder = join(await testFolder(), 'docs');
  await mkdir(folder);
  for (let at = 0; at < count; at += PER_FILE) {
    const parts = passages.slice(at, at + PER_FILE).map((words, i) => `## Section ${at + i}\n\n${words.join(' ')}.\n`);
    await writeFile(join(folder, `doc${at}.md`), parts.join('\n'));
  }
  const postgres = await startPostgres({ shared_buffers: '128MB' });
  const store = createStore({ log: keepingLogger(), connectionString: (await postgres.database()).url() });
  await store.start();
  const rows: BenchRow[] = [];
  try {
    const shelf = knowledgeShelf(store);
    const source = { collection: 'bench', directory: folder, language: 'en', maxAgeDays: null };
    const settings = { shelf, logger: keepingLogger(), maxFileBytes: 1 << 24, embedder: null };
    for (const what of ['read and indexed', 'looked at again, nothing changed'] as const) {
      const began = performance.now();
      const report = await indexFolder(source, settings);
      const seconds = (performance.now() - began) / 1000;
      rows.push({ metric: `${report.read + report.unchanged} files, ${what}`, value: Number(seconds.toFixed(2)), unit: 's' });
    }
    rows.push({ metric: 'passages', value: (await shelf.state('bench', '2026-11-20')).passages, unit: 'passages' });
    const ask = { shelf, embedder: null, threshold: 0.5, today: () => '2026-11-20' };
    const timesMs: number[] = [];
    const plainMs: number[] = [];
    const backend = await store.use(
      async (client) => (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0,
    );
    let cpuMs = 0;
    const right = { known: 0, unknown: 0 };
    for (let i = 0; i < QUESTIONS + 50; i++) {
      const isKnown = i % 2 === 0;
      const target = Math.floor(random() * count);
      // What callers ask for: some words of the passage, rare and common ones as they come; or words that nobody wrote.
      const asked = isKnown
        ? Array.from({ length: 5 }, () => passages[target]?.[Math.floor(random() * WORDS)] ?? '')
        : Array.from({ length: 5 }, (_, at) => (at < 2 ? word(drawn()) : `${word(VOCABULARY + i * 7 + at)}q`));
      const text = `can you please tell me about ${asked.join(' ')}`;
      // What Postgres offers by itself: any of the words, ranked without regard to how rare each is.
      const plainFrom = performance.now();
      await store.use((client) => client.query(PLAIN, [asked.join(' | ')]));
      if (i >= 50) plainMs.push(performance.now() - plainFrom);
      const cpuBefore = await cpuMsOf(backend);
      const began = performance.now();
      const [best] = await searchKnowledge(ask, { text, collection: 'bench', language: 'en' }, 3);
      if (i < 50) continue;
      timesMs.push(performance.now() - began);
      cpuMs += (await cpuMsOf(backend)) - cpuBefore;
      if (isKnown && best?.isAnswer === true && best.heading === `Section ${target}`) right.known += 1;
      if (!isKnown && best?.isAnswer !== true) right.unknown += 1;
    }
    for (const [name, p] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      const value = Number(percentile(timesMs, p).toFixed(2));
      const plain = percentile(plainMs, p);
      const peer = { peer: `any word, ts_rank: ${plain.toFixed(2)} ms`, ratio: value / plain };
      rows.push({ metric: `search, ${name}`, value, unit: 'ms', ...peer, ...(p === 0.95 ? { goal: '<= 15 ms', met: value <= 15 } : {}) });
    }
    rows.push({ metric: 'CPU of Postgres for a search', value: Number((cpuMs / QUESTIONS).toFixed(2)), unit: 'ms' });
    const percent = (part: number): number => Number(((part / (QUESTIONS / 2)) * 100).toFixed(1));
    rows.push({ metric: 'questions with an answer: the right passage first', value: percent(right.known), unit: '%' });
    rows.push({ metric: 'questions without one: "I do not know"', value: percent(right.unknown), unit: '%' });
  } finally {
    await store.stop();
    await postgres.close();
  }
  const corpus = { folder, passages, random };
  if (options['vectors'] !== 'off') rows.push(...(await hybridRows(corpus)));
  return benchResult('knowledge', rows);
}

interface Corpus {
  readonly folder: string;
  readonly passages: readonly (readonly string[])[];
  readonly random: () => number;
}

const HYBRID_QUESTIONS = 300;
/** What the stand-in gives five words of a passage of forty: about 0.35. */
const MIN_SIMILARITY = 0.25;

/** Words and vectors together: questions in the words of a passage, and in words of the same meaning that it does not have. */
async function hybridRows({ folder, passages, random }: Corpus): Promise<readonly BenchRow[]> {
  const database = await vectorDatabase();
  if (database === null) {
    console.log(`words and vectors together: not measured, ${NO_VECTORS}`);
    return [];
  }
  const server = await startServer('ollama');
  const store = createStore({ log: keepingLogger(), connectionString: database.url, adminConnectionString: database.url });
  await store.start();
  try {
    const shelf = knowledgeShelf(store);
    const embedder = createEmbedder({ url: server.origin, protocol: 'ollama', model: 'stand-in', egress: egressTo(server.origin) });
    const source = { collection: 'bench', directory: folder, language: 'en', maxAgeDays: null };
    await indexFolder(source, { shelf, logger: keepingLogger(), maxFileBytes: 1 << 24, embedder });
    const backend = await store.use(
      async (client) => (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0,
    );
    const cpuFrom = await cpuMsOf(backend);
    const timesMs: number[] = [];
    const modelMs: number[] = [];
    const right = { words: 0, meaning: 0, byWordsAlone: 0 };
    for (let i = 0; i < HYBRID_QUESTIONS + 20; i++) {
      const target = Math.floor(random() * passages.length);
      const words = Array.from({ length: 5 }, () => passages[target]?.[Math.floor(random() * WORDS)] ?? '');
      const isOther = i % 2 === 1;
      const text = `can you please tell me about ${words.map((one) => (isOther ? `${one}syn` : one)).join(' ')}`;
      const asked = { text, collection: 'bench', language: 'en' };
      const settings = { shelf, threshold: 0.5, today: () => '2026-11-20' };
      const began = performance.now();
      const [best] = await searchKnowledge({ ...settings, embedder: { embedder, minSimilarity: MIN_SIMILARITY } }, asked, 3);
      const tookMs = performance.now() - began;
      const modelFrom = performance.now();
      await embedder.embed([text]);
      if (i < 20) continue;
      timesMs.push(tookMs);
      modelMs.push(performance.now() - modelFrom);
      const isRight = best?.isAnswer === true && best.heading === `Section ${target}`;
      if (isRight) right[isOther ? 'meaning' : 'words'] += 1;
      if (isOther) {
        const [plain] = await searchKnowledge({ ...settings, embedder: null }, asked, 3);
        if (plain?.isAnswer === true && plain.heading === `Section ${target}`) right.byWordsAlone += 1;
      }
    }
    const percent = (part: number): number => Number(((part / (HYBRID_QUESTIONS / 2)) * 100).toFixed(1));
    const p95 = Number(percentile(timesMs, 0.95).toFixed(2));
    // Searches by words alone are in it too: a small part.
    const cpuMs = Number((((await cpuMsOf(backend)) - cpuFrom) / (HYBRID_QUESTIONS + 20)).toFixed(1));
    return [
      {
        metric: 'words and vectors together (384 dimensions, stand-in for the model), p50',
        value: Number(percentile(timesMs, 0.5).toFixed(2)),
        unit: 'ms',
      },
      { metric: 'words and vectors together, p95', value: p95, unit: 'ms', goal: '<= 15 ms', met: p95 <= 15 },
      { metric: 'CPU of Postgres for such a search', value: cpuMs, unit: 'ms' },
      { metric: 'of it the request to the embedding server, p50', value: Number(percentile(modelMs, 0.5).toFixed(2)), unit: 'ms' },
      { metric: 'words and vectors: asked in its words, the right passage first', value: percent(right.words), unit: '%' },
      {
        ...{ metric: 'words and vectors: asked in other words of the same meaning', value: percent(right.meaning), unit: '%' },
        peer: `by words alone: ${percent(right.byWordsAlone)} %`,
      },
    ];
  } finally {
    await store.stop();
    await database.close();
    await server.stop();
  }
}
