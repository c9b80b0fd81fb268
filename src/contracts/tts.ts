/** The text-to-speech port. */
export interface SpeechClip {
  /** Mono PCM, leading silence trimmed. */
  readonly pcm: Int16Array;
  readonly rateHz: number;
  /** Engine time until the first sample and until the last. */
  readonly firstMs: number;
  readonly totalMs: number;
}

export interface TextToSpeech {
  readonly name: string;
  readonly description: string;
  start(): Promise<void>;
  /** Errors: TTS_FAILED, also for text longer than `maxChars`. An aborted call rejects with the signal's reason. */
  synthesise(text: string, options: { language: string; signal?: AbortSignal }): Promise<SpeechClip>;
  readonly maxChars: number;
  stop(): Promise<void>;
}
