/** Amazon Polly, an external processor: off unless the configuration names processor and legal basis. Source: Polly API, SynthesizeSpeech. */
import type { ExternalProcessor, SpeechOptions, TextToSpeech } from '../../contracts/index.ts';
import { CloudTts, type CloudOptions } from './cloud.ts';
import { checkedUrl, named } from '../hosts.ts';
import { readSecret, unusable } from './external.ts';
import { authorization, type Credentials } from './sigv4.ts';

export interface PollyOptions extends CloudOptions {
  readonly external: ExternalProcessor;
  /** As AWS writes it: lines `aws_access_key_id = ...` and `aws_secret_access_key = ...`. */
  readonly credentialsFile: string;
  readonly region: string;
  /** Voice by language tag: { en: 'Amy', de: 'Vicki' }. */
  readonly voices: Readonly<Record<string, string>>;
  /** Default neural. */
  readonly engine?: 'standard' | 'neural';
  /** Default the region's own. */
  readonly url?: string;
  /** UTC milliseconds, for the signature; default the machine's clock. */
  readonly now?: () => number;
}

const RATE_HZ = 16_000;

/** Errors: CONFIG_INVALID, ENGINE_EXTERNAL. */
export function createPolly(options: PollyOptions): TextToSpeech {
  const { credentialsFile, region, voices, engine = 'neural', now = Date.now } = options;
  const external = named(options.external, 'Amazon Polly');
  const base = checkedUrl(options.url ?? `https://polly.${region}.amazonaws.com`, external);
  let credentials: Credentials = { accessKeyId: '', secretAccessKey: '' };
  return new CloudTts(
    {
      name: 'polly',
      description: `Amazon Polly ${engine} at ${base.host}`,
      external,
      rateHz: RATE_HZ,
      maxChars: 2900,
      start: async () => {
        credentials = credentialsOf(await readSecret(credentialsFile), credentialsFile);
      },
      question: (text, speech) => {
        const url = new URL('/v1/speech', base);
        const body = JSON.stringify(bodyOf(text, speech, voices, engine));
        const date = `${new Date(now()).toISOString().replace(/[-:]/g, '').slice(0, 15)}Z`;
        const headers = { 'content-type': 'application/json', host: url.host, 'x-amz-date': date };
        const signature = authorization(
          { method: 'POST', path: url.pathname, headers, body },
          { region, service: 'polly', date },
          credentials,
        );
        const sent = { 'content-type': headers['content-type'], 'x-amz-date': date, authorization: signature };
        return { url, headers: sent, body };
      },
    },
    options,
  );
}

function bodyOf(text: string, { language, voice, rate }: SpeechOptions, voices: PollyOptions['voices'], engine: string): object {
  const [short = ''] = language.split(/[-_]/);
  // A rate needs markup, so the text is escaped for it; without a rate it stays plain text.
  const spoken =
    rate === undefined
      ? { Text: text, TextType: 'text' }
      : { Text: `<speak><prosody rate="${Math.round(100 * rate)}%">${escaped(text)}</prosody></speak>`, TextType: 'ssml' };
  return {
    ...spoken,
    Engine: engine,
    OutputFormat: 'pcm',
    SampleRate: String(RATE_HZ),
    VoiceId: voice ?? voices[language] ?? voices[short] ?? Object.values(voices)[0] ?? '',
  };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? '');

function credentialsOf(text: string, file: string): Credentials {
  const value = (name: string): string => new RegExp(`^\\s*${name}\\s*=\\s*(\\S+)\\s*$`, 'm').exec(text)?.[1] ?? '';
  const [accessKeyId, secretAccessKey] = [value('aws_access_key_id'), value('aws_secret_access_key')];
  if (!/^\w{4,128}$/.test(accessKeyId) || secretAccessKey === '')
    throw unusable(file, 'must have the lines aws_access_key_id and aws_secret_access_key');
  return { accessKeyId, secretAccessKey };
}
