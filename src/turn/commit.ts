/** The end of the caller's turn: by silence, by keys, or by the length of what was said. */
import { endpointOf, joined, sameWords } from './endpoint.ts';
import type { Rule } from './rule.ts';
import { abandonPartial, abandonSpeculation, askForWords, dropOldest, forgetSpeech, replaceLast, untilSample } from './speech.ts';
import { type Draft, reason, SAMPLES_PER_MS, setAgent, type Stretch } from './state.ts';
import { newStretch } from './stretch.ts';

/** Stretches without a word in a row, after which the caller is told that nothing was understood. */
const NOISES = 2;
/** From this probability on a commit was sure. */
const SURE = 0.9;
/** Newest audio that may not have come out of the jitter buffer yet: a cut stays clear of it. */
const CUT_MARGIN_MS = 200;

/** What may be committed now: everything once the caller is silent, what was cut while the caller goes on. */
export function finished({ stretches }: Readonly<Draft>): readonly Stretch[] {
  const last = stretches.at(-1);
  if (last?.voicing !== true) return stretches;
  return stretches.at(-2)?.cut === true ? stretches.slice(0, -1) : [];
}

/** Where decodes do not run under the wait: the pause has ended the turn, now its words are wanted. */
export const askLate: Rule = {
  name: 'ask-late',
  dueMs: (draft) => {
    const last = draft.stretches.at(-1);
    if (last === undefined || last.voicing || last.decode !== null || draft.options.decodeEarly) return null;
    return last.endMs + draft.options.waitMs * draft.options.waitFactor;
  },
  act: (draft) => {
    const last = draft.stretches.at(-1);
    if (last !== undefined) replaceLast(draft, askForWords(draft, last, untilSample(draft, last)));
  },
};

export const tooLong: Rule = {
  name: 'too-long',
  dueMs: ({ stretches, options }) => {
    const last = stretches.at(-1);
    return last?.voicing === true ? startMs(last) + options.maxUtteranceMs : null;
  },
  act: (draft) => {
    const last = draft.stretches.at(-1);
    if (last === undefined) return;
    const { maxUtteranceMs } = draft.options;
    const endSample = last.fromSample + Math.max(1, (maxUtteranceMs - CUT_MARGIN_MS) * SAMPLES_PER_MS);
    const halfSample = last.fromSample + (maxUtteranceMs / 2) * SAMPLES_PER_MS;
    // At a pause no word is cut in two.
    const pause = last.pause !== null && last.pause.toSample >= halfSample ? last.pause : null;
    const toSample = pause?.toSample ?? endSample;
    reason(draft, 'cut', { atPause: pause !== null, maxUtteranceMs });
    abandonPartial(draft);
    draft.soFar = null;
    const head = askForWords(draft, { ...last, voicing: false, toSample, endMs: draft.nowMs, cut: true }, toSample);
    const rest = newStretch(pause?.resumeSample ?? toSample, draft.nowMs, true);
    replaceLast(draft, head, { ...rest, remainder: true });
    dropOldest(draft);
  },
};

export const keysDone: Rule = {
  name: 'keys-done',
  dueMs: ({ agent, digits, digitMs, reply, options }) => {
    if (agent !== 'listening' || digits === '') return null;
    return areComplete(digits, reply.expect) ? digitMs : digitMs + options.interDigitMs;
  },
  act: (draft) => {
    const digits = draft.digits.replace(/#$/, '');
    const pauseMs = Math.round(draft.nowMs - draft.digitMs);
    reason(draft, 'keys', { digits: digits.length, pauseMs, complete: areComplete(draft.digits, draft.reply.expect) });
    // Whoever types does not talk to us: speech beside the keys is dropped.
    forgetSpeech(draft);
    draft.digits = '';
    draft.effects.push({ t: 'commit-digits', turn: nextTurn(draft), digits });
  },
};

export const callerDone: Rule = {
  name: 'caller-done',
  dueMs: (draft) => {
    const group = finished(draft);
    const last = group.at(-1);
    if (draft.agent !== 'listening' || draft.digits !== '' || draft.secure || last === undefined) return null;
    if (group.some((stretch) => stretch.heard === null)) return null;
    return last.cut ? draft.nowMs : last.endMs + endpointOf(draft, group).waitMs;
  },
  act: (draft) => {
    const group = finished(draft);
    const words = group.flatMap(({ heard }) => (heard?.t === 'words' ? [heard] : []));
    if (words.length > 0) commit(draft, group, words);
    else wordless(draft, group);
  },
};

export const silence: Rule = {
  name: 'silence',
  dueMs: ({ agent, agentMs, workingMs, stretches, digits, reply, options }) => {
    if (agent !== 'listening' || stretches.length > 0 || digits !== '') return null;
    const silentMs = agentMs + (reply.silenceMs ?? options.silenceMs);
    // While a tool works, it is we who owe a word.
    return workingMs === null ? silentMs : Math.max(silentMs, workingMs + options.replyTimeoutMs);
  },
  act: (draft) => {
    const silentMs = Math.round(draft.nowMs - draft.agentMs);
    reason(draft, 'silence', { silentMs });
    draft.undo = null;
    setAgent(draft, 'waiting');
    draft.effects.push({ t: 'silence', silentMs });
  },
};

function commit(draft: Draft, group: readonly Stretch[], words: readonly { confidence: number }[]): void {
  const [first] = group;
  const last = group.at(-1);
  if (first === undefined || last === undefined) return;
  const text = joined(group);
  const { waitMs: chosenMs, probability, evidence } = endpointOf(draft, group);
  const waitMs = Math.max(0, draft.nowMs - last.endMs);
  const rounded = Object.fromEntries(Object.entries(evidence).map(([name, logit]) => [name, Math.round(logit * 100) / 100]));
  reason(draft, last.cut ? 'committed-cut' : 'committed', {
    waitMs: Math.round(waitMs),
    chosenMs: Math.round(chosenMs),
    probability: Math.round(probability * 1000) / 1000,
    stretches: group.length,
    expect: draft.reply.expect?.kind ?? 'none',
    ...rounded,
  });
  const { speculation } = draft;
  const attempt = speculation !== null && sameWords(speculation.text, text) ? speculation.attempt : null;
  if (attempt === null) abandonSpeculation(draft);
  const sure = evidence['complete'] !== undefined || (draft.options.endpoint === 'dynamic' && probability >= SURE);
  const prepared = attempt !== null && speculation?.ready === true;
  const undo = { group, text, reply: draft.reply, doneSample: draft.doneSample, sure, prepared };
  closeGroup(draft, group);
  const confidence = words.reduce((sum, heard) => sum + heard.confidence, 0) / words.length;
  const { fromSample } = first;
  draft.effects.push({ t: 'commit', turn: nextTurn(draft), text, confidence, fromSample, toSample: last.toSample, waitMs, attempt });
  // What was cut off a longer utterance goes on: there is nothing to take back to.
  draft.undo = last.cut ? null : undo;
}

/** A pause after sounds that were no words, or that nobody could hear. */
function wordless(draft: Draft, group: readonly Stretch[]): void {
  abandonSpeculation(draft);
  closeGroup(draft, group);
  if (group.some((stretch) => stretch.heard?.t === 'failed')) {
    notUnderstood(draft, 'decode-failed');
    return;
  }
  draft.noises += 1;
  if (group.some((stretch) => stretch.stoppedUs)) notUnderstood(draft, 'stopped-for-noise');
  else if (draft.noises >= NOISES) notUnderstood(draft, 'noise-again');
  else reason(draft, 'noise', { noises: draft.noises });
}

function closeGroup(draft: Draft, group: readonly Stretch[]): void {
  draft.stretches = draft.stretches.filter((stretch) => !group.includes(stretch));
  draft.doneSample = Math.max(draft.doneSample, group.at(-1)?.toSample ?? 0);
  draft.retracted = null;
}

function notUnderstood(draft: Draft, rule: string): void {
  reason(draft, rule, { noises: draft.noises });
  draft.noises = 0;
  draft.effects.push({ t: 'not-understood', turn: nextTurn(draft) });
}

/** The caller's turn is over; the dialogue owes a reply. */
function nextTurn(draft: Draft): number {
  draft.turn += 1;
  draft.undo = null;
  draft.speculation = null;
  draft.tries = 0;
  draft.noises = 0;
  draft.filler = { ...draft.filler, count: 0 };
  draft.history = { ...draft.history, cautionTurns: Math.max(0, draft.history.cautionTurns - 1) };
  setAgent(draft, 'waiting');
  return draft.turn;
}

function areComplete(digits: string, expect: Draft['reply']['expect']): boolean {
  if (digits.endsWith('#')) return true;
  if (expect?.kind === 'digits') return digits.length >= expect.max;
  return expect?.kind === 'yes-no' || expect?.kind === 'choice';
}

function startMs(stretch: Stretch): number {
  // Of a resumed stretch only the samples tell when it began.
  return stretch.pause === null ? stretch.voiceMs : stretch.voiceMs - (stretch.pause.resumeSample - stretch.fromSample) / SAMPLES_PER_MS;
}
