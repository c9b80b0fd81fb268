/** Lines of the recogniser program (native/whisper/requests.h and scheduler.cc): one JSON object each, in both directions. */

export type WorkerRequest =
  | { readonly op: 'open'; readonly session: number; readonly slot: number; readonly generation: number; readonly language: string }
  | {
      readonly op: 'decode';
      readonly id: number;
      readonly session: number;
      readonly fromSample: number;
      readonly toSample: number;
      readonly kind: 'partial' | 'final';
      readonly prompt?: string;
    }
  | { readonly op: 'abort'; readonly id: number }
  | { readonly op: 'close'; readonly session: number }
  | { readonly op: 'ping' }
  | { readonly op: 'quit' };

export interface WorkerReady {
  readonly whisper: string;
  readonly model: string;
  readonly bytes: number;
  /** Encoder steps of 20 ms: how much audio the model hears at once. */
  readonly audioContext: number;
  readonly multilingual: boolean;
  readonly prompts: boolean;
  readonly lanes: number;
  readonly threads: number;
  /** How finely a decode can be stopped. */
  readonly abort: string;
}

export interface WorkerWord {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

export type WorkerMessage =
  | { readonly t: 'ready'; readonly ready: WorkerReady }
  | {
      readonly t: 'result';
      readonly id: number;
      readonly text: string;
      readonly confidence: number;
      readonly words: readonly WorkerWord[];
      readonly queueMs: number;
      readonly decodeMs: number;
    }
  | { readonly t: 'refused'; readonly id: number; readonly error: string }
  | { readonly t: 'error'; readonly error: string; readonly message: string }
  /** Decodes in progress, and a figure that grows while they advance. */
  | { readonly t: 'pong'; readonly running: number; readonly progress: number }
  | { readonly t: 'garbage' };

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

function readyOf(ready: Json): WorkerReady {
  return {
    whisper: text(ready['whisper']),
    model: text(ready['model']),
    bytes: number(ready['bytes']),
    audioContext: number(ready['audioContext']),
    multilingual: ready['multilingual'] === true,
    prompts: ready['prompts'] === true,
    lanes: number(ready['lanes']),
    threads: number(ready['threads']),
    abort: text(ready['abort']),
  };
}

const wordOf = (word: Json): WorkerWord => ({ text: text(word['text']), from: number(word['from']), to: number(word['to']) });

/** Never throws: what cannot be read is `garbage`. */
export function parseWorkerLine(line: string): WorkerMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { t: 'garbage' };
  }
  if (!isObject(value)) return { t: 'garbage' };
  const { id, error, ready, words } = value;
  if (isObject(ready)) return { t: 'ready', ready: readyOf(ready) };
  if (typeof value['pong'] === 'number') return { t: 'pong', running: value['pong'], progress: number(value['progress']) };
  if (typeof error === 'string') {
    return typeof id === 'number' ? { t: 'refused', id, error } : { t: 'error', error, message: text(value['message']) };
  }
  if (typeof id !== 'number' || typeof value['text'] !== 'string') return { t: 'garbage' };
  return {
    t: 'result',
    id,
    text: value['text'],
    confidence: Math.min(1, Math.max(0, number(value['confidence']))),
    words: Array.isArray(words) ? words.filter(isObject).map(wordOf) : [],
    queueMs: number(value['queueMs']),
    decodeMs: number(value['decodeMs']),
  };
}
