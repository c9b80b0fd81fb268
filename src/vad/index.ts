/**
 * Voice activity: which of what the talk gate let through is a voice.
 *
 * What it does: while we are silent, or a call's gate is open, one worker process reads that call's audio out of the audio memory in
 * windows of 32 ms and asks Silero about them, many calls in one run. The answers become speech-start and speech-end on the caller's
 * sample clock; the gate's early pauses inside a voice stay early. When the worker is down or lags, the gate's own edges pass
 * through: speech may be reported that is none, it is never lost.
 *
 * Beside it, endpoint/: the slot for an operator's end-of-turn model, asked at a pause, in a process of its own.
 *
 * What it must not know: turns, dialogue, RTP, how the gate decides. It never sees a packet and keeps no audio.
 *
 * Errors: VAD_MODEL, TURN_DETECTOR (start), RangeError for impossible thresholds.
 */
import type { Vad } from '../contracts/index.ts';
import { GateOnly } from './gate-only.ts';
import { Silero, type SileroOptions } from './silero.ts';

export { createEndOfTurnDetector, type EndOfTurnOptions } from './endpoint/detector.ts';
export type { SileroOptions } from './silero.ts';
export { createScriptedVad, type ScriptedSpeech, type ScriptedVad } from './testing/scripted.ts';

export type VadOptions = ({ readonly engine: 'silero' } & SileroOptions) | { readonly engine: 'gate' };

/** Errors: RangeError for impossible thresholds. */
export function createVad(options: VadOptions): Vad {
  return options.engine === 'gate' ? new GateOnly() : new Silero(options);
}
