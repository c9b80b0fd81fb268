/**
 * A PBX that exists only in memory, for tests of everything that stands on the port. It keeps the port's promises:
 * events in order and never inside a command, `ended` exactly once, hangup of an unknown call is success,
 * openMedia twice replaces the leg. The same contract suite runs against it and against a real Asterisk.
 */
import { ParleyError } from '../../contracts/index.ts';
import type { Codec, DialOptions, HangupReason, PbxCall, PbxCallId, PbxDriver, PbxEvent, PbxMedia } from '../../contracts/index.ts';

export type FakeAction =
  | { readonly t: 'answer'; readonly id: PbxCallId }
  | {
      readonly t: 'openMedia';
      readonly id: PbxCallId;
      readonly receive: Codec;
      readonly send: Codec;
      readonly localHost: string;
      readonly localPort: number;
    }
  | { readonly t: 'dial'; readonly context: string; readonly extension: string }
  | {
      readonly t: 'transfer';
      readonly id: PbxCallId;
      readonly context: string;
      readonly extension: string;
      readonly variables: Readonly<Record<string, string>>;
    }
  | { readonly t: 'leave'; readonly id: PbxCallId; readonly variables: Readonly<Record<string, string>> }
  | { readonly t: 'hangup'; readonly id: PbxCallId; readonly reason: HangupReason }
  | { readonly t: 'claim' }
  | { readonly t: 'sweep'; readonly keep: readonly PbxCallId[] };

export interface FakePbxOptions {
  /** Where audio for the caller is to go: the RTP socket of a test. */
  readonly remote?: { readonly host: string; readonly port: number };
  /** Extensions that a transfer can reach, as `context/extension`; every one when left out. */
  readonly extensions?: readonly string[];
  /** Whether somebody answers where we dial, by `context/extension`; nobody when left out. */
  readonly answers?: (place: string) => boolean;
}

export interface FakePbx extends PbxDriver {
  /** Everything that was asked of the PBX, in order. */
  readonly actions: readonly FakeAction[];
  /** Calls that have a media leg now. */
  readonly legs: ReadonlySet<PbxCallId>;
  /** A caller phones in. Returns the id; `incoming` follows. */
  ring(call?: Partial<Omit<PbxCall, 'state'>>): PbxCallId;
  press(id: PbxCallId, digit: string, durationMs?: number): void;
  hold(id: PbxCallId, on: boolean): void;
  callerHangsUp(id: PbxCallId, reason?: HangupReason, q850?: number): void;
  /** The next command of this name fails with this error. */
  failNext(command: FakeAction['t'], error: ParleyError): void;
  linkDown(why?: string): void;
  /** Up again; `resync` names the calls that are left. */
  linkUp(): void;
  /** The call vanishes without a word, as when the PBX restarts while the link is down. */
  lose(id: PbxCallId): void;
}

export function createFakePbx(options: FakePbxOptions = {}): FakePbx {
  return new MemoryPbx(options);
}

class MemoryPbx implements FakePbx {
  readonly kind = 'fake';
  readonly version = 'fake';
  readonly actions: FakeAction[] = [];
  readonly legs = new Set<PbxCallId>();
  readonly #options: FakePbxOptions;
  readonly #calls = new Map<PbxCallId, PbxCall>();
  readonly #orphans = new Set<PbxCallId>();
  /** Calls that we placed, and who hears of them. */
  readonly #dialled = new Map<PbxCallId, DialOptions['onEvent']>();
  readonly #failures = new Map<FakeAction['t'], ParleyError>();
  readonly #queue: PbxEvent[] = [];
  #listener: (event: PbxEvent) => void = () => undefined;
  #up = false;
  #attempt = 0;
  #rung = 0;

  constructor(options: FakePbxOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    this.linkUp();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#up = false;
    return Promise.resolve();
  }

  onEvent(listener: (event: PbxEvent) => void): void {
    this.#listener = listener;
  }

  counters(): Readonly<Record<string, number>> {
    return { connects: this.#attempt };
  }

  claim(): Promise<void> {
    return this.#do({ t: 'claim' }, () => undefined);
  }

  answer(id: PbxCallId): Promise<void> {
    return this.#do({ t: 'answer', id }, () => {
      this.#calls.set(id, { ...this.#need(id), state: 'up' });
    });
  }

  dial(target: { context: string; extension: string }, { onEvent, signal }: DialOptions): Promise<PbxCallId | null> {
    return this.#do({ t: 'dial', ...target }, () => {
      const place = `${target.context}/${target.extension}`;
      checkPlace(target);
      if (signal.aborted || this.#options.extensions?.includes(place) === false || this.#options.answers?.(place) !== true) return null;
      const id = `fake-dial-${++this.#rung}`;
      this.#dialled.set(id, onEvent);
      this.#calls.set(id, { id, direction: 'outbound', from: { number: '', name: '' }, to: target.extension, args: {}, state: 'up' });
      return id;
    });
  }

  openMedia(id: PbxCallId, want: { receive: Codec; send: Codec; localHost: string; localPort: number }): Promise<PbxMedia> {
    return this.#do({ t: 'openMedia', id, ...want }, () => {
      this.#need(id);
      this.legs.add(id);
      const { host, port } = this.#options.remote ?? { host: '127.0.0.1', port: 9 };
      return { remoteHost: host, remotePort: port, receive: want.receive, send: want.send };
    });
  }

  transfer(id: PbxCallId, target: { context: string; extension: string }, variables: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.#do({ t: 'transfer', id, ...target, variables }, () => {
      this.#need(id);
      const known = this.#options.extensions;
      if (known !== undefined && !known.includes(`${target.context}/${target.extension}`)) {
        throw new ParleyError('PBX_BAD_INPUT', 'The dialplan has no such extension.');
      }
      this.#end(id, 'normal', 0);
    });
  }

  leave(id: PbxCallId, variables: Readonly<Record<string, string>>): Promise<void> {
    return this.#do({ t: 'leave', id, variables }, () => {
      this.#need(id);
      this.#end(id, 'normal', 0);
    });
  }

  hangup(id: PbxCallId, reason: HangupReason): Promise<void> {
    return this.#do({ t: 'hangup', id, reason }, () => this.#end(id, reason, 16));
  }

  sweep(keep: ReadonlySet<PbxCallId>): Promise<number> {
    return this.#do({ t: 'sweep', keep: [...keep] }, () => {
      const doomed = [...this.#orphans, ...this.legs].filter((id) => !keep.has(id));
      for (const id of doomed) {
        this.#orphans.delete(id);
        this.legs.delete(id);
      }
      return doomed.length;
    });
  }

  ring(call: Partial<Omit<PbxCall, 'state'>> = {}): PbxCallId {
    const id = call.id ?? `fake-${++this.#rung}`;
    const full: PbxCall = { direction: 'inbound', from: { number: '100', name: '' }, to: '700', args: {}, ...call, id, state: 'ringing' };
    this.#calls.set(id, full);
    this.#emit({ t: 'incoming', call: full });
    return id;
  }

  press(id: PbxCallId, digit: string, durationMs = 160): void {
    if (this.#calls.has(id)) this.#emit({ t: 'dtmf', id, digit, durationMs });
  }

  hold(id: PbxCallId, on: boolean): void {
    if (this.#calls.has(id)) this.#emit({ t: on ? 'held' : 'resumed', id });
  }

  callerHangsUp(id: PbxCallId, reason: HangupReason = 'normal', q850 = 0): void {
    this.#end(id, reason, q850);
  }

  failNext(command: FakeAction['t'], error: ParleyError): void {
    this.#failures.set(command, error);
  }

  linkDown(why = 'pulled by the test'): void {
    if (!this.#up) return;
    this.#up = false;
    this.#emit({ t: 'link', state: 'down', why, attempt: this.#attempt });
  }

  linkUp(): void {
    if (this.#up) return;
    this.#up = true;
    this.#emit({ t: 'link', state: 'up', attempt: ++this.#attempt });
    this.#emit({ t: 'resync', calls: [...this.#calls.values()].filter(({ id }) => !this.#dialled.has(id)) });
  }

  lose(id: PbxCallId): void {
    this.#calls.delete(id);
    if (this.legs.delete(id)) this.#orphans.add(id);
  }

  async #do<T>(action: FakeAction, effect: () => T): Promise<T> {
    // A command is never done before its caller has let go: as with a real PBX.
    await Promise.resolve();
    if (!this.#up) throw new ParleyError('PBX_LINK_DOWN', 'The link to the fake PBX is down.');
    const failure = this.#failures.get(action.t);
    this.#failures.delete(action.t);
    if (failure !== undefined) throw failure;
    this.actions.push(action);
    return effect();
  }

  #need(id: PbxCallId): PbxCall {
    const call = this.#calls.get(id);
    if (call === undefined) throw new ParleyError('PBX_NO_SUCH_CALL', 'The fake PBX does not have this call.');
    return call;
  }

  #end(id: PbxCallId, reason: HangupReason, q850: number): void {
    if (!this.#calls.delete(id)) return;
    this.legs.delete(id);
    if (this.#up) this.#emit({ t: 'ended', id, reason, q850 });
  }

  #emit(event: PbxEvent): void {
    this.#queue.push(event);
    if (this.#queue.length > 1) return;
    queueMicrotask(() => {
      for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
        const own = 'id' in next ? this.#dialled.get(next.id) : undefined;
        if (own === undefined) this.#listener(next);
        else if ('id' in next) own(next);
        this.#queue.shift();
      }
    });
  }
}

function checkPlace({ context, extension }: { context: string; extension: string }): void {
  if (/^[\w.-]+$/.test(context) && /^[+]?[\w*#.-]+$/.test(extension)) return;
  throw new ParleyError('PBX_BAD_INPUT', 'The context or the extension has characters that are not allowed.');
}
