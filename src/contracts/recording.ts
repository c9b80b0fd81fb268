/**
 * The recording port: audio of one call, kept encrypted. Off unless configured. Audio does not pass through it: a thread of the
 * recorder reads both lines from the audio memory, holds them in RAM until what was said in them is known, and only then writes.
 */
import type { CallEvent } from './call-events.ts';

/** Which line of the call: samples of `caller` are caller time, of `agent` sent time (contracts/media). */
export type RecordedLine = 'caller' | 'agent';

export interface RecordingOptions {
  readonly callId: string;
  readonly slot: number;
  readonly generation: number;
  /** The number that called: by it the recording is found for export and erasure. Never stored as it is. */
  readonly number: string;
  /** Caller sample with which it begins: nothing said before is in it. */
  readonly fromSample: number;
  /** Of both lines: 8000 keeps all that a narrowband codec carries. */
  readonly rateHz: 8000 | 16000;
  /** Writes one event of the call; resolves when it is on disk. */
  readonly log: (entry: RecordingEntry) => Promise<void>;
}

type OfRecording<E> = E extends CallEvent ? Omit<E, 'callId'> : never;
export type RecordingEntry = OfRecording<Extract<CallEvent, { type: `recording.${string}` | 'subject.erased' }>>;

export interface Recording {
  readonly id: string;
  /** These samples are silence in the recording: a number was said in them. May come until the audio is written, see `holdMs`. */
  silence(line: RecordedLine, fromSample: number, toSample: number): void;
  /** From now on silence is recorded; on disk before it happens. */
  pause(why: 'secure' | 'asked'): Promise<void>;
  resume(): Promise<void>;
  /** Writes what is held. `unheardFromSample`: caller audio from there on was never understood, and is left out. Idempotent. */
  stop(why: string, unheardFromSample: number | null): Promise<void>;
  /** Consent is withdrawn: nothing is captured any more, the key is destroyed, the file is gone. Idempotent. */
  shred(why: string): Promise<void>;
}

export interface CallRecorder {
  /** Audio is written this long after it was captured, at the earliest; less at the end of a recording. */
  readonly holdMs: number;
  /** Captures from now on. The start is in the log before. Errors: RECORDING_FAILED, SPOOL_FAILED: nothing is recorded then. */
  start(options: RecordingOptions): Promise<Recording>;
  /**
   * A recording that a process before this one left unfinished: the log gets what is on disk of it, unless it has that already
   * (`told`). It is over, and can only be shredded. Errors: SPOOL_FAILED, RECORDING_FAILED when its file cannot be read.
   */
  adopt(id: string, options: Pick<RecordingOptions, 'log'> & { readonly told: boolean }): Promise<Recording>;
  stop(): Promise<void>;
}
