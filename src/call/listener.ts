/** Executes the decode effects of the turn engine: asks the recogniser, gives up what is no longer wanted. */
import type { DecodeResult, Logger, SttSession, TurnEffect } from '../contracts/index.ts';

type Decode = Extract<TurnEffect, { t: 'decode' }>;

export interface ListenerHooks {
  readonly words: (decode: Decode, result: DecodeResult) => void;
  readonly failed: (decode: Decode, error: unknown) => void;
}

export class Listener {
  #stt: SttSession;
  readonly #hooks: ListenerHooks;
  readonly #logger: Logger;
  readonly #inFlight = new Map<number, AbortController>();
  /** What we said last: it tells the recogniser which words are likely. */
  #said: string | null = null;

  constructor(options: { stt: SttSession; hooks: ListenerHooks; logger: Logger }) {
    this.#stt = options.stt;
    this.#hooks = options.hooks;
    this.#logger = options.logger;
  }

  decode(effect: Decode): void {
    const abort = new AbortController();
    this.#inFlight.set(effect.decode, abort);
    const { fromSample, toSample, kind } = effect;
    const prompt = this.#said === null ? {} : { prompt: this.#said };
    this.#stt.decode({ fromSample, toSample, kind, ...prompt }, abort.signal).then(
      (result) => {
        if (this.#forget(effect)) this.#hooks.words(effect, result);
      },
      (error: unknown) => {
        if (!this.#forget(effect)) return;
        this.#logger.warn('recogniser failed', { reason: error instanceof Error ? error.message : String(error) });
        this.#hooks.failed(effect, error);
      },
    );
  }

  said(text: string): void {
    this.#said = text;
  }

  /** From here on the recogniser is another one, or one in another language; what is under way is given up. */
  change(stt: SttSession): void {
    this.close();
    this.#stt = stt;
  }

  /** False when nobody waits for it any more. */
  #forget(effect: Decode): boolean {
    return this.#inFlight.delete(effect.decode);
  }

  abort(decode: number): void {
    const abort = this.#inFlight.get(decode);
    this.#inFlight.delete(decode);
    abort?.abort();
  }

  close(): void {
    for (const decode of [...this.#inFlight.keys()]) this.abort(decode);
    this.#stt.close();
  }
}
