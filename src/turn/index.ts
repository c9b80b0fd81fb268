/**
 * Turn taking: whose turn it is, decided from the talk gate, the recogniser's words, keys and the playout position.
 * `decide(state, event)` is pure: times come in events, effects are data, nothing is thrown. It must not know the dialogue,
 * the PBX or the engines; call/ carries the effects out. Errors: none, by design; a late or odd event is ignored with a reason.
 */
export { decide } from './decide.ts';
export { TURN_DEFAULTS, type TurnOptions, wordsIn } from './options.ts';
export { phaseOf, waitOf } from './phase.ts';
export { type Decision, type Difference, type RecordedStep, type Replay, replayTurns } from './replay.ts';
export { initialTurn, type Phase, type TurnState } from './state.ts';
export { moreWords, TURN_WORDS, type TurnWords, turnWords } from './words.ts';
