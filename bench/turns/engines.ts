/**
 * Engines with published service times behind processor-sharing queues, in this process: the ports themselves, with the queue and
 * the draws of bench/servers. HTTP between them would cost this machine more than the engines' own times. The recogniser is an
 * oracle: it gives the words whose end lies inside the audio that it was asked for, without punctuation, 3 % of the last words of
 * partials wrong.
 */
import type {
  DecodeRequest,
  DecodeResult,
  DialogueEffect,
  SpeechClip,
  SpeechToText,
  SttSession,
  TextToSpeech,
} from '../../src/contracts/index.ts';
import { CLAUSE_TOKENS, Draws, type Profile, type ServiceTime, streamSeed } from '../servers/draws.ts';
import { SharedServer } from '../servers/queue.ts';
import { OPENERS } from './script.ts';
import { RATE_HZ, sentence } from './voice.ts';

export interface Capacities {
  readonly stt: number;
  readonly llm: number;
  readonly tts: number;
}

/** What the oracle knows of one call. Samples at 8 kHz on the caller's clock. */
export interface Said {
  readonly words: { readonly text: string; readonly from: number; readonly to: number }[];
}

export interface Tokens {
  made: number;
  discarded: number;
}

export class BenchEngines {
  readonly stt: SpeechToText;
  readonly tts: TextToSpeech;
  readonly tokens: Tokens = { made: 0, discarded: 0 };
  readonly #profile: Profile;
  readonly #seed: number;
  readonly #queues: { readonly stt: SharedServer; readonly llm: SharedServer; readonly tts: SharedServer };
  readonly #draws = new Map<string, Draws>();

  constructor(options: { profile: Profile; capacities: Capacities; seed: number; said: (callId: string) => Said | undefined }) {
    this.#profile = options.profile;
    this.#seed = options.seed;
    const { stt, llm, tts } = options.capacities;
    this.#queues = { stt: new SharedServer(stt), llm: new SharedServer(llm), tts: new SharedServer(tts) };
    this.stt = {
      name: 'oracle',
      description: 'oracle recogniser with drawn service times',
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      onState: () => undefined,
      open: ({ callId }): SttSession => ({
        decode: (request, signal) => this.#decode(callId, options.said(callId), request, signal),
        close: () => undefined,
      }),
    };
    this.tts = {
      name: 'bench',
      description: 'espeak-ng with drawn service times',
      maxChars: 1000,
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      synthesise: (text, { signal }) => this.#synthesise(text, signal),
    };
  }

  #of(call: string, purpose: string): Draws {
    const key = `${call} ${purpose}`;
    const known = this.#draws.get(key) ?? new Draws(streamSeed(this.#seed, call, purpose));
    this.#draws.set(key, known);
    return known;
  }

  /** One job: its drawn time, longer when others share the engine. Rejects when it is given up. */
  #serve(queue: SharedServer, ms: number, signal: AbortSignal | undefined): Promise<number> {
    const startMs = performance.now();
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new Error('given up'));
        return;
      }
      const giveUp = queue.run([Math.max(0.01, ms)], () => resolve(performance.now() - startMs));
      signal?.addEventListener('abort', () => {
        giveUp();
        reject(signal.reason instanceof Error ? signal.reason : new Error('given up'));
      });
    });
  }

  async #decode(callId: string, said: Said | undefined, request: DecodeRequest, signal: AbortSignal | undefined): Promise<DecodeResult> {
    const draws = this.#of(callId, 'stt');
    const ms = draws.serviceMs(this.#profile.sttTail);
    const tookMs = await this.#serve(this.#queues.stt, ms, signal);
    const [from, to] = [request.fromSample / 2, request.toSample / 2];
    // 5 ms of grace: the line's filters delay by about one.
    const words = (said?.words ?? []).filter((one) => one.to > from && one.to <= to + 40);
    const texts = words.map((one) => one.text);
    if (request.kind === 'partial' && texts.length > 0 && draws.uniform() < 0.03) texts[texts.length - 1] = 'well';
    return { text: texts.join(' '), confidence: 0.9, words: [], queueMs: Math.max(0, tookMs - ms), decodeMs: tookMs };
  }

  /** The language model's first clause to what the dialogue wants said. */
  async think(
    effects: readonly DialogueEffect[],
    { callId, signal }: { callId: string; signal: AbortSignal },
  ): Promise<readonly DialogueEffect[]> {
    if (!effects.some((effect) => effect.t === 'say' && effect.kind === 'answer')) return effects;
    const draws = this.#of(callId, 'llm');
    const ms = draws.serviceMs(this.#profile.llmFirst) + draws.serviceMs(this.#profile.llmClause);
    this.tokens.made += CLAUSE_TOKENS;
    try {
      await this.#serve(this.#queues.llm, ms, signal);
      return effects;
    } catch (error) {
      this.tokens.discarded += CLAUSE_TOKENS;
      throw error;
    }
  }

  async #synthesise(text: string, signal: AbortSignal | undefined): Promise<SpeechClip> {
    const { pcm, words } = sentence(text, 'agent');
    const time: ServiceTime = OPENERS.includes(text) ? { p50: 0, p95: 0 } : this.#profile.ttsFirst;
    const ms = this.#of('', 'tts').serviceMs(time);
    // What is cached costs nothing.
    const tookMs = ms === 0 ? 0 : await this.#serve(this.#queues.tts, ms, signal);
    let at = 0;
    const marks = words.map((word) => {
      const fromChar = text.indexOf(word.text, at);
      at = fromChar + word.text.length;
      return { text: word.text, fromChar, toChar: at, fromSample: word.from };
    });
    return { pcm, rateHz: RATE_HZ, firstMs: tookMs, totalMs: tookMs, marks };
  }
}
