/**
 * Text → sentences of phoneme ids, as Piper voices were trained on them: clauses spoken by espeak-ng, language flags dropped,
 * the stop appended, NFD, one codepoint one phoneme, ids `^ _ p _ p _ … $`. Unknown phonemes are skipped and counted.
 */
import type { VoiceConfig } from './voice-config.ts';
import { wordStarts } from './align.ts';
import { MOST_LINE_BYTES } from './phonemiser.ts';
import { readAloud, type SpokenWord, type Stop, type Token } from './reading/index.ts';

/** What turns lines into IPA. */
export interface Ipa {
  phonemes(lines: readonly string[]): Promise<readonly string[]>;
}

export interface Sentence {
  readonly ids: readonly number[];
  /** The words of the text, and the index into `ids` where each begins. */
  readonly words: readonly { readonly text: string; readonly fromChar: number; readonly toChar: number; readonly id: number }[];
  /** Phonemes that the voice does not have. */
  readonly skipped: number;
}

interface Clause {
  readonly words: readonly SpokenWord[];
  readonly mark: Stop['mark'];
}

/** A sentence longer than this is cut at the next comma, a clause between two words: the text half takes quadratic time. */
const LONG_SENTENCE_CHARS = 300;
const LONG_CLAUSE_CHARS = 200;
const CACHED_LINES = 20_000;

/** Clauses of each sentence. Pure. */
export function clausesOf(tokens: readonly Token[]): Clause[][] {
  const sentences: Clause[][] = [];
  let sentence: Clause[] = [];
  let words: SpokenWord[] = [];
  let [sentenceChars, clauseChars] = [0, 0];
  const endSentence = (): void => {
    if (sentence.length > 0) sentences.push(sentence);
    sentence = [];
    sentenceChars = 0;
  };
  const endClause = (mark: Stop['mark']): void => {
    if (words.length > 0) sentence.push({ words, mark });
    words = [];
    clauseChars = 0;
    if ('.?!'.includes(mark) || sentenceChars >= LONG_SENTENCE_CHARS) endSentence();
  };
  for (const token of tokens) {
    if (token.kind === 'stop') {
      endClause(token.mark);
      continue;
    }
    if (clauseChars > 0 && (clauseChars + token.say.length > LONG_CLAUSE_CHARS || bytesWith(words, token) > MOST_LINE_BYTES))
      endClause(',');
    words.push(token);
    clauseChars += token.say.length + 1;
    sentenceChars += token.say.length + 1;
  }
  endClause('.');
  endSentence();
  return sentences;
}

const bytesWith = (words: readonly SpokenWord[], next: SpokenWord): number => Buffer.byteLength(lineOf([...words, next]));
const lineOf = (words: readonly SpokenWord[]): string => words.map((word) => word.say).join(' ');

export class SentenceMaker {
  readonly #config: VoiceConfig;
  readonly #ipa: Ipa | null;
  readonly #language: string;
  /** Line → IPA; the oldest go first. Words come again and again, so most texts cost espeak-ng one line per clause. */
  readonly #cache = new Map<string, string>();

  /** `ipa` is null for voices whose phonemes are the letters themselves. */
  constructor(config: VoiceConfig, ipa: Ipa | null, language: string) {
    this.#config = config;
    this.#ipa = ipa;
    this.#language = language;
  }

  /** The sentences of a text, each made when it is asked for. Errors: TTS_FAILED. */
  async *sentences(text: string): AsyncGenerator<Sentence, void, undefined> {
    for (const clauses of clausesOf(readAloud(text, this.#language))) {
      const sentence = await this.#sentence(text, clauses);
      if (sentence.ids.length > 3) yield sentence;
    }
  }

  async #sentence(text: string, clauses: readonly Clause[]): Promise<Sentence> {
    const lines = clauses.flatMap((clause) => [lineOf(clause.words), ...clause.words.map((word) => word.say)]);
    const ipa = await this.#spoken(lines);
    const builder = new IdBuilder(this.#config);
    const words: Sentence['words'][number][] = [];
    clauses.forEach((clause) => {
      const phonemes = phonemesOf(ipa.get(lineOf(clause.words)) ?? '', this.#config.clusters);
      if (phonemes.length === 0) return;
      const starts = wordStarts(
        phonemes,
        clause.words.map((word) => phonemesOf(ipa.get(word.say) ?? '', this.#config.clusters)),
      );
      const places = builder.add(phonemes);
      clause.words.forEach((word, at) => {
        words.push({ text: text.slice(word.from, word.to), fromChar: word.from, toChar: word.to, id: places[starts[at] ?? 0] ?? 1 });
      });
      const { mark } = clause;
      builder.add('.?!'.includes(mark) ? [mark] : [mark, ' ']);
    });
    return { ids: builder.end(), words: oneMarkPerPlace(words), skipped: builder.skipped };
  }

  async #spoken(lines: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const answers = new Map<string, string>();
    const unknown = [...new Set(lines)].filter((line) => {
      const known = this.#ipa === null ? line.toLowerCase() : this.#cache.get(line);
      if (known !== undefined) answers.set(line, known);
      return known === undefined;
    });
    const made = (await this.#ipa?.phonemes(unknown)) ?? [];
    unknown.forEach((line, index) => {
      const ipa = made[index] ?? '';
      answers.set(line, ipa);
      this.#cache.set(line, ipa);
    });
    for (const line of this.#cache.keys()) {
      if (this.#cache.size <= CACHED_LINES) break;
      this.#cache.delete(line);
    }
    return answers;
  }
}

/** A text piece that was read as several words (a telephone number) keeps its first place only. */
function oneMarkPerPlace(words: readonly Sentence['words'][number][]): Sentence['words'] {
  return words.filter((word, index) => words[index - 1]?.fromChar !== word.fromChar);
}

/** IPA → phonemes: without `(lang)` flags, NFD, one codepoint each, or a cluster of the voice. */
export function phonemesOf(ipa: string, clusters: readonly string[]): string[] {
  const plain = ipa
    .replace(/\([a-z][a-z0-9-]*\)/gi, '')
    .normalize('NFD')
    .replace(/\s+/g, ' ')
    .trim();
  if (clusters.length === 0) return Array.from(plain);
  const phonemes: string[] = [];
  for (let at = 0; at < plain.length;) {
    const phoneme = clusters.find((cluster) => plain.startsWith(cluster, at)) ?? String.fromCodePoint(plain.codePointAt(at) ?? 0);
    phonemes.push(phoneme);
    at += phoneme.length;
  }
  return phonemes;
}

class IdBuilder {
  readonly #config: VoiceConfig;
  readonly #ids: number[];
  readonly #pad: readonly number[];
  skipped = 0;

  constructor(config: VoiceConfig) {
    this.#config = config;
    this.#pad = config.ids.get('_') ?? [];
    this.#ids = [...(config.ids.get('^') ?? []), ...this.#pad];
  }

  /** Appends phonemes; returns the index into the ids where each begins (a skipped one where the next begins). */
  add(phonemes: readonly string[]): number[] {
    return phonemes.map((phoneme) => {
      const place = this.#ids.length;
      const ids = this.#config.ids.get(phoneme);
      if (ids === undefined) this.skipped++;
      else this.#ids.push(...ids, ...this.#pad);
      return place;
    });
  }

  end(): number[] {
    return [...this.#ids, ...(this.#config.ids.get('$') ?? [])];
  }
}
