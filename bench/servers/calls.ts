/** What the servers are told to answer, and what they saw: one record per call. The call is named by the path: /call/ID/... */
import { Draws, streamSeed } from './draws.ts';

export type Fault =
  /** Closes the connection instead of answering, as a kept-alive one that was just about to be closed does. */
  | 'hang-up'
  /** Takes the request and never answers. */
  | 'never'
  /** Answers after `lateMs`. */
  | 'late'
  /** Breaks the connection after half of the answer. */
  | 'half'
  /** Ends the answer in good order, but before it is complete. */
  | 'cut'
  /** Valid JSON of another shape. */
  | 'wrong-shape'
  /** Not JSON at all. */
  | 'garbage'
  | 'status-400'
  | 'status-404'
  | 'status-500'
  /** One line of several megabytes without an end. */
  | 'huge-line'
  /** Says that it failed in the middle of the stream. */
  | 'error-inside'
  /** Sends somebody else's address. */
  | 'redirect';

export type Part =
  | { readonly text: string }
  | { readonly tool: { readonly name: string; readonly arguments: unknown; /** Sent as it is. */ readonly raw?: string } };

export interface Reply {
  /** Only for a request whose last user message holds this. */
  readonly match?: string;
  /** Sent part by part. A string is cut into words. */
  readonly parts: string | readonly Part[];
  readonly finish?: 'stop' | 'length';
  readonly fault?: Fault;
  readonly lateMs?: number;
  /** After so many parts wait for /release or for the client to leave. */
  readonly holdAfter?: number;
  /** Writes single bytes, each in a packet of its own where the kernel agrees. */
  readonly dribble?: boolean;
  /** Replaces the text of every part by the monotonic clock in ns at the moment of sending. */
  readonly stamp?: boolean;
}

export interface Script {
  /** Answers in turn, the last one for ever. */
  readonly replies?: readonly Reply[];
  /** For the recogniser: RMS of each 10 ms of the caller's audio, and the words in it. */
  readonly envelope?: readonly number[];
  readonly words?: readonly { readonly text: string; readonly fromMs: number; readonly toMs: number }[];
}

export type RequestState = 'open' | 'finished' | 'closed';

export interface SeenRequest {
  readonly path: string;
  readonly body: unknown;
  readonly authorization: string | null;
  sentParts: number;
  state: RequestState;
  /** CLOCK_MONOTONIC in ns when the client was seen to leave. */
  closedNs: string | null;
  /** The client's TCP port: shows whether a connection was used again. */
  readonly clientPort: number;
}

export class Call {
  readonly requests: SeenRequest[] = [];
  readonly #draws = new Map<string, Draws>();
  readonly #seed: number;
  readonly #id: string;
  script: Script = {};
  #answered = 0;
  #changed: (() => void)[] = [];
  #held: (() => void)[] = [];

  constructor(id: string, seed: number) {
    this.#id = id;
    this.#seed = seed;
  }

  draws(purpose: string): Draws {
    const known = this.#draws.get(purpose) ?? new Draws(streamSeed(this.#seed, this.#id, purpose));
    this.#draws.set(purpose, known);
    return known;
  }

  set(script: Script): void {
    this.script = script;
    this.#answered = 0;
  }

  reply(lastUserText: string): Reply {
    const replies = this.script.replies ?? [];
    const matching = replies.find((reply) => reply.match !== undefined && lastUserText.includes(reply.match));
    if (matching !== undefined) return matching;
    const inTurn = replies.filter((reply) => reply.match === undefined);
    return (
      inTurn[Math.min(this.#answered++, inTurn.length - 1)] ?? {
        parts: 'Certainly, I can help you with that. What would you like to know?',
      }
    );
  }

  see(request: SeenRequest): SeenRequest {
    this.requests.push(request);
    this.changed();
    return request;
  }

  changed(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }

  /** Resolves when request `n` is in this state, or has sent this many parts. */
  async until(n: number, wanted: RequestState | number): Promise<SeenRequest> {
    for (;;) {
      const request = this.requests[n];
      if (
        request !== undefined &&
        (typeof wanted === 'number' ? request.sentParts >= wanted : request.state === wanted || wanted === 'open')
      )
        return request;
      await new Promise<void>((wake) => this.#changed.push(wake));
    }
  }

  hold(go: () => void): void {
    this.#held.push(go);
  }

  release(): void {
    for (const go of this.#held.splice(0)) go();
  }
}

export class Calls {
  readonly #calls = new Map<string, Call>();
  readonly #seed: number;
  constructor(seed: number) {
    this.#seed = seed;
  }
  of(id: string): Call {
    const call = this.#calls.get(id) ?? new Call(id, this.#seed);
    this.#calls.set(id, call);
    return call;
  }
}
