/**
 * OpenAI's transcription answer, `verbose_json` or plain `json`, and whisper.cpp's dialect of it. Sources: OpenAI API reference, audio;
 * whisper.cpp examples/server. Pure.
 */
import { field, listField, numberField, textField, type Heard, type HeardWord } from './protocol.ts';

/** Whisper's own rule for a segment in which nobody spoke (openai/whisper, transcribe.py). */
const NO_SPEECH = 0.6;
const UNSURE_LOGPROB = -1;

interface Segment {
  readonly text: string;
  readonly logprob: number | null;
  readonly words: readonly unknown[];
}

export function heardFromOpenAi(json: unknown): Heard {
  const text = textField(json, 'text');
  const all = listField(json, 'segments').map(segmentOf);
  const spoken = all.filter((segment) => segment !== null);
  if (all.length > 0 && spoken.length === 0) return { text: '', confidence: 0, words: [] };
  const heard = spoken.length === all.length ? text : spoken.map((segment) => segment.text).join(' ');
  // Some servers put the words beside the segments, some inside, some do both.
  const inside = spoken.flatMap((segment) => segment.words);
  const words = (inside.length > 0 ? inside : spoken.length === all.length ? listField(json, 'words') : []).reduce(joined, []);
  return { text: heard, confidence: confidenceOf(spoken), words: words.length === 0 ? null : words };
}

/** Null when nobody spoke in it. */
function segmentOf(segment: unknown): Segment | null {
  const known = (name: string): number | null => (field(segment, name) === undefined ? null : numberField(segment, name));
  const [silence, logprob] = [known('no_speech_prob'), known('avg_logprob')];
  if (silence !== null && silence > NO_SPEECH && (logprob ?? 0) < UNSURE_LOGPROB) return null;
  return { text: textField(segment, 'text'), logprob, words: listField(segment, 'words') };
}

/** whisper.cpp lists tokens: one without a space in front goes on with the word before it. */
function joined(words: readonly HeardWord[], word: unknown): readonly HeardWord[] {
  const text = textField(word, 'word');
  const [fromMs, toMs] = [1000 * numberField(word, 'start'), 1000 * numberField(word, 'end')];
  const last = words.at(-1);
  // A mark of punctuation has a token, but no sound of its own.
  if (last !== undefined && !/[\p{L}\p{N}]/u.test(text)) return [...words.slice(0, -1), { ...last, text: last.text + text.trim() }];
  return [...words, { text, fromMs, toMs }];
}

/** Tokens of whisper.cpp → words; words of other servers have no space in front and stay as they are. */
export function heardFromWhisperCpp(json: unknown): Heard {
  const heard = heardFromOpenAi(json);
  if (heard.words === null) return heard;
  const words: HeardWord[] = [];
  for (const word of heard.words) {
    const last = words.at(-1);
    if (last === undefined || word.text.startsWith(' ')) words.push(word);
    else words[words.length - 1] = { text: last.text + word.text, fromMs: last.fromMs, toMs: word.toMs };
  }
  return { ...heard, words };
}

function confidenceOf(segments: readonly Segment[]): number | null {
  const known = segments.flatMap(({ logprob, text }) => (logprob === null ? [] : [{ logprob, weight: Math.max(1, text.length) }]));
  const weight = known.reduce((sum, part) => sum + part.weight, 0);
  return weight === 0 ? null : Math.exp(known.reduce((sum, part) => sum + part.logprob * part.weight, 0) / weight);
}
