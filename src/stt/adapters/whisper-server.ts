/** whisper.cpp's own server (`whisper-server -m MODEL --host 127.0.0.1`), for sites that run it already. Source: whisper.cpp examples/server. */
import type { ExternalProcessor, SpeechToText } from '../../contracts/index.ts';
import { checkedProcessor } from './hosts.ts';
import { formOf } from './multipart.ts';
import { HttpRecogniser, type RecogniserOptions } from './recogniser.ts';
import { heardFromWhisperCpp } from './verbose.ts';
import { wavOf } from './wav.ts';

export interface WhisperServerOptions extends RecogniserOptions {
  /** Default http://127.0.0.1:8080. The server has no password: keep it on this machine. */
  readonly url?: string;
  /** For a server outside private networks. */
  readonly external?: ExternalProcessor;
}

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. The server decodes one request at a time, so one lane is the default. */
export function createWhisperServer(options: WhisperServerOptions): SpeechToText {
  const protocol = {
    name: 'whisper-server',
    description: 'whisper-server',
    url: options.url ?? 'http://127.0.0.1:8080',
    external: checkedProcessor(options.external),
    question: ({ pcm, language, prompt }: { pcm: Int16Array; language: string; prompt: string | null }) => {
      const { contentType, body } = formOf(wavOf(pcm), [
        ['response_format', 'verbose_json'],
        ['temperature', '0'],
        ['language', language.split(/[-_]/)[0]?.toLowerCase() ?? 'auto'],
        ...(prompt === null ? [] : [['prompt', prompt] as const]),
      ]);
      return { method: 'POST' as const, path: '/inference', headers: { 'content-type': contentType }, body };
    },
    answer: heardFromWhisperCpp,
    probe: {
      question: () => ({ method: 'GET' as const, path: '/health', headers: {}, body: null }),
      // Older servers have no such page; one that still loads says 503.
      check: ({ status }: { status: number }) => (status === 503 ? 'is still loading its model' : null),
    },
  };
  return new HttpRecogniser(protocol, { lanes: 1, ...options });
}
