/** After a crash of ours: a word of apology, then on from where the conversation was. What was asked of the outside is lost. */
import { errandDone } from './errands.ts';
import { transferFailed } from './failures.ts';
import { askAgain, enter, hangUp } from './steps.ts';
import { say, type Talk } from './talk.ts';

export function recovered(talk: Talk): void {
  const { phase, errand, outcome } = talk.state;
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
  else if (phase === 'working' && errand !== null) errandLost(talk, errand);
  else askAgain(talk);
}

function errandLost(talk: Talk, { id, t }: NonNullable<Talk['state']['errand']>): void {
  if (t === 'think') errandDone(talk, { t: 'thought', id, answer: null });
  else if (t === 'approval') errandDone(talk, { t: 'approval-result', id, decision: 'timeout' });
  else errandDone(talk, { t: 'tool-result', id, outcome: { ok: false, reason: 'failed', mayHaveHappened: true } });
}
