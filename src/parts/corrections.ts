/** What colleagues write when they decide, with what was said in the call until then, goes to the review folder. */
import type { Audit } from '../audit/index.ts';
import type { CallRunner, LiveEvent } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { Clock, Logger } from '../contracts/index.ts';
import { type CorrectedTurn, type OpenApproval, writeSuggestion } from '../integrations/index.ts';
import { masking } from './privacy.ts';

type Made = { readonly says: string; readonly hears: string[] };

interface Said {
  /** '' when withheld. */
  readonly number: string;
  readonly turns: readonly Made[];
}

/** The last turns of a call. */
const MAX_TURNS = 40;
/** Said or not by how long something took: no test can expect them. */
const WAITS = new Set(['asking_approval', 'one_moment', 'hold_on', 'still_there']);

/** Takes a correction; resolves with the names of the files, null when there is no folder or it cannot be written. */
export type TakeCorrection = (
  about: OpenApproval & { readonly decision: 'approved' | 'denied'; readonly correction: string },
) => Promise<readonly string[] | null>;

/** What was said in open calls, in memory, while somebody may correct it. */
class Transcripts {
  readonly #calls = new Map<string, Said>();

  take({ event }: LiveEvent): void {
    const { callId } = event;
    if (callId === null) return;
    const { number = '', turns = [] } = this.#calls.get(callId) ?? {};
    if (event.type === 'call.ended') this.#calls.delete(callId);
    else if (event.type === 'call.incoming' || event.type === 'call.recovered')
      this.#calls.set(callId, { number: event.content?.['from'] ?? '', turns });
    else if (event.type === 'caller.said') {
      const next = [...turns, { says: event.content?.['text'] ?? '', hears: [] }].slice(-MAX_TURNS);
      this.#calls.set(callId, { number, turns: next });
    } else if (event.type === 'agent.said') {
      const { prompt } = event.body;
      const hears = turns.at(-1)?.hears;
      if (/^[a-z][a-z0-9_]*$/.test(prompt) && !WAITS.has(prompt) && hears?.includes(prompt) === false) hears.push(prompt);
    }
  }

  of(callId: string): { readonly number: string; readonly turns: readonly CorrectedTurn[] } {
    return this.#calls.get(callId) ?? { number: '', turns: [] };
  }
}

export function createCorrections(
  config: Config,
  {
    runner,
    audit,
    clock,
    logger,
  }: {
    runner: Pick<CallRunner, 'watch' | 'openCalls'>;
    audit: Pick<Audit, 'append' | 'newSubject'>;
    clock: Clock;
    logger: Logger;
  },
): TakeCorrection {
  const { reviewFolder } = config.approvals;
  if (reviewFolder === null) return () => Promise.resolve(null);
  const transcripts = new Transcripts();
  runner.watch((event) => transcripts.take(event));
  const { mask = (text: string): string => text } = masking(config);
  return async ({ callId, id, tool, summary, decision, correction }) => {
    const flow = runner.openCalls().find((call) => call.id === callId)?.flow ?? 'unknown';
    const said = transcripts.of(callId);
    const turns = said.turns.map(({ says, hears }) => ({ says: mask(says), hears }));
    const texts = { summary: mask(summary), correction: mask(correction) };
    const about = { callId, id, tool, decision, flow, turns, ...texts, desks: Object.keys(config.desks), wallUs: clock.wallUs() };
    try {
      // A subject of its own: by it the files are found again when the person is erased, and when their time is over.
      const { subjectId } = audit.newSubject({ number: said.number, retentionDays: config.data.review.days });
      await audit.append({ type: 'review.written', callId, subjectId, body: { files: 2 } });
      return await writeSuggestion(reviewFolder, about);
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      logger.warn('a correction could not be written to the review folder', { reason });
      return null;
    }
  };
}
