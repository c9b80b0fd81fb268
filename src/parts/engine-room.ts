/** All engines of a service, and the account that they give to its calls. Nothing is started here. */
import type { CallRunner, Fillers } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { Dialogue, LanguageModel, Logger, OutsideEngine, SpeechToText } from '../contracts/index.ts';
import { ThriftyModel } from '../engines/index.ts';
import { createPhraseCache, type PhraseCache } from '../tts/index.ts';
import { apologies } from './capacity.ts';
import { createLlm, createStt, createTts, type EngineEvents } from './engines.ts';

const PHRASES = 2000;

export interface EngineRoom {
  readonly stt: SpeechToText;
  readonly tts: PhraseCache;
  /** Null when none is configured. Saves where the governor says so. */
  readonly llm: LanguageModel | null;
  /** Those beyond the operator's machines: every call names them before it begins. */
  readonly outside: readonly OutsideEngine[];
  /** From here on the runner hears what engines do, and says what they save on. What happened before is in the operational log only. */
  follow(runner: CallRunner): void;
  /** Renders ahead what flows always say, and what is said when nothing else can be said. */
  prerender(
    dialogues: Iterable<Pick<Dialogue<unknown>, 'fixedTexts' | 'otherTexts' | 'language'>>,
    fillers: Readonly<Record<string, Fillers>>,
  ): Promise<void>;
}

/** Errors: STT_MODEL, ProblemsError (CONFIG_INVALID), CONFIG_INVALID for a key file. */
export async function createEngines(config: Config, logger: Logger): Promise<EngineRoom> {
  let runner: CallRunner | null = null;
  const events: EngineEvents = {
    onEngine: (kind, name, state) => {
      logger.warn('an engine of a chain has changed', { kind, name, state });
      runner?.engineState(kind, name, state);
    },
    onAnswer: ({ callKey, outcome, firstMs, use }) => runner?.answered({ callKey, outcome, firstMs, use }),
  };
  const saves = (saving: 'smaller-model' | 'shorter-replies'): boolean => runner?.capacity.saves(saving) ?? false;
  const model = await createLlm(config, logger, events);
  const now = () => ({ smallerModel: saves('smaller-model'), shorterReplies: saves('shorter-replies') });
  const tts = createPhraseCache(createTts(config, logger, events), { maxEntries: PHRASES });
  const sorry = apologies(config);
  return {
    stt: createStt(config, logger, events),
    tts,
    llm: model === null ? null : new ThriftyModel(model, { now, shortReplyTokens: config.capacity.shortReplyTokens }),
    outside: outside(config),
    follow: (given) => {
      runner = given;
    },
    prerender: async (dialogues, fillers) => {
      const flows = [...dialogues];
      const first = flows.map(({ language, fixedTexts }): [string, readonly string[]] => [language, fixedTexts]);
      // What most callers hear comes first.
      for (const [language, texts] of [...first, ...flows.flatMap(({ otherTexts = {} }) => Object.entries(otherTexts))]) {
        const last = sorry[language];
        const { opener = [], wait = [] } = fillers[language] ?? {};
        await tts.prerender([...(last === undefined ? [] : [last]), ...texts, ...opener, ...wait], language);
      }
    },
  };
}

function outside(config: Config): readonly OutsideEngine[] {
  const named = { stt: [], llm: config.llm.named, tts: [] };
  return (['stt', 'llm', 'tts'] as const).flatMap((kind) =>
    [...config[kind].engines, ...named[kind]].flatMap(({ name, external }) =>
      external === null ? [] : [{ kind, engine: name, external }],
    ),
  );
}
