/**
 * Deepgram, an external processor: off unless the configuration names processor and legal basis. Its endpoint for whole recordings
 * (POST /v1/listen) is used, one request per decode. Source: Deepgram API reference.
 */
import type { ExternalProcessor, SpeechToText } from '../../contracts/index.ts';
import { named } from './hosts.ts';
import { field, listField, numberField, textField, type Heard, type Utterance } from './protocol.ts';
import { HttpRecogniser, type RecogniserOptions } from './recogniser.ts';
import { wavOf } from './wav.ts';

export interface DeepgramOptions extends RecogniserOptions {
  readonly external: ExternalProcessor;
  readonly keyFile: string;
  /** Default nova-3. */
  readonly model?: string;
  /** Default https://api.deepgram.com; their EU address or a self-hosted one. */
  readonly url?: string;
}

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
export function createDeepgram(options: DeepgramOptions): SpeechToText {
  const { keyFile, model = 'nova-3', url = 'https://api.deepgram.com' } = options;
  const protocol = {
    name: 'deepgram',
    description: `Deepgram ${model}`,
    url,
    external: named(options.external, 'Deepgram'),
    keyFile,
    question: ({ pcm, language }: Utterance, key: string) => {
      // mip_opt_out: what callers say trains nobody's model.
      const query = new URLSearchParams({ model, language, punctuate: 'true', mip_opt_out: 'true' });
      return {
        method: 'POST' as const,
        path: `/v1/listen?${query.toString()}`,
        headers: { 'content-type': 'audio/wav', authorization: `Token ${key}` },
        body: wavOf(pcm),
      };
    },
    answer: heardFromDeepgram,
    probe: null,
  };
  return new HttpRecogniser(protocol, options);
}

function heardFromDeepgram(json: unknown): Heard {
  const results = field(json, 'results');
  if (results === undefined) throw new Error('its answer has no results');
  const alternative = listField(listField(results, 'channels')[0], 'alternatives')[0];
  const words = listField(alternative, 'words').map((word) => ({
    text: typeof field(word, 'punctuated_word') === 'string' ? textField(word, 'punctuated_word') : textField(word, 'word'),
    fromMs: 1000 * numberField(word, 'start'),
    toMs: 1000 * numberField(word, 'end'),
  }));
  return { text: textField(alternative, 'transcript'), confidence: numberField(alternative, 'confidence'), words };
}
