/** The language model that ships for tests: says what a script says, when the script says it, on injected time. */
import { ParleyError } from '../../../contracts/index.ts';
import type { ChatDelta, ChatRequest, ErrorCode, ExternalProcessor, LanguageModel, Timers, WarmRequest } from '../../../contracts/index.ts';
import { answer } from '../answer.ts';
import type { StreamBudget } from '../budget.ts';

export interface ScriptedStep {
  /** Wait before it, 0 when absent. */
  readonly afterMs?: number;
  readonly delta?: ChatDelta;
  /** Ends the answer with this error. */
  readonly fail?: ErrorCode;
}

/** What the model does with a request. `seen` counts the requests before it. */
export type ChatScript = (request: ChatRequest, seen: number) => readonly ScriptedStep[];

export interface ScriptedOptions {
  readonly name?: string;
  readonly timers: Timers;
  readonly script: ChatScript;
  readonly budget?: StreamBudget;
  readonly external?: ExternalProcessor;
}

export interface ScriptedRequest {
  readonly request: ChatRequest;
  sent: number;
  state: 'open' | 'finished' | 'closed';
}

/** Words of a reply as deltas, one each, the first after `firstMs`, the next ones after `gapMs`. */
export function scriptedReply(text: string, { firstMs = 0, gapMs = 0 } = {}): ScriptedStep[] {
  const words = text.match(/\s*\S+/g) ?? [];
  const steps: ScriptedStep[] = words.map((word, i) => ({ afterMs: i === 0 ? firstMs : gapMs, delta: { t: 'text', text: word } }));
  return [
    ...steps,
    { delta: { t: 'usage', usage: { promptTokens: 10, completionTokens: words.length, cachedTokens: null } } },
    { delta: { t: 'done', reason: 'stop' } },
  ];
}

export class ScriptedModel implements LanguageModel {
  readonly name: string;
  readonly description = 'scripted language model, for tests only';
  readonly external: ExternalProcessor | null;
  /** Everything asked so far, and how far the answer came. */
  readonly requests: ScriptedRequest[] = [];
  readonly warmed: WarmRequest[] = [];
  readonly released: string[] = [];
  readonly #options: ScriptedOptions;

  constructor(options: ScriptedOptions) {
    this.name = options.name ?? 'scripted';
    this.external = options.external ?? null;
    this.#options = options;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  chat(request: ChatRequest): AsyncIterable<ChatDelta> {
    const { timers, budget = { firstMs: 1e9, gapMs: 1e9, totalMs: 1e9 } } = this.#options;
    return answer({ where: this.name, budget, timers, signal: request.signal, open: (signal) => this.#play(request, signal) });
  }

  warm(request: WarmRequest): Promise<void> {
    this.warmed.push(request);
    return Promise.resolve();
  }

  release(callKey: string): void {
    this.released.push(callKey);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  async *#play(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatDelta, void, undefined> {
    const seen: ScriptedRequest = { request, sent: 0, state: 'open' };
    const steps = this.#options.script(request, this.requests.length);
    this.requests.push(seen);
    signal.addEventListener('abort', () => (seen.state = seen.state === 'open' ? 'closed' : seen.state), { once: true });
    for (const step of steps) {
      if ((step.afterMs ?? 0) > 0) await this.#wait(step.afterMs ?? 0, signal);
      if (signal.aborted) return;
      if (step.fail !== undefined) {
        seen.state = 'finished';
        throw new ParleyError(step.fail, `${this.name} failed, as its script says`);
      }
      if (step.delta === undefined) continue;
      seen.sent++;
      if (step.delta.t === 'done') seen.state = 'finished';
      yield step.delta;
    }
    seen.state = 'finished';
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#options.timers.after(ms, resolve);
      signal.addEventListener(
        'abort',
        () => {
          stop();
          resolve();
        },
        { once: true },
      );
    });
  }
}
