/**
 * The engines of the configuration: recognisers, synthesisers, language models. Each kind is one engine and, under `then`, those that are asked
 * when it cannot. Which keys belong to which engine is a table; a key at the wrong engine is an error, not a key without effect.
 */
import { z } from 'zod';
import { checkEngineUrl, ParleyError, type EngineWording } from '../contracts/index.ts';

const path = z.string().trim().min(1, 'expected a path');
const text = z.string().trim().min(1, 'expected text').max(200, 'expected at most 200 characters');
const number = (min: number, max: number, what = 'a number') => {
  const expected = `expected ${what}, ${min} to ${max}`;
  return z.number(expected).min(min, expected).max(max, expected);
};
const whole = (min: number, max: number, what = 'a whole number') => number(min, max, what).int(`expected ${what}, ${min} to ${max}`);
const ms = (min: number, max: number) => whole(min, max, 'milliseconds');
const tag = z.string().regex(/^[a-z]{2}(-[A-Za-z]{2})?$/, 'expected a language, as in "en" or "en-GB"');
const url = z
  .string()
  .refine((value) => !/^[a-z]+:\/\/[^/]*@/i.test(value), 'has a user or a password in it, expected the key in keyFile')
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), 'expected a URL, as in "http://127.0.0.1:8080"');

const external = z
  .strictObject({
    processor: text.describe('Who gets the data, as the record of processing names it.'),
    legalBasis: text.describe('Why that is lawful, as the record of processing says it.'),
  })
  .optional()
  .describe(
    'For an engine outside the own machines and private networks: without both keys it is refused. Logged in every call it touches.',
  );
const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'expected a currency, as in "EUR"')
  .describe('Currency of the prices, as in EUR.');
const price = number(0, 1_000_000, 'a price');
const speechPrice = z
  .strictObject({
    currency,
    perAudioMinute: price.optional().describe('For a minute of audio.'),
    perMillionCharacters: price.optional().describe('For a million characters; synthesisers only.'),
    perHour: price.optional().describe('For an hour of work, as of a rented GPU.'),
  })
  .optional()
  .describe('What the engine costs, for the events of each turn.');
const shared = {
  timeoutMs: ms(50, 120_000)
    .optional()
    .describe(
      'Budget until its answer (recogniser), first audio or first token; then the next engine is asked. Left out: 2500, 1500, 1500 when there is a next one, else 15000, 5000, 4000.',
    ),
  lanes: whole(1, 256)
    .optional()
    .describe('Requests at once; more wait for at most a second. Whisper: decodes at once, as many as cores when left out.'),
  perMinute: whole(1, 100_000).optional().describe('Most requests in a minute, where a provider allows only so many.'),
  external,
};
const keyFile = path.optional().describe('File with the key of the engine and nothing else, mode 0600.');

const sttKeys = {
  model: text
    .optional()
    .describe('whisper: a ggml file; the built-in test fixture, which knows about 100 words, when left out. Others: name of the model.'),
  url: url.optional().describe('Address of the server; the usual one when left out.'),
  keyFile,
  ...shared,
  threads: whole(1, 256).optional().describe('CPU threads of whisper; all cores when left out.'),
  gpu: z
    .boolean('expected true or false')
    .optional()
    .describe('whisper: use a GPU when it was built for one (native/whisper/README.md); true when left out.'),
  hangMs: ms(500, 120_000).optional().describe('whisper: without progress for so long it is started again; 5000 when left out.'),
  resendWithinMs: ms(0, 30_000)
    .optional()
    .describe('whisper: after a crash the utterance is asked again if it is back by then; 3000 when left out.'),
  streaming: z
    .boolean('expected true or false')
    .optional()
    .describe('deepgram: audio is sent over a WebSocket while the caller speaks; false asks once per utterance. true when left out.'),
  price: speechPrice,
};
const STT = ['whisper', 'whisper-server', 'openai', 'deepgram', 'google'] as const;
const sttEngine = z.enum(STT, { error: `expected one of ${STT.join(', ')}` });

const ttsKeys = {
  model: path
    .optional()
    .describe('piper: one voice, NAME.onnx with NAME.onnx.json beside it. elevenlabs: name of the model. polly: standard or neural.'),
  models: z
    .record(
      z.string().regex(/^[A-Za-z0-9_-]{1,60}$/, 'expected a name of letters, digits, hyphens and underlines'),
      z.strictObject({
        file: path.describe('piper: a voice, NAME.onnx with NAME.onnx.json beside it.'),
        languages: z.array(tag, 'expected a list of languages').min(1, 'expected a language').describe('Languages that it speaks.'),
        speaker: z
          .union([text, whole(0, 10_000)])
          .optional()
          .describe('Name or number of the speaker, for voices with several.'),
        rate: number(0.25, 4, 'a speaking rate').optional().describe("Speaking rate of this voice; 1 is the voice's own."),
      }),
    )
    .optional()
    .describe('piper: several voices, each with its languages.'),
  voices: z
    .record(tag, text)
    .optional()
    .describe('Voice by language: of espeak-ng as it lists them, of the Piper server, id at ElevenLabs, name at Polly.'),
  rate: number(0.25, 4, 'a speaking rate').optional().describe("Speaking rate: 1 is the voice's own, 1.2 is faster by a fifth."),
  voice: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_+-]{0,39}$/, 'expected the name of a voice')
    .optional()
    .describe('espeak: voice for the language of stt.language, as espeak-ng --voices lists them; en-us for English when left out.'),
  rateWpm: whole(80, 450).optional().describe('espeak: words per minute; 160 when left out.'),
  url: url.optional().describe('Address of the server; the usual one when left out.'),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region, as in "eu-central-1"')
    .optional()
    .describe('polly: region of AWS.'),
  keyFile,
  ...shared,
  thrifty: z.boolean('expected true or false').optional().describe('Asked first while the site is short of capacity.'),
  price: speechPrice,
};
const TTS = ['espeak', 'piper', 'piper-http', 'elevenlabs', 'polly'] as const;
const ttsEngine = z.enum(TTS, { error: `expected one of ${TTS.join(', ')}` });

const llmKeys = {
  model: text.optional().describe('Name of the model at the server.'),
  url: url.optional().describe('Address of the server: http://127.0.0.1:11434 for Ollama, up to and with /v1 for openai.'),
  keyFile,
  ...shared,
  dialect: z
    .enum(['llama-server', 'vllm', 'openai'])
    .optional()
    .describe('openai: which server it is; llama-server gets a slot per call. openai when left out.'),
  slots: whole(1, 1024)
    .optional()
    .describe('Slots of llama-server (-np), or OLLAMA_NUM_PARALLEL: more calls than that wait for each other.'),
  contextTokens: whole(512, 1_000_000).optional().describe('ollama: context of one request in tokens.'),
  totalMs: ms(500, 300_000).optional().describe('Budget of a whole answer; 20000 when left out.'),
  thrifty: z.boolean('expected true or false').optional().describe('A smaller model: asked first while the site is short of capacity.'),
  price: z
    .strictObject({
      currency,
      promptPerMillion: price.default(0).describe('For a million tokens read.'),
      completionPerMillion: price.default(0).describe('For a million tokens written.'),
      cachedPerMillion: price.optional().describe('For a million tokens that were found warm; as others when left out.'),
      perHour: price.optional().describe('For an hour of work, as of a rented GPU.'),
    })
    .optional()
    .describe('What the engine costs, for the events of each turn.'),
};
const LLM = ['ollama', 'openai'] as const;
const llmEngine = z.enum(LLM, { error: `expected one of ${LLM.join(', ')}` }).describe('Which kind of server it is.');
const modelName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected a name of small letters, digits and underlines')
  .describe('Name by which flows choose it and events name it; the engine, with a number where there are several, when left out.');

const hedgeMs = ms(20, 60_000)
  .optional()
  .describe('Ask the next engine as well when the first has not begun by then, and take whoever is first; never when left out.');
const then = <T extends z.ZodType>(entry: T) =>
  z
    .array(entry, 'expected a list of engines')
    .max(3, 'expected at most 3 engines')
    .default([])
    .describe('Engines that are asked when the one above cannot, in this order; keys as above.');

export const sttSchema = z.strictObject({
  engine: sttEngine.default('whisper').describe('The recogniser. deepgram and google are outside: see external.'),
  language: z
    .string()
    .regex(/^[a-z]{2}$/, 'expected a language code of two letters, as in "en"')
    .default('en')
    .describe('Language of the callers.'),
  ...sttKeys,
  hedgeMs,
  then: then(z.strictObject({ engine: sttEngine, ...sttKeys })),
});
export const ttsSchema = z.strictObject({
  engine: ttsEngine
    .default('espeak')
    .describe('The synthesiser. piper runs voices itself; elevenlabs and polly are outside: see external.'),
  ...ttsKeys,
  apology: text
    .optional()
    .describe(
      'Said from memory when nothing else can be said, before the dialplan takes the caller to a person; a sentence in stt.language when left out.',
    ),
  hedgeMs,
  then: then(z.strictObject({ engine: ttsEngine, ...ttsKeys })),
});
export const llmSchema = z.strictObject({
  engine: z
    .enum(['none', ...LLM], { error: `expected one of none, ${LLM.join(', ')}` })
    .default('none')
    .describe('The language model for routers and agents; none: flows that need one are not offered to callers.'),
  name: modelName.optional(),
  ...llmKeys,
  hedgeMs,
  then: then(z.strictObject({ engine: llmEngine, name: modelName.optional(), ...llmKeys })),
  named: z
    .record(modelName, z.strictObject({ engine: llmEngine, ...llmKeys }))
    .default({})
    .describe(
      'Models that flows choose by name (models, use, accuracy in a flow); keys as above. One that cannot answer is stood in for by the engines above; it never stands in itself.',
    ),
});

const EVERY = [
  'engine',
  'timeoutMs',
  'lanes',
  'perMinute',
  'price',
  'language',
  'hedgeMs',
  'then',
  'apology',
  'rate',
  'thrifty',
  'name',
  'named',
];
/** What an engine takes besides EVERY; `needs` must be there; `outside` is outside wherever its address points. */
const RULES: Readonly<
  Record<string, { readonly takes: readonly string[]; readonly needs?: readonly string[]; readonly outside?: boolean }>
> = {
  'stt whisper': { takes: ['model', 'threads', 'gpu', 'hangMs', 'resendWithinMs'] },
  'stt whisper-server': { takes: ['url', 'external'] },
  'stt openai': { takes: ['url', 'model', 'keyFile', 'external'], needs: ['url', 'model'] },
  'stt deepgram': { takes: ['url', 'model', 'keyFile', 'external', 'streaming'], needs: ['keyFile'], outside: true },
  'stt google': { takes: ['url', 'model', 'keyFile', 'external'], needs: ['keyFile'], outside: true },
  'tts espeak': { takes: ['voice', 'voices', 'rateWpm'] },
  'tts piper': { takes: ['model', 'models'] },
  'tts piper-http': { takes: ['url', 'voices', 'external'] },
  'tts elevenlabs': { takes: ['url', 'model', 'voices', 'keyFile', 'external'], needs: ['voices', 'keyFile'], outside: true },
  'tts polly': {
    takes: ['url', 'model', 'voices', 'region', 'keyFile', 'external'],
    needs: ['voices', 'region', 'keyFile'],
    outside: true,
  },
  'llm none': { takes: [] },
  'llm ollama': { takes: ['model', 'url', 'external', 'slots', 'contextTokens', 'totalMs'], needs: ['model'] },
  'llm openai': { takes: ['model', 'url', 'keyFile', 'external', 'dialect', 'slots', 'totalMs'], needs: ['model', 'url'] },
};

export type EngineKindName = 'stt' | 'tts' | 'llm';

export interface EngineProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

interface AnyEngine {
  readonly engine: string;
  readonly url?: string | undefined;
  readonly external?: { readonly processor: string; readonly legalBasis: string } | undefined;
}

/** Each engine of a kind with the place where it stands. */
export function enginesAt(
  kind: EngineKindName,
  section: AnyEngine & { readonly then: readonly AnyEngine[]; readonly named?: Readonly<Record<string, AnyEngine>> },
): readonly { readonly at: readonly (string | number)[]; readonly engine: AnyEngine }[] {
  return [
    { at: [kind], engine: section },
    ...section.then.map((engine, index) => ({ at: [kind, 'then', index], engine })),
    ...Object.entries(section.named ?? {}).map(([name, engine]) => ({ at: [kind, 'named', name], engine })),
  ];
}

/** Every model has a name of its own, and a named one has engines that stand in for it. */
export function modelNameProblems(llm: z.output<typeof llmSchema>): EngineProblem[] {
  const [first] = Object.keys(llm.named);
  if (llm.engine === 'none' && first !== undefined)
    return [{ path: ['llm', 'named', first], message: 'is given beside the engine none, expected an engine that stands in for it' }];
  const problems: EngineProblem[] = [];
  const chain = [llm, ...llm.then].map(({ name }, index) => ({
    name,
    at: index === 0 ? ['llm', 'name'] : ['llm', 'then', index - 1, 'name'],
  }));
  const seen = new Set<string>(LLM);
  for (const { name, at } of [...chain, ...Object.keys(llm.named).map((name) => ({ name, at: ['llm', 'named', name] }))]) {
    if (name === undefined) continue;
    if (seen.has(name)) problems.push({ path: at, message: `is "${name}", the name of another engine, expected a name of its own` });
    seen.add(name);
  }
  return problems;
}

/** Keys that do not belong to the engine, keys that it needs, addresses that are outside without a named processor. */
export function engineProblems(kind: EngineKindName, { at, engine }: ReturnType<typeof enginesAt>[number]): EngineProblem[] {
  const rule = RULES[`${kind} ${engine.engine}`];
  if (rule === undefined) return [];
  const given = Object.entries(engine).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  const problems: EngineProblem[] = given
    .filter((key) => !EVERY.includes(key) && !rule.takes.includes(key))
    .map((key) => ({
      path: [...at, key],
      message: `is not a key of the engine ${engine.engine}, expected one of ${rule.takes.join(', ') || 'none'}`,
    }));
  for (const key of rule.needs ?? [])
    if (!given.includes(key)) problems.push({ path: [...at, key], message: `is missing, expected it for the engine ${engine.engine}` });
  if (engine.engine === 'piper' && given.includes('model') === given.includes('models'))
    problems.push({
      path: [...at, 'model'],
      message: given.includes('model')
        ? 'is given beside models, expected only one of them'
        : 'is missing, expected the .onnx file of a Piper voice, or models',
    });
  if (rule.outside === true && engine.external === undefined)
    problems.push({
      path: [...at, 'engine'],
      message: `is ${engine.engine}, which is outside this site: expected external with processor and legalBasis beside it`,
    });
  else problems.push(...urlProblems(at, engine));
  return problems;
}

const WORDING: EngineWording = { what: 'the engine', badUrl: 'CONFIG_INVALID', outside: 'ENGINE_EXTERNAL' };

function urlProblems(at: readonly (string | number)[], { url: given, external: processor }: AnyEngine): EngineProblem[] {
  if (given === undefined || !URL.canParse(given)) return [];
  try {
    checkEngineUrl(new URL(given), processor ?? null, WORDING);
    return [];
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    return [{ path: [...at, 'url'], message: error.code === 'ENGINE_EXTERNAL' ? OUTSIDE : `is refused: ${error.message}` }];
  }
}

/** Of an address, or of a name that stands for one. */
export const OUTSIDE = 'is not on a private network: expected external with processor and legalBasis beside it, or a local engine';
