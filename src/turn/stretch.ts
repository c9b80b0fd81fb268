/** Stretches of the caller's speech as values. */
import { type Stretch, voicedMsOf } from './state.ts';

export function newStretch(fromSample: number, atMs: number, voicing: boolean): Stretch {
  return {
    fromSample,
    toSample: fromSample,
    voicing,
    voiceMs: atMs,
    voicedMs: 0,
    endMs: atMs,
    pause: null,
    decode: null,
    askedMs: 0,
    heard: null,
    cut: false,
    remainder: false,
    stoppedUs: false,
  };
}

/** The caller goes on after a pause: the same stretch, to be decoded anew from its first sample. */
export function resumed(stretch: Stretch, sample: number, atMs: number): Stretch {
  const pause = { toSample: stretch.toSample, resumeSample: Math.max(sample, stretch.toSample) };
  const voicedMs = voicedMsOf(stretch, stretch.endMs);
  const fresh = { decode: null, heard: null, remainder: false, cut: false };
  return { ...stretch, ...fresh, voicing: true, voiceMs: atMs, voicedMs, pause };
}
