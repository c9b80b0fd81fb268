import { basename } from 'node:path';
import {
  ParleyError,
  type Logger,
  type SpeechChunk,
  type SpeechClip,
  type SpeechMark,
  type SpeechOptions,
  type TextToSpeech,
} from '../../contracts/index.ts';
import type { LoadedVoice } from './desk.ts';
import { failed } from './failure.ts';
import { Phonemiser } from './phonemiser.ts';
import { SentenceMaker, type Sentence } from './sentences.ts';
import { LeadTrimmer } from './trimmer.ts';
import { Workshop } from './workshop.ts';

export interface PiperVoice {
  /** Path of `<voice>.onnx`; its settings lie beside it in `<voice>.onnx.json`. */
  readonly model: string;
  /** What the model file must hash to, hex. */
  readonly sha256?: string;
  /** Language tags that it speaks: en, en-GB. The first voice that fits is taken. */
  readonly languages: readonly string[];
  /** Name or number of the speaker, for voices with several. */
  readonly speaker?: string | number;
  /** Speaking rate of its own, on top of the caller's: 1.1 is faster by a tenth. */
  readonly rate?: number;
}

export interface PiperOptions {
  /** By name; the first one also speaks languages that none of them names. */
  readonly voices: Readonly<Record<string, PiperVoice>>;
  readonly logger: Logger;
  /** Default: espeak-ng in PATH. */
  readonly espeak?: string;
  /** Threads of one inference (default 1: more raise the tail on a busy machine). */
  readonly threads?: number;
  /** Longest chunk in frames of 11.6 ms (default 160): an abort waits for one at most. */
  readonly chunkFrames?: number;
  /** Silence between two sentences (default 200). */
  readonly sentencePauseMs?: number;
  /** A worker or helper that owes an answer for so long is started again (default 15000). */
  readonly timeoutMs?: number;
  /** Sentences that may be in work or wait at once (default 64). */
  readonly mostUtterances?: number;
}

interface Speaker {
  readonly name: string;
  readonly voice: PiperVoice;
  readonly loaded: LoadedVoice;
  readonly sid: number | null;
  readonly sentences: SentenceMaker;
  readonly rate: number;
}

/** Six minutes of speech. */
const MAX_CHARS = 5000;
const MAX_RATE = 4;

export class Piper implements TextToSpeech {
  readonly name = 'piper';
  readonly maxChars = MAX_CHARS;
  readonly #options: PiperOptions;
  readonly #logger: Logger;
  #workshop: Workshop | null = null;
  readonly #helpers = new Map<string, Phonemiser>();
  readonly #speakers = new Map<string, Speaker>();

  constructor(options: PiperOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ engine: 'piper' });
  }

  /** Name and identity of each voice: what the log and the console show. */
  get description(): string {
    const voices = Object.entries(this.#options.voices).map(([name, { model }]) => {
      const loaded = this.#speakers.get(name)?.loaded;
      const known =
        loaded === undefined
          ? []
          : [`sha256 ${loaded.sha256.slice(0, 12)}`, ...(loaded.config.fixture === null ? [] : [loaded.config.fixture])];
      return `${name} (${[basename(model), ...known].join(', ')})`;
    });
    return `Piper: ${voices.join(', ')}`;
  }

  /** SHA-256 of a voice's model file, once it is loaded: part of the key of everything that is cached. */
  voiceHash(name: string): string | undefined {
    return this.#speakers.get(name)?.loaded.sha256;
  }

  /** Loads and checks every voice. Errors: TTS_VOICE for a file, TTS_FAILED for espeak-ng. */
  async start(): Promise<void> {
    const { mostUtterances = 64, timeoutMs = 15_000 } = this.#options;
    const workshop = (this.#workshop ??= new Workshop({ mostUtterances, hangMs: timeoutMs, log: this.#logger }));
    for (const [name, voice] of Object.entries(this.#options.voices)) {
      const loaded = await workshop.load({
        path: voice.model,
        sha256: voice.sha256 ?? null,
        options: { threads: this.#options.threads ?? 1, chunkFrames: this.#options.chunkFrames ?? 160, cuts: 'best' },
      });
      const { config, facts } = loaded;
      const helper = config.phonemeType === 'text' ? null : this.#helper(config.espeakVoice);
      await helper?.warm();
      const language = config.espeakVoice === '' ? (voice.languages[0] ?? '') : config.espeakVoice;
      const sentences = new SentenceMaker(config, helper, language);
      this.#speakers.set(name, { name, voice, loaded, sid: speakerId(name, voice, loaded), sentences, rate: rateOf(voice.rate) });
      this.#logger.info('voice is loaded', {
        voice: name,
        sha256: loaded.sha256,
        graphs: facts.graphs,
        bitIdentical: facts.bitIdentical,
        hopSamples: facts.hopSamples,
      });
      if (facts.graphs < 3)
        this.#logger.warn('voice cannot be streamed from the first frames', { voice: name, graphs: facts.graphs, why: facts.why });
    }
    if (this.#speakers.size === 0) throw new ParleyError('TTS_VOICE', 'No Piper voice is configured; name one in tts.voices.');
  }

  async synthesise(text: string, options: SpeechOptions): Promise<SpeechClip> {
    const startedAt = performance.now();
    const chunks: SpeechChunk[] = [];
    let firstMs: number | null = null;
    for await (const chunk of this.stream(text, options)) {
      firstMs ??= performance.now() - startedAt;
      chunks.push(chunk);
    }
    const totalMs = performance.now() - startedAt;
    const pcm = new Int16Array(chunks.reduce((sum, chunk) => sum + chunk.pcm.length, 0));
    for (const chunk of chunks) pcm.set(chunk.pcm, chunk.fromSample);
    const rateHz = chunks[0]?.rateHz ?? this.#speaker(options).loaded.config.rateHz;
    return { pcm, rateHz, firstMs: firstMs ?? totalMs, totalMs, marks: chunks.flatMap((chunk) => chunk.marks) };
  }

  async *stream(text: string, options: SpeechOptions): AsyncGenerator<SpeechChunk, void, undefined> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (text.length > MAX_CHARS) throw failed(`the text has ${text.length} characters, ${MAX_CHARS} are allowed`);
    const speaker = this.#speaker(options);
    const { rateHz } = speaker.loaded.config;
    const rate = speaker.rate * rateOf(options.rate);
    const trimmer = new LeadTrimmer(rateHz);
    // Phonemes of the next sentence are made while the present one is spoken.
    const sentences = speaker.sentences.sentences(text);
    let coming = sentences.next();
    for (let spoken = 0; ; spoken++) {
      const { value: sentence } = await coming;
      signal?.throwIfAborted();
      if (sentence === undefined) break;
      coming = sentences.next();
      coming.catch(() => undefined); // reported when it is awaited
      if (sentence.skipped > 0)
        this.#logger.debug('phonemes that the voice does not have', { voice: speaker.name, skipped: sentence.skipped });
      if (spoken > 0) yield* trimmer.add(new Int16Array(Math.round(((this.#options.sentencePauseMs ?? 200) * rateHz) / 1000)), []);
      for await (const { pcm, marks } of this.#speak(speaker, sentence, rate, signal)) yield* trimmer.add(pcm, marks);
    }
    yield* trimmer.end();
  }

  async stop(): Promise<void> {
    for (const helper of this.#helpers.values()) helper.close();
    this.#helpers.clear();
    this.#speakers.clear();
    const workshop = this.#workshop;
    this.#workshop = null;
    await workshop?.close();
  }

  /** One sentence; marks count from its own first sample. */
  async *#speak(
    speaker: Speaker,
    sentence: Sentence,
    rate: number,
    signal?: AbortSignal,
  ): AsyncGenerator<{ pcm: Int16Array; marks: readonly SpeechMark[] }, void, undefined> {
    const { config } = speaker.loaded;
    const scales = [config.noiseScale, config.lengthScale / rate, config.noiseW] as const;
    if (this.#workshop === null) throw failed('the synthesiser is stopped');
    let first = true;
    for await (const piece of this.#workshop.speak(speaker.voice.model, { ids: sentence.ids, scales, sid: speaker.sid }, signal)) {
      const marks = first ? marksOf(sentence, piece.frames, piece.hopSamples, piece.pcm.length) : [];
      first = false;
      yield { pcm: piece.pcm, marks };
    }
  }

  #helper(espeakVoice: string): Phonemiser {
    const known = this.#helpers.get(espeakVoice);
    if (known !== undefined) return known;
    const helper = new Phonemiser({
      voice: espeakVoice,
      program: this.#options.espeak ?? 'espeak-ng',
      timeoutMs: this.#options.timeoutMs ?? 15_000,
      mostLines: 5000,
    });
    this.#helpers.set(espeakVoice, helper);
    return helper;
  }

  #speaker({ language, voice }: SpeechOptions): Speaker {
    const speakers = [...this.#speakers.values()];
    if (voice !== undefined) {
      const named = this.#speakers.get(voice);
      if (named === undefined) throw failed(`there is no voice ${voice.slice(0, 60)}; known are ${[...this.#speakers.keys()].join(', ')}`);
      return named;
    }
    const wanted = language.toLowerCase();
    const base = wanted.split('-')[0] ?? '';
    const speaks = (speaker: Speaker, tag: string): boolean => speaker.voice.languages.some((known) => known.toLowerCase() === tag);
    const chosen = speakers.find((speaker) => speaks(speaker, wanted)) ?? speakers.find((speaker) => speaks(speaker, base)) ?? speakers[0];
    if (chosen === undefined) throw failed('the synthesiser is not started');
    return chosen;
  }
}

/** Exact where the voice tells its durations; else spread evenly over the sentence, which then comes in one piece. */
function marksOf(sentence: Sentence, frames: readonly number[] | null, hopSamples: number | null, samples: number): SpeechMark[] {
  const places: number[] = [];
  let at = 0;
  for (const count of frames ?? []) {
    places.push(at);
    at += count * (hopSamples ?? 0);
  }
  const exact = places.length > 0 && hopSamples !== null;
  return sentence.words.map(({ text, fromChar, toChar, id }) => ({
    ...{ text, fromChar, toChar },
    fromSample: exact ? (places[id] ?? at) : Math.round((samples * id) / sentence.ids.length),
  }));
}

function speakerId(name: string, voice: PiperVoice, { config }: LoadedVoice): number | null {
  if (config.speakers === 1) return null;
  const { speaker = 0 } = voice;
  const id = typeof speaker === 'number' ? speaker : config.speakerIds.get(speaker);
  if (id === undefined || !Number.isInteger(id) || id < 0 || id >= config.speakers) {
    throw new ParleyError('TTS_VOICE', `The voice ${name} has no speaker ${String(speaker).slice(0, 60)}; it has ${config.speakers}.`);
  }
  return id;
}

function rateOf(rate = 1): number {
  if (!(rate >= 1 / MAX_RATE && rate <= MAX_RATE))
    throw failed(`a speaking rate of ${rate} is not between ${1 / MAX_RATE} and ${MAX_RATE}`);
  return rate;
}
