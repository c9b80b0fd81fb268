/** The PBX port over ARI: calls, their media legs, and the one ordered stream of events. */
import { ParleyError } from '../../contracts/index.ts';
import type { DialOptions, ErrorCode, HangupReason, PbxCallId, PbxDriver, PbxEvent, PbxMedia } from '../../contracts/index.ts';
import { AriClient } from './ari-client.ts';
import type { AriChannel, AriEvent } from './ari-types.ts';
import { isChannel } from './ari-wire.ts';
import { CallTable, isAboutCall } from './call-table.ts';
import type { HeldCall } from './call-table.ts';
import { q850Of } from './causes.ts';
import { DialledCalls } from './dialled.ts';
import { AriRefusal, isGone } from './failure.ts';
import { Leases } from './leases.ts';
import { MediaLegs } from './media-legs.ts';
import type { MediaWish } from './media-legs.ts';
import { checkContext, checkExtension, checkVariable, cleanValue, legNames } from './names.ts';
import type { LegNames } from './names.ts';
import { DEFAULT_TIMING, checkApp, checkMediaFormat, parseAriUrl } from './options.ts';
import type { AsteriskOptions } from './options.ts';

/** Errors: CONFIG_INVALID, at once and before anything is connected. */
export function createAsterisk(options: AsteriskOptions): PbxDriver {
  return new AsteriskDriver(options);
}

class AsteriskDriver implements PbxDriver {
  readonly kind = 'asterisk';
  readonly #options: AsteriskOptions;
  readonly #ari: AriClient;
  readonly #legs: MediaLegs;
  readonly #dialled: DialledCalls;
  readonly #names: LegNames;
  readonly #calls: CallTable;
  readonly #leases: Leases;
  readonly #releasing = new Set<Promise<void>>();
  readonly #counters: Record<string, number> = {};
  #version = '';
  #listener: (event: PbxEvent) => void = () => undefined;
  /** Events of a fresh connection wait here until the resync is out. */
  #early: AriEvent[] | undefined;
  #linkUp = false;
  /** The kind of trouble that was told last: an unchanged one is not told again at each attempt. */
  #told: ErrorCode | undefined;
  #firstOutcome: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(options: AsteriskOptions) {
    const timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#options = options;
    this.#names = legNames(checkApp(options.app));
    this.#calls = new CallTable(options.app);
    this.#ari = new AriClient({
      url: parseAriUrl(options.url),
      app: options.app,
      user: options.user,
      password: options.password,
      logger: options.logger,
      timing,
      count: (what) => this.#count(what),
      onEvent: (event) => (this.#early === undefined ? this.#take(event) : this.#early.push(event)),
      onConnected: (attempt) => this.#connected(attempt),
      onDown: (down) => this.#down(down),
    });
    this.#legs = new MediaLegs(this.#ari, options.app, this.#names, timing.requestMs);
    this.#dialled = new DialledCalls(this.#ari, options.app, this.#names);
    this.#leases = new Leases({
      seconds: options.leaseSeconds ?? 0,
      set: (id, seconds) => this.#setTimeout(id, seconds),
      isRefused: (error) => error instanceof AriRefusal,
      onRefused: () => this.#leaseRefused(),
    });
  }

  get version(): string {
    return this.#version;
  }

  start(): Promise<void> {
    this.#early = [];
    return new Promise((resolve, reject) => {
      this.#firstOutcome = { resolve, reject };
      this.#ari.start();
    });
  }

  /** Calls stay up in the PBX; legs of calls that have just ended are still taken down. */
  async stop(): Promise<void> {
    this.#leases.stop();
    await Promise.all(this.#releasing);
    await this.#ari.stop();
    this.#linkUp = false;
    this.#firstOutcome?.reject(new ParleyError('PBX_LINK_DOWN', 'The driver was stopped before Asterisk could be reached.'));
    this.#firstOutcome = undefined;
  }

  onEvent(listener: (event: PbxEvent) => void): void {
    this.#listener = listener;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  async claim(): Promise<void> {
    await this.#ari.request('POST /asterisk/variable', { query: { variable: 'PARLEY_APP', value: this.#options.app } });
  }

  async answer(id: PbxCallId): Promise<void> {
    this.#need(id);
    await this.#onChannel(id, this.#ari.request('POST /channels/{channelId}/answer', { path: { channelId: id } }));
  }

  dial(target: { context: string; extension: string }, options: DialOptions): Promise<PbxCallId | null> {
    return this.#dialled.dial(target, options);
  }

  async openMedia(id: PbxCallId, want: MediaWish): Promise<PbxMedia> {
    const held = this.#need(id);
    checkMediaFormat(want.receive, 'receive');
    checkMediaFormat(want.send, 'send');
    await this.#release(held);
    const leg = this.#legs.newIds(id);
    held.leg = leg;
    try {
      const media = await this.#legs.open(id, leg, want);
      if (this.#calls.get(id) === held) return media;
      throw noSuchCall();
    } catch (error) {
      // Once more, whatever `ended` has already released: a part may have been made after that.
      if (held.leg === leg) held.leg = undefined;
      await this.#legs.release(leg);
      if (this.#calls.get(id) !== held) throw noSuchCall(error);
      throw error;
    }
  }

  async transfer(
    id: PbxCallId,
    target: { context: string; extension: string },
    variables: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const held = this.#need(id);
    const context = checkContext(target.context);
    const extension = checkExtension(target.extension);
    if (!(await this.#exists(id, context, extension))) {
      throw new ParleyError('PBX_BAD_INPUT', `The dialplan has no extension '${extension}' in context '${context}'.`);
    }
    await this.#setVariables(id, variables);
    await this.#release(held);
    await this.#goOn(id, { context, extension, priority: 1 });
  }

  async leave(id: PbxCallId, variables: Readonly<Record<string, string>>): Promise<void> {
    const held = this.#need(id);
    await this.#setVariables(id, variables);
    await this.#release(held);
    await this.#goOn(id, {});
  }

  /** Back into the dialplan, without a lease: whoever speaks with the caller from here on is not interrupted. */
  async #goOn(id: PbxCallId, query: { context?: string; extension?: string; priority?: number }): Promise<void> {
    await this.#leases.free(id);
    try {
      await this.#onChannel(id, this.#ari.request('POST /channels/{channelId}/continue', { path: { channelId: id }, query }));
    } catch (error) {
      if (this.#calls.get(id) !== undefined) this.#leases.take(id);
      throw error;
    }
  }

  async #setTimeout(id: PbxCallId, seconds: number): Promise<void> {
    const query = { variable: 'TIMEOUT(absolute)', value: String(seconds) };
    await this.#onChannel(id, this.#ari.request('POST /channels/{channelId}/variable', { path: { channelId: id }, query }));
  }

  #leaseRefused(): void {
    if (this.#counters['leasesRefused'] === undefined)
      this.#options.logger.warn('Asterisk sets no timeout: a call whose gateway dies for good waits for ever; load func_timeout.so');
    this.#count('leasesRefused');
  }

  async #setVariables(id: PbxCallId, variables: Readonly<Record<string, string>>): Promise<void> {
    const pairs = Object.entries(variables).map(([name, value]) => ({ name, value: cleanValue(value) }));
    for (const { name, value } of pairs) checkVariable(name, value);
    await this.#onChannel(
      id,
      Promise.all(
        pairs.map(({ name, value }) =>
          this.#ari.request('POST /channels/{channelId}/variable', { path: { channelId: id }, query: { variable: name, value } }),
        ),
      ),
    );
  }

  async hangup(id: PbxCallId, reason: HangupReason): Promise<void> {
    const request = this.#ari.request('DELETE /channels/{channelId}', {
      path: { channelId: id },
      query: { reason_code: String(q850Of(reason)) },
    });
    await request.catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
  }

  async sweep(keep: ReadonlySet<PbxCallId>): Promise<number> {
    // What is being released already is no orphan.
    await Promise.all(this.#releasing);
    // A call that comes while the lists are on their way is none of those that the caller of this method could name.
    const before = this.#calls.ids();
    const swept = await this.#legs.sweep((id, partId) => {
      const held = this.#calls.get(id);
      if (held === undefined) return keep.has(id) && !before.has(id);
      // Of a call that is kept, only the leg that it has now: an older one is of the process before this.
      const isCurrent = held.leg?.mediaId === partId || held.leg?.bridgeId === partId;
      return isCurrent && (keep.has(id) || !before.has(id));
    });
    this.#count('swept', swept);
    return swept;
  }

  /** The first requests of a connection: who are you, which calls of ours do you still have, away with what belongs to none. */
  async #connected(attempt: number): Promise<void> {
    this.#early ??= [];
    const info = await this.#ari.request('GET /asterisk/info', {});
    const channels = await this.#ari.request('GET /channels', {});
    // One more round trip: a channel that was listed while it entered Stasis has its StasisStart in `early` by then.
    await this.#ari.request('GET /asterisk/ping', {});
    this.#version = info.system?.version ?? '';
    const calls = this.#calls.resync(channels, (id) => this.#names.isMedia(id) || this.#dialled.isOurs(id), this.#early);
    this.#leases.keepOnly(this.#calls.ids());
    this.#linkUp = true;
    this.#told = undefined;
    this.#options.logger.info('pbx link up', { attempt, version: this.#version });
    this.#emit({ t: 'link', state: 'up', attempt });
    this.#emit({ t: 'resync', calls });
    const early = this.#early;
    this.#early = undefined;
    for (const event of early) this.#take(event);
    this.#firstOutcome?.resolve();
    this.#firstOutcome = undefined;
    const sweep = async (): Promise<void> => {
      await this.sweep(this.#calls.ids());
      this.#count('swept', await this.#dialled.sweep());
    };
    await sweep().catch((error: unknown) => {
      this.#options.logger.warn('orphaned media legs could not be swept', { why: error instanceof Error ? error.message : '' });
    });
  }

  #down(down: { why: string; attempt: number; cut: boolean; error: ParleyError }): void {
    this.#early = [];
    this.#legs.failAll(down.error);
    this.#dialled.failAll(down.error);
    if (this.#linkUp || down.error.code !== this.#told) {
      this.#linkUp = false;
      this.#told = down.error.code;
      this.#options.logger.warn('pbx link down', { code: down.error.code, why: down.why, attempt: down.attempt });
      this.#emit({ t: 'link', state: 'down', why: down.why, attempt: down.attempt });
    }
    if (down.error.code === 'PBX_AUTH') {
      this.#firstOutcome?.reject(down.error);
      this.#firstOutcome = undefined;
    }
  }

  #take(event: AriEvent): void {
    if (event.type === 'ApplicationReplaced') {
      this.#options.logger.error('another program took our application name in Asterisk: is a second gateway running?');
      this.#count('replaced');
      this.#ari.yieldName();
      return;
    }
    const channel: unknown = 'channel' in event ? event.channel : undefined;
    if (!isChannel(channel)) {
      if (channel !== undefined || event.type === 'StasisStart' || isAboutCall(event)) this.#count('badEvents');
    } else if (this.#names.isMedia(channel.id)) this.#takeMedia(event, channel.id);
    else this.#takeCall(event, channel);
  }

  #takeMedia(event: AriEvent, channelId: string): void {
    if (event.type === 'StasisStart') this.#legs.started(channelId);
    if (event.type !== 'StasisEnd' && event.type !== 'ChannelDestroyed') return;
    if (this.#legs.gone(channelId)) return;
    const held = this.#calls.get(this.#names.callOf(channelId) ?? '');
    if (held?.leg?.mediaId !== channelId) return;
    held.leg = undefined;
    this.#count('mediaLegsLost');
    this.#options.logger.warn('the media leg of a call was ended by someone else', { channel: channelId });
  }

  #takeCall(event: AriEvent, channel: AriChannel): void {
    const { tell, count, by, over } = this.#calls.take(event, channel);
    if (count !== undefined) this.#count(count, by);
    if (count === 'ignoredArgs')
      this.#options.logger.warn('arguments of a Stasis line were ignored: each must be name=value', { ignored: by });
    if (this.#dialled.isOurs(channel.id)) {
      if (tell !== undefined) this.#dialled.take(tell);
      if (event.type === 'ChannelDestroyed') this.#dialled.gone(channel.id);
    } else if (tell !== undefined) {
      if (tell.t === 'incoming') this.#leases.take(channel.id);
      this.#emit(tell);
    }
    if (over === undefined) return;
    this.#leases.forget(channel.id);
    const releasing = this.#release(over)
      .catch((error: unknown) => {
        this.#count('releaseFailures');
        this.#options.logger.warn('a media leg could not be removed', { why: error instanceof Error ? error.message : '' });
      })
      .finally(() => this.#releasing.delete(releasing));
    this.#releasing.add(releasing);
  }

  async #release(held: HeldCall): Promise<void> {
    const leg = held.leg;
    held.leg = undefined;
    if (leg !== undefined) await this.#legs.release(leg);
  }

  /** Asked of the dialplan itself, so that a typing error is found before the caller is sent into nothing. */
  async #exists(id: PbxCallId, context: string, extension: string): Promise<boolean> {
    try {
      const variable = `DIALPLAN_EXISTS(${context},${extension},1)`;
      const answer = await this.#ari.request('GET /channels/{channelId}/variable', { path: { channelId: id }, query: { variable } });
      return answer.value !== '0';
    } catch (error) {
      // Without func_dialplan nobody can tell beforehand.
      if (error instanceof AriRefusal && this.#calls.get(id) !== undefined) return true;
      throw error;
    }
  }

  #need(id: PbxCallId): HeldCall {
    const held = this.#calls.get(id);
    if (held === undefined) throw noSuchCall();
    return held;
  }

  /** A channel that is gone or has left Stasis is one and the same to the caller of the port. */
  async #onChannel<T>(id: PbxCallId, request: Promise<T>): Promise<T> {
    try {
      return await request;
    } catch (error) {
      if (isGone(error) || (error instanceof AriRefusal && this.#calls.get(id) === undefined)) throw noSuchCall(error);
      throw error;
    }
  }

  /** A listener that throws is a fault of ours, but it must neither break the line nor hide the events that follow. */
  #emit(event: PbxEvent): void {
    try {
      this.#listener(event);
    } catch (error) {
      this.#count('listenerFailures');
      this.#options.logger.error('the listener for PBX events failed', {
        event: event.t,
        why: error instanceof Error ? error.message : '',
      });
    }
  }

  #count(what: string, by = 1): void {
    this.#counters[what] = (this.#counters[what] ?? 0) + by;
  }
}

function noSuchCall(cause?: unknown): ParleyError {
  return new ParleyError(
    'PBX_NO_SUCH_CALL',
    'Asterisk does not have this call in our application any more.',
    cause === undefined ? {} : { cause },
  );
}
