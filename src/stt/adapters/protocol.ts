/** What tells one server's way of speaking from another's. Pure. */
import type { ExternalProcessor } from '../../contracts/index.ts';
import type { Answer, Question } from './client.ts';

export interface Utterance {
  /** 16 kHz mono. */
  readonly pcm: Int16Array;
  /** A language tag: de, en-US. */
  readonly language: string;
  readonly prompt: string | null;
}

export interface HeardWord {
  readonly text: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Heard {
  readonly text: string;
  /** 0 to 1; null when the server does not say. */
  readonly confidence: number | null;
  /** Null when the server gives no times: the words are then spread evenly. */
  readonly words: readonly HeardWord[] | null;
}

export interface Protocol {
  readonly name: string;
  readonly description: string;
  readonly url: string;
  readonly external: ExternalProcessor | null;
  /** File with the key; read at start. */
  readonly keyFile?: string;
  /** `key` is '' without a key file. */
  question(utterance: Utterance, key: string): Question;
  /** Throws an Error that says what is wrong with the shape. */
  answer(json: unknown): Heard;
  /** Asked at start, before the first call. Null: nothing that would cost money or tell something to others. */
  readonly probe: { question(key: string): Question; check(answer: Answer): string | null } | null;
}

/** One field of a JSON object; undefined for everything that has none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

export function textField(value: unknown, name: string): string {
  const text = field(value, name);
  if (typeof text !== 'string') throw new Error(`its answer has no ${name}`);
  return text;
}

export function numberField(value: unknown, name: string): number {
  const number = field(value, name);
  if (typeof number !== 'number' || !Number.isFinite(number)) throw new Error(`its answer has no number ${name}`);
  return number;
}

/** An absent list is an empty one. */
export function listField(value: unknown, name: string): readonly unknown[] {
  const list = field(value, name);
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw new Error(`its answer has a ${name} that is no list`);
  return list;
}
