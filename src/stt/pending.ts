import { ParleyError, type DecodeRequest, type DecodeResult } from '../contracts/index.ts';
import type { WorkerMessage } from './messages.ts';

/** A decode that has been asked for and not been answered. */
export interface PendingDecode {
  readonly id: number;
  readonly session: number;
  readonly request: DecodeRequest;
  /** Sent to so many lives of the worker. */
  sent: number;
  resolve(result: DecodeResult): void;
  reject(error: ParleyError): void;
}

const MEANINGS: Readonly<Record<string, string>> = {
  'audio-gone': 'the audio has left the ring: media.historyMs is shorter than the turn',
  'bad-request': 'the request makes no sense',
  'bad-range': 'the samples asked for are not there yet',
  'call-closed': 'the call is over',
  'no-session': 'the recogniser does not know this call',
  busy: 'too many decodes are waiting',
  failed: 'whisper.cpp could not decode this audio',
};

export function refusal(error: string): ParleyError {
  if (error === 'aborted') return new ParleyError('STT_ABORTED', 'the decode was given up');
  if (error === 'superseded') return new ParleyError('STT_ABORTED', 'a newer decode of this call took its place');
  return new ParleyError('STT_FAILED', `the recogniser did not decode: ${MEANINGS[error] ?? error}`);
}

export function resultOf(message: Extract<WorkerMessage, { t: 'result' }>): DecodeResult {
  return {
    text: message.text,
    confidence: message.confidence,
    words: message.words.map((word) => ({ text: word.text, fromSample: word.from, toSample: word.to })),
    queueMs: message.queueMs,
    decodeMs: message.decodeMs,
  };
}

/** The decodes in flight, each settled exactly once. */
export class PendingDecodes {
  readonly #byId = new Map<number, PendingDecode & { timer: NodeJS.Timeout }>();

  add(decode: PendingDecode, timeoutMs: number, onTimeout: () => void): void {
    this.#byId.set(decode.id, Object.assign(decode, { timer: setTimeout(onTimeout, timeoutMs) }));
  }

  /** Takes a decode out; nothing when it was settled before. */
  take(id: number): PendingDecode | undefined {
    const decode = this.#byId.get(id);
    if (!decode) return undefined;
    clearTimeout(decode.timer);
    this.#byId.delete(id);
    return decode;
  }

  rejectAll(error: (decode: PendingDecode) => ParleyError, only: (decode: PendingDecode) => boolean = () => true): void {
    for (const decode of [...this.#byId.values()]) {
      if (only(decode)) this.take(decode.id)?.reject(error(decode));
    }
  }

  /** All that is not settled, oldest first. */
  *[Symbol.iterator](): Iterator<PendingDecode> {
    yield* [...this.#byId.values()];
  }

  get size(): number {
    return this.#byId.size;
  }
}
