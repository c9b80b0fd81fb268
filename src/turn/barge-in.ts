/** Somebody speaks into our speech: softer at once, halted when it goes on, then the floor is the caller's or we go on. */
import { meaningIn, stopSpeaking } from './agent.ts';
import { hintedUntilMs } from './hint.ts';
import { dropStretches, replaceLast } from './speech.ts';
import type { Rule } from './rule.ts';
import { type Draft, holdsFloor, reason, setAgent, type Stretch, voicedMsOf } from './state.ts';
import { tokensOf } from './words.ts';

/** Silence after which a short sound is over. */
const UNDUCK_MS = 250;
/** Voice without any word is noise, as long as it does not go on for this many times `takeFloorMs`. */
const NOISE_TIMES = 3;
/** While words are on their way they decide, up to this many times `takeFloorMs`: we are halted by then, so it costs nobody anything. */
const AWAIT_WORDS_TIMES = 1.6;
/** When the words are known to want nothing, our reply goes on after this: who hears nothing for longer takes the turn. */
const SURE_RESUME_MS = 160;

/** The stretch that competes with our speech. */
function rival(draft: Readonly<Draft>): Stretch | null {
  const last = draft.stretches.at(-1);
  if (last === undefined || !holdsFloor(draft) || !draft.reply.interruptible || last.remainder) return null;
  return last;
}

/** When its voice will have lasted this long. */
function voicedAt(draft: Readonly<Draft>, stretch: Stretch, ms: number): number {
  return Math.max(stretch.voiceMs, draft.startedMs) + Math.max(0, ms - stretch.voicedMs);
}

const wantsNothing = (draft: Readonly<Draft>, stretch: Stretch): boolean => {
  const meaning = meaningIn(draft, stretch);
  return meaning === 'nothing' || meaning === 'backchannel' || meaning === 'early';
};

const duck: Rule = {
  name: 'duck',
  dueMs: (draft) => (draft.agent === 'speaking' && rival(draft)?.voicing === true ? draft.nowMs : null),
  act: (draft) => {
    reason(draft, 'duck', { afterMs: Math.round(draft.nowMs - draft.startedMs) });
    draft.effects.push({ t: 'duck' });
    setAgent(draft, 'ducked');
  },
};

const halt: Rule = {
  name: 'halt',
  dueMs: (draft) => {
    const stretch = rival(draft);
    if (draft.agent !== 'ducked' || stretch?.voicing !== true) return null;
    const meaning = meaningIn(draft, stretch);
    if (meaning === 'words' || meaning === 'stop' || meaning === 'answer') return draft.nowMs;
    return voicedAt(draft, stretch, draft.options.bargeInMs);
  },
  act: (draft) => {
    const stretch = rival(draft);
    if (stretch === null) return;
    reason(draft, 'halt', {
      voicedMs: Math.round(voicedMsOf(stretch, draft.nowMs)),
      words: draft.soFar === null ? 0 : tokensOf(draft.soFar).length,
    });
    draft.effects.push({ t: 'pause' });
    // What was said decides; its words are wanted now.
    if (draft.partial.decode === null) draft.partial = { decode: null, askedMs: draft.nowMs - draft.options.partialMs };
    setAgent(draft, 'paused');
  },
};

function patience(draft: Readonly<Draft>, stretch: Stretch): number {
  if (wantsNothing(draft, stretch)) return NOISE_TIMES;
  const { soFar, partial, options, nowMs } = draft;
  // Asked for, or about to be: who was told of the voice late has not asked yet.
  const asked = partial.decode !== null || (options.partialMs > 0 && nowMs >= partial.askedMs + options.partialMs);
  return soFar === null && asked ? AWAIT_WORDS_TIMES : 1;
}

const takeFloor: Rule = {
  name: 'take-floor',
  dueMs: (draft) => {
    const stretch = rival(draft);
    if (stretch === null) return null;
    const meaning = meaningIn(draft, stretch);
    if (meaning === 'stop' || meaning === 'answer') return draft.nowMs;
    if (!stretch.voicing) return meaning === 'words' ? draft.nowMs : null;
    if (meaning === 'words' && tokensOf(draft.soFar ?? '').length >= 2) return draft.nowMs;
    return voicedAt(draft, stretch, draft.options.takeFloorMs * patience(draft, stretch));
  },
  act: (draft) => {
    const last = draft.stretches.at(-1);
    if (last === undefined) return;
    const meaning = meaningIn(draft, last) ?? 'unknown';
    replaceLast(draft, { ...last, stoppedUs: true });
    reason(draft, 'barge-in', { voicedMs: Math.round(voicedMsOf(last, draft.nowMs)), meaning, from: draft.agent });
    stopSpeaking(draft);
  },
};

const unduck: Rule = {
  name: 'unduck',
  dueMs: (draft) => {
    const stretch = draft.stretches.at(-1);
    if (draft.agent !== 'ducked' || stretch?.voicing === true) return null;
    return Math.max(hintedUntilMs(draft), stretch === undefined ? draft.nowMs : stretch.endMs + UNDUCK_MS);
  },
  act: (draft) => {
    reason(draft, 'unduck');
    draft.hintMs = null;
    draft.effects.push({ t: 'unduck' });
    setAgent(draft, 'speaking');
    forgetListener(draft);
  },
};

const goOn: Rule = {
  name: 'go-on',
  dueMs: (draft) => {
    const stretch = draft.stretches.at(-1);
    if (draft.agent !== 'paused' || stretch?.voicing === true) return null;
    if (stretch === undefined) return Math.max(hintedUntilMs(draft), draft.nowMs);
    return Math.max(hintedUntilMs(draft), stretch.endMs + (wantsNothing(draft, stretch) ? SURE_RESUME_MS : draft.options.resumeMs));
  },
  act: (draft) => {
    const last = draft.stretches.at(-1);
    const nobody = draft.hintMs !== null && last === undefined;
    reason(draft, 'go-on', { meaning: nobody ? 'nobody' : ((last && meaningIn(draft, last)) ?? 'unknown') });
    draft.hintMs = null;
    draft.effects.push(nobody ? { t: 'resume', inPlace: true } : { t: 'resume' });
    setAgent(draft, 'speaking');
    forgetListener(draft);
  },
};

/** A sound that wanted nothing is no answer to come. */
const listenerOnly: Rule = {
  name: 'listener-only',
  dueMs: (draft) => {
    const stretch = rival(draft);
    const over = draft.agent === 'speaking' && stretch !== null && !stretch.voicing && stretch.voiceMs >= draft.startedMs;
    return over && isOver(draft, stretch) ? draft.nowMs : null;
  },
  act: (draft) => forgetListener(draft),
};

/** An early "yes" waits for the end of our reply: if it came right before it, it is the answer. */
function isOver(draft: Readonly<Draft>, stretch: Stretch): boolean {
  const meaning = meaningIn(draft, stretch);
  return meaning === 'nothing' || meaning === 'backchannel';
}

function forgetListener(draft: Draft): void {
  const last = draft.stretches.at(-1);
  if (last === undefined || last.voicing || last.voiceMs < draft.startedMs || !isOver(draft, last)) return;
  reason(draft, 'backchannel', { dropped: 1 });
  dropStretches(draft, (stretch) => stretch === last);
}

export const BARGE_IN: readonly Rule[] = [takeFloor, halt, duck, unduck, goOn, listenerOnly];
