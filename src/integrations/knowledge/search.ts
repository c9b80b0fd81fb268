/** The port knowledge.search: the best passage for a question, or the plain statement that nothing is known. */
import type { CallEvent, KnowledgeFinding, KnowledgeShelf, Logger } from '../../contracts/index.ts';
import type { PortOperation } from '../memory.ts';
import { Refused } from '../ports.ts';
import type { Embedder } from './embedder.ts';
import { withoutFillers } from './fillers.ts';

export interface KnowledgeSearchOptions {
  readonly shelf: KnowledgeShelf;
  /** Names that flows may ask for, with the language of each. */
  readonly collections: Readonly<Record<string, { readonly language: string }>>;
  /** A passage answers from this score on, 0 to 1. */
  readonly threshold: number;
  readonly embedder: { readonly embedder: Embedder; readonly minSimilarity: number } | null;
  /** 'YYYY-MM-DD'. */
  readonly today: () => string;
  /** Log before the answer is said: which passage it was taken from. Rejects when it could not be logged. */
  readonly log: (event: Extract<CallEvent, { type: 'knowledge.searched' }>) => Promise<void>;
  readonly logger: Logger;
}

export interface KnowledgeAnswer {
  readonly found: boolean;
  /** A passage, whole; empty when nothing is known. */
  readonly answer: string;
  readonly passage: string;
  readonly source: string;
  readonly heading: string;
  /** Of the document, 'YYYY-MM-DD'. */
  readonly date: string;
  readonly score: number;
}

const NOTHING = { found: false, answer: '', passage: '', source: '', heading: '', date: '' };

export interface Asked {
  readonly text: string;
  readonly collection: string;
  readonly language: string;
}

/** Best first; those below the threshold are marked as no answer. */
export async function searchKnowledge(
  { shelf, embedder, today, threshold }: Pick<KnowledgeSearchOptions, 'shelf' | 'embedder' | 'today' | 'threshold'>,
  asked: Asked,
  limit: number,
  signal?: AbortSignal,
): Promise<readonly (KnowledgeFinding & { readonly isAnswer: boolean })[]> {
  const text = withoutFillers(asked.text, asked.language);
  if (text === '') return [];
  // Without its model a question is still found by its words.
  const [embedding] = (await embedder?.embedder.embed([asked.text.slice(0, 500)], signal).catch(() => [])) ?? [];
  const found = await shelf.find({ ...asked, text, today: today(), limit, embedding: embedding ?? null });
  const isNear = (one: KnowledgeFinding): boolean =>
    one.similarity !== null && embedder !== null && one.similarity >= embedder.minSimilarity;
  return found.map((one) => ({ ...one, isAnswer: one.score >= threshold || isNear(one) }));
}

/** knowledge.search {question, collection?, language?}: for flows and agents. */
export function knowledgePorts(options: KnowledgeSearchOptions): Readonly<Record<string, PortOperation>> {
  const names = Object.keys(options.collections);
  return {
    'knowledge.search': async (given, _key, signal, about) => {
      const collection = typeof given['collection'] === 'string' && given['collection'] !== '' ? given['collection'] : (names[0] ?? '');
      const settings = Object.hasOwn(options.collections, collection) ? options.collections[collection] : undefined;
      if (settings === undefined) throw new Refused('there is no such collection of knowledge');
      const language = typeof given['language'] === 'string' && given['language'] !== '' ? given['language'] : settings.language;
      const findings = await searchKnowledge(options, { text: String(given['question'] ?? ''), collection, language }, 3, signal);
      const best = findings.find((one) => one.isAnswer) ?? null;
      const score = Number((best ?? findings[0])?.score.toFixed(3) ?? 0);
      await options.log({
        type: 'knowledge.searched',
        callId: about?.callId ?? null,
        body: {
          collection,
          found: best !== null,
          passage: best?.id ?? null,
          passageSha256: best?.sha256 ?? null,
          score,
          candidates: findings.length,
        },
      });
      if (best === null) return { ...NOTHING, score };
      const { text, id, path, heading, date } = best;
      return { found: true, answer: text, passage: id, source: path, heading, date, score } satisfies KnowledgeAnswer;
    },
  };
}
