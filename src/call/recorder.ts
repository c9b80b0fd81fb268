/**
 * Keeps what the turn engine was told, so that `parley replay` can ask a newer engine the same. One JSON line per event. Without
 * consent to keep words they are replaced by others of the same kind: what they say about the end of a turn stays, what they say
 * does not.
 */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Logger, TurnEffect, TurnEvent } from '../contracts/index.ts';
import type { TurnOptions, TurnWords } from '../turn/index.ts';

export interface TurnRecorder {
  event(event: TurnEvent, effects: readonly TurnEffect[]): void;
  close(): void;
}

export interface RecorderOptions {
  /** Where to, and with the words or without; none are kept when undefined. */
  records: { readonly folder: string; readonly words: boolean } | undefined;
  callId: string;
  language: string;
  turn: TurnOptions;
  logger: Logger;
  /** Numbers and addresses in what was said: never kept. */
  findSecrets: ((text: string) => readonly { readonly from: number; readonly to: number }[]) | undefined;
  /** The caller gives a secret: nothing of what is said now is kept, not even which words are alike. */
  isSecret: () => boolean;
}

/** Null where no records are kept. Errors: none; a folder that cannot be written costs the record, with a line in the log. */
export function createTurnRecorder({ records, ...options }: RecorderOptions): TurnRecorder | null {
  if (records === undefined) return null;
  const { callId, logger } = options;
  const { folder } = records;
  let file: WriteStream | null = null;
  const lost = (error: unknown): void => {
    logger.warn('turn events are not recorded', { reason: error instanceof Error ? error.message : String(error) });
    file = null;
  };
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    file = createWriteStream(join(folder, `${callId}.turns.jsonl`), { mode: 0o600 });
    file.on('error', lost);
  } catch (error) {
    lost(error);
  }
  const { words, ...turn } = options.turn;
  file?.write(`${JSON.stringify({ version: 1, callId, language: options.language, words: records.words, turn })}\n`);
  const kept = records.words ? (text: string): string => withoutSpans(text, options.findSecrets?.(text) ?? []) : maskWords(words);
  const mask = (text: string): string => (options.isSecret() ? '' : kept(text));
  return {
    event: (event, effects) =>
      void file?.write(`${JSON.stringify({ event: masked(event, mask), effects: effects.map((effect) => masked(effect, mask)) })}\n`),
    close: () => void file?.end(),
  };
}

function withoutSpans(text: string, spans: readonly { readonly from: number; readonly to: number }[]): string {
  return spans.reduceRight((left, { from, to }) => `${left.slice(0, from)}0${left.slice(to)}`, text);
}

function masked<T extends TurnEvent | TurnEffect>(entry: T, mask: (text: string) => string): T {
  if ('text' in entry) return { ...entry, text: mask(entry.text) };
  if (entry.t === 'commit-digits') return { ...entry, digits: '0'.repeat(entry.digits.length) };
  if (entry.t === 'dtmf' && /[0-9]/.test(entry.digit)) return { ...entry, digit: '0' };
  return entry;
}

/** The same word always becomes the same stand-in within a call, so that equal texts stay equal. */
export function maskWords(words: TurnWords): (text: string) => string {
  const known = new Set(
    [
      ...words.openers,
      ...words.fillers,
      ...words.answers,
      ...words.closers,
      ...words.holds,
      ...words.backchannels,
      ...words.stops,
      ...words.openPhrases,
      ...words.announcements,
      ...words.questions,
      ...words.names,
    ].flatMap((phrase) => phrase.split(' ')),
  );
  const numbers = new Map<string, string>();
  const standIn = (word: string): string => {
    const plain = word.toLowerCase().replace(/['’]/g, '');
    if (words.digits.includes(plain)) return words.digits[1] ?? plain;
    if (/^\d+$/.test(plain)) return '0'.repeat(plain.length);
    if (words.values.includes(plain)) return words.values[0] ?? plain;
    if (known.has(plain)) return word;
    const number = numbers.get(plain) ?? `w${numbers.size + 1}`;
    numbers.set(plain, number);
    return number;
  };
  return (text) => text.replace(/[\p{L}\p{N}'’]+/gu, standIn);
}
