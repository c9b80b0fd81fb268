/** The engines of the configuration as the program uses them: every engine has a name, absolute paths and a budget; `then` is a plain list. */
import type { z } from 'zod';
import type { ExternalProcessor } from '../contracts/index.ts';
import type { llmSchema, sttSchema, ttsSchema } from './engines.ts';

type SttFile = z.output<typeof sttSchema>;
type TtsFile = z.output<typeof ttsSchema>;
type LlmFile = z.output<typeof llmSchema>;

/** Left-out keys are undefined; `model` of a local engine, `keyFile` and the files of Piper's voices are absolute paths. */
type Chosen<E, Engine> = Omit<E, 'engine' | 'name' | 'language' | 'hedgeMs' | 'then' | 'named' | 'apology' | 'external' | 'timeoutMs'> & {
  readonly engine: Engine;
  /** Names it in events: the engine, with a number when there are several of it. */
  readonly name: string;
  readonly timeoutMs: number;
  readonly external: ExternalProcessor | null;
};
export type SttChoice = Chosen<SttFile, SttFile['engine']>;
export type TtsChoice = Chosen<TtsFile, TtsFile['engine']>;
export type LlmChoice = Chosen<LlmFile, Exclude<LlmFile['engine'], 'none'>>;

export interface EngineChoices {
  readonly stt: { readonly language: string; readonly hedgeMs: number | null; readonly engines: readonly [SttChoice, ...SttChoice[]] };
  readonly tts: {
    readonly apology: string | null;
    readonly hedgeMs: number | null;
    readonly engines: readonly [TtsChoice, ...TtsChoice[]];
  };
  /** `engines` empty: there is no language model. `named`: models that only a flow's choice reaches. */
  readonly llm: { readonly hedgeMs: number | null; readonly engines: readonly LlmChoice[]; readonly named: readonly LlmChoice[] };
}

const BUILTIN_MODEL = 'models/builtin/ggml-phone-test.bin';
/** Engines that are outside have their usual address, so that everything that is connected to stands in the configuration. */
const USUAL_URLS: Readonly<Record<string, (region: string) => string>> = {
  deepgram: () => 'https://api.deepgram.com',
  google: () => 'https://speech.googleapis.com',
  elevenlabs: () => 'https://api.elevenlabs.io',
  polly: (region) => `https://polly.${region}.amazonaws.com`,
};
/** When there is a next engine, and for the last one. */
const TIMEOUTS = { stt: [2500, 15_000], tts: [1500, 5000], llm: [1500, 4000] } as const;

/** `absolute` makes a path absolute. */
export function toEngines(file: { stt: SttFile; tts: TtsFile; llm: LlmFile }, absolute: (path: string) => string): EngineChoices {
  const { stt, tts, llm } = file;
  const maybe = (path: string | undefined): { keyFile?: string } => (path === undefined ? {} : { keyFile: absolute(path) });
  const { language, hedgeMs: sttHedge, then: sttThen, ...sttFirst } = stt;
  const { apology, hedgeMs: ttsHedge, then: ttsThen, ...ttsFirst } = tts;
  const { hedgeMs: llmHedge, then: llmThen, named, ...llmFirst } = llm;
  const stts = [sttFirst, ...sttThen].map((engine) => ({
    ...engine,
    ...maybe(engine.keyFile),
    ...(engine.engine === 'whisper' ? { model: absolute(engine.model ?? BUILTIN_MODEL) } : {}),
  }));
  const ttss = [ttsFirst, ...ttsThen].map((engine) => ({
    ...engine,
    ...maybe(engine.keyFile),
    ...(engine.engine === 'piper' && engine.model !== undefined ? { model: absolute(engine.model) } : {}),
    ...(engine.models === undefined
      ? {}
      : {
          models: Object.fromEntries(
            Object.entries(engine.models).map(([name, voice]) => [name, { ...voice, file: absolute(voice.file) }]),
          ),
        }),
  }));
  const llms = [llmFirst, ...llmThen].flatMap((engine) =>
    engine.engine === 'none' ? [] : [{ ...engine, engine: engine.engine, ...maybe(engine.keyFile) }],
  );
  return {
    stt: { language, hedgeMs: sttHedge ?? null, engines: atLeastOne(finished(stts, TIMEOUTS.stt)) },
    tts: { apology: apology ?? null, hedgeMs: ttsHedge ?? null, engines: atLeastOne(finished(ttss, TIMEOUTS.tts)) },
    llm: {
      hedgeMs: llmHedge ?? null,
      engines: finished(llms, TIMEOUTS.llm),
      // The chain stands behind each of them.
      named: Object.entries(named).flatMap(([name, engine]) =>
        finished([{ ...engine, ...maybe(engine.keyFile), name }], [TIMEOUTS.llm[0], TIMEOUTS.llm[0]]),
      ),
    },
  };
}

function finished<
  E extends {
    engine: string;
    name?: string | undefined;
    url?: string | undefined;
    region?: string | undefined;
    timeoutMs?: number | undefined;
    external?: ExternalProcessor | undefined;
  },
>(
  engines: readonly E[],
  [withNext, last]: readonly [number, number],
): (Omit<E, 'external' | 'timeoutMs' | 'name'> & { name: string; timeoutMs: number; external: ExternalProcessor | null })[] {
  return engines.map((engine, index) => {
    const before = engines.slice(0, index).filter((other) => other.engine === engine.engine).length;
    const url = engine.url ?? USUAL_URLS[engine.engine]?.(engine.region ?? '');
    return {
      ...engine,
      ...(url === undefined ? {} : { url }),
      name: engine.name ?? (before === 0 ? engine.engine : `${engine.engine}-${before + 1}`),
      timeoutMs: engine.timeoutMs ?? (index < engines.length - 1 ? withNext : last),
      external: engine.external ?? null,
    };
  });
}

function atLeastOne<E>(engines: readonly E[]): readonly [E, ...E[]] {
  const [first, ...others] = engines;
  if (first === undefined) throw new RangeError('a list of engines is empty');
  return [first, ...others];
}
