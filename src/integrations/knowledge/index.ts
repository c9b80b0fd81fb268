export { createEmbedder, type Embedder, type EmbedderOptions } from './embedder.ts';
export { type IndexOptions, type IndexReport, indexFolder, type KnowledgeFolder } from './indexer.ts';
export { type KnowledgeAnswer, knowledgePorts, searchKnowledge, type KnowledgeSearchOptions } from './search.ts';
