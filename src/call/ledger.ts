/**
 * What the caller heard, word by word: where each word begins in the speech, and how much of the speech was really sent. Pure.
 * Engines that know their word positions give them; for the others a word begins where its characters lie in the text, which is
 * exact to about one word for a voice that speaks evenly.
 */
import type { SpeechMark } from '../contracts/index.ts';

export interface Speech {
  readonly text: string;
  readonly lengthSamples: number;
  readonly rateHz: number;
  readonly marks?: readonly SpeechMark[];
}

export interface LedgerWord {
  /** Characters [fromChar, toChar) of the text. */
  readonly fromChar: number;
  readonly toChar: number;
  readonly fromSample: number;
  /** Where the next word begins, or the end. */
  readonly toSample: number;
}

/** Sent is not heard: the last packet may have been cut by the stop. */
const ON_THE_WAY_MS = 20;

export function ledgerOf({ text, lengthSamples, marks }: Speech): readonly LedgerWord[] {
  const known = marks !== undefined && marks.length > 0;
  const starts = known
    ? marks.map(({ fromChar, toChar, fromSample }) => ({ fromChar, toChar, fromSample }))
    : [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => ({
        fromChar: index,
        toChar: index + word.length,
        fromSample: Math.round((index / Math.max(1, text.length)) * lengthSamples),
      }));
  return starts.map((word, i) => ({ ...word, toSample: starts[i + 1]?.fromSample ?? lengthSamples }));
}

export interface Heard {
  /** The text up to the last word that was heard whole. */
  readonly text: string;
  readonly words: number;
  readonly heardWords: number;
}

/** `sentSamples`: of this speech, at its own rate. */
export function heardOf(speech: Speech, sentSamples: number): Heard {
  const words = ledgerOf(speech);
  const whole = sentSamples >= speech.lengthSamples;
  const heardSamples = sentSamples - (ON_THE_WAY_MS * speech.rateHz) / 1000;
  const heard = whole ? words : words.filter(({ toSample }) => toSample <= heardSamples);
  const text = whole ? speech.text : speech.text.slice(0, heard.at(-1)?.toChar ?? 0);
  return { text, words: words.length, heardWords: heard.length };
}

/** Where to go on after a halt: the beginning of the word that was cut, or of the last one when the cut fell between two. */
export function resumeSample(speech: Speech, sentSamples: number): number {
  const begun = ledgerOf(speech).filter(({ fromSample }) => fromSample <= sentSamples);
  return begun.at(-1)?.fromSample ?? 0;
}

/** Where the question begins with which the text ends: its last sentence. */
export function questionSample(speech: Speech): number {
  const sentences = [...speech.text.matchAll(/[.!?…]+\s+/g)];
  const last = sentences.at(-1);
  if (last === undefined) return 0;
  const fromChar = last.index + last[0].length;
  return ledgerOf(speech).find((word) => word.fromChar >= fromChar)?.fromSample ?? 0;
}
