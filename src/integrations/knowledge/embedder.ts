/** Numbers for meaning, from an embedding model of a server: Ollama's or any of the OpenAI shape. Off unless configured. */
import { ParleyError } from '../../contracts/index.ts';
import { type Egress, sendPinned } from '../egress.ts';

export interface Embedder {
  /** What made the numbers: those of another model cannot be compared. */
  readonly model: string;
  /** One vector for each text. Errors: KNOWLEDGE_EMBEDDING. */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly (readonly number[])[]>;
}

export interface EmbedderOptions {
  /** 'http://127.0.0.1:11434' for Ollama, '.../v1' for the other shape. */
  readonly url: string;
  readonly protocol: 'ollama' | 'openai';
  readonly model: string;
  readonly egress: Egress;
  readonly headers?: Readonly<Record<string, string>>;
}

const BATCH = 32;
const MAX_DIMENSIONS = 4096;
const TIMEOUT_MS = 60_000;
const MAX_BYTES = 16 * 1024 * 1024;

export function createEmbedder(options: EmbedderOptions): Embedder {
  const { protocol, model } = options;
  const url = new URL(`${options.url.replace(/\/$/, '')}${protocol === 'ollama' ? '/api/embed' : '/embeddings'}`);
  const batch = async (texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[]> => {
    const body = JSON.stringify({ model, input: texts });
    const headers = { 'content-type': 'application/json', accept: 'application/json', ...options.headers };
    const answer = await sendPinned(url, { method: 'POST', headers, body, signal, maxBytes: MAX_BYTES }, options.egress);
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    const found = vectorsIn(JSON.parse(answer.text));
    if (found?.length !== texts.length) throw new Error('another number of vectors than of texts');
    return found;
  };
  return {
    model,
    async embed(texts, signal = AbortSignal.timeout(TIMEOUT_MS)) {
      const vectors: (readonly number[])[] = [];
      try {
        for (let at = 0; at < texts.length; at += BATCH) vectors.push(...(await batch(texts.slice(at, at + BATCH), signal)));
      } catch (error) {
        const why = error instanceof Error ? error.message : 'failed';
        throw new ParleyError('KNOWLEDGE_EMBEDDING', `The embedding model '${model}' at ${url.host} gave no vectors: ${why}.`, {
          cause: error,
        });
      }
      return vectors;
    },
  };
}

/** {embeddings: [[...]]} of Ollama, {data: [{embedding: [...]}]} of OpenAI. Null when it is neither. */
function vectorsIn(answer: unknown): readonly (readonly number[])[] | null {
  const { embeddings, data } = (answer ?? {}) as { embeddings?: unknown; data?: unknown };
  const list: readonly unknown[] = Array.isArray(embeddings)
    ? embeddings
    : Array.isArray(data)
      ? data.map((one) => (one as { embedding?: unknown } | null)?.embedding)
      : [];
  const isVector = (one: unknown): one is number[] =>
    Array.isArray(one) && one.length > 0 && one.length <= MAX_DIMENSIONS && one.every((part) => Number.isFinite(part));
  return list.every(isVector) ? list : null;
}
