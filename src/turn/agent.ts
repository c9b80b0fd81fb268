/** Our own side: replies are queued, play, end or are stopped; and keys, which stop them at once. */
import { dropStretches } from './speech.ts';
import { type Draft, reason, type Reply, setAgent } from './state.ts';

/** Keys kept of one number; nobody types more. */
const MAX_DIGITS = 32;

export function replied(draft: Draft, reply: Reply): void {
  if (draft.agent === 'stopping') {
    draft.next = reply;
    return;
  }
  draft.reply = reply;
  if (draft.agent !== 'speaking') setAgent(draft, 'queued');
}

export function agentStarted(draft: Draft): void {
  if (draft.agent === 'speaking') return;
  // A clip that began just before our stop reached it is still being stopped.
  if (draft.agent === 'stopping' && draft.next === null) return;
  takeNext(draft);
  setAgent(draft, 'speaking');
}

export function agentEnded(draft: Draft, interrupted: boolean): void {
  if (draft.agent === 'listening' || draft.agent === 'waiting') return;
  if (draft.next !== null) {
    takeNext(draft);
    setAgent(draft, 'queued');
    return;
  }
  if (draft.agent === 'speaking' && !interrupted) dropBackchannels(draft);
  setAgent(draft, 'listening');
}

export function keyed(draft: Draft, digit: string): void {
  if (!/^[0-9A-D*#]$/.test(digit)) {
    reason(draft, 'not-a-key');
    return;
  }
  if (digit === '#' && draft.digits === '') {
    reason(draft, 'hash-alone');
    return;
  }
  if (draft.digits.length < MAX_DIGITS) draft.digits += digit;
  draft.digitMs = draft.nowMs;
  if (draft.agent === 'speaking' && draft.reply.interruptible) {
    reason(draft, 'key-stops-speech');
    stopSpeaking(draft);
  }
}

export function stopSpeaking(draft: Draft): void {
  draft.effects.push({ t: 'stop-speaking' });
  setAgent(draft, 'stopping');
}

/** "mm-hm" in the middle of what we said is no answer to it; a short word near the end may be. */
function dropBackchannels(draft: Draft): void {
  if (!draft.reply.interruptible) return;
  const { bargeInMs, tailMs } = draft.options;
  const { agentMs, nowMs } = draft;
  const before = draft.stretches.length;
  dropStretches(draft, (stretch) => {
    const voicedMs = stretch.voicedMs + (stretch.endMs - stretch.voiceMs);
    const isShort = !stretch.voicing && !stretch.cut && voicedMs < bargeInMs;
    return isShort && stretch.voiceMs >= agentMs && stretch.endMs < nowMs - tailMs;
  });
  if (draft.stretches.length < before) reason(draft, 'backchannel', { dropped: before - draft.stretches.length });
}

function takeNext(draft: Draft): void {
  if (draft.next === null) return;
  draft.reply = draft.next;
  draft.next = null;
}
