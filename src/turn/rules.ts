/** The rules that act with time, the first that is due first; and those that keep a lost answer from being waited for. */
import { bridge, soFar, speculate } from './ahead.ts';
import { BARGE_IN } from './barge-in.ts';
import { askLate, callerDone, keysDone, silence, tooLong } from './commit.ts';
import type { Rule } from './rule.ts';
import { abandonSpeculation } from './speech.ts';
import { holdsFloor, reason, setAgent, type Stretch } from './state.ts';

const decodeLost: Rule = {
  name: 'decode-lost',
  dueMs: ({ stretches, options }) => {
    const asked = stretches.filter(isAsked).map((stretch) => stretch.askedMs + options.decodeTimeoutMs);
    return asked.length === 0 ? null : Math.min(...asked);
  },
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
  dueMs: (draft) => {
    const { agent, agentMs, options } = draft;
    if (agent === 'listening') return null;
    return agentMs + (holdsFloor(draft) ? options.speakTimeoutMs : options.replyTimeoutMs);
  },
  act: (draft) => {
    reason(draft, 'reply-lost', { agent: draft.agent, afterMs: Math.round(draft.nowMs - draft.agentMs) });
    if (draft.agent === 'ducked') draft.effects.push({ t: 'unduck' });
    if (draft.agent === 'paused') draft.effects.push({ t: 'stop-speaking' });
    abandonSpeculation(draft);
    draft.next = null;
    draft.undo = null;
    setAgent(draft, 'listening');
  },
};

export const RULES: readonly Rule[] = [
  decodeLost,
  tooLong,
  ...BARGE_IN,
  keysDone,
  askLate,
  callerDone,
  speculate,
  soFar,
  bridge,
  silence,
  replyLost,
];

function isAsked(stretch: Stretch): boolean {
  return stretch.decode !== null && stretch.heard === null;
}
