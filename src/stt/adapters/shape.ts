/** From what a server heard to the port's result: words inside the samples asked for, whose texts are the text. Pure. */
import type { Word } from '../../contracts/index.ts';
import type { Heard, HeardWord } from './protocol.ts';

const SAMPLES_PER_MS = 16;
/** More than anybody says in the longest utterance. */
const MOST_CHARS = 10_000;
/** Where the server gives no figure: neither sure nor unsure. */
const UNKNOWN_CONFIDENCE = 0.7;

export interface Shaped {
  readonly text: string;
  readonly confidence: number;
  readonly words: readonly Word[];
}

/** Throws an Error that says what is wrong. */
export function shape(heard: Heard, fromSample: number, toSample: number): Shaped {
  if (heard.text.length > MOST_CHARS) throw new Error(`its answer has more than ${MOST_CHARS} characters`);
  const said = wordsOf(heard.text);
  const timed = (heard.words ?? []).flatMap((word) => wordsOf(word.text).map((text) => ({ ...word, text })));
  const placed = timed.length === 0 ? spread(said, fromSample, toSample) : place(timed, said, fromSample, toSample);
  if (placed.length === 0) return { text: '', confidence: 0, words: [] };
  const confidence = Math.min(1, Math.max(0, heard.confidence ?? UNKNOWN_CONFIDENCE));
  return { text: placed.map(({ text }) => text).join(' '), confidence, words: placed };
}

/** Control characters are no words; a surrogate without its other half is no character. */
function wordsOf(text: string): string[] {
  return text
    .replace(/[\u0000-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\uFEFF]/g, ' ')
    .replace(/[\uD800-\uDFFF]/gu, ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** The text has the punctuation, the timed words may not: as long as they are as many, the text's are taken. */
function place(timed: readonly HeardWord[], said: readonly string[], fromSample: number, toSample: number): Word[] {
  let last = fromSample;
  const inside = (ms: number): number => Math.min(toSample, Math.max(last, fromSample + Math.round(ms * SAMPLES_PER_MS)));
  return timed.map((word, index) => {
    const from = inside(word.fromMs);
    last = from;
    const to = inside(word.toMs);
    return { text: (said.length === timed.length ? said[index] : undefined) ?? word.text, fromSample: from, toSample: to };
  });
}

function spread(said: readonly string[], fromSample: number, toSample: number): Word[] {
  const step = (toSample - fromSample) / Math.max(1, said.length);
  const at = (index: number): number => Math.round(fromSample + index * step);
  return said.map((text, index) => ({ text, fromSample: at(index), toSample: at(index + 1) }));
}
