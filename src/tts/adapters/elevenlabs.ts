/** ElevenLabs, an external processor: off unless the configuration names processor and legal basis. Source: ElevenLabs API reference, text to speech. */
import type { ExternalProcessor, SpeechOptions, TextToSpeech } from '../../contracts/index.ts';
import { CloudTts, type CloudOptions } from './cloud.ts';
import { checkedUrl, named } from '../hosts.ts';
import { readSecret, unusable } from './external.ts';

export interface ElevenLabsOptions extends CloudOptions {
  readonly external: ExternalProcessor;
  /** File that holds the key and nothing else. */
  readonly keyFile: string;
  /** Voice id by language tag. */
  readonly voices: Readonly<Record<string, string>>;
  /** Default eleven_flash_v2_5. */
  readonly model?: string;
  /** Default https://api.elevenlabs.io; their EU address has data residency. */
  readonly url?: string;
  /** Default false: the provider keeps nothing (its zero-retention mode, where the contract has it). */
  readonly keepHistory?: boolean;
}

const RATE_HZ = 16_000;

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
export function createElevenLabs(options: ElevenLabsOptions): TextToSpeech {
  const { keyFile, voices, model = 'eleven_flash_v2_5', keepHistory = false } = options;
  const external = named(options.external, 'ElevenLabs');
  const base = checkedUrl(options.url ?? 'https://api.elevenlabs.io', external);
  let key = '';
  return new CloudTts(
    {
      name: 'elevenlabs',
      description: `ElevenLabs ${model} at ${base.host}`,
      external,
      rateHz: RATE_HZ,
      maxChars: 5000,
      start: async () => {
        key = await readSecret(keyFile);
        if (/[^\x21-\x7e]/.test(key)) throw unusable(keyFile, 'must hold the key and nothing else');
      },
      question: (text, { language, voice, rate }: SpeechOptions) => {
        const [short = ''] = language.split(/[-_]/);
        const id = voice ?? voices[language] ?? voices[short] ?? Object.values(voices)[0] ?? '';
        const url = new URL(`/v1/text-to-speech/${encodeURIComponent(id)}/stream`, base);
        url.searchParams.set('output_format', `pcm_${RATE_HZ}`);
        url.searchParams.set('enable_logging', String(keepHistory));
        // The provider takes 0.7 to 1.2.
        const speed = rate === undefined ? {} : { voice_settings: { speed: Math.min(1.2, Math.max(0.7, rate)) } };
        return {
          url,
          headers: { 'content-type': 'application/json', accept: 'audio/pcm', 'xi-api-key': key },
          body: JSON.stringify({ text, model_id: model, language_code: short, ...speed }),
        };
      },
    },
    options,
  );
}
