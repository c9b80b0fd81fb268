/**
 * People who decide whether an act may happen: in the console, or at a desk phone by pressing 1 or 2. The first decision counts, later
 * ones find nothing open. A decision is logged, with its place, before it counts; what cannot be logged is a no. Time-outs are the
 * desk of errands' (ErrandDesk): it withdraws the request, and withdrawn is not approved.
 */
import { type CallEvent, type DeskPhone, type Logger, ParleyError } from '../contracts/index.ts';
import type { ApprovalRequest, Approvers } from './ports.ts';

type Decision = 'approved' | 'denied';

export interface OpenApproval {
  readonly callId: string;
  readonly id: string;
  readonly tool: string;
  /** Content. */
  readonly summary: string;
  readonly waitingMs: number;
}

export interface ApprovalOptions {
  readonly log: (event: Extract<CallEvent, { type: 'approval.given' | 'approval.ringing' }>) => Promise<void>;
  readonly nowMs: () => number;
  readonly logger: Logger;
  /** Also rings these desks, one after the other, with these words; only the console decides when left out. */
  readonly phone?: {
    readonly port: DeskPhone;
    readonly desks: readonly string[];
    readonly text: (summary: string, desk: string) => string;
  };
}

interface Waiting {
  readonly request: ApprovalRequest;
  readonly sinceMs: number;
  readonly stop: AbortController;
  readonly resolve: (decision: Decision) => void;
  isDeciding: boolean;
}

/** More than colleagues can look at: further requests are denied. */
const MAX_OPEN = 200;

export class ApprovalDesk implements Approvers {
  readonly #options: ApprovalOptions;
  readonly #open = new Map<string, Waiting>();

  constructor(options: ApprovalOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get open(): readonly OpenApproval[] {
    const nowMs = this.#options.nowMs();
    return [...this.#open.values()].map(({ request: { callId, id, tool, summary }, sinceMs }) => ({
      ...{ callId, id, tool, summary },
      waitingMs: Math.round(nowMs - sinceMs),
    }));
  }

  ask(request: ApprovalRequest): Promise<Decision> {
    const { signal } = request;
    if (signal.aborted || this.#open.size >= MAX_OPEN) return Promise.resolve('denied');
    return new Promise((resolve) => {
      const stop = new AbortController();
      const key = keyOf(request.callId, request.id);
      const end = (decision: Decision): void => {
        this.#open.delete(key);
        signal.removeEventListener('abort', withdraw);
        stop.abort(new Error('decided'));
        resolve(decision);
      };
      const withdraw = (): void => end('denied');
      signal.addEventListener('abort', withdraw, { once: true });
      const waiting: Waiting = { request, sinceMs: this.#options.nowMs(), stop, resolve: end, isDeciding: false };
      this.#open.set(key, waiting);
      void this.#ring(waiting);
    });
  }

  /**
   * `by`: who decides, as the console knows him, and `correction`: what should have been; content. A correction changes nothing of the act.
   * Errors: APPROVAL_GONE, SPOOL_FAILED (nothing is approved).
   */
  async decide(
    callId: string,
    id: string,
    decision: Decision,
    about: { via: 'console' | 'phone'; by: string; correction?: string },
  ): Promise<OpenApproval> {
    const waiting = this.#open.get(keyOf(callId, id));
    if (waiting === undefined || waiting.isDeciding)
      throw new ParleyError('APPROVAL_GONE', 'This request is not open: somebody else decided, its time is over, or the caller hung up.');
    waiting.isDeciding = true;
    const { tool, summary } = waiting.request;
    const { via, by, correction } = about;
    const body = { id, tool, decision, via, corrected: correction !== undefined };
    try {
      await this.#options.log({
        type: 'approval.given',
        callId,
        body,
        content: { by, ...(correction === undefined ? {} : { correction }) },
      });
    } catch (error) {
      waiting.resolve('denied');
      throw error;
    }
    waiting.resolve(decision);
    return { callId, id, tool, summary, waitingMs: Math.round(this.#options.nowMs() - waiting.sinceMs) };
  }

  /** 1 approves, 2 denies; nobody there: the next desk. A phone that fails leaves the console. */
  async #ring(waiting: Waiting): Promise<void> {
    const { phone, logger } = this.#options;
    const { request, stop } = waiting;
    for (const desk of phone?.desks ?? []) {
      if (phone === undefined || stop.signal.aborted) return;
      const question = { desk, text: phone.text(request.summary, desk), keys: ['1', '2'], signal: stop.signal };
      const key = await this.#askAt(phone.port, question, request).catch((error: unknown) => {
        logger.warn('a desk phone could not be asked for an approval', {
          desk,
          code: error instanceof ParleyError ? error.code : 'INTERNAL',
        });
        return null;
      });
      if (key !== '1' && key !== '2') continue;
      await this.decide(request.callId, request.id, key === '1' ? 'approved' : 'denied', { via: 'phone', by: desk }).catch(() => undefined);
      return;
    }
  }

  /** What cannot be logged does not ring. */
  async #askAt(port: DeskPhone, question: Parameters<DeskPhone['ask']>[0], { callId, id, tool }: ApprovalRequest): Promise<string | null> {
    await this.#options.log({ type: 'approval.ringing', callId, body: { id, tool, desk: question.desk } });
    return port.ask(question);
  }
}

const keyOf = (callId: string, id: string): string => `${callId} ${id}`;

/** A colleague at a desk phone, as a script says: the key by desk; null where nobody answers, an error where the phone is broken. */
export class ScriptedDeskPhone implements DeskPhone {
  readonly asked: { readonly desk: string; readonly text: string }[] = [];
  readonly #keys: Readonly<Record<string, string | null | Error>>;

  constructor(keys: Readonly<Record<string, string | null | Error>>) {
    this.#keys = keys;
  }

  ask({ desk, text, keys }: Parameters<DeskPhone['ask']>[0]): Promise<string | null> {
    this.asked.push({ desk, text });
    const key = this.#keys[desk] ?? null;
    if (key instanceof Error) return Promise.reject(key);
    return Promise.resolve(key !== null && keys.includes(key) ? key : null);
  }
}
