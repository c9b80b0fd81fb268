/** Any server with OpenAI's POST /v1/audio/transcriptions: speaches, vLLM, LocalAI, whisper.cpp behind a proxy. Source: OpenAI API reference. */
import type { ExternalProcessor, SpeechToText } from '../../contracts/index.ts';
import type { Answer } from './client.ts';
import { checkedProcessor } from './hosts.ts';
import { formOf } from './multipart.ts';
import { field, listField, type Utterance } from './protocol.ts';
import { HttpRecogniser, type RecogniserOptions } from './recogniser.ts';
import { heardFromOpenAi } from './verbose.ts';
import { wavOf } from './wav.ts';

export interface OpenAiSttOptions extends RecogniserOptions {
  /** Up to and without /v1, as in http://127.0.0.1:8000. */
  readonly url: string;
  readonly model: string;
  /** File that holds the key and nothing else. */
  readonly keyFile?: string;
  /** Default verbose_json: words with times and a confidence. json for models that know no other: times are then even and confidence unknown. */
  readonly format?: 'verbose_json' | 'json';
  /** For a server outside private networks. */
  readonly external?: ExternalProcessor;
}

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
export function createOpenAiStt(options: OpenAiSttOptions): SpeechToText {
  const { url, model, keyFile, format = 'verbose_json' } = options;
  const authorization = (key: string): Record<string, string> => (key === '' ? {} : { authorization: `Bearer ${key}` });
  const protocol = {
    name: 'openai-stt',
    description: `${model} by the OpenAI protocol`,
    url,
    external: checkedProcessor(options.external),
    ...(keyFile === undefined ? {} : { keyFile }),
    question: ({ pcm, language, prompt }: Utterance, key: string) => {
      const { contentType, body } = formOf(wavOf(pcm), [
        ['model', model],
        ['response_format', format],
        ['temperature', '0'],
        ['language', language.split(/[-_]/)[0]?.toLowerCase() ?? ''],
        ...(format === 'json' ? [] : [['timestamp_granularities[]', 'word'] as const, ['timestamp_granularities[]', 'segment'] as const]),
        ...(prompt === null ? [] : [['prompt', prompt] as const]),
      ]);
      return {
        method: 'POST' as const,
        path: '/v1/audio/transcriptions',
        headers: { 'content-type': contentType, ...authorization(key) },
        body,
      };
    },
    answer: heardFromOpenAi,
    probe: {
      question: (key: string) => ({ method: 'GET' as const, path: '/v1/models', headers: authorization(key), body: null }),
      check: (answer: Answer) => missing(answer, model),
    },
  };
  return new HttpRecogniser(protocol, options);
}

/** Only a list that is there and lacks the model is a reason: many servers have no such page. */
function missing({ status, json }: Answer, model: string): string | null {
  if (status !== 200 || !Array.isArray(field(json, 'data'))) return null;
  const models = listField(json, 'data').map((entry) => field(entry, 'id'));
  return models.length === 0 || models.includes(model) ? null : `does not have the model ${model}`;
}
