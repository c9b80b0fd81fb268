/**
 * Calls that we place: to an extension of the dialplan, as a transfer reaches it, through a Local channel that enters our application
 * when somebody answers. What happens to one is told to whoever placed it, never to the listener of all calls.
 */
import { randomBytes } from 'node:crypto';
import { ParleyError } from '../../contracts/index.ts';
import type { DialOptions, PbxCallId, PbxEvent } from '../../contracts/index.ts';
import type { AriClient } from './ari-client.ts';
import { isGone } from './failure.ts';
import { checkContext, checkExtension } from './names.ts';
import type { LegNames } from './names.ts';

interface Dialled {
  readonly onEvent: DialOptions['onEvent'];
  /** Until it is answered or nobody will. */
  readonly settle: ((answered: boolean) => void) | null;
  readonly fail: (error: Error) => void;
}

export class DialledCalls {
  readonly #ari: AriClient;
  readonly #app: string;
  readonly #names: LegNames;
  readonly #calls = new Map<PbxCallId, Dialled>();

  constructor(ari: AriClient, app: string, names: LegNames) {
    this.#ari = ari;
    this.#app = app;
    this.#names = names;
  }

  /** Null when nobody answers. Errors: PBX_BAD_INPUT before anything is sent; those of the request; PBX_LINK_DOWN while it rings. */
  async dial(target: { context: string; extension: string }, options: DialOptions): Promise<PbxCallId | null> {
    const { ringMs, signal, onEvent } = options;
    // Both checked, so that the target is one extension in one context and nothing else that Asterisk could dial.
    const endpoint = `Local/${checkExtension(target.extension)}@${checkContext(target.context)}/n`;
    if (!Number.isFinite(ringMs) || ringMs < 1000) throw new ParleyError('PBX_BAD_INPUT', 'A desk must ring for a second at least.');
    if (signal.aborted) return null;
    const id = this.#names.dialled(randomBytes(4).toString('hex'));
    const withdraw = (): void => this.#calls.get(id)?.settle?.(false);
    const answered = new Promise<boolean>((resolve, reject) => this.#calls.set(id, { onEvent, settle: resolve, fail: reject }));
    // Nobody may be waiting yet when it fails.
    answered.catch(() => undefined);
    signal.addEventListener('abort', withdraw, { once: true });
    try {
      const query = { endpoint, app: this.#app, appArgs: '', callerId: 'Parley', timeout: Math.ceil(ringMs / 1000), channelId: id };
      await this.#ari.request('POST /channels', { query });
      if (await answered) {
        this.#calls.set(id, { onEvent, settle: null, fail: () => undefined });
        return id;
      }
      await this.#drop(id);
      return null;
    } catch (error) {
      // It may ring all the same: an answer that was lost is no proof.
      await this.#drop(id).catch(() => undefined);
      throw error;
    } finally {
      signal.removeEventListener('abort', withdraw);
    }
  }

  isOurs(channelId: string): boolean {
    return this.#names.isDialled(channelId);
  }

  /** What the table of calls makes of an event of such a channel. */
  take(event: PbxEvent): void {
    if (event.t === 'incoming') this.#answered(event.call.id);
    else if ('id' in event) {
      const dialled = this.#calls.get(event.id);
      if (event.t === 'ended') this.#calls.delete(event.id);
      dialled?.onEvent(event);
    }
  }

  /** The channel is gone: a call that was ringing will not be answered. */
  gone(channelId: string): void {
    this.#calls.get(channelId)?.settle?.(false);
  }

  /** The line is down: what rings fails, what was answered is over for us. The next connection sweeps the channels away. */
  failAll(error: Error): void {
    for (const [id, dialled] of this.#calls) {
      this.#calls.delete(id);
      dialled.fail(error);
      if (dialled.settle === null) dialled.onEvent({ t: 'ended', id, reason: 'network', q850: 38 });
    }
  }

  /** Removes channels that a process or a connection before this one has placed. Returns how many. */
  async sweep(): Promise<number> {
    const channels = await this.#ari.request('GET /channels', {});
    const orphans = channels.filter(({ id }) => this.isOurs(id) && !this.#calls.has(id));
    await Promise.all(orphans.map(({ id }) => this.#hangup(id)));
    return orphans.length;
  }

  #answered(id: PbxCallId): void {
    const settle = this.#calls.get(id)?.settle;
    if (settle === undefined || settle === null)
      // Picked up when nobody waited any more.
      void this.#hangup(id).catch(() => undefined);
    else settle(true);
  }

  async #drop(id: PbxCallId): Promise<void> {
    this.#calls.delete(id);
    await this.#hangup(id);
  }

  async #hangup(id: PbxCallId): Promise<void> {
    await this.#ari.request('DELETE /channels/{channelId}', { path: { channelId: id } }).catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
  }
}
