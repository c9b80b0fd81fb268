/**
 * Language models: what a call says to them, how the answer is read while it is made, and what happens when it does not come.
 *
 *   prompt ──> LanguageModel (ollama, openai) ──> deltas ──> clauses ──> speech
 *
 * Must not know: flows, turns, tools' effects, audio. Looks at no clock and sets no timer itself: both are parameters. Never puts into an
 * error or a log line what a person or a model said.
 * Errors: LLM_FAILED, LLM_TIMEOUT, LLM_BAD_OUTPUT, LLM_REFUSED, LLM_MODEL, LLM_EXTERNAL.
 */
export { OllamaModel, type OllamaOptions } from './ollama.ts';
export { OpenAiModel, type OpenAiOptions } from './openai.ts';
export { beginClauses, endClauses, isSpoken, pushClauses } from './clauses.ts';
export { CLAUSE_WORDS } from './clause-words.ts';
export { buildPrompt, PROMPT_LIMITS, stableTools, warmPrompt } from './prompt.ts';
export { askStructured, checkerOf, jsonSchemaOf } from './structured.ts';
export { ScriptedModel, scriptedReply, type ScriptedStep } from './testing/scripted.ts';
export { ManualTime, settle } from './testing/manual-time.ts';
