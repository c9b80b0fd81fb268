/**
 * The cross-check: how long a caller waited, from the audio of both directions as the media engine has it, without looking at any clock
 * of the callers or of the turn engine. The two lines are laid beside one another as a stereo recorder does it: by what each had
 * counted at one moment, which is exact to one packet.
 */
import type { MediaEngine, MediaSession } from '../../src/contracts/index.ts';
import { rms, VOICED_RMS } from './voice.ts';

const SAMPLES_PER_MS = 16;
const TEN_MS = 160;
/** Looked at this long after our first sample: enough of it is there. */
const AFTER_MS = 300;
const WINDOW_MS = 6000;
/** A shorter silence of ours is between words. */
const GAP_FRAMES = 15;

export class Stereo {
  /** The media engine for the calls; remembers their sessions. */
  readonly engine: MediaEngine;
  readonly #sessions = new Map<string, MediaSession>();

  constructor(media: MediaEngine) {
    this.engine = {
      audio: media.audio,
      open: (options) => {
        const session = media.open(options);
        this.#sessions.set(options.callId, session);
        return session;
      },
      read: (session, from, to) => media.read(session, from, to),
      readSent: (session, from, to) => media.readSent?.(session, from, to) ?? new Int16Array(),
      stats: () => media.stats(),
      close: () => media.close(),
    };
  }

  underruns(callId: string): number {
    return this.#sessions.get(callId)?.stats().underruns ?? 0;
  }

  /** A reply has begun: soon tells the silence before it; null when the audio does not show one. */
  look(callId: string, tell: (ms: number | null) => void): void {
    setTimeout(() => {
      const session = this.#sessions.get(callId);
      if (session === undefined) return;
      try {
        tell(this.#silence(session));
      } catch {
        tell(null); // the call has ended meanwhile
      }
    }, AFTER_MS);
  }

  #silence(session: MediaSession): number | null {
    const { sample, sentSample } = session.stats();
    const length = Math.min(sample, sentSample, WINDOW_MS * SAMPLES_PER_MS);
    const caller = voicedFrames(this.engine.read(session, sample - length, sample));
    const ours = voicedFrames(this.engine.readSent?.(session, sentSample - length, sentSample) ?? new Int16Array());
    const last = ours.lastIndexOf(true);
    const onset = last < 0 ? -1 : onsetBefore(ours, last);
    const end = onset < 0 ? -1 : caller.lastIndexOf(true, onset);
    // From the end of the last voiced frame to the beginning of the first one.
    return end < 0 ? null : (onset - end - 1) * 10;
  }
}

function voicedFrames(pcm: Int16Array): readonly boolean[] {
  return Array.from({ length: Math.floor(pcm.length / TEN_MS) }, (_, i) => rms(pcm, i * TEN_MS, (i + 1) * TEN_MS) > VOICED_RMS);
}

/** Where the speech began that `last` belongs to; -1 when the window begins with it. */
function onsetBefore(frames: readonly boolean[], last: number): number {
  let onset = last;
  for (let i = last - 1; onset - i <= GAP_FRAMES; i--) {
    if (i < 0) return -1;
    if (frames[i] === true) onset = i;
  }
  return onset;
}
