/**
 * Ollama by its native API. The package gets one client per request, because only its `fetch` can be aborted before the first byte, and
 * because it never forgets a stream that was given up.
 *
 * On the server: OLLAMA_NUM_PARALLEL = calls at once (by default requests wait for each other), OLLAMA_MULTIUSER_CACHE=1 so that calls do not
 * push each other's prompts out, OLLAMA_CONTEXT_LENGTH or `contextTokens` small enough that all slots fit into memory.
 */
import { Ollama, type ChatRequest as OllamaRequest, type ChatResponse, type Message } from 'ollama';
import { z } from 'zod';
import { ParleyError } from '../../contracts/index.ts';
import type {
  ChatDelta,
  ChatMessage,
  ChatRequest,
  DoneReason,
  ExternalProcessor,
  LanguageModel,
  Logger,
  Timers,
  WarmRequest,
} from '../../contracts/index.ts';
import { answer, exhaust } from './answer.ts';
import type { StreamBudget } from './budget.ts';
import { toParleyError } from './failures.ts';
import { checkedProcessor, HostRule, type Resolve } from './hosts.ts';
import { Slots } from './slots.ts';
import { boundedFetch } from './transport.ts';

export interface OllamaOptions {
  readonly name: string;
  /** For example http://127.0.0.1:11434 */
  readonly baseUrl: string;
  readonly model: string;
  readonly budget: StreamBudget;
  readonly timers: Timers;
  /** Context of one request in tokens. Ollama keeps `num_ctx` times OLLAMA_NUM_PARALLEL in memory. */
  readonly contextTokens?: number;
  /** OLLAMA_NUM_PARALLEL of the server: more calls than that wait for each other, and the log says so. */
  readonly parallel?: number;
  /** Lets the model reason before it answers. What it reasons is never passed on. */
  readonly think?: boolean;
  /** For the first load of the model at start. */
  readonly loadMs?: number;
  readonly external?: ExternalProcessor;
  readonly logger?: Logger;
  readonly resolve?: Resolve;
}

const KEEP_LOADED = -1;

export class OllamaModel implements LanguageModel {
  readonly name: string;
  readonly description: string;
  readonly external: ExternalProcessor | null;
  readonly #options: OllamaOptions;
  readonly #hosts: HostRule;
  /** Ollama chooses its slots itself; this only knows when there are too few. */
  readonly #slots: Slots;
  readonly #where: string;

  /** Errors: LLM_EXTERNAL, LLM_REFUSED. */
  constructor(options: OllamaOptions) {
    const url = new URL(options.baseUrl);
    this.name = options.name;
    this.description = `ollama ${options.model} at ${url.host}`;
    this.external = checkedProcessor(options.external);
    this.#options = options;
    this.#where = `${options.name} (${url.host})`;
    this.#hosts = new HostRule(url, this.external, options.resolve);
    this.#slots = new Slots(options.parallel ?? 0, options.logger);
  }

  async start(): Promise<void> {
    await this.#hosts.check();
    const { model, budget, timers, loadMs = 120_000 } = this.#options;
    const controller = new AbortController();
    const stop = timers.after(budget.totalMs, () =>
      controller.abort(new ParleyError('LLM_TIMEOUT', `${this.#where} did not list its models in ${budget.totalMs} ms`)),
    );
    try {
      const listed = TAGS.safeParse(await this.#client(controller.signal).list());
      if (!listed.success) throw new ParleyError('LLM_BAD_OUTPUT', `${this.#where} answered /api/tags in a wrong shape`);
      const full = model.includes(':') ? model : `${model}:latest`;
      if (!listed.data.models.some((entry) => entry.name === full))
        throw new ParleyError('LLM_MODEL', `${this.#where} does not have ${model}: run "ollama pull ${model}" there`);
    } catch (error) {
      throw toParleyError(controller.signal.aborted ? controller.signal.reason : error, this.#where);
    } finally {
      stop();
    }
    // No messages: Ollama loads the model and keeps it.
    const slow = { firstMs: loadMs, gapMs: loadMs, totalMs: loadMs };
    await exhaust(this.#answer({ callKey: '', messages: [] }, slow));
  }

  chat(request: ChatRequest): AsyncIterable<ChatDelta> {
    this.#slots.of(request.callKey);
    return this.#answer(request, this.#options.budget);
  }

  async warm(request: WarmRequest): Promise<void> {
    await this.#hosts.check();
    await exhaust(this.chat({ ...request, options: { maxTokens: 1 } }));
  }

  release(callKey: string): void {
    this.#slots.release(callKey);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #client(signal: AbortSignal): Ollama {
    return new Ollama({
      host: this.#options.baseUrl,
      fetch: boundedFetch({ framing: 'ndjson', where: this.#where, signal, timers: this.#options.timers }),
    });
  }

  #answer(request: ChatRequest, budget: StreamBudget): AsyncGenerator<ChatDelta, void, undefined> {
    return answer({
      where: this.#where,
      budget,
      timers: this.#options.timers,
      signal: request.signal,
      open: (signal) => this.#stream(this.#params(request), signal),
    });
  }

  #params(request: ChatRequest): OllamaRequest & { stream: true } {
    const { options = {}, tools = [] } = request;
    const { model, contextTokens, think = false } = this.#options;
    return {
      model,
      messages: request.messages.map(toWire),
      stream: true,
      think,
      keep_alive: KEEP_LOADED,
      ...(tools.length === 0
        ? {}
        : { tools: tools.map((tool) => ({ type: 'function', function: { ...tool, parameters: { ...tool.parameters } } })) }),
      ...(request.format === undefined ? {} : { format: request.format }),
      options: {
        ...(contextTokens === undefined ? {} : { num_ctx: contextTokens }),
        ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
        ...(options.topP === undefined ? {} : { top_p: options.topP }),
        ...(options.seed === undefined ? {} : { seed: options.seed }),
        ...(options.stop === undefined ? {} : { stop: [...options.stop] }),
        ...(options.maxTokens === undefined ? {} : { num_predict: options.maxTokens }),
      },
    };
  }

  async *#stream(params: OllamaRequest & { stream: true }, signal: AbortSignal): AsyncGenerator<ChatDelta, void, undefined> {
    await this.#hosts.ensure();
    let calls = 0;
    for await (const raw of await this.#client(signal).chat(params)) {
      const part = this.#checked(raw);
      if (typeof part.message?.content === 'string' && part.message.content !== '') yield { t: 'text', text: part.message.content };
      for (const call of part.message?.tool_calls ?? []) {
        yield { t: 'tool-start', name: call.function.name };
        yield { t: 'tool-call', call: { id: call.id ?? `call-${calls}`, name: call.function.name, arguments: call.function.arguments } };
        calls++;
      }
      if (!part.done) continue;
      const { prompt_eval_count: promptTokens, eval_count: completionTokens } = part;
      if (promptTokens !== undefined && completionTokens !== undefined)
        yield { t: 'usage', usage: { promptTokens, completionTokens, cachedTokens: null } };
      yield { t: 'done', reason: calls > 0 ? 'tools' : doneReason(part.done_reason) };
    }
  }

  #checked(raw: ChatResponse): z.infer<typeof PART> {
    const checked = PART.safeParse(raw);
    if (!checked.success) throw new ParleyError('LLM_BAD_OUTPUT', `${this.#where} sent a line of the wrong shape`);
    return checked.data;
  }
}

const TAGS = z.object({ models: z.array(z.object({ name: z.string() })) });

const TOKENS = z.number().int().nonnegative();
const CALL = z.object({
  id: z.string().optional(),
  function: z.object({ name: z.string().min(1).max(256), arguments: z.record(z.string(), z.unknown()) }),
});
const PART = z.object({
  message: z.object({ content: z.string().nullish(), tool_calls: z.array(CALL).max(32).nullish() }).optional(),
  done: z.boolean(),
  done_reason: z.string().optional(),
  prompt_eval_count: TOKENS.optional(),
  eval_count: TOKENS.optional(),
});

function doneReason(reason: string | undefined): DoneReason {
  return reason === 'stop' || reason === 'length' ? reason : reason === undefined ? 'stop' : 'other';
}

function toWire(message: ChatMessage): Message {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.text };
    case 'tool':
      return { role: 'tool', tool_name: message.name, content: message.text };
    case 'assistant': {
      const calls = message.toolCalls ?? [];
      const toolCalls = calls.map((call) => ({ function: { name: call.name, arguments: { ...call.arguments } } }));
      return { role: 'assistant', content: message.text, ...(calls.length === 0 ? {} : { tool_calls: toolCalls }) };
    }
  }
}
