/** What every adapter's answer goes through: the time budget, clean text, the order of the port, errors of ours only. */
import { ParleyError, type ChatDelta, type ChatRequest, type Timers } from '../../contracts/index.ts';
import { abortReason, guarded, type StreamBudget } from './budget.ts';
import { TextCleaner } from './clean-text.ts';
import { toParleyError } from './failures.ts';
import { ThoughtFilter } from './thoughts.ts';

export interface AnswerOptions {
  /** Engine and host, for messages. */
  readonly where: string;
  readonly budget: StreamBudget;
  readonly timers: Timers;
  readonly signal: ChatRequest['signal'];
  /** Raw deltas as the protocol has them: text unclean, done anywhere. */
  readonly open: (signal: AbortSignal) => AsyncIterable<ChatDelta>;
}

export async function* answer(options: AnswerOptions): AsyncGenerator<ChatDelta, void, undefined> {
  const { where, budget, timers, signal } = options;
  const late = (phase: string, ms: number): ParleyError =>
    new ParleyError('LLM_TIMEOUT', `${where}: ${phase} budget of ${ms} ms is used up`);
  const cleaner = new TextCleaner();
  const thoughts = new ThoughtFilter();
  let done: ChatDelta | null = null;
  try {
    for await (const delta of guarded(options.open, { budget, timers, signal, late })) {
      if (delta.t === 'done') done = delta;
      else if (delta.t !== 'text') yield delta;
      else {
        const text = thoughts.push(cleaner.push(delta.text));
        if (text !== '') yield { t: 'text', text };
      }
    }
  } catch (error) {
    if (signal?.aborted === true) throw abortReason(signal);
    throw toParleyError(error, where);
  }
  const rest = thoughts.push(cleaner.end()) + thoughts.end();
  if (rest !== '') yield { t: 'text', text: rest };
  if (done === null) throw new ParleyError('LLM_BAD_OUTPUT', `${where} ended its answer without saying that it is done`);
  yield done;
}

/** Reads an answer to its end and keeps nothing: how a prompt is warmed. */
export async function exhaust(deltas: AsyncIterable<ChatDelta>): Promise<void> {
  const iterator = deltas[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}
