/**
 * The settings beside a voice, `<voice>.onnx.json`, as Piper's trainer writes them. Keys that are not needed are ignored, keys
 * that are needed are checked; an error names the key. Source: the files of rhasspy/piper-voices and piper1-gpl.
 */

export interface VoiceConfig {
  /** What a test voice says about itself; null for a real one. */
  readonly fixture: string | null;
  readonly rateHz: number;
  /** espeak-ng's name of the language: en-us, de. Empty for phoneme type `text`. */
  readonly espeakVoice: string;
  /** `text`: the letters themselves are the phonemes. */
  readonly phonemeType: 'espeak' | 'text';
  readonly symbols: number;
  readonly speakers: number;
  readonly speakerIds: ReadonlyMap<string, number>;
  readonly noiseScale: number;
  readonly lengthScale: number;
  readonly noiseW: number;
  /** Phoneme → ids. Texts come decomposed (NFD), so a composed key such as ç is never asked for; c and its cedilla are. */
  readonly ids: ReadonlyMap<string, readonly number[]>;
  /** `vowel_clusters`: phonemes of more than one codepoint, longest first. */
  readonly clusters: readonly string[];
  readonly hopSamples: number;
}

const MAX_SYMBOLS = 100_000;

/** Errors: Error naming the key. */
export function parseVoiceConfig(text: string): VoiceConfig {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw new Error(`it is no JSON (${error instanceof Error ? error.message : String(error)})`, { cause: error });
  }
  const top = record(root, 'the file');
  const phonemeType = top['phoneme_type'] ?? 'espeak';
  if (phonemeType !== 'espeak' && phonemeType !== 'text')
    throw new Error('phoneme_type must be espeak or text; other kinds need a program of their own');
  const symbols = whole(top, 'num_symbols', 1, MAX_SYMBOLS);
  const speakers = whole(top, 'num_speakers', 1, 100_000, 1);
  const inference = top['inference'] === undefined ? {} : record(top['inference'], 'inference');
  const ids = phonemeIds(record(top['phoneme_id_map'], 'phoneme_id_map'), symbols);
  for (const needed of ['^', '$', '_']) if (!ids.has(needed)) throw new Error(`phoneme_id_map must hold ${needed}`);
  return {
    fixture: typeof top['fixture'] === 'string' ? top['fixture'].slice(0, 200) : null,
    rateHz: whole(record(top['audio'], 'audio'), 'sample_rate', 8000, 48000),
    espeakVoice: phonemeType === 'text' ? '' : espeakVoice(record(top['espeak'], 'espeak')['voice']),
    phonemeType,
    symbols,
    speakers,
    speakerIds: speakerIds(top['speaker_id_map'], speakers),
    noiseScale: between(inference, 'noise_scale', 0, 10, 0.667),
    lengthScale: between(inference, 'length_scale', 0.1, 10, 1),
    noiseW: between(inference, 'noise_w', 0, 10, 0.8),
    ids,
    clusters: clusters(top['vowel_clusters'], ids),
    hopSamples: whole(top, 'hop_length', 1, 65536, 256),
  };
}

type Json = Readonly<Record<string, unknown>>;

function record(value: unknown, key: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${key} must be an object`);
  return value as Json;
}

function between(of: Json, key: string, least: number, most: number, otherwise?: number): number {
  const value = of[key] ?? otherwise;
  if (typeof value !== 'number' || !(value >= least && value <= most)) throw new Error(`${key} must be a number from ${least} to ${most}`);
  return value;
}

function whole(of: Json, key: string, least: number, most: number, otherwise?: number): number {
  const value = between(of, key, least, most, otherwise);
  if (!Number.isInteger(value)) throw new Error(`${key} must be a whole number`);
  return value;
}

/** It becomes a command line argument of the helper: only what names of espeak-ng voices are made of. */
function espeakVoice(value: unknown): string {
  if (typeof value !== 'string' || !/^[a-zA-Z][a-zA-Z0-9+-]{0,39}$/.test(value))
    throw new Error('espeak.voice must be a language of espeak-ng, such as en-us');
  return value;
}

function phonemeIds(map: Json, symbols: number): Map<string, readonly number[]> {
  const ids = new Map<string, readonly number[]>();
  for (const [phoneme, value] of Object.entries(map)) {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    const numbers = list.filter((id): id is number => Number.isInteger(id) && (id as number) >= 0 && (id as number) < symbols);
    if (phoneme === '' || numbers.length === 0 || numbers.length !== list.length)
      throw new Error(`phoneme_id_map.${phoneme} must be ids below num_symbols (${symbols})`);
    ids.set(phoneme, numbers);
  }
  return ids;
}

/** Several codepoints that are one phoneme of the voice. */
function clusters(value: unknown, ids: ReadonlyMap<string, unknown>): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const known = list.filter((cluster): cluster is string => typeof cluster === 'string' && cluster !== '' && ids.has(cluster));
  return known.sort((a, b) => b.length - a.length);
}

function speakerIds(value: unknown, speakers: number): Map<string, number> {
  const ids = new Map<string, number>();
  for (const [name, id] of Object.entries(value === undefined ? {} : record(value, 'speaker_id_map'))) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= speakers)
      throw new Error(`speaker_id_map.${name} must be below num_speakers (${speakers})`);
    ids.set(name, id);
  }
  return ids;
}
