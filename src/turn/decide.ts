import type { TurnEffect, TurnEvent } from '../contracts/index.ts';
import { agentEnded, agentStarted, keyed, replied, secured } from './agent.ts';
import { prepared } from './ahead.ts';
import { hinted } from './hint.ts';
import { wordsIn } from './options.ts';
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
      if (!draft.secure) speechStarted(draft, event.sample);
      break;
    case 'speech-hint':
      if (!draft.secure) hinted(draft, event.sample);
      break;
    case 'speech-end':
      if (!draft.secure) speechEnded(draft, event.sample, event.prosody ?? null);
      break;
    case 'words':
      heardWords(draft, event);
      break;
    case 'decode-failed':
      decodeFailed(draft, event.decode);
      break;
    case 'detector':
      draft.pauseEvidence = { ...draft.pauseEvidence, detector: event.probability };
      break;
    case 'dtmf':
      keyed(draft, event.digit);
      break;
    case 'secure':
      secured(draft, event.on);
      break;
    case 'tick':
      break;
    default:
      takeOurs(draft, event);
  }
}

type OfOurSide = Extract<
  TurnEvent,
  { t: 'prepared' | 'final' | 'language' | 'working' | 'reply' | 'agent-start' | 'asking' | 'agent-end' | 'ended' }
>;

function takeOurs(draft: Draft, event: OfOurSide): void {
  switch (event.t) {
    case 'prepared':
      prepared(draft, event.attempt, event.ready);
      break;
    case 'final':
      draft.undo = null;
      break;
    case 'language':
      draft.options = { ...draft.options, words: wordsIn(event.language, draft.options) };
      break;
    case 'working':
      draft.workingMs ??= draft.nowMs;
      break;
    case 'reply':
      replied(draft, replyOf(event));
      break;
    case 'agent-start':
      agentStarted(draft);
      break;
    case 'asking':
      draft.asking = true;
      break;
    case 'agent-end':
      agentEnded(draft, event.interrupted);
      break;
    case 'ended':
      ended(draft);
      break;
  }
}

function replyOf(event: Extract<TurnEvent, { t: 'reply' }>): Draft['reply'] {
  const { interruptible, expect, silenceMs = null, final = false } = event;
  return { interruptible, expect, silenceMs, final };
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
