/** The caller's voice: in which format it comes, and what tells it from noise. Nothing is started here. */
import type { Config } from '../config/index.ts';
import type { Codec, Logger, Vad } from '../contracts/index.ts';
import { createVad } from '../vad/index.ts';

/** Asterisk sends 16 kHz samples but drops them when they come from us; what it takes from us in wideband is G.722. */
export function mediaFormats({ media }: Config): { readonly receive: Codec; readonly send: Codec } {
  return { receive: media.codec, send: media.codec === 'slin16' ? 'g722' : media.codec };
}

export function createVoiceDetector({ vad }: Config, logger: Logger): Vad {
  const { engine, ...options } = vad;
  return createVad(engine === 'gate' ? { engine } : { engine, ...options, logger });
}

/** For the health answer. `vadCallsPerCore`: as measured so far; 0 until there is enough to tell. */
export function voiceHealth(vad: Vad): Readonly<Record<string, string | number | boolean>> {
  const { shed, unheard, discarded, restarts, cpuMs, callMs } = vad.stats();
  const model = vad.name !== 'gate';
  const gateDecided = model ? { vadShed: shed, vadUnheard: unheard, vadDiscarded: discarded, vadRestarts: restarts } : {};
  const vadCallsPerCore = cpuMs < 1000 ? 0 : Math.round(callMs / cpuMs);
  return { vad: vad.name, ...(model ? { vadUp: vad.state === 'up', ...gateDecided, vadCallsPerCore } : {}) };
}
