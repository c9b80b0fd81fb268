/** Work ahead of the commit: words so far, the reply to what may be all, and bridges when the reply is late after all. */
import { finished } from './commit.ts';
import { endpointOf, joined, sameWords } from './endpoint.ts';
import type { Rule } from './rule.ts';
import { abandonPartial, abandonSpeculation, askSoFar } from './speech.ts';
import { type Draft, holdsFloor, reason, voicedMsOf } from './state.ts';

/** Voice before the first words are asked for. */
const FIRST_WORDS_MS = 200;
/** A caller who most likely goes on is not worth an engine's time. */
const LEAST_PROBABILITY = 0.12;
/** In one wait. */
const MAX_FILLERS = 3;
/** A reply that was there at the commit begins within this, if at all: an opener would only delay it, and the next turn would have none. */
const PREPARED_MS = 200;

export const soFar: Rule = {
  name: 'so-far',
  dueMs: (draft) => {
    const last = draft.stretches.at(-1);
    const { partial, options } = draft;
    if (partial.decode !== null) return partial.askedMs + options.decodeTimeoutMs;
    if (last?.voicing !== true || options.partialMs <= 0 || draft.secure) return null;
    // While we listen nobody needs them: the words of the pause are what counts.
    if (!holdsFloor(draft) || !draft.reply.interruptible) return null;
    return Math.max(last.voiceMs + FIRST_WORDS_MS - last.voicedMs, partial.askedMs + options.partialMs);
  },
  act: (draft) => {
    const last = draft.stretches.at(-1);
    abandonPartial(draft);
    draft.partial = { decode: null, askedMs: draft.nowMs };
    if (last?.voicing === true && voicedMsOf(last, draft.nowMs) > 0) askSoFar(draft, last);
  },
};

export const speculate: Rule = {
  name: 'speculate',
  dueMs: (draft) => {
    const { options, speculation, tries, queueMs, stretches, agent } = draft;
    const last = stretches.at(-1);
    if (!options.speculate || tries >= options.maxTries || queueMs > options.queueLimitMs) return null;
    if (agent !== 'listening' || draft.digits !== '' || draft.secure || last === undefined || last.voicing) return null;
    if (stretches.some(({ heard }) => heard === null || heard.t === 'failed')) return null;
    const text = joined(finished(draft));
    if (text === '' || (speculation !== null && sameWords(speculation.text, text))) return null;
    return endpointOf(draft, stretches).probability >= LEAST_PROBABILITY ? draft.nowMs : null;
  },
  act: (draft) => {
    abandonSpeculation(draft);
    const group = finished(draft);
    const text = joined(group);
    const { waitMs, probability } = endpointOf(draft, group);
    draft.attempts += 1;
    draft.tries += 1;
    draft.speculation = { attempt: draft.attempts, text, ready: false };
    const silentMs = Math.round(draft.nowMs - (group.at(-1)?.endMs ?? draft.nowMs));
    reason(draft, 'speculate', { tries: draft.tries, silentMs, waitMs, probability: Math.round(probability * 1000) / 1000 });
    const heard = group.flatMap((stretch) => (stretch.heard?.t === 'words' ? [stretch.heard.confidence] : []));
    const confidence = heard.reduce((sum, one) => sum + one, 0) / Math.max(1, heard.length);
    draft.effects.push({ t: 'speculate', attempt: draft.attempts, text, confidence });
  },
};

/** An opener after a commit whose reply is late, in no two turns in a row; a wait phrase when a tool has kept us silent. */
export const bridge: Rule = {
  name: 'bridge',
  dueMs: (draft) => {
    const dues = [openerDueMs(draft), waitPhraseDueMs(draft)].filter((dueMs) => dueMs !== null);
    return dues.length === 0 ? null : Math.min(...dues);
  },
  act: (draft) => {
    const dueMs = openerDueMs(draft);
    const kind = dueMs !== null && dueMs <= draft.nowMs ? 'opener' : 'wait';
    reason(draft, 'bridge', { kind, afterMs: Math.round(draft.nowMs - draft.agentMs) });
    const { filler } = draft;
    draft.filler = { turn: kind === 'opener' ? draft.turn : filler.turn, count: filler.count + 1, atMs: draft.nowMs };
    draft.effects.push({ t: 'filler', kind });
  },
};

function openerDueMs({ options, filler, turn, agent, agentMs, undo }: Readonly<Draft>): number | null {
  if (options.openerMs === null || agent !== 'waiting' || undo === null || filler.count > 0 || filler.turn >= turn - 1) return null;
  return agentMs + (undo.prepared ? Math.max(PREPARED_MS, options.openerMs) : options.openerMs);
}

/** Nobody has spoken for a while, and a tool is still at work. */
function waitPhraseDueMs(draft: Readonly<Draft>): number | null {
  const { options, filler, agent, agentMs, workingMs, stretches, digits } = draft;
  const quiet = agent === 'waiting' || (agent === 'listening' && stretches.length === 0 && digits === '');
  if (workingMs === null || !quiet || filler.count >= MAX_FILLERS) return null;
  return Math.max(agentMs, workingMs, filler.atMs) + options.waitPhraseMs;
}

export function prepared(draft: Draft, attempt: number, ready: boolean): void {
  if (draft.speculation?.attempt !== attempt) return;
  if (ready) {
    draft.speculation = { ...draft.speculation, ready };
    return;
  }
  // What failed once for these words is not tried again before the commit.
  reason(draft, 'speculation-failed', { attempt });
  draft.speculation = null;
  draft.tries = draft.options.maxTries;
}
