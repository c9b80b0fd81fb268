/**
 * Speech in: callers' samples -> words.
 *
 * What it does: keeps a recogniser program with its model resident, asks it for the words of a range of samples, and
 * starts it again when it dies or hangs. The audio itself never comes here: the program reads it from the audio memory.
 *
 * What it must not know: turns, dialogue, the PBX, Postgres. Who asks for which samples, and when, is decided in turn/.
 *
 * Errors: STT_MODEL (start), STT_FAILED (this utterance; retryable), STT_ABORTED (given up, or a newer decode took over).
 */
export { createDeepgram, createDeepgramStream, createGoogleStt, createOpenAiStt, createWhisperServer } from './adapters/index.ts';
export { createWhisper, type WhisperOptions } from './whisper.ts';
export { createScriptedStt, spoken, type ScriptedStt, type ScriptedSttOptions } from './testing/scripted.ts';
