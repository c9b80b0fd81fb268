/** The text-to-speech port. */
import type { EngineUse } from './engines.ts';
import type { ExternalProcessor } from './llm.ts';

/** A word of the text and where it begins in the speech. */
export interface SpeechMark {
  /** As it stands in the text: characters [fromChar, toChar) of it, in UTF-16 units. */
  readonly text: string;
  readonly fromChar: number;
  readonly toChar: number;
  /** First sample of the word, counted from the first sample of the whole speech at its own rate. */
  readonly fromSample: number;
}

export interface SpeechClip {
  /** Mono PCM, leading silence trimmed. */
  readonly pcm: Int16Array;
  readonly rateHz: number;
  /** Engine time until the first sample and until the last. */
  readonly firstMs: number;
  readonly totalMs: number;
  /** Word positions in order, from engines that know them. */
  readonly marks?: readonly SpeechMark[];
  /** Who did it, where the engines keep account. */
  readonly use?: EngineUse;
}

/** A piece of the speech; the pieces in order are the whole. */
export interface SpeechChunk {
  /** Mono PCM, owned by the receiver. The leading silence of the speech is trimmed. */
  readonly pcm: Int16Array;
  readonly rateHz: number;
  /** Samples of the speech before this chunk. */
  readonly fromSample: number;
  /** Words that became known with this chunk: those of a sentence come with its first chunk, in order, before they sound. */
  readonly marks: readonly SpeechMark[];
  /**
   * Where the engines keep account: on the first chunk of each engine, and whole on an empty last one, which replaces it.
   */
  readonly use?: EngineUse;
}

export interface SpeechOptions {
  /** A language tag: de, en-US. */
  readonly language: string;
  readonly signal?: AbortSignal;
  /** Name of a voice of the engine; without it the voice of the language. */
  readonly voice?: string;
  /** Speaking rate: 1 is the voice's own, 1.2 is faster by a fifth. */
  readonly rate?: number;
  /** The cheapest engine that there is will do: the site is short of capacity. */
  readonly thrifty?: boolean;
}

export interface TextToSpeech {
  readonly name: string;
  readonly description: string;
  /** Who gets what is said outside the operator's machines; null or absent: nobody. For the log of every call. */
  readonly external?: ExternalProcessor | null;
  start(): Promise<void>;
  /** Errors: TTS_FAILED, also for text longer than `maxChars`. An aborted call rejects with the signal's reason. */
  synthesise(text: string, options: SpeechOptions): Promise<SpeechClip>;
  /** The same speech as it is made, from engines that stream. Errors as in `synthesise`; ending the loop early ends the work. */
  stream?(text: string, options: SpeechOptions): AsyncIterable<SpeechChunk>;
  readonly maxChars: number;
  stop(): Promise<void>;
}
