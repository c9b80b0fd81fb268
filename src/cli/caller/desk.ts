/** The synthetic caller on the other end: a desk phone that registers, rings, answers, and walks a script. What a transfer reaches. */
import { ParleyError } from '../../contracts/index.ts';
import { converse, renderScript, type CallerEvent, type ConversationResult } from './conversation.ts';
import type { Law } from './g711.ts';
import { followOffers } from './offers.ts';
import { RtpLeg } from './rtp.ts';
import type { Script } from './script.ts';
import { DEFAULT_KEYS_TYPE, readSdp, writeSdp, type LocalMedia, type RemoteMedia } from './sdp.ts';
import type { Credentials } from './sip-auth.ts';
import { SipPhone, type Incoming } from './sip.ts';
import { DEFAULT_VOICE, type Line, type Voice } from './voice.ts';

export interface DeskOptions {
  readonly localHost?: string;
  /** 0 takes any. */
  readonly localPort?: number;
  /** Where to register, and as whom; without it the desk only waits at its address. */
  readonly register?: { readonly host: string; readonly port: number; readonly credentials: Credentials; readonly expiresS?: number };
  readonly script: Script;
  readonly voice?: Voice;
  /** Rings so long before it answers. */
  readonly ringMs?: number;
  /** Refuses every call with this status instead: 486 busy, 603 declined. */
  readonly refuse?: { readonly status: number; readonly reason: string };
  readonly laws?: readonly Law[];
  /** Gives the file for each call's stereo recording. */
  readonly recordTo?: (call: number) => string;
  readonly maxCallMs?: number;
  readonly onEvent?: (event: CallerEvent, call: number) => void;
}
/** One call that the desk got. */
export interface DeskCall {
  readonly call: number;
  /** The number that called, as the PBX showed it. */
  readonly from: string;
  /** All headers of the INVITE, names in lower case: what a context card may travel in. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Null when it was refused or cancelled. */
  readonly conversation: ConversationResult | null;
  /** Why it could not be taken or recorded, or null. */
  readonly problem: string | null;
}
export interface Desk {
  readonly host: string;
  readonly port: number;
  /** Calls that are over, in the order in which they ended. */
  readonly calls: readonly DeskCall[];
  /** The next call to end. Errors: CALLER_FAILED when the desk closes first. */
  next(): Promise<DeskCall>;
  /** Hangs up, unregisters, frees the ports. */
  close(): Promise<void>;
}

const MAX_CALL_MS = 600_000;
const GONE = { status: 480, reason: 'Temporarily Unavailable' };

/** Opens a desk phone. Errors: CALLER_FAILED when it cannot bind, render its script, or register. */
export async function answerCalls(options: DeskOptions): Promise<Desk> {
  const lines = await renderScript(options.script, options.voice ?? DEFAULT_VOICE);
  const phone = await SipPhone.open({ host: options.localHost ?? '127.0.0.1', port: options.localPort ?? 0 });
  const desk = new DeskPhone(phone, lines, options);
  const { register } = options;
  if (register !== undefined) {
    try {
      await phone.register({ registrar: register, credentials: register.credentials, expiresS: register.expiresS ?? 300 });
    } catch (error) {
      await desk.close();
      throw error;
    }
  }
  return desk;
}

class DeskPhone implements Desk {
  readonly calls: DeskCall[] = [];
  readonly #phone: SipPhone;
  readonly #lines: ReadonlyMap<string, Line>;
  readonly #options: DeskOptions;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #waiting: { resolve: (call: DeskCall) => void; reject: (error: Error) => void }[] = [];
  #count = 0;
  #handedOut = 0;

  constructor(phone: SipPhone, lines: ReadonlyMap<string, Line>, options: DeskOptions) {
    this.#phone = phone;
    this.#lines = lines;
    this.#options = options;
    phone.onIncoming((incoming) => {
      const work = this.#take(incoming, ++this.#count).finally(() => this.#running.delete(work));
      this.#running.add(work);
    });
  }

  get host(): string {
    return this.#phone.local.host;
  }
  get port(): number {
    return this.#phone.local.port;
  }

  next(): Promise<DeskCall> {
    const call = this.calls[this.#handedOut++];
    if (call !== undefined) return Promise.resolve(call);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await Promise.all(this.#running);
    const { register } = this.#options;
    if (register !== undefined)
      await this.#phone.register({ registrar: register, credentials: register.credentials, expiresS: 0 }).catch(() => undefined);
    await this.#phone.settle();
    this.#phone.close();
    for (const { reject } of this.#waiting) reject(new ParleyError('CALLER_FAILED', 'the desk phone was closed before a call came'));
  }

  async #take(incoming: Incoming, call: number): Promise<void> {
    let problem: string | null = null;
    const conversation = await this.#answer(incoming, call).catch((error: unknown) => {
      problem = error instanceof Error ? error.message : String(error);
      incoming.refuse(488, 'Not Acceptable Here');
      return null;
    });
    const done: DeskCall = { call, from: incoming.from, headers: incoming.request.lines, conversation, problem };
    this.calls.push(done);
    this.#waiting.shift()?.resolve(done);
  }

  async #answer(incoming: Incoming, call: number): Promise<ConversationResult | null> {
    const { refuse, ringMs = 0, laws = ['ulaw'] } = this.#options;
    const busy = refuse ?? (this.#closing.signal.aborted ? GONE : undefined);
    if (busy !== undefined) {
      incoming.refuse(busy.status, busy.reason);
      return null;
    }
    const remote = readSdp(incoming.offer ?? '', laws);
    incoming.ring();
    await pause(ringMs, [incoming.cancelled, this.#closing.signal]);
    if (incoming.cancelled.aborted) return null;
    if (this.#isClosing()) {
      incoming.refuse(GONE.status, GONE.reason);
      return null;
    }
    const leg = await RtpLeg.open(this.host);
    try {
      return await this.#converse(incoming, remote, leg, call);
    } finally {
      leg.close();
    }
  }

  #converse(incoming: Incoming, remote: RemoteMedia, leg: RtpLeg, call: number): Promise<ConversationResult> {
    const { laws = ['ulaw'], recordTo, onEvent, script, maxCallMs = MAX_CALL_MS } = this.#options;
    const keysType = remote.keysType ?? DEFAULT_KEYS_TYPE;
    const local: LocalMedia = { host: this.host, port: leg.port, laws: [remote.law], keysType, version: 1, direction: 'sendrecv' };
    const dialog = incoming.accept(writeSdp(local));
    followOffers(dialog, leg, { ...local, laws });
    const shown = onEvent === undefined ? undefined : (event: CallerEvent): void => onEvent(event, call);
    const options = { script, lines: this.#lines, recordTo: recordTo?.(call), onEvent: shown, signal: this.#closing.signal, maxCallMs };
    return converse(leg, dialog, remote, options);
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }
}

/** Waits, or less when one of the signals comes. */
function pause(waitMs: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    for (const signal of signals) {
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
    }
  });
}
