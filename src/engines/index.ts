/**
 * Several engines of one kind behind one port: the second is asked when the first cannot, is too slow or is left alone for a while; work is
 * bounded in number, in waiting and in time; who did it and what it cost is told.
 *
 *   ResilientStt, ResilientTts, ResilientModel ──> EngineChain ──> race (who is asked when) + gate (breaker, bulkhead, rate limit) per engine
 *
 * What it must not know: which engines there are, configuration, calls. It looks at no clock and sets no timer itself: both are parameters.
 * Errors: those of the engines, and ENGINE_BUSY, ENGINE_OPEN, ENGINE_TIMEOUT.
 */
export { attemptsOf, type Attempt, EngineChain, whole } from './chain.ts';
export { costOf, type SpeechPrice, type TokenPrice } from './cost.ts';
export { ResilientModel, type AnswerRecord, type ResilientLink } from './model.ts';
export { ResilientStt, type SttLink } from './stt.ts';
export { ResilientTts, type TtsLink } from './tts.ts';
export { ThriftyModel } from './thrift.ts';
