/** Taking back a turn: the caller was not done. */
import { type Draft, holdsFloor, reason, SAMPLES_PER_MS, setAgent } from './state.ts';
import { resumed } from './stretch.ts';

/** Turns for which we wait a little longer after we cut in. */
const CAUTION_TURNS = 3;
const SURE_WINDOW_MS = 300;

/** True when voice from `atMs` on belongs to the turn that was committed last. */
export function mayRetract(draft: Readonly<Draft>, atMs: number): boolean {
  const { undo, options, agent, reply, next, stretches } = draft;
  if (undo === null || options.retractMs === 0 || next !== null || stretches.length > 0) return false;
  const [first] = undo.group;
  if (first === undefined || draft.nowMs - first.fromSample / SAMPLES_PER_MS > options.maxUtteranceMs) return false;
  if (agent === 'waiting') return !reply.final;
  if (reply.final || !reply.interruptible) return false;
  // After a plain end a later voice is a listener's word or an interruption, not the rest of the turn.
  const windowMs = undo.sure ? Math.min(SURE_WINDOW_MS, options.retractMs) : options.retractMs;
  return agent === 'queued' || (holdsFloor(draft) && atMs - draft.startedMs <= windowMs);
}

/** Silence at once; the turn has never been; what was said and what comes now is one utterance. */
export function retract(draft: Draft, sample: number, atMs: number): void {
  const { undo } = draft;
  const last = undo?.group.at(-1);
  if (undo === null || last === undefined) return;
  const heardMs = holdsFloor(draft) ? Math.round(draft.nowMs - draft.startedMs) : 0;
  reason(draft, 'retract', { heardMs, gapMs: Math.round(atMs - last.endMs), agent: draft.agent });
  draft.effects.push({ t: 'retract', turn: draft.turn, heardMs });
  draft.stretches = [...undo.group.slice(0, -1), resumed(last, sample, atMs)];
  draft.turn -= 1;
  draft.doneSample = undo.doneSample;
  draft.reply = undo.reply;
  draft.retracted = undo.text;
  draft.undo = null;
  draft.workingMs = null;
  draft.asking = true;
  draft.history = { ...draft.history, cautionTurns: CAUTION_TURNS };
  setAgent(draft, 'listening');
}
