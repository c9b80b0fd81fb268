/** After a crash of ours: a word of apology, then on from where the conversation was. What was asked of the outside is lost. */
import { errandDone } from './errands.ts';
import { transferFailed } from './failures.ts';
import type { OpenErrand } from './state.ts';
import { askAgain, enter, hangUp } from './steps.ts';
import { say, type Talk } from './talk.ts';

export function recovered(talk: Talk): void {
  const { phase, open, outcome } = talk.state;
  if (phase === 'begin') {
    enter(talk, talk.script.flow.start, 'start');
    return;
  }
  if (phase === 'ended') {
    hangUp(talk, outcome ?? 'recovered');
    return;
  }
  say(talk, 'interrupted', 'apology');
  if (phase === 'transferring') transferFailed(talk);
  else if (phase === 'working' && open.length > 0) for (const errand of open) errandLost(talk, errand);
  else askAgain(talk);
}

function errandLost(talk: Talk, { id, t }: OpenErrand): void {
  if (t === 'think' || t === 'review') errandDone(talk, { t: 'thought', id, answer: null });
  else if (t === 'approval') errandDone(talk, { t: 'approval-result', id, decision: 'timeout' });
  else errandDone(talk, { t: 'tool-result', id, outcome: { ok: false, reason: 'failed', mayHaveHappened: true } });
}
