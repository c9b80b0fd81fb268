/** One request to a language model, whole: an agent's thought is not spoken before it was looked at. */
import type { AnsweredBy, Errand, LanguageModel, Timers, ToolCall } from '../contracts/index.ts';

const MAX_CHARS = 8000;

interface Thought {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly tokens: number;
  readonly by?: AnsweredBy;
}

/** Null when there is no model, it failed, was too late or said too much. Never rejects. */
export async function thinkOnce(
  errand: Extract<Errand, { t: 'think' }>,
  { model, timers }: { readonly model: LanguageModel | null; readonly timers: Timers },
  about: { readonly callId: string; readonly signal: AbortSignal },
): Promise<Thought | null> {
  if (model === null) return null;
  const abort = new AbortController();
  const give = (): void => abort.abort(new Error('too late'));
  const stop = timers.after(errand.timeoutMs, give);
  about.signal.addEventListener('abort', give, { once: true });
  const late = new Promise<null>((resolve) => {
    abort.signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  try {
    return await Promise.race([read(model, errand, about.callId, abort.signal).catch(() => null), late]);
  } finally {
    stop();
    about.signal.removeEventListener('abort', give);
  }
}

async function read(
  model: LanguageModel,
  { messages, tools, maxTokens, model: wanted }: Extract<Errand, { t: 'think' }>,
  callKey: string,
  signal: AbortSignal,
): Promise<Thought | null> {
  let text = '';
  let tokens: number | null = null;
  let by: AnsweredBy | undefined;
  const calls: ToolCall[] = [];
  const chosen = wanted === undefined ? {} : { model: wanted };
  for await (const delta of model.chat({ callKey, messages, tools, options: { maxTokens, temperature: 0 }, ...chosen, signal })) {
    if (delta.t === 'text') text += delta.text;
    if (delta.t === 'tool-call') calls.push(delta.call);
    if (delta.t === 'usage') tokens = delta.usage.completionTokens + delta.usage.promptTokens;
    if (delta.t === 'done') by = delta.by;
    if (text.length > MAX_CHARS) return null;
  }
  // A server that does not count is charged by length.
  return { text, calls, tokens: tokens ?? Math.ceil(text.length / 3), ...(by === undefined ? {} : { by }) };
}
