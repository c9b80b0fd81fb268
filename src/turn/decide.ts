import type { TurnEffect, TurnEvent } from '../contracts/index.ts';
import { agentEnded, agentStarted, keyed, replied } from './agent.ts';
import { RULES } from './rules.ts';
import { decodeFailed, ended, heardWords, speechEnded, speechStarted } from './speech.ts';
import type { Draft, TurnState } from './state.ts';

/** More decisions than this at one moment would be a loop; the rest waits for the next event. */
const MAX_STEPS = 32;

/**
 * One step of the turn engine. First the event is taken in, then every rule that is due acts, then the next moment at which a
 * rule will be due is asked for. Time never goes back: an event older than the last counts as happening now.
 */
export function decide(state: TurnState, event: TurnEvent): readonly [TurnState, readonly TurnEffect[]] {
  if (state.ended) return [state, []];
  const { effects, ...next } = step(state, event);
  return [next, effects];
}

function step(state: TurnState, event: TurnEvent): Draft {
  const draft: Draft = { ...state, nowMs: Math.max(state.nowMs, event.atMs), effects: [] };
  take(draft, event);
  if (draft.ended) return draft;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const rule = RULES.find((candidate) => isDue(candidate.dueMs(draft), draft.nowMs));
    if (rule === undefined) break;
    rule.act(draft);
  }
  askForWake(draft);
  return draft;
}

function take(draft: Draft, event: TurnEvent): void {
  switch (event.t) {
    case 'speech-start':
      speechStarted(draft, event.sample);
      break;
    case 'speech-end':
      speechEnded(draft, event.sample);
      break;
    case 'words':
      heardWords(draft, event);
      break;
    case 'decode-failed':
      decodeFailed(draft, event.decode);
      break;
    case 'dtmf':
      keyed(draft, event.digit);
      break;
    case 'reply':
      replied(draft, { interruptible: event.interruptible, expect: event.expect, silenceMs: event.silenceMs ?? null });
      break;
    case 'agent-start':
      agentStarted(draft);
      break;
    case 'agent-end':
      agentEnded(draft, event.interrupted);
      break;
    case 'ended':
      ended(draft);
      break;
    case 'tick':
      break;
  }
}

function isDue(dueMs: number | null, nowMs: number): boolean {
  return dueMs !== null && dueMs <= nowMs;
}

function askForWake(draft: Draft): void {
  const dues = RULES.map((rule) => rule.dueMs(draft)).filter((dueMs) => dueMs !== null);
  const wakeMs = dues.length === 0 ? null : Math.max(Math.min(...dues), draft.nowMs + 1);
  if (wakeMs !== null && wakeMs !== draft.wakeMs) draft.effects.push({ t: 'wake', atMs: wakeMs });
  draft.wakeMs = wakeMs;
}
