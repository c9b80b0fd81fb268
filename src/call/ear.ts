/**
 * The caller's voice as the turn engine hears it: the talk gate's edges through the voice activity detector, where there is one. It
 * tells the detector when our own voice plays, which may come back as an echo. Decides nothing.
 */
import type { GateEvent, MediaEvent, Timers, VadSession } from '../contracts/index.ts';

/** An echo comes back within this time of our last sample: the longest way through a network and its buffers. */
const ECHO_MS = 300;

export class Ear {
  readonly #vad: VadSession | null;
  readonly #timers: Timers;
  readonly #onVoice: (event: GateEvent) => void;
  /** Clips that sound now. */
  readonly #clips = new Set<number>();
  #cancelQuiet: (() => void) | null = null;

  constructor({ vad, timers, onVoice }: { vad: VadSession | null; timers: Timers; onVoice: (event: GateEvent) => void }) {
    this.#vad = vad;
    this.#timers = timers;
    this.#onVoice = onVoice;
    vad?.onEvent(onVoice);
  }

  onMedia(event: MediaEvent): void {
    if (event.t === 'speech-start' || event.t === 'speech-end') {
      if (this.#vad === null) this.#onVoice(event);
      else this.#vad.gate(event);
    } else if (event.t === 'speech-near') {
      this.#vad?.near(event.sample);
    } else if (event.t === 'clip-start') {
      this.#cancelQuiet?.();
      this.#cancelQuiet = null;
      this.#clips.add(event.clip);
      this.#vad?.playing(true);
    } else if (event.t === 'clip-end' && this.#clips.delete(event.clip) && this.#clips.size === 0) {
      this.#cancelQuiet = this.#timers.after(ECHO_MS, () => this.#vad?.playing(false));
    }
  }

  close(): void {
    this.#cancelQuiet?.();
    this.#vad?.close();
  }
}
