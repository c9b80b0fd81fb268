/** What main thread and worker tell each other. `call` is a number of ours; samples are 16 kHz caller samples. */

export interface Thresholds {
  /** Probability at which speech begins, and below which it may end. */
  readonly start: number;
  readonly stop: number;
  /** How long it must last, in ms; counted in windows of 32 ms. */
  readonly minSpeechMs: number;
  readonly minSilenceMs: number;
}

export interface WorkerOptions {
  /** Path of the ONNX file. */
  readonly model: string;
  /** Inherited by the thread: threads share the file descriptors of their process. */
  readonly audioFd: number;
  readonly audioBytes: number;
  readonly thresholds: Thresholds;
  readonly preRollMs: number;
  readonly mostBehind: number;
}

export type ToWorker =
  /** The gate of a call opened at `sample`. */
  | {
      readonly t: 'open';
      readonly call: number;
      readonly opening: number;
      readonly slot: number;
      readonly generation: number;
      readonly sample: number;
    }
  /** It closed: `sample` is one past the last voiced one. */
  | { readonly t: 'close'; readonly call: number; readonly sample: number }
  /** The call is over. */
  | { readonly t: 'forget'; readonly call: number }
  | { readonly t: 'stop' };

export type CallNews =
  | {
      readonly t: 'speech-start' | 'speech-end';
      readonly call: number;
      readonly opening: number;
      readonly sample: number;
      readonly atUs: number;
    }
  /** All audio up to the gate's closing has been looked at. */
  | { readonly t: 'drained'; readonly call: number; readonly opening: number; readonly atUs: number }
  /** Too late for this opening: the gate decides. */
  | { readonly t: 'shed'; readonly call: number; readonly opening: number; readonly atUs: number };

export interface WorkerCounts {
  readonly windows: number;
  readonly runs: number;
}

export type FromWorker =
  | { readonly t: 'ready'; readonly sha256: string }
  | { readonly t: 'refused'; readonly why: string }
  /** Also the sign of life: comes at least every 100 ms while a gate is open. */
  | { readonly t: 'news'; readonly news: readonly CallNews[]; readonly counts: WorkerCounts };
