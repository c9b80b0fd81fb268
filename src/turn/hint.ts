/** The first sign of a voice in our speech: softer at once, and silent where a turn may have to be taken back. */
import { mayRetract } from './retract.ts';
import { type Draft, holdsFloor, reason, sampleMs, setAgent } from './state.ts';

export function hinted(draft: Draft, sample: number): void {
  if (!holdsFloor(draft) || !draft.reply.interruptible || draft.stretches.at(-1)?.voicing === true) return;
  draft.hintMs = draft.nowMs;
  if (draft.agent !== 'speaking') return;
  // So soon after our start a voice is most likely the caller going on: not one more word of ours.
  const back = mayRetract(draft, sampleMs(draft, sample));
  reason(draft, 'hint', { afterMs: Math.round(draft.nowMs - draft.startedMs), silent: back });
  draft.effects.push({ t: back ? 'pause' : 'duck' });
  setAgent(draft, back ? 'paused' : 'ducked');
}

/** Until then a hint may still become a voice. */
export function hintedUntilMs({ hintMs, options }: Readonly<Draft>): number {
  return hintMs === null ? -Infinity : hintMs + options.hintMs;
}
