/**
 * The vocabulary: one file per arrow of docs/architecture.md, plus ports, errors and call events. Imports nothing, not even node:.
 */
export * from './audit.ts';
export * from './call-events.ts';
export * from './clock.ts';
export * from './desk-phone.ts';
export * from './dialogue.ts';
export * from './engine-hosts.ts';
export * from './engines.ts';
export * from './errors.ts';
export * from './hosts.ts';
export * from './inbox.ts';
export * from './knowledge.ts';
export * from './llm.ts';
export * from './log.ts';
export * from './media.ts';
export * from './memory.ts';
export * from './open-calls.ts';
export * from './pbx.ts';
export * from './problems.ts';
export * from './recording.ts';
export * from './secrets.ts';
export * from './stt.ts';
export * from './tts.ts';
export * from './turn.ts';
export * from './end-of-turn.ts';
export * from './vad.ts';
