/** When it does not go well: nothing understood, nothing said, no end in sight. Every way leads on: to the question, a person or an end. */
import { askAgain, enter, hangUp, transfer } from './steps.ts';
import { outcomeOf, say, stepOf, type Talk, update } from './talk.ts';

export function missed(talk: Talk, apology = 'not_understood'): void {
  const { flow } = talk.script;
  const misses = talk.state.misses + 1;
  update(talk, { misses, offered: false });
  if (misses >= flow.limits.misses) {
    giveUp(talk);
    return;
  }
  say(talk, apology, 'apology');
  askAgain(talk, { again: true });
}

function giveUp(talk: Talk): void {
  const { flow, desks } = talk.script;
  const step = stepOf(talk);
  const otherwise = step?.t === 'ask' || step?.t === 'confirm' || step?.t === 'answer' || step?.t === 'agent' ? step.otherwise : null;
  const next = otherwise ?? flow.onFailure;
  if (next !== null) enter(talk, next, 'not understood');
  else if (flow.person !== null && desks.includes(flow.person)) transfer(talk, flow.person, 'give_up');
  else hangUp(talk, 'not-understood', 'give_up_goodbye');
}

export function silent(talk: Talk): void {
  const { flow } = talk.script;
  const silences = talk.state.silences + 1;
  update(talk, { silences, offered: false });
  if (silences < flow.limits.silences) {
    say(talk, 'still_there', 'apology');
    askAgain(talk, { again: true });
  } else if (flow.onSilence === null) hangUp(talk, 'silence', 'silence_goodbye');
  else {
    // One way out only: silence there ends the call.
    update(talk, { silences: flow.limits.silences });
    if (talk.state.step === flow.onSilence || silences > flow.limits.silences) hangUp(talk, 'silence', 'silence_goodbye');
    else enter(talk, flow.onSilence, 'silence');
  }
}

/** The whole call has a bound, so that every flow ends whatever is said. */
export function tooManyTurns(talk: Talk): void {
  const { flow, desks } = talk.script;
  if (flow.person !== null && desks.includes(flow.person)) transfer(talk, flow.person, 'too_long');
  else hangUp(talk, 'too-long', 'give_up_goodbye');
}

export function transferFailed(talk: Talk): void {
  const { flow } = talk.script;
  const step = stepOf(talk);
  say(talk, 'transfer_failed', 'apology');
  if (step?.t === 'transfer') {
    if (step.failed === null) hangUp(talk, outcomeOf(talk) ?? 'no-person');
    else enter(talk, step.failed, 'transfer failed');
  } else if (talk.state.misses >= flow.limits.misses || talk.state.turns >= flow.limits.turns) {
    hangUp(talk, 'no-person');
  } else askAgain(talk);
}
