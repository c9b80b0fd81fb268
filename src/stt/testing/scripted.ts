import {
  ParleyError,
  type DecodeRequest,
  type DecodeResult,
  type ErrorCode,
  type SpeechToText,
  type SttSession,
  type Word,
} from '../../contracts/index.ts';

type Failure = Extract<ErrorCode, 'STT_FAILED' | 'STT_ABORTED'>;

export interface ScriptedSttOptions {
  /** What the caller says, by call, on the sample clock of the media session. */
  readonly says: Readonly<Record<string, readonly Word[]>> | ((callId: string) => readonly Word[]);
  readonly confidence?: number;
}

/** Words for a script: one after another from `fromSample`, each `wordSamples` long with `gapSamples` between. */
export function spoken(text: string, fromSample: number, wordSamples = 4800, gapSamples = 800): Word[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word, index) => {
      const start = fromSample + index * (wordSamples + gapSamples);
      return { text: word, fromSample: start, toSample: start + wordSamples };
    });
}

interface Waiting {
  readonly session: symbol;
  readonly kind: 'partial' | 'final';
  run(): void;
  fail(error: ParleyError): void;
}

const aborted = (): ParleyError => new ParleyError('STT_ABORTED', 'the decode was given up');

/**
 * A recogniser without audio: it knows what each caller says and when, and hears exactly the words whose last sample lies
 * in the range asked for. Shipped for tests, replays and simulations; passes the same contract suite as the real one.
 */
export class ScriptedStt implements SpeechToText {
  readonly name = 'scripted';
  readonly description = 'scripted recogniser (test fixture)';
  /** Every decode asked for, in order. */
  readonly requests: (DecodeRequest & { readonly callId: string })[] = [];
  readonly #options: ScriptedSttOptions;
  readonly #open = new Set<symbol>();
  #waiting: Waiting[] = [];
  #listener: (state: 'up' | 'down', why: string) => void = () => undefined;
  #running = false;
  #held = false;
  #failure: Failure | undefined;

  constructor(options: ScriptedSttOptions) {
    this.#options = options;
  }

  get openCalls(): number {
    return this.#open.size;
  }

  start(): Promise<void> {
    this.#running = true;
    return Promise.resolve();
  }

  open(options: { callId: string }): SttSession {
    const session = Symbol(options.callId);
    this.#open.add(session);
    return {
      decode: (request, signal) => this.#decode(session, options.callId, request, signal),
      close: () => {
        this.#open.delete(session);
        this.#forget((entry) => entry.session === session, aborted);
      },
    };
  }

  onState(listener: (state: 'up' | 'down', why: string) => void): void {
    this.#listener = listener;
  }

  stop(): Promise<void> {
    this.#running = false;
    this.#forget(() => true, aborted);
    return Promise.resolve();
  }

  /** The next decode fails with this. */
  failNext(code: Failure): void {
    this.#failure = code;
  }

  /** From now on decodes wait until `release()`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#flush();
  }

  /** As if the worker died: decodes in flight fail, `down` is told, nothing works until `revive()`. */
  crash(): void {
    this.#running = false;
    this.#forget(
      () => true,
      () => new ParleyError('STT_FAILED', 'the recogniser died'),
    );
    this.#listener('down', 'crashed as the script wants');
  }

  revive(): void {
    this.#running = true;
    this.#listener('up', 'revived');
  }

  #refusal(session: symbol, request: DecodeRequest, signal?: AbortSignal): ParleyError | undefined {
    if (signal?.aborted === true) return aborted();
    if (!this.#open.has(session)) return new ParleyError('STT_FAILED', 'the call is over');
    if (!this.#running) return new ParleyError('STT_FAILED', 'the recogniser is not running');
    if (request.fromSample > request.toSample) return new ParleyError('STT_FAILED', 'fromSample lies after toSample');
    if (!this.#failure) return undefined;
    const code = this.#failure;
    this.#failure = undefined;
    return new ParleyError(code, 'failed as the script wants');
  }

  #decode(session: symbol, callId: string, request: DecodeRequest, signal?: AbortSignal): Promise<DecodeResult> {
    this.requests.push({ ...request, callId });
    const refused = this.#refusal(session, request, signal);
    if (refused) return Promise.reject(refused);
    this.#forget((entry) => entry.session === session && entry.kind === 'partial', aborted);
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        session,
        kind: request.kind,
        run: () => {
          resolve(this.#hear(callId, request));
        },
        fail: reject,
      };
      signal?.addEventListener('abort', () => {
        this.#forget((other) => other === entry, aborted);
      });
      this.#waiting.push(entry);
      queueMicrotask(() => {
        this.#flush();
      });
    });
  }

  #hear(callId: string, request: DecodeRequest): DecodeResult {
    const { says, confidence } = this.#options;
    const script = typeof says === 'function' ? says(callId) : (says[callId] ?? []);
    const words = script.filter((word) => word.toSample > request.fromSample && word.toSample <= request.toSample);
    const text = words.map((word) => word.text).join(' ');
    return { text, confidence: text === '' ? 0 : (confidence ?? 0.95), words, queueMs: 0, decodeMs: 0 };
  }

  /** Answers all that waits: finals first. */
  #flush(): void {
    if (this.#held) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const kind of ['final', 'partial'] as const) {
      for (const entry of waiting) if (entry.kind === kind) entry.run();
    }
  }

  #forget(which: (entry: Waiting) => boolean, error: () => ParleyError): void {
    const leaving = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((entry) => !leaving.includes(entry));
    for (const entry of leaving) entry.fail(error());
  }
}

export function createScriptedStt(options: ScriptedSttOptions): ScriptedStt {
  return new ScriptedStt(options);
}
