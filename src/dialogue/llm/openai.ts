/**
 * Any server that speaks OpenAI's chat completions: llama-server, vLLM, or an external provider that the configuration names with its
 * processor and legal basis. Reads nothing from the environment: the package would take keys, base URL and headers from there.
 */
import OpenAI from 'openai';
import type {
  ChatCompletionChunk,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import { z } from 'zod';
import { ParleyError } from '../../contracts/index.ts';
import type {
  ChatDelta,
  ChatMessage,
  ChatOptions,
  ChatRequest,
  DoneReason,
  ExternalProcessor,
  LanguageModel,
  Logger,
  Timers,
  TokenUsage,
  WarmRequest,
} from '../../contracts/index.ts';
import { answer, exhaust } from './answer.ts';
import type { StreamBudget } from './budget.ts';
import { toParleyError } from './failures.ts';
import { checkedProcessor, HostRule, type Resolve } from './hosts.ts';
import { Slots } from './slots.ts';
import { ToolCallAssembler } from './tool-calls.ts';
import { boundedFetch } from './transport.ts';

/** llama-server keeps prompts per slot and takes `cache_prompt` and `id_slot`; vLLM finds prefixes itself; OpenAI refuses unknown fields. */
export type OpenAiDialect = 'llama-server' | 'vllm' | 'openai';

export interface OpenAiOptions {
  readonly name: string;
  /** Up to and with the version, for example http://127.0.0.1:8080/v1 */
  readonly baseUrl: string;
  readonly model: string;
  readonly dialect: OpenAiDialect;
  readonly budget: StreamBudget;
  readonly timers: Timers;
  /** Slots of llama-server (-np); 0 or absent: calls are not pinned. */
  readonly slots?: number;
  readonly apiKey?: string;
  readonly external?: ExternalProcessor;
  readonly logger?: Logger;
  readonly resolve?: Resolve;
}

export class OpenAiModel implements LanguageModel {
  readonly name: string;
  readonly description: string;
  readonly external: ExternalProcessor | null;
  readonly #options: OpenAiOptions;
  readonly #client: OpenAI;
  readonly #hosts: HostRule;
  readonly #slots: Slots;
  readonly #where: string;

  /** Errors: LLM_EXTERNAL, LLM_REFUSED. */
  constructor(options: OpenAiOptions) {
    const url = new URL(options.baseUrl);
    this.name = options.name;
    this.description = `${options.dialect} ${options.model} at ${url.host}`;
    this.external = checkedProcessor(options.external);
    this.#options = options;
    this.#where = `${options.name} (${url.host})`;
    this.#hosts = new HostRule(url, this.external, options.resolve);
    this.#slots = new Slots(options.dialect === 'llama-server' ? (options.slots ?? 0) : 0, options.logger);
    this.#client = new OpenAI({
      baseURL: options.baseUrl,
      apiKey: options.apiKey ?? 'none',
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      logLevel: 'off',
      maxRetries: 0,
      // Never in front of our own budget.
      timeout: 2 ** 30,
      fetch: boundedFetch({ framing: 'sse', where: this.#where, timers: options.timers }),
    });
  }

  async start(): Promise<void> {
    await this.#hosts.check();
    if (this.external !== null) return;
    const { model, timers, budget } = this.#options;
    const controller = new AbortController();
    const stop = timers.after(budget.totalMs, () =>
      controller.abort(new ParleyError('LLM_TIMEOUT', `${this.#where} did not list its models in ${budget.totalMs} ms`)),
    );
    try {
      const listed = MODELS.safeParse(await this.#client.get('/models', { signal: controller.signal }));
      if (!listed.success) throw new ParleyError('LLM_BAD_OUTPUT', `${this.#where} answered /models in a wrong shape`);
      if (!listed.data.data.some((entry) => entry.id === model))
        throw new ParleyError('LLM_MODEL', `${this.#where} does not serve the model ${model}`);
    } catch (error) {
      throw toParleyError(controller.signal.aborted ? controller.signal.reason : error, this.#where);
    } finally {
      stop();
    }
  }

  chat(request: ChatRequest): AsyncIterable<ChatDelta> {
    const { budget, timers } = this.#options;
    return answer({
      where: this.#where,
      budget,
      timers,
      signal: request.signal,
      open: (signal) => this.#stream(this.#params(request), signal),
    });
  }

  async warm(request: WarmRequest): Promise<void> {
    await this.#hosts.check();
    // A provider caches by itself and bills every token.
    if (this.external !== null) return;
    await exhaust(this.chat({ ...request, options: { maxTokens: 1 } }));
  }

  release(callKey: string): void {
    this.#slots.release(callKey);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #params(request: ChatRequest): ChatCompletionCreateParamsStreaming {
    const { options = {}, tools = [] } = request;
    return {
      model: this.#options.model,
      messages: request.messages.map(toWire),
      stream: true,
      stream_options: { include_usage: true },
      ...(tools.length === 0
        ? {}
        : { tools: tools.map((tool) => ({ type: 'function' as const, function: { ...tool, parameters: { ...tool.parameters } } })) }),
      ...(request.format === undefined
        ? {}
        : {
            response_format: { type: 'json_schema' as const, json_schema: { name: 'answer', schema: { ...request.format }, strict: true } },
          }),
      ...sampling(options, this.#options.dialect),
      ...this.#pin(request.callKey),
    };
  }

  #pin(callKey: string): { cache_prompt?: true; id_slot?: number } {
    if (this.#options.dialect !== 'llama-server') return {};
    const slot = this.#slots.of(callKey);
    return { cache_prompt: true, ...(slot === null ? {} : { id_slot: slot }) };
  }

  async *#stream(params: ChatCompletionCreateParamsStreaming, signal: AbortSignal): AsyncGenerator<ChatDelta, void, undefined> {
    await this.#hosts.ensure();
    const calls = new ToolCallAssembler(this.#where);
    let done: ChatDelta | null = null;
    for await (const chunk of await this.#client.chat.completions.create(params, { signal })) {
      const { choices, usage } = this.#checked(chunk);
      const choice = choices?.[0];
      if (choice !== undefined) yield* pieces(choice, calls);
      if (typeof choice?.finish_reason === 'string') {
        done = { t: 'done', reason: calls.size > 0 ? 'tools' : doneReason(choice.finish_reason) };
        yield* calls.finish();
      }
      if (usage !== null && usage !== undefined) yield { t: 'usage', usage: toUsage(usage) };
    }
    if (done !== null) yield done;
  }

  #checked(chunk: ChatCompletionChunk): z.infer<typeof CHUNK> {
    const checked = CHUNK.safeParse(chunk);
    if (!checked.success) throw new ParleyError('LLM_BAD_OUTPUT', `${this.#where} sent an event of the wrong shape`);
    return checked.data;
  }
}

const MODELS = z.object({ data: z.array(z.object({ id: z.string() })) });

const TOKENS = z.number().int().nonnegative();
const USAGE = z.object({
  prompt_tokens: TOKENS,
  completion_tokens: TOKENS,
  prompt_tokens_details: z.object({ cached_tokens: TOKENS.nullish() }).nullish(),
});
const PIECE = z.object({
  index: TOKENS.max(63).optional(),
  id: z.string().nullish(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
});
const DELTA = z.object({ content: z.string().nullish(), tool_calls: z.array(PIECE).nullish() });
const CHOICE = z.object({ delta: DELTA.nullish(), finish_reason: z.string().nullish() });
const CHUNK = z.object({ choices: z.array(CHOICE).nullish(), usage: USAGE.nullish() });

function* pieces({ delta }: z.infer<typeof CHOICE>, calls: ToolCallAssembler): Generator<ChatDelta, void, undefined> {
  if (typeof delta?.content === 'string' && delta.content !== '') yield { t: 'text', text: delta.content };
  for (const piece of delta?.tool_calls ?? []) yield* calls.add({ index: piece.index, id: piece.id, ...piece.function });
}

/** Field names of the wire; `max_tokens` is what local servers know. */
function sampling(options: ChatOptions, dialect: OpenAiDialect): Readonly<Record<string, unknown>> {
  const fields = {
    temperature: options.temperature,
    top_p: options.topP,
    seed: options.seed,
    stop: options.stop,
    [dialect === 'openai' ? 'max_completion_tokens' : 'max_tokens']: options.maxTokens,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function toUsage(usage: z.infer<typeof USAGE>): TokenUsage {
  return {
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? null,
  };
}

function doneReason(reason: string): DoneReason {
  if (reason === 'stop' || reason === 'length') return reason;
  return reason === 'tool_calls' || reason === 'function_call' ? 'tools' : 'other';
}

function toWire(message: ChatMessage): ChatCompletionMessageParam {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.text };
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content: message.text };
    case 'assistant': {
      const calls = message.toolCalls ?? [];
      if (calls.length === 0) return { role: 'assistant', content: message.text };
      const toolCalls = calls.map((call) => ({
        id: call.id,
        type: 'function' as const,
        function: { name: call.name, arguments: JSON.stringify(call.arguments) },
      }));
      return { role: 'assistant', content: message.text === '' ? null : message.text, tool_calls: toolCalls };
    }
  }
}
