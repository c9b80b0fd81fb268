/** Our own side: replies are queued, play, end or are stopped; and keys, which stop them at once. */
import { dropStretches, forgetSpeech } from './speech.ts';
import { type Draft, holdsFloor, reason, type Reply, setAgent, type Stretch, voicedMsOf } from './state.ts';
import { type Meaning, meaningOf } from './words.ts';

/** Keys kept of one number; nobody types more. */
const MAX_DIGITS = 32;

export function replied(draft: Draft, reply: Reply): void {
  draft.workingMs = null;
  if (draft.agent === 'stopping') {
    draft.next = reply;
    return;
  }
  draft.reply = reply;
  if (!holdsFloor(draft)) setAgent(draft, 'queued');
}

export function agentStarted(draft: Draft): void {
  if (holdsFloor(draft)) return;
  // A clip that began just before our stop, or the taking back of its turn, reached it; or one that no reply announced.
  if (draft.agent !== 'queued' && (draft.agent !== 'stopping' || draft.next === null)) {
    reason(draft, 'stray-start');
    return;
  }
  takeNext(draft);
  draft.startedMs = draft.nowMs;
  draft.asking = false;
  setAgent(draft, 'speaking');
}

export function agentEnded(draft: Draft, interrupted: boolean): void {
  if (draft.agent === 'listening' || draft.agent === 'waiting') return;
  if (draft.agent === 'ducked') draft.effects.push({ t: 'unduck' });
  if (draft.next !== null) {
    takeNext(draft);
    setAgent(draft, 'queued');
    return;
  }
  if (holdsFloor(draft) && !interrupted) dropBackchannels(draft);
  // What was cut off before its question has asked nothing.
  if (!interrupted) draft.asking = true;
  draft.undo = null;
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
  if (holdsFloor(draft) && draft.reply.interruptible) {
    reason(draft, 'key-stops-speech');
    stopSpeaking(draft);
  }
}

/** While a secret is typed nothing that is said counts. */
export function secured(draft: Draft, on: boolean): void {
  if (draft.secure === on) return;
  draft.secure = on;
  reason(draft, 'secure', { on });
  if (on) forgetSpeech(draft);
}

export function stopSpeaking(draft: Draft): void {
  draft.effects.push({ t: 'stop-speaking' });
  draft.undo = null;
  setAgent(draft, 'stopping');
}

/** What a stretch that was spoken into our reply means. Null while its words are not known. */
export function meaningIn(draft: Readonly<Draft>, stretch: Stretch): Meaning | null {
  const text = stretch.voicing ? draft.soFar : stretch.heard === null ? null : stretch.heard.t === 'words' ? stretch.heard.text : '';
  if (text === null) return null;
  const meaning = meaningOf(text, draft.reply.expect, draft.options.words);
  return meaning === 'answer' && !draft.asking ? 'early' : meaning;
}

/** "mm-hm" in the middle of what we said is no answer to it; a short word near the end may be. */
function dropBackchannels(draft: Draft): void {
  if (!draft.reply.interruptible) return;
  const { bargeInMs, tailMs } = draft.options;
  const { startedMs, nowMs } = draft;
  const before = draft.stretches.length;
  dropStretches(draft, (stretch) => {
    if (stretch.voicing || stretch.cut || stretch.voiceMs < startedMs) return false;
    const meaning = meaningIn(draft, stretch);
    const early = stretch.endMs < nowMs - tailMs;
    if (meaning === 'backchannel' || meaning === 'nothing') return true;
    return early && (meaning === 'early' || (meaning === null && voicedMsOf(stretch, nowMs) < bargeInMs));
  });
  if (draft.stretches.length < before) reason(draft, 'backchannel', { dropped: before - draft.stretches.length });
}

function takeNext(draft: Draft): void {
  if (draft.next === null) return;
  draft.reply = draft.next;
  draft.next = null;
}
