/** One call's memory: what earlier calls of this contact left, fetched beside the answering of the call, and what this one leaves. */
import { type CallMemory, type Logger, ParleyError, type Recalled, REMEMBER_ME, type Timers } from '../contracts/index.ts';
import type { Journal } from './journal.ts';
import type { LiveEvent } from './ports.ts';
import { type Slots, summaryOf, withoutSecrets } from './summary.ts';

export interface MemoryDeskOptions {
  /** Null: nothing is remembered. */
  readonly memory: CallMemory | null;
  readonly callId: string;
  readonly number: string;
  readonly flow: string;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly journal: Journal;
  readonly language: () => string;
  /** Of the flow, whose texts the questions are. */
  readonly wordingVersion: string;
  /** Caller samples so far. */
  readonly atSample: () => number;
}

/** A caller does not wait longer for what we know of him. */
const RECALL_MS = 300;

export class MemoryDesk {
  readonly #options: MemoryDeskOptions;
  #recalled: Recalled | null = null;
  /** The question that was put last, and how it was answered. */
  #asked: { readonly wordingSha256: string; how: 'voice' | 'keys' | 'silence' } | null = null;
  /** What the contact said in this call. */
  #agreed: boolean | null = null;

  constructor(options: MemoryDeskOptions) {
    this.#options = options;
  }

  /** Null when nothing is known, or not in time. Never rejects. */
  recall(): Promise<Recalled | null> {
    const { memory, callId, number, timers, logger } = this.#options;
    if (memory === null || number === '') return Promise.resolve(null);
    return new Promise((resolve) => {
      const cancel = timers.after(RECALL_MS, () => {
        logger.warn('the memory did not answer in time; the call goes on without');
        resolve(null);
      });
      const answer = (recalled: Recalled | null): void => {
        cancel();
        resolve((this.#recalled = recalled));
      };
      memory.recall({ callId, number }).then(answer, (error: unknown) => {
        logger.warn('the memory was not read; the call goes on without', { code: codeOf(error) });
        answer(null);
      });
    });
  }

  /** The events of the call: which question a consent answers. */
  saw({ event }: LiveEvent): void {
    if (event.type === 'agent.said' && (event.body.kind === 'question' || event.body.kind === 'confirm'))
      this.#asked = { wordingSha256: event.body.wordingSha256, how: 'silence' };
    else if (this.#asked !== null && (event.type === 'caller.said' || event.type === 'caller.keyed'))
      this.#asked.how = event.type === 'caller.said' ? 'voice' : 'keys';
  }

  /** The flow took the contact's answer to being remembered: in the log before anything follows from it. Errors: SPOOL_FAILED. */
  async agreed(value: string): Promise<void> {
    const { memory, number, journal, language, wordingVersion, atSample } = this.#options;
    if (memory === null || number === '') return;
    const before = this.#agreed ?? this.#recalled?.contact[REMEMBER_ME] === 'true';
    this.#agreed = value === 'true';
    const result = this.#agreed ? 'granted' : before ? 'withdrawn' : 'refused';
    const { how, wordingSha256 } = this.#asked ?? { how: 'not-asked' as const, wordingSha256: '' };
    await journal.before({
      type: 'consent',
      body: { purpose: 'memory', result, how, language: language(), wordingVersion, wordingSha256, atSample: atSample() },
    });
  }

  /** At the end of a call in which somebody said something. Its event is in order when this returns; never rejects. */
  async keep(call: { outcome: string; turns: number; slots: Slots; values: Readonly<Record<string, string>> }): Promise<void> {
    const { memory, callId, number, flow, logger } = this.#options;
    const { outcome, turns, slots, values } = call;
    if (memory === null || number === '' || (turns === 0 && Object.keys(values).length === 0)) return;
    const found = Object.entries(withoutSecrets(slots)).map(([name, { value }]) => [name, value]);
    try {
      await memory.keep({
        ...{ callId, number, outcome, values, slots: Object.fromEntries(found) as Record<string, string> },
        summary: summaryOf(flow, slots, outcome),
        agreedBefore: this.#recalled?.contact[REMEMBER_ME],
      });
    } catch (error) {
      logger.error('what a contact wants remembered or forgotten was not carried out', { code: codeOf(error) });
    }
  }
}

const codeOf = (error: unknown): string => (error instanceof ParleyError ? error.code : 'INTERNAL');
