import type { Phase, TurnState } from './state.ts';
import { endpointOf, joined } from './endpoint.ts';
import { isHold, tokensOf } from './words.ts';

const OURS = { waiting: 'answering', queued: 'answering', speaking: 'speaking', ducked: 'ducked', paused: 'paused' } as const;

/** Where the call is, in one word, for the log and for those who watch. */
export function phaseOf(state: TurnState): Phase {
  if (state.ended) return 'ended';
  if (state.secure || state.digits !== '') return 'digits';
  if (state.agent === 'stopping') return state.retracted === null ? 'listening' : 'retracting';
  if (state.agent !== 'listening') return OURS[state.agent];
  if (state.retracted !== null) return 'retracting';
  if (state.stretches.length === 0 || state.stretches.at(-1)?.voicing === true) return 'listening';
  if (isHold(tokensOf(joined(state.stretches)), state.options.words)) return 'holding';
  if (state.speculation === null) return 'listening';
  return state.speculation.ready ? 'armed' : 'speculating';
}

/** How long the pause that is open now must be to end the turn; null when there is none. */
export function waitOf(state: TurnState): number | null {
  const last = state.stretches.at(-1);
  return last === undefined || last.voicing ? null : endpointOf(state, state.stretches).waitMs;
}
