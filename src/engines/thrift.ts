/** A language model that is asked for less while the site is short of capacity: the smaller model first, replies in one sentence. */
import type { ChatDelta, ChatMessage, ChatRequest, ExternalProcessor, LanguageModel, WarmRequest } from '../contracts/index.ts';

export interface Thrift {
  readonly smallerModel: boolean;
  readonly shorterReplies: boolean;
}

export interface ThriftOptions {
  /** What to save on now; asked at every request. */
  readonly now: () => Thrift;
  readonly shortReplyTokens: number;
}

const SHORT = '\n\nAnswer in one short sentence.';

export class ThriftyModel implements LanguageModel {
  readonly #model: LanguageModel;
  readonly #options: ThriftOptions;

  constructor(model: LanguageModel, options: ThriftOptions) {
    this.#model = model;
    this.#options = options;
  }

  get name(): string {
    return this.#model.name;
  }
  get description(): string {
    return this.#model.description;
  }
  get external(): ExternalProcessor | null {
    return this.#model.external;
  }

  chat(request: ChatRequest): AsyncIterable<ChatDelta> {
    const { smallerModel, shorterReplies } = this.#options.now();
    const cheap = smallerModel ? { ...request, thrifty: true } : request;
    return this.#model.chat(shorterReplies ? this.#short(cheap) : cheap);
  }

  start(): Promise<void> {
    return this.#model.start();
  }
  warm(request: WarmRequest): Promise<void> {
    return this.#model.warm(request);
  }
  release(callKey: string): void {
    this.#model.release(callKey);
  }
  stop(): Promise<void> {
    return this.#model.stop();
  }

  /** At the end of the last message, so that the beginning stays warm. Tool calls and JSON must not be cut: only plain replies get a limit. */
  #short(request: ChatRequest): ChatRequest {
    const { messages, options = {}, tools = [], format } = request;
    const last = messages.at(-1);
    const asked: readonly ChatMessage[] =
      last?.role === 'user' ? [...messages.slice(0, -1), { role: 'user', text: `${last.text}${SHORT}` }] : messages;
    if (tools.length > 0 || format !== undefined) return { ...request, messages: asked };
    const maxTokens = Math.min(options.maxTokens ?? Infinity, this.#options.shortReplyTokens);
    return { ...request, messages: asked, options: { ...options, maxTokens } };
  }
}
