/**
 * Piper voices, run by us: text → speech that starts with the first frames of a sentence, whatever its length, with the place
 * of every word.
 *
 * What it does: reads numbers, dates and money as the language does (reading/), gets phonemes from an espeak-ng process
 * (phonemiser.ts), turns them into the ids of the voice (sentences.ts), and runs the voice in a worker process (workshop.ts →
 * worker.ts → desk.ts → runner.ts), cut into text, flow and vocoder (onnx/split.ts), the latter two chunk by chunk
 * (schedule.ts). Beside it: an adapter for Piper's own HTTP server (http.ts).
 *
 * What it must not know: calls, codecs, RTP, dialogue.
 *
 * Errors: TTS_VOICE (a voice file is damaged, missing or no Piper voice: at start), TTS_FAILED (text too long, overload, the
 * worker or espeak-ng died: retryable, both are started again). An aborted call rejects with the signal's reason.
 */
import type { TextToSpeech } from '../../contracts/index.ts';
import { Piper, type PiperOptions } from './engine.ts';

export type { PiperOptions, PiperVoice } from './engine.ts';
export { createPiperHttp, type PiperHttpOptions } from './http.ts';

/** A synthesiser that streams, and that names its voices by their content. */
export interface PiperTts extends TextToSpeech {
  stream: NonNullable<TextToSpeech['stream']>;
  /** SHA-256 of a voice's model file, hex, once it is loaded: part of every cache key. */
  voiceHash(name: string): string | undefined;
}

export function createPiper(options: PiperOptions): PiperTts {
  return new Piper(options);
}
