/** What main process and worker tell each other. `call` is a number of ours; samples are 16 kHz caller samples. */

export interface Thresholds {
  /** Probability at which speech begins, and below which it may end. */
  readonly start: number;
  readonly stop: number;
  /** How long it must last, in ms; counted in windows of 32 ms. */
  readonly minSpeechMs: number;
  readonly minSilenceMs: number;
}

export interface DeskOptions {
  readonly thresholds: Thresholds;
  /** Audio from before the gate's first voiced sample that the model hears first. */
  readonly preRollMs: number;
  /** Windows that the model may lag behind the line before a call is given up, beyond pre-roll and bursts of the network. */
  readonly mostBehind: number;
  /** Calls that may be listened to without waiting for their gate. */
  readonly mostListening: number;
}

export interface WorkerOptions extends DeskOptions {
  /** Path of the ONNX file. */
  readonly model: string;
  readonly audioBytes: number;
}

/** Where the worker finds the audio memory: behind stdin, stdout and stderr. */
export const AUDIO_FD = 3;

interface Place {
  readonly call: number;
  readonly slot: number;
  readonly generation: number;
}

export type Order =
  /** The gate of a call opened at `sample`. */
  | ({ readonly t: 'open'; readonly opening: number; readonly sample: number } & Place)
  /** It closed: `sample` is one past the last voiced one. */
  | { readonly t: 'close'; readonly call: number; readonly sample: number }
  /** The gate hears something that it does not take for a voice yet: look at it. */
  | ({ readonly t: 'near'; readonly sample: number } & Place)
  /** We are silent: every window may be looked at from now on. */
  | ({ readonly t: 'listen' } & Place)
  /** Our own voice plays: only what the gate lets through. */
  | { readonly t: 'rest'; readonly call: number }
  /** The call is over. */
  | { readonly t: 'forget'; readonly call: number };

export type ToWorker =
  | { readonly t: 'start'; readonly options: WorkerOptions }
  /** What happened in one turn of the main loop. */
  | { readonly t: 'orders'; readonly orders: readonly Order[] }
  | { readonly t: 'stop' };

export type CallNews =
  | {
      readonly t: 'speech-start' | 'speech-end';
      readonly call: number;
      readonly opening: number;
      readonly sample: number;
      readonly atUs: number;
    }
  /** All audio up to the gate's closing, and a little more, has been looked at. */
  | { readonly t: 'drained'; readonly call: number; readonly opening: number; readonly atUs: number }
  /** Too late for this opening: the gate decides. */
  | { readonly t: 'shed'; readonly call: number; readonly opening: number; readonly atUs: number };

export interface WorkerCounts {
  readonly windows: number;
  readonly runs: number;
  readonly listening: number;
  readonly cpuMs: number;
}

export type FromWorker =
  | { readonly t: 'ready'; readonly sha256: string; readonly flat: boolean }
  | { readonly t: 'refused'; readonly why: string }
  /** Also the sign of life: comes at least every 100 ms while a window is due. */
  | { readonly t: 'news'; readonly news: readonly CallNews[]; readonly counts: WorkerCounts };
