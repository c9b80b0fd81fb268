/**
 * The RTP leg of a call: a mixing bridge with the caller and an externalMedia channel that sends to a port of ours.
 * A leg may join the bridge only after its own StasisStart, which can come after the answer to the request; so both
 * are waited for. A leg never dies by itself in Asterisk: whoever opened it must take it down.
 */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { ParleyError } from '../../contracts/index.ts';
import type { Codec, PbxCallId, PbxMedia } from '../../contracts/index.ts';
import type { AriClient } from './ari-client.ts';
import type { AriChannel } from './ari-types.ts';
import { isRecord } from './ari-wire.ts';
import { isBridgeGone, isGone } from './failure.ts';
import { checkHostPort } from './names.ts';
import type { LegIds, LegNames } from './names.ts';

export interface MediaWish {
  readonly receive: Codec;
  readonly send: Codec;
  readonly localHost: string;
  readonly localPort: number;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class MediaLegs {
  readonly #ari: AriClient;
  readonly #app: string;
  readonly #names: LegNames;
  readonly #waitMs: number;
  readonly #waiting = new Map<string, Waiting>();

  constructor(ari: AriClient, app: string, names: LegNames, waitMs: number) {
    this.#ari = ari;
    this.#app = app;
    this.#names = names;
    this.#waitMs = waitMs;
  }

  newIds(callId: PbxCallId): LegIds {
    return this.#names.make(callId, randomBytes(4).toString('hex'));
  }

  /** StasisStart of a media channel. */
  started(channelId: string): void {
    this.#waiting.get(channelId)?.resolve();
  }

  /** The line is down: nothing that is waited for will come. */
  failAll(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
  }

  /** A media channel is gone. True when an openMedia was waiting for it, and now fails. */
  gone(channelId: string): boolean {
    const waiting = this.#waiting.get(channelId);
    waiting?.reject(new ParleyError('PBX_FAILED', 'Asterisk ended the media leg while it was being set up.'));
    return waiting !== undefined;
  }

  /** On any error the caller must `release(ids)`: parts of the leg may exist. */
  async open(callId: PbxCallId, ids: LegIds, wish: MediaWish): Promise<PbxMedia> {
    const host = checkHostPort(wish.localHost, wish.localPort);
    const started = this.#waitFor(ids.mediaId);
    const bridge = this.#ari.request('POST /bridges', { query: { type: 'mixing', bridgeId: ids.bridgeId, name: ids.bridgeId } });
    const media = this.#ari.request('POST /channels/externalMedia', {
      query: { channelId: ids.mediaId, app: this.#app, external_host: host, format: wish.receive },
    });
    try {
      const [channel] = await Promise.all([media, bridge, started]);
      const channels = `${callId},${ids.mediaId}`;
      await this.#ari.request('POST /bridges/{bridgeId}/addChannel', { path: { bridgeId: ids.bridgeId }, query: { channel: channels } });
      return { ...remoteOf(channel), receive: wish.receive, send: wish.send };
    } finally {
      this.#waiting.delete(ids.mediaId);
      // Over HTTP nothing keeps requests in order: what the caller of `open` releases must exist by then.
      await Promise.allSettled([media, bridge]);
    }
  }

  /** Idempotent. Resolves when both are gone or the line is down; what is left then is found by the next sweep. */
  async release(ids: LegIds): Promise<void> {
    const quiet = (error: unknown): void => {
      if (!isBridgeGone(error) && !(error instanceof ParleyError && error.retryable)) throw error;
    };
    await Promise.all([
      this.#ari.request('DELETE /channels/{channelId}', { path: { channelId: ids.mediaId } }).catch(quiet),
      this.#ari.request('DELETE /bridges/{bridgeId}', { path: { bridgeId: ids.bridgeId } }).catch(quiet),
    ]);
  }

  /** Removes every leg and bridge with our prefix that is not to be kept. `partId`: its own id. Returns how many. */
  async sweep(keep: (callId: PbxCallId, partId: string) => boolean): Promise<number> {
    const orphan = (id: string): boolean => {
      const callId = this.#names.callOf(id);
      return callId !== undefined && !keep(callId, id);
    };
    const [channels, bridges] = await Promise.all([this.#ari.request('GET /channels', {}), this.#ari.request('GET /bridges', {})]);
    const results = await Promise.all([
      ...channels
        .filter((it) => orphan(it.id))
        .map((it) => removed(this.#ari.request('DELETE /channels/{channelId}', { path: { channelId: it.id } }))),
      ...bridges
        .filter((it) => orphan(it.id))
        .map((it) => removed(this.#ari.request('DELETE /bridges/{bridgeId}', { path: { bridgeId: it.id } }), isBridgeGone)),
    ]);
    return results.filter(Boolean).length;
  }

  async #waitFor(channelId: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(channelId, { resolve, reject });
        const late = new ParleyError('PBX_TIMEOUT', `The media leg did not appear within ${this.#waitMs} ms.`);
        timer = setTimeout(() => reject(late), this.#waitMs);
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** False when it was gone already. */
async function removed(request: Promise<unknown>, wasGone = isGone): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (wasGone(error)) return false;
    throw error;
  }
}

/** Where Asterisk listens for our audio. */
function remoteOf(channel: AriChannel): { remoteHost: string; remotePort: number } {
  const variables: unknown = channel.channelvars;
  const host = isRecord(variables) ? variables['UNICASTRTP_LOCAL_ADDRESS'] : undefined;
  const port = isRecord(variables) ? Number(variables['UNICASTRTP_LOCAL_PORT']) : Number.NaN;
  if (typeof host !== 'string' || isIP(host) === 0 || !Number.isInteger(port) || port < 1 || port > 65535) {
    throw new ParleyError(
      'PBX_FAILED',
      'Asterisk did not say where it listens for our audio; is chan_rtp of version 16.6 or later loaded?',
    );
  }
  return { remoteHost: host, remotePort: port };
}
