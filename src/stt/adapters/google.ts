/**
 * Google Speech-to-Text, an external processor: off unless the configuration names processor and legal basis.
 * REST, `speech:recognize`, at most 60 s of audio. Source: Cloud Speech-to-Text v1 reference.
 */
import type { ExternalProcessor, SpeechToText } from '../../contracts/index.ts';
import { named } from './hosts.ts';
import { field, listField, textField, type Heard, type HeardWord, type Utterance } from './protocol.ts';
import { HttpRecogniser, type RecogniserOptions } from './recogniser.ts';

export interface GoogleSttOptions extends RecogniserOptions {
  readonly external: ExternalProcessor;
  /** File that holds an API key and nothing else. */
  readonly keyFile: string;
  /** Default latest_short. */
  readonly model?: string;
  /** Default https://speech.googleapis.com; https://eu-speech.googleapis.com keeps the audio in the EU. */
  readonly url?: string;
}

const MOST_MS = 59_000;

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
export function createGoogleStt(options: GoogleSttOptions): SpeechToText {
  const { keyFile, model = 'latest_short', url = 'https://speech.googleapis.com' } = options;
  const protocol = {
    name: 'google-stt',
    description: `Google Speech-to-Text ${model}`,
    url,
    external: named(options.external, 'Google'),
    keyFile,
    question: ({ pcm, language }: Utterance, key: string) => {
      const config = {
        encoding: 'LINEAR16',
        sampleRateHertz: 16_000,
        languageCode: language,
        model,
        enableWordTimeOffsets: true,
        enableAutomaticPunctuation: true,
      };
      const audio = { content: Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString('base64') };
      return {
        method: 'POST' as const,
        path: '/v1/speech:recognize',
        headers: { 'content-type': 'application/json', 'x-goog-api-key': key },
        body: Buffer.from(JSON.stringify({ config, audio })),
      };
    },
    answer: heardFromGoogle,
    probe: null,
  };
  return new HttpRecogniser(protocol, { ...options, mostMs: Math.min(MOST_MS, options.mostMs ?? MOST_MS) });
}

/** No results: nobody spoke. */
function heardFromGoogle(json: unknown): Heard {
  if (field(json, 'error') !== undefined) throw new Error('its answer is an error');
  const alternatives = listField(json, 'results').map((result) => listField(result, 'alternatives')[0]);
  const texts = alternatives.map((alternative) => textField(alternative, 'transcript'));
  const sure = alternatives.map((alternative) => field(alternative, 'confidence')).filter((value) => typeof value === 'number');
  const words = alternatives.flatMap((alternative) => listField(alternative, 'words').map(wordOf));
  return {
    text: texts.join(' '),
    confidence: sure.length === 0 ? null : Math.min(...sure),
    words: words.length === 0 ? null : words,
  };
}

function wordOf(word: unknown): HeardWord {
  return { text: textField(word, 'word'), fromMs: durationMs(word, 'startTime'), toMs: durationMs(word, 'endTime') };
}

/** Protocol buffers' Duration in JSON: "1.300s"; left out when it is zero. */
function durationMs(word: unknown, name: string): number {
  if (field(word, name) === undefined) return 0;
  const match = /^(\d+(?:\.\d+)?)s$/.exec(textField(word, name));
  if (match === null) throw new Error(`its answer has a ${name} that is no duration`);
  return 1000 * Number(match[1]);
}
