/** `parley knowledge index | search | status`: the documents that answers are taken from. Works beside a running gateway. */
import { type Config, loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { searchKnowledge } from '../integrations/index.ts';
import { silentLogger, systemClock } from '../observability/index.ts';
import { indexAll, knowledgeEmbedder, localDay, storeOptions } from '../parts/index.ts';
import { createStore, knowledgeShelf, type Store } from '../store/index.ts';
import { EXIT } from './exit.ts';

export interface IndexCommand {
  readonly config: string;
  readonly collection?: string | undefined;
  readonly empty?: boolean;
}

export async function knowledgeIndex({ config: file, collection, empty }: IndexCommand): Promise<number> {
  return withStore(file, async (config, store) => {
    if (collection !== undefined) known(config, collection);
    const only = collection === undefined ? {} : { only: collection };
    const done = await indexAll(config, { store, logger: silentLogger, mayBeEmpty: empty === true, ...only });
    let isWhole = true;
    for (const one of done) {
      if ('error' in one) {
        isWhole = false;
        console.error(`${one.collection}: ${one.error instanceof Error ? one.error.message : String(one.error)}`);
        continue;
      }
      const { report } = one;
      for (const { path, problem } of report.problems) console.error(`${report.collection}/${path}: ${problem}`);
      if (report.withoutVectors !== null) console.error(`${report.collection}: ${report.withoutVectors}`);
      console.log(
        `${report.collection}: ${report.read} read (${report.passages} passages), ${report.unchanged} unchanged, ${report.removed} removed, ${report.problems.length} cannot be read`,
      );
      isWhole &&= report.problems.length === 0;
    }
    return isWhole ? EXIT.ok : EXIT.failed;
  });
}

export interface SearchCommand {
  readonly config: string;
  readonly collection?: string;
  readonly language?: string;
  readonly json?: boolean;
}

/** Exit 1 when nothing is an answer. */
export async function knowledgeSearch(question: string, options: SearchCommand): Promise<number> {
  return withStore(options.config, async (config, store) => {
    const collection = options.collection ?? Object.keys(config.knowledge.folders)[0] ?? '';
    const language = options.language ?? known(config, collection).language;
    const { threshold } = config.knowledge;
    const search = { shelf: knowledgeShelf(store), threshold, embedder: knowledgeEmbedder(config), today };
    const found = await searchKnowledge(search, { text: question, collection, language }, 5);
    const isAnswered = found.some((one) => one.isAnswer);
    if (options.json === true) for (const one of found) console.log(JSON.stringify(one));
    else {
      if (!isAnswered) console.log(`no answer: nothing reaches the threshold of ${threshold}`);
      for (const { isAnswer, score, path, heading, date, id, text } of found)
        console.log(`${isAnswer ? '*' : ' '} ${score.toFixed(2)}  ${path} [${heading}] ${date} ${id}\n        ${text}`);
    }
    return isAnswered ? EXIT.ok : EXIT.failed;
  });
}

export async function knowledgeStatus(options: { readonly config: string; readonly json?: boolean }): Promise<number> {
  return withStore(options.config, async (config, store) => {
    const shelf = knowledgeShelf(store);
    for (const collection of Object.keys(config.knowledge.folders)) {
      const state = await shelf.state(collection, today());
      if (options.json === true) {
        console.log(JSON.stringify(state));
        continue;
      }
      const { documents, passages, withVectors, tooOld, indexedAt, problems } = state;
      console.log(
        `${collection}: ${documents} documents, ${passages} passages (${withVectors} with vectors), ${tooOld} too old, last change ${indexedAt ?? 'never'}`,
      );
      for (const { path, problem } of problems) console.log(`  ${path}: ${problem}`);
    }
    return EXIT.ok;
  });
}

const today = (): string => localDay(systemClock.wallUs());

function known(config: Config, collection: string): Config['knowledge']['folders'][string] {
  const { folders } = config.knowledge;
  const folder = Object.hasOwn(folders, collection) ? folders[collection] : undefined;
  if (folder !== undefined) return folder;
  const names = Object.keys(folders).join(', ') || 'none is configured';
  throw new ParleyError('CONFIG_INVALID', `There is no collection '${collection}' in knowledge.folders; there are: ${names}.`);
}

async function withStore(file: string, work: (config: Config, store: Store) => Promise<number>): Promise<number> {
  const config = await loadConfig(file);
  if (Object.keys(config.knowledge.folders).length === 0)
    throw new ParleyError('CONFIG_INVALID', `${config.file}: knowledge.folders is empty, expected at least one folder of documents`);
  const store = createStore(await storeOptions(config, silentLogger));
  try {
    await store.start();
    if (store.state === 'down') throw new ParleyError('STORE_DOWN', `Postgres cannot be reached (${store.why}).`);
    return await work(config, store);
  } finally {
    await store.stop();
  }
}
