/**
 * External synthesisers: ElevenLabs and Amazon Polly.
 *
 * What it does: sends plain text over https, hands the PCM on as it comes, closes the connection when the speech is given up; bounded in
 * time, size and number.
 *
 * What it must not know: calls, RTP, dialogue. Nothing here is made unless processor and legal basis are named; `external` says so for the
 * log of every call. Secrets are in files of their own.
 *
 * Errors: ENGINE_EXTERNAL and CONFIG_INVALID (creation), TTS_FAILED (start, synthesis). An aborted text rejects with its reason.
 */
export { createElevenLabs, type ElevenLabsOptions } from './elevenlabs.ts';
export { createPolly, type PollyOptions } from './polly.ts';
