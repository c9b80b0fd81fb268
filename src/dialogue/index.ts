/**
 * The conversation: a flow file becomes a pure runner, `step(state, event) -> [state, effects]`. Here is all that knows what is asked,
 * what an answer means and what comes next; it must not know audio, the PBX, the clock or the log. Files are read only while flows
 * are loaded. Errors: ProblemsError (FLOW_INVALID) from loading; a running flow throws nothing and never ends in silence.
 */
export { createDialogue } from './runner/create.ts';
export type { FlowState } from './runner/state.ts';
export { type FlowSet, linkTexts, type LoadedFlow, loadFlows } from './flow/load.ts';
export { parseFlow } from './flow/parse.ts';
export { readApis } from './flow/openapi.ts';
export { desksOf } from './flow/desks.ts';
export { parseFacts } from './knowledge/facts.ts';
export { type FlowTest, type FlowTestCaller, type FlowTestFile, type FlowTestTurn, loadFlowTests } from './flow/tests.ts';
export { ManualTime, OllamaModel, OpenAiModel, ScriptedModel, type ScriptedStep } from './llm/index.ts';
export { FlowShelf } from './flow/shelf.ts';
export { type OpenedState, type RecordingPolicy, withOpening } from './notice/opening.ts';
export { isWithdrawal } from './notice/withdrawal.ts';
export { loadNotices, type Notices } from './notice/wording.ts';
export { digitsIn } from './understand/digits-in.ts';
