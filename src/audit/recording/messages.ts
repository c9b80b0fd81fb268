/** What the recorder and its thread say to each other. Audio never passes: the thread reads it out of the audio memory. */
import type { RecordedLine } from '../../contracts/index.ts';

export interface ThreadOptions {
  readonly audioFd: number;
  readonly folder: string;
  readonly holdMs: number;
  readonly chunkMs: number;
}

export interface TakeOptions {
  readonly id: string;
  readonly key: Uint8Array;
  readonly slot: number;
  readonly generation: number;
  readonly rateHz: 8000 | 16000;
  /** Caller sample (16 kHz) with which it begins. */
  readonly fromSample: number;
}

export type ToThread =
  | { readonly t: 'start'; readonly take: TakeOptions }
  | { readonly t: 'silence'; readonly id: string; readonly line: RecordedLine; readonly fromSample: number; readonly toSample: number }
  | { readonly t: 'pause'; readonly id: string; readonly on: boolean }
  | { readonly t: 'stop'; readonly id: string; readonly unheardFromSample: number | null }
  | { readonly t: 'shred'; readonly id: string }
  | { readonly t: 'close' };

/** A piece that was written. `samples` of each channel. */
export interface Chunk {
  readonly chunk: number;
  readonly samples: number;
  readonly silenced: number;
  /** Of its bytes in the file. */
  readonly sha256: string;
}

export type FromThread =
  | { readonly t: 'started'; readonly id: string }
  | { readonly t: 'chunk'; readonly id: string; readonly chunk: Chunk }
  /** A stretch that should be silent was written already. */
  | { readonly t: 'late'; readonly id: string }
  | { readonly t: 'done'; readonly id: string; readonly chunks: number; readonly samples: number; readonly silenced: number }
  | { readonly t: 'failed'; readonly id: string; readonly why: string };
