/**
 * Language models: what a call says to them, how the answer is read while it is made, and what happens when it does not come.
 *
 *   prompt ──> LanguageModel (ollama, openai, or several of them behind resilience) ──> deltas ──> clauses ──> speech
 *
 * Must not know: flows, turns, tools' effects, audio. Looks at no clock and sets no timer itself: both are parameters. Never puts into an
 * error or a log line what a person or a model said.
 * Errors: LLM_FAILED, LLM_TIMEOUT, LLM_BAD_OUTPUT, LLM_REFUSED, LLM_MODEL, LLM_EXTERNAL, ENGINE_BUSY, ENGINE_OPEN.
 */
export type { StreamBudget } from './budget.ts';
export { OllamaModel, type OllamaOptions } from './ollama.ts';
export { OpenAiModel, type OpenAiDialect, type OpenAiOptions } from './openai.ts';
export { beginClauses, endClauses, isSpoken, pushClauses, type ClauseState } from './clauses.ts';
export { CLAUSE_WORDS, clauseWordsFor, type ClauseWords } from './clause-words.ts';
export { buildPrompt, PROMPT_LIMITS, stableTools, warmPrompt, type Prompt, type PromptLimits, type PromptParts } from './prompt.ts';
export { askStructured, checkerOf, jsonSchemaOf, type StructuredAnswer, type StructuredAsk } from './structured.ts';
export { attemptsOf, EngineChain, whole, type Attempt, type ChainLink, type ChainOptions, type Outcome } from './resilience/chain.ts';
export { ResilientModel, type AnswerRecord, type ResilientLink, type ResilientOptions } from './resilience/model.ts';
export { costOf, type Cost, type TokenPrice } from './resilience/cost.ts';
export { ScriptedModel, scriptedReply, type ChatScript, type ScriptedOptions, type ScriptedStep } from './testing/scripted.ts';
export { ManualTime, settle } from './testing/manual-time.ts';
