/** Recognisers and voices: from the configuration to the engines. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import { type Logger, ParleyError, type TextToSpeech } from '../contracts/index.ts';
import { createEspeak, createPiper } from '../tts/index.ts';
import { PROJECT_ROOT } from './host.ts';

const RECOGNISER = join(PROJECT_ROOT, '.runtime/whisper/parley-whisper');

export function sttOptions(config: Config): { program: string; model: string; threads?: number; lanes?: number } {
  if (!existsSync(RECOGNISER)) throw new ParleyError('STT_MODEL', `the recogniser program ${RECOGNISER} is not built: run npm run setup`);
  const { model, threads, lanes } = config.stt;
  return { program: RECOGNISER, model, ...(threads === null ? {} : { threads }), ...(lanes === null ? {} : { lanes }) };
}

/**
 * espeak-ng: one waiting process for each text ('spawn'), not one for all. Its vibrato runs on from text to text, so that in one
 * process the same words never sound the same twice, and nobody could check later what was said (docs/adr/0001).
 */
export function createTts(config: Config, logger: Logger): TextToSpeech {
  const { engine, model, voice, rateWpm } = config.tts;
  const { language } = config.stt;
  if (engine === 'piper' && model !== null) return createPiper({ voices: { [language]: { model, languages: [language] } }, logger });
  return createEspeak({ voices: { [language]: voice }, language, rateWpm, mode: 'spawn', logger });
}
