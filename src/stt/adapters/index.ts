/**
 * Recognisers that somebody else runs, asked over HTTP, one request per decode.
 *
 * What it does: copies the caller's samples out of the audio memory when a decode is asked for, sends them as a whole file, and brings
 * what comes back into the shape of the port: bounded in time, size and number, finals before partials, the newest partial only.
 *
 * What it must not know: turns, dialogue, other calls. Nothing leaves private networks unless processor and legal basis are named, and
 * then `external` says so for the log of every call.
 *
 * Errors: ENGINE_EXTERNAL and CONFIG_INVALID (creation), STT_FAILED and STT_MODEL (start), STT_FAILED, STT_ABORTED (decode).
 */
export { createDeepgram, type DeepgramOptions } from './deepgram.ts';
export { createDeepgramStream, type DeepgramStreamOptions } from './deepgram-stream.ts';
export { createGoogleStt, type GoogleSttOptions } from './google.ts';
export { createOpenAiStt, type OpenAiSttOptions } from './openai.ts';
export { createWhisperServer, type WhisperServerOptions } from './whisper-server.ts';
