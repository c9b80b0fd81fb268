/** Recognisers, voices and language models: from the configuration to engines in chains. Nothing is started here. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, type LlmChoice, placeOf, readSecret, type SttChoice, type TtsChoice } from '../config/index.ts';
import {
  type EngineKind,
  type LanguageModel,
  type Logger,
  ParleyError,
  ProblemsError,
  type SpeechToText,
  type TextToSpeech,
} from '../contracts/index.ts';
import { OllamaModel, OpenAiModel } from '../dialogue/index.ts';
import { type AnswerRecord, ResilientModel, ResilientStt, ResilientTts } from '../engines/index.ts';
import { systemClock as clock, systemTimers as timers } from '../observability/index.ts';
import {
  createDeepgram,
  createDeepgramStream,
  createGoogleStt,
  createOpenAiStt,
  createWhisper,
  createWhisperServer,
} from '../stt/index.ts';
import { createElevenLabs, createEspeak, createPiper, createPiperHttp, createPolly } from '../tts/index.ts';
import { PROJECT_ROOT } from './host.ts';

const RECOGNISER = join(PROJECT_ROOT, '.runtime/whisper/parley-whisper');

/** What the rest of the program hears from the engines. */
export interface EngineEvents {
  /** An engine of a chain has died, is left alone for a while, or is back. */
  readonly onEngine?: (kind: EngineKind, engine: string, state: 'up' | 'down') => void;
  /** A language model has answered, or nobody has. */
  readonly onAnswer?: (record: AnswerRecord) => void;
}

/** Leaves out what is undefined: optional keys of the parts are absent or have a value. */
type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}

/** An error of an engine's options, told with the place in the configuration. */
function placed<T>(config: Config, at: readonly (string | number)[], make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    const key = at.join('.');
    throw new ProblemsError([{ code: 'CONFIG_INVALID', place: { file: config.file, key }, message: error.message }]);
  }
}

const hedge = (ms: number | null): { hedgeAfterMs?: number } => (ms === null ? {} : { hedgeAfterMs: ms });
const limit = (perMinute: number | undefined): { rate?: { perMinute: number; burst: number } } =>
  perMinute === undefined ? {} : { rate: { perMinute, burst: Math.max(1, Math.round(perMinute / 10)) } };

/** Errors: STT_MODEL (program not built), ProblemsError (CONFIG_INVALID). */
export function createStt(config: Config, logger: Logger, events: EngineEvents = {}): ResilientStt {
  const [first, ...others] = config.stt.engines.map((choice, index) => {
    const { name, timeoutMs, perMinute, price } = choice;
    const stt = placed(config, placeOf('stt', index), () => sttOf(choice, logger));
    return { stt, name, timeoutMs, ...limit(perMinute), ...given({ price: price && priced(price) }) };
  });
  if (first === undefined) throw new RangeError('no recogniser');
  const onEngine = (engine: string, state: 'up' | 'down'): void => events.onEngine?.('stt', engine, state);
  return new ResilientStt([first, ...others], { clock, timers, onEngine, ...hedge(config.stt.hedgeMs) });
}

function priced<P extends { currency: string }>(price: P): Given<P> & { currency: string } {
  return { ...given(price), currency: price.currency };
}

function sttOf(choice: SttChoice, logger: Logger): SpeechToText {
  const { engine, model, url, keyFile, lanes, timeoutMs, external, streaming } = choice;
  const shared = { ...given({ lanes }), decodeTimeoutMs: timeoutMs, logger };
  const site = external === null ? {} : { external };
  switch (engine) {
    case 'whisper': {
      if (!existsSync(RECOGNISER))
        throw new ParleyError('STT_MODEL', `the recogniser program ${RECOGNISER} is not built: run npm run setup`);
      const { threads, gpu, hangMs, resendWithinMs } = choice;
      return createWhisper({ program: RECOGNISER, model: model ?? '', ...shared, ...given({ threads, gpu, hangMs, resendWithinMs }) });
    }
    case 'whisper-server':
      return createWhisperServer({ ...shared, ...given({ url }), ...site });
    case 'openai':
      return createOpenAiStt({ url: url ?? '', model: model ?? '', ...shared, ...given({ keyFile }), ...site });
    case 'deepgram': {
      const create = streaming === false ? createDeepgram : createDeepgramStream;
      return create({ keyFile: keyFile ?? '', external: external ?? NOBODY, ...shared, ...given({ model, url }) });
    }
    case 'google':
      return createGoogleStt({ keyFile: keyFile ?? '', external: external ?? NOBODY, ...shared, ...given({ model, url }) });
  }
}

/** Refused by every engine that is outside: the configuration has refused it before. */
const NOBODY = { processor: '', legalBasis: '' };

/** Errors: ProblemsError (CONFIG_INVALID). */
export function createTts(config: Config, logger: Logger, events: EngineEvents = {}): ResilientTts {
  const { language } = config.stt;
  const [first, ...others] = config.tts.engines.map((choice, index) => {
    const { name, timeoutMs, perMinute, price, thrifty, rate: speed } = choice;
    const tts = placed(config, placeOf('tts', index), () => ttsOf(choice, language, logger));
    return { tts, name, timeoutMs, ...limit(perMinute), ...given({ price: price && priced(price), thrifty, speed }) };
  });
  if (first === undefined) throw new RangeError('no synthesiser');
  const onEngine = (engine: string, state: 'up' | 'down'): void => events.onEngine?.('tts', engine, state);
  return new ResilientTts([first, ...others], { clock, timers, onEngine, ...hedge(config.tts.hedgeMs) });
}

function ttsOf(choice: TtsChoice, language: string, logger: Logger): TextToSpeech {
  const { engine, model, models, voice, voices = {}, rateWpm, url, keyFile = '', region = '', lanes, timeoutMs, external } = choice;
  const site = external === null ? {} : { external };
  switch (engine) {
    case 'espeak': {
      const named = voice === undefined ? voices : { ...voices, [language]: voice };
      return createEspeak({ voices: named, language, timeoutMs, logger, ...given({ rateWpm }) });
    }
    case 'piper': {
      const one = { [language]: { model: model ?? '', languages: [language] } };
      const several = Object.entries(models ?? {}).map(([name, { file, languages, speaker, rate }]) => [
        name,
        { model: file, languages, ...given({ speaker, rate }) },
      ]);
      return createPiper({ voices: models === undefined ? one : (Object.fromEntries(several) as typeof one), logger });
    }
    case 'piper-http':
      return createPiperHttp({ voices, timeoutMs, ...given({ url }), ...site });
    case 'elevenlabs':
      return createElevenLabs({ keyFile, voices, external: external ?? NOBODY, timeoutMs, ...given({ model, url, lanes }) });
    case 'polly': {
      const kind = model === 'standard' ? { engine: 'standard' as const } : {};
      return createPolly({
        credentialsFile: keyFile,
        voices,
        region,
        external: external ?? NOBODY,
        timeoutMs,
        ...kind,
        ...given({ url, lanes }),
      });
    }
  }
}

/** Null when no language model is configured. Errors: ProblemsError (CONFIG_INVALID), CONFIG_INVALID for a key file. */
export async function createLlm(config: Config, logger: Logger, events: EngineEvents = {}): Promise<ResilientModel | null> {
  const chain = config.llm.engines.map((choice, index) => ({ choice, at: placeOf('llm', index), byName: false }));
  const named = config.llm.named.map((choice) => ({ choice, at: ['llm', 'named', choice.name], byName: true }));
  const links = await Promise.all(
    [...chain, ...named].map(async ({ choice, at, byName }) => {
      const { lanes, perMinute, price, thrifty, keyFile } = choice;
      const apiKey = keyFile === undefined ? undefined : await readSecret(keyFile);
      const model = placed(config, at, () => llmOf(choice, apiKey, logger));
      const bulkhead = lanes === undefined ? {} : { bulkhead: { places: lanes, queue: 64, waitMs: 1000 } };
      return {
        model,
        byName,
        ...bulkhead,
        ...limit(perMinute),
        ...given({ thrifty }),
        ...(price === undefined
          ? {}
          : { price: { ...priced(price), promptPerMillion: price.promptPerMillion, completionPerMillion: price.completionPerMillion } }),
      };
    }),
  );
  const [first, ...others] = links;
  if (first === undefined) return null;
  return new ResilientModel([first, ...others], {
    name: 'llm',
    clock,
    timers,
    onState: (engine, state) => events.onEngine?.('llm', engine, state),
    onAnswer: (record) => events.onAnswer?.(record),
    ...hedge(config.llm.hedgeMs),
  });
}

const LLM_TOTAL_MS = 20_000;

function llmOf(choice: LlmChoice, apiKey: string | undefined, logger: Logger): LanguageModel {
  const { engine, name, model = '', url, timeoutMs, totalMs = LLM_TOTAL_MS, slots, contextTokens, dialect = 'openai', external } = choice;
  const budget = { firstMs: timeoutMs, gapMs: timeoutMs, totalMs: Math.max(totalMs, timeoutMs) };
  const shared = { name, model, budget, timers, logger, ...(external === null ? {} : { external }) };
  if (engine === 'ollama') {
    return new OllamaModel({ ...shared, baseUrl: url ?? 'http://127.0.0.1:11434', ...given({ parallel: slots, contextTokens }) });
  }
  return new OpenAiModel({ ...shared, baseUrl: url ?? '', dialect, ...given({ slots, apiKey }) });
}
