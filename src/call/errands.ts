/**
 * What the dialogue of one call asks of the outside: logged before it is done when it has an effect, logged when it is answered, given
 * up when the call ends. A thought may be asked ahead of its turn; it is logged, and counts, only when the turn is committed.
 */
import type { DialogueEvent, Errand, OpenAct, PromptBeginning } from '../contracts/index.ts';
import type { Journal } from './journal.ts';
import type { ErrandPort } from './ports.ts';

export type ErrandEvent = Extract<DialogueEvent, { readonly id: string }>;
type Think = Extract<Errand, { t: 'think' }>;
type Tell = (event: ErrandEvent) => void;

export interface ErrandsOptions {
  /** Null where nothing outside is configured: every errand fails at once. */
  readonly port: ErrandPort | null;
  readonly callId: string;
  /** Facts of the call that decide scope: who calls, which number was dialled, what the dialplan says. */
  readonly context: Readonly<Record<string, string>>;
  readonly journal: Journal;
  readonly clockMs: () => number;
  /** Acts at work are other ones now. */
  readonly changed: () => void;
}

/** A thought that was asked for ahead. What comes before it is adopted is kept for then. */
export class Thought {
  readonly answer: Promise<ErrandEvent>;
  #seen: ErrandEvent[] = [];
  #tell: Tell | null = null;
  #resolve: (event: ErrandEvent) => void = () => undefined;

  constructor(signal: AbortSignal) {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      signal.addEventListener('abort', () => reject(new Error('the caller went on')));
    });
    // Whoever does not wait for it has no use for its failure either.
    this.answer.catch(() => undefined);
  }

  readonly push: Tell = (event) => {
    if (event.t !== 'errand-slow') this.#resolve(event);
    if (this.#tell === null) this.#seen.push(event);
    else this.#tell(event);
  };

  adopt(tell: Tell): void {
    this.#tell = tell;
    const isAnswered = this.#seen.some(({ t }) => t !== 'errand-slow');
    for (const event of this.#seen.splice(0)) if (event.t !== 'errand-slow' || !isAnswered) tell(event);
  }
}

export function hasEffect(errand: Errand): boolean {
  return errand.t === 'approval' || (errand.t === 'tool' && errand.definition.effect !== 'read');
}

export class Errands {
  readonly #options: ErrandsOptions;
  readonly #over = new AbortController();
  /** Tools at work, by the ids of their errands. */
  readonly #open = new Map<string, OpenAct>();

  constructor(options: ErrandsOptions) {
    this.#options = options;
  }

  /** While the line rings: the beginning of what the model will be asked. */
  warm(beginning: PromptBeginning): void {
    this.#options.port?.warm?.(this.#options.callId, beginning, this.#over.signal);
  }

  /** Tools that were asked for and have not answered. */
  get acts(): readonly OpenAct[] {
    return [...this.#open.values()];
  }

  ahead(errand: Think, signal: AbortSignal): Thought {
    const either = AbortSignal.any([signal, this.#over.signal]);
    const thought = new Thought(either);
    this.#ask(errand, either, thought.push);
    return thought;
  }

  /** `tell` gets the answer, exactly once, and at most one `errand-slow` before it; nothing once `signal` is aborted or the call over. */
  begin(errand: Errand, signal: AbortSignal, tell: Tell, ahead: Thought | null = null): void {
    const startMs = this.#options.clockMs();
    const answered: Tell = (event) => {
      if (event.t !== 'errand-slow') this.#noteAnswer(errand, event, Math.round(this.#options.clockMs() - startMs));
      tell(event);
    };
    if (errand.t === 'think') {
      if (ahead !== null) ahead.adopt(answered);
      else this.#ask(errand, AbortSignal.any([signal, this.#over.signal]), answered);
      return;
    }
    // An act cannot be taken back by the caller's next word: only the end of the call gives up waiting for it.
    const until = hasEffect(errand) ? this.#over.signal : AbortSignal.any([signal, this.#over.signal]);
    until.addEventListener('abort', () => this.#lost(errand));
    this.#noteRequest(errand).then(
      () => {
        if (!until.aborted) this.#ask(errand, until, answered);
      },
      // What cannot be logged is not done.
      () => answered(failed(errand)),
    );
  }

  #ask(errand: Errand, signal: AbortSignal, tell: Tell): void {
    const { port, callId, context } = this.#options;
    if (port === null) tell(failed(errand));
    else port.begin(errand, { callId, context, signal }, (event) => tell(event as ErrandEvent));
  }

  async #noteRequest(errand: Exclude<Errand, Think>): Promise<void> {
    const { journal } = this.#options;
    if (errand.t === 'approval') {
      const { id, tool, summary, timeoutMs } = errand;
      await journal.before({ type: 'approval.requested', body: { id, tool, timeoutMs }, content: { summary } });
      return;
    }
    const { request, definition } = errand;
    const { id, tool, approval, idempotencyKey } = request;
    this.#open.set(id, { id, tool, cost: definition.cost });
    this.#options.changed();
    await journal.before({
      type: 'tool.requested',
      body: { id, tool, effect: definition.effect, approval, idempotencyKey },
      content: { arguments: JSON.stringify(request.arguments) },
    });
  }

  #noteAnswer(errand: Errand, event: Exclude<ErrandEvent, { t: 'errand-slow' }>, ms: number): void {
    const { journal } = this.#options;
    if (event.t === 'thought') {
      const { id, answer } = event;
      const model = errand.t === 'think' ? (errand.model ?? null) : null;
      const by = { model, engine: answer?.by?.engine ?? null, cost: answer?.by?.cost ?? null };
      const body = { id, ms, answered: answer !== null, tokens: answer?.tokens ?? 0, calls: answer?.calls.length ?? 0, ...by };
      journal.write({ type: 'model.answered', body });
    } else if (event.t === 'approval-result' && errand.t === 'approval') {
      journal.write({ type: 'approval.decided', body: { id: event.id, tool: errand.tool, decision: event.decision, ms } });
    } else if (event.t === 'tool-result' && errand.t === 'tool') {
      const { id, outcome } = event;
      this.#open.delete(id);
      this.#options.changed();
      const { name: tool, cost } = errand.definition;
      const result = outcome.ok ? { reason: null, mayHaveHappened: true } : outcome;
      const { reason, mayHaveHappened } = result;
      const content = outcome.ok ? { content: { result: JSON.stringify(outcome.data) } } : {};
      journal.write({ type: 'tool.answered', body: { id, tool, ok: outcome.ok, reason, mayHaveHappened, ms, cost }, ...content });
    }
  }

  /** Given up while it was at work: the log says that its answer is not known. */
  #lost(errand: Exclude<Errand, Think>): void {
    if (errand.t !== 'tool' || !this.#open.delete(errand.request.id)) return;
    const { definition, request } = errand;
    const reason = this.#over.signal.aborted ? 'call-ended' : 'retracted';
    const body = {
      id: request.id,
      tool: request.tool,
      ok: false,
      reason,
      mayHaveHappened: hasEffect(errand),
      ms: 0,
      cost: definition.cost,
    };
    this.#options.journal.write({ type: 'tool.answered', body });
  }

  /** The call is over: what is at work is given up. */
  close(): void {
    this.#over.abort(new Error('the call has ended'));
    this.#options.port?.release(this.#options.callId);
  }
}

function failed(errand: Errand): ErrandEvent {
  if (errand.t === 'think') return { t: 'thought', id: errand.id, answer: null };
  if (errand.t === 'approval') return { t: 'approval-result', id: errand.id, decision: 'denied' };
  return { t: 'tool-result', id: errand.request.id, outcome: { ok: false, reason: 'refused', mayHaveHappened: false } };
}
