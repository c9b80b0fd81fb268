/** The rules that act with time. Each says when it is due, and what then happens; the first that is due acts. */
import { stopSpeaking } from './agent.ts';
import { askForWords, dropOldest, dropStretches, newStretch, replaceLast } from './speech.ts';
import { type Draft, reason, SAMPLES_PER_MS, setAgent, type Stretch } from './state.ts';
import { isComplete } from './words.ts';

export interface Rule {
  readonly name: string;
  /** When it is due, null when it is not. */
  readonly dueMs: (draft: Readonly<Draft>) => number | null;
  readonly act: (draft: Draft) => void;
}

/** Stretches without a word in a row, after which the caller is told that nothing was understood. */
const NOISES = 2;

/** Newest audio that may not have come out of the jitter buffer yet: a cut stays clear of it. */
const CUT_MARGIN_MS = 200;

const decodeLost: Rule = {
  name: 'decode-lost',
  dueMs: ({ stretches, options }) => earliest(stretches.filter(isAsked).map((stretch) => stretch.askedMs + options.decodeTimeoutMs)),
  act: (draft) => {
    const lateMs = draft.nowMs - draft.options.decodeTimeoutMs;
    for (const { decode, askedMs } of draft.stretches.filter(isAsked)) {
      if (askedMs <= lateMs && decode !== null) draft.effects.push({ t: 'abort-decode', decode });
    }
    reason(draft, 'decode-lost', { timeoutMs: draft.options.decodeTimeoutMs });
    draft.stretches = draft.stretches.map((stretch) =>
      isAsked(stretch) && stretch.askedMs <= lateMs ? { ...stretch, heard: { t: 'failed' as const } } : stretch,
    );
  },
};

const replyLost: Rule = {
  name: 'reply-lost',
  dueMs: ({ agent, agentMs, options }) => {
    if (agent === 'listening') return null;
    return agentMs + (agent === 'speaking' ? options.speakTimeoutMs : options.replyTimeoutMs);
  },
  act: (draft) => {
    reason(draft, 'reply-lost', { agent: draft.agent, afterMs: Math.round(draft.nowMs - draft.agentMs) });
    draft.next = null;
    setAgent(draft, 'listening');
  },
};

const tooLong: Rule = {
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
    const head = askForWords(draft, { ...last, voicing: false, toSample, endMs: draft.nowMs, cut: true }, toSample);
    const rest = newStretch(pause?.resumeSample ?? toSample, draft.nowMs, true);
    replaceLast(draft, head, { ...rest, remainder: true });
    dropOldest(draft);
  },
};

const bargeIn: Rule = {
  name: 'barge-in',
  dueMs: ({ agent, agentMs, reply, stretches, options }) => {
    const last = stretches.at(-1);
    if (agent !== 'speaking' || !reply.interruptible || last?.voicing !== true || last.remainder) return null;
    return Math.max(last.voiceMs, agentMs) + Math.max(0, options.bargeInMs - last.voicedMs);
  },
  act: (draft) => {
    const last = draft.stretches.at(-1);
    if (last === undefined) return;
    replaceLast(draft, { ...last, stoppedUs: true });
    reason(draft, 'barge-in', { voicedMs: Math.round(draft.nowMs - last.voiceMs + last.voicedMs), bargeInMs: draft.options.bargeInMs });
    stopSpeaking(draft);
  },
};

const keysDone: Rule = {
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
    dropStretches(draft, () => true);
    draft.digits = '';
    draft.effects.push({ t: 'commit-digits', turn: nextTurn(draft), digits });
  },
};

const callerDone: Rule = {
  name: 'caller-done',
  dueMs: (draft) => {
    const group = finished(draft);
    const last = group.at(-1);
    if (draft.agent !== 'listening' || draft.digits !== '' || last === undefined) return null;
    if (group.some((stretch) => stretch.heard === null)) return null;
    return last.cut ? draft.nowMs : last.endMs + waitFor(draft, group);
  },
  act: (draft) => {
    const group = finished(draft);
    draft.stretches = draft.stretches.filter((stretch) => !group.includes(stretch));
    const toSample = group.at(-1)?.toSample ?? draft.doneSample;
    draft.doneSample = Math.max(draft.doneSample, toSample);
    const words = group.flatMap(({ heard }) => (heard?.t === 'words' ? [heard] : []));
    if (words.length > 0) {
      commit(draft, group, words);
      return;
    }
    if (group.some((stretch) => stretch.heard?.t === 'failed')) {
      notUnderstood(draft, 'decode-failed');
      return;
    }
    draft.noises += 1;
    if (group.some((stretch) => stretch.stoppedUs)) {
      notUnderstood(draft, 'stopped-for-noise');
      return;
    }
    if (draft.noises >= NOISES) {
      notUnderstood(draft, 'noise-again');
      return;
    }
    reason(draft, 'noise', { noises: draft.noises });
  },
};

const silence: Rule = {
  name: 'silence',
  dueMs: ({ agent, agentMs, stretches, digits, reply, options }) =>
    agent === 'listening' && stretches.length === 0 && digits === '' ? agentMs + (reply.silenceMs ?? options.silenceMs) : null,
  act: (draft) => {
    const silentMs = Math.round(draft.nowMs - draft.agentMs);
    reason(draft, 'silence', { silentMs });
    setAgent(draft, 'waiting');
    draft.effects.push({ t: 'silence', silentMs });
  },
};

export const RULES: readonly Rule[] = [decodeLost, tooLong, bargeIn, keysDone, callerDone, silence, replyLost];

/** What may be committed now: everything once the caller is silent, what was cut while the caller goes on. */
function finished({ stretches }: Readonly<Draft>): readonly Stretch[] {
  const last = stretches.at(-1);
  if (last?.voicing !== true) return stretches;
  return stretches.at(-2)?.cut === true ? stretches.slice(0, -1) : [];
}

function waitFor({ options, reply }: Readonly<Draft>, group: readonly Stretch[]): number {
  return isComplete(joined(group), reply.expect, options.words) ? Math.min(options.quickWaitMs, options.waitMs) : options.waitMs;
}

function joined(group: readonly Stretch[]): string {
  return group.flatMap(({ heard }) => (heard?.t === 'words' ? [heard.text] : [])).join(' ');
}

function commit(draft: Draft, group: readonly Stretch[], words: readonly { confidence: number }[]): void {
  const [first] = group;
  const last = group.at(-1);
  if (first === undefined || last === undefined) return;
  const waitMs = Math.max(0, draft.nowMs - last.endMs);
  reason(draft, last.cut ? 'committed-cut' : 'committed', {
    waitMs: Math.round(waitMs),
    wantedMs: last.cut ? 0 : waitFor(draft, group),
    pieces: group.length,
    expected: draft.reply.expect?.kind ?? 'nothing',
  });
  draft.noises = 0;
  const confidence = Math.min(...words.map((word) => word.confidence));
  const { fromSample } = first;
  draft.effects.push({ t: 'commit', turn: nextTurn(draft), text: joined(group), confidence, fromSample, toSample: last.toSample, waitMs });
}

function notUnderstood(draft: Draft, rule: string): void {
  reason(draft, rule, { noises: draft.noises });
  draft.noises = 0;
  draft.effects.push({ t: 'not-understood', turn: nextTurn(draft) });
}

/** The caller's turn is over; the dialogue owes a reply. */
function nextTurn(draft: Draft): number {
  draft.turn += 1;
  setAgent(draft, 'waiting');
  return draft.turn;
}

function areComplete(digits: string, expect: Draft['reply']['expect']): boolean {
  if (digits.endsWith('#')) return true;
  if (expect?.kind === 'digits') return digits.length >= expect.max;
  return expect?.kind === 'yes-no' || expect?.kind === 'choice';
}

function isAsked(stretch: Stretch): boolean {
  return stretch.decode !== null && stretch.heard === null;
}

function startMs(stretch: Stretch): number {
  // Of a resumed stretch only the samples tell when it began.
  return stretch.pause === null ? stretch.voiceMs : stretch.voiceMs - (stretch.pause.resumeSample - stretch.fromSample) / SAMPLES_PER_MS;
}

function earliest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times);
}
