/** Knowledge: the folders of the configuration, the shelf in Postgres, and the port that flows ask. */
import type { Config } from '../config/index.ts';
import type { AuditLog, Clock, Logger } from '../contracts/index.ts';
import {
  createEmbedder,
  egressTo,
  type Embedder,
  indexFolder,
  type IndexReport,
  knowledgePorts,
  type PortOperation,
} from '../integrations/index.ts';
import { knowledgeShelf, type Store } from '../store/index.ts';
import { localDay } from './flows.ts';

export function knowledgeEmbedder(config: Config): { embedder: Embedder; minSimilarity: number } | null {
  const { embedding } = config.knowledge;
  if (embedding === null) return null;
  const { url, protocol, model, minSimilarity } = embedding;
  return { embedder: createEmbedder({ url, protocol, model, egress: egressTo(url) }), minSimilarity };
}

/** Each collection in turn. Errors of one: KNOWLEDGE_FOLDER, KNOWLEDGE_EMBEDDING, STORE_DOWN; the others are indexed nevertheless. */
export async function indexAll(
  config: Config,
  about: { store: Store; logger: Logger; only?: string; mayBeEmpty?: boolean; onFile?: () => void },
): Promise<readonly ({ readonly report: IndexReport } | { readonly collection: string; readonly error: unknown })[]> {
  const { store, logger, only, mayBeEmpty = false, onFile } = about;
  const shelf = knowledgeShelf(store);
  const options = { shelf, logger, mayBeEmpty, maxFileBytes: config.knowledge.maxFileBytes, ...(onFile === undefined ? {} : { onFile }) };
  const embedder = knowledgeEmbedder(config)?.embedder ?? null;
  const done = [];
  for (const [collection, folder] of Object.entries(config.knowledge.folders)) {
    if (only !== undefined && only !== collection) continue;
    try {
      done.push({ report: await indexFolder({ collection, ...folder }, { ...options, embedder }) });
    } catch (error) {
      done.push({ collection, error });
    }
  }
  return done;
}

/** Looks at the folders now and every so often, one run at a time. Returns how to stop; a run under way is given up at its next file. */
export function keepIndexed(config: Config, about: { store: Store; logger: Logger }): () => Promise<void> {
  const { everyMs, folders } = config.knowledge;
  if (everyMs === 0 || Object.keys(folders).length === 0) return () => Promise.resolve();
  let running: Promise<void> | null = null;
  const stopping = new AbortController();
  const onFile = (): void => stopping.signal.throwIfAborted();
  const look = (): void => {
    running ??= indexAll(config, { ...about, onFile })
      .then((done) => {
        if (!stopping.signal.aborted) for (const one of done) say(about.logger, one);
      })
      .finally(() => (running = null));
  };
  look();
  const timer = setInterval(look, everyMs);
  return async () => {
    clearInterval(timer);
    stopping.abort(new Error('stopping'));
    await running;
  };
}

function say(logger: Logger, one: Awaited<ReturnType<typeof indexAll>>[number]): void {
  if ('error' in one) {
    const reason = one.error instanceof Error ? one.error.message : String(one.error);
    logger.warn('a collection of the knowledge was not indexed', { collection: one.collection, reason });
    return;
  }
  const { collection, read, removed, passages, problems, withoutVectors } = one.report;
  if (read + removed > 0) logger.info('knowledge indexed', { collection, read, removed, passages, problems: problems.length });
  if (withoutVectors !== null) logger.warn('knowledge has no vectors', { collection, reason: withoutVectors });
}

/** knowledge.search, for the desk of errands; none without folders. */
export function knowledgeTools(
  config: Config,
  about: { store: Store; audit: AuditLog; clock: Clock; logger: Logger },
): Readonly<Record<string, PortOperation>> {
  const { folders, threshold } = config.knowledge;
  if (Object.keys(folders).length === 0) return {};
  return knowledgePorts({
    shelf: knowledgeShelf(about.store),
    collections: folders,
    threshold,
    embedder: knowledgeEmbedder(config),
    today: () => localDay(about.clock.wallUs()),
    log: (event) => about.audit.append(event),
    logger: about.logger,
  });
}
