/** Between the gateway and the process of the end-of-turn model. */

export interface StartMessage {
  readonly t: 'start';
  readonly model: string;
  readonly windowMs: number;
  readonly audioFd: number;
  readonly audioBytes: number;
}

export type ToModel =
  | StartMessage
  /** The caller paused: the audio that ends before `toSample` (16 kHz). The newest question of a call replaces an older one. */
  | { readonly t: 'ask'; readonly id: number; readonly slot: number; readonly generation: number; readonly toSample: number }
  | { readonly t: 'forget'; readonly id: number }
  | { readonly t: 'stop' };

export type FromModel =
  | { readonly t: 'ready'; readonly sha256: string; readonly shape: string }
  | { readonly t: 'refused'; readonly why: string }
  | { readonly t: 'answer'; readonly id: number; readonly probability: number }
  /** Replaced, the audio was gone, or the model failed. */
  | { readonly t: 'none'; readonly id: number; readonly why: string };
