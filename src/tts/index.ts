/**
 * Speech out: text -> mono PCM, leading silence trimmed.
 *
 * What it does: keeps a synthesiser program running, hands it plain text (markup and control characters taken out;
 * numbers, dates and prices as the language reads them), starts it again when it hangs, and keeps phrases that were rendered ahead.
 *
 * What it must not know: calls, RTP, codecs, dialogue. Resampling to 8 kHz is the media engine's.
 *
 * Errors: TTS_FAILED (program or voice missing, text too long, hang; retryable). An aborted text rejects with its reason.
 */
export { createElevenLabs, createPolly } from './adapters/index.ts';
export { createEspeak, type EspeakOptions } from './espeak.ts';
export { createPiper, createPiperHttp, type PiperOptions, type PiperTts, type PiperVoice } from './piper/index.ts';
export { createPhraseCache, type PhraseCache } from './phrase-cache.ts';
export { createScriptedTts, type ScriptedTts } from './testing/scripted.ts';
