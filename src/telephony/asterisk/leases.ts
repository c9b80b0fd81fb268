/**
 * A call whose gateway is gone must not stay in silence. Its channel has an absolute timeout (Asterisk: TIMEOUT(absolute)) that is
 * renewed as long as we are there; when it runs out, the call goes to extension T of the context of its Stasis line
 * (dialplan/asterisk: parley-fallback), or is hung up where there is none. Whoever leaves us alive takes no timeout along.
 * Not so a channel that others redirect (AMI): ARI sets nothing on a channel that has left Stasis, so its new place has to (dialplan/README.md).
 */
import type { PbxCallId } from '../../contracts/index.ts';

export interface LeaseOptions {
  /** Whole seconds; 0: no leases. */
  readonly seconds: number;
  /** Sets the timeout of a channel, 0: none. Rejects when the line is down or the channel is gone. */
  readonly set: (id: PbxCallId, seconds: number) => Promise<void>;
  /** True for the error of a PBX that does not do this at all: no func_timeout. */
  readonly isRefused: (error: unknown) => boolean;
  readonly onRefused: () => void;
}

/** So often within a lease. */
const RENEWALS = 4;

export class Leases {
  readonly #options: LeaseOptions;
  readonly #held = new Set<PbxCallId>();
  /** Channels that may have a timeout. */
  readonly #timed = new Set<PbxCallId>();
  /** Requests on their way: the last one that arrives counts, so an end waits for them. */
  readonly #asked = new Map<PbxCallId, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** The call is ours, or ours again. */
  take(id: PbxCallId): void {
    const { seconds } = this.#options;
    if (seconds === 0) return;
    this.#held.add(id);
    this.#timer ??= setInterval(() => this.#renew(), (seconds * 1000) / RENEWALS).unref();
    if (!this.#asked.has(id)) this.#ask(id);
  }

  /** The call goes on without us, alive. Rejects when it could not be freed: then it is still ours. */
  async free(id: PbxCallId): Promise<void> {
    if (!this.#held.delete(id)) return;
    await this.#asked.get(id);
    if (!this.#timed.has(id)) return;
    try {
      await this.#options.set(id, 0);
      this.#timed.delete(id);
    } catch (error) {
      this.#held.add(id);
      throw error;
    }
  }

  /** The channel is gone. */
  forget(id: PbxCallId): void {
    this.#held.delete(id);
    this.#timed.delete(id);
  }

  /** Exactly these are ours, after a reconnect. */
  keepOnly(ids: ReadonlySet<PbxCallId>): void {
    for (const id of this.#held) if (!ids.has(id)) this.forget(id);
    for (const id of ids) this.take(id);
  }

  /** What is up stays up for the rest of its lease: time for the next process to take it over. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#held.clear();
  }

  #renew(): void {
    for (const id of this.#held) if (!this.#asked.has(id)) this.#ask(id);
  }

  /** A renewal that fails is followed by the next one. */
  #ask(id: PbxCallId): void {
    const isNew = !this.#timed.has(id);
    this.#timed.add(id);
    const asked = this.#options
      .set(id, this.#options.seconds)
      .catch((error: unknown) => {
        if (!this.#options.isRefused(error)) return;
        if (isNew) this.#timed.delete(id);
        this.#options.onRefused();
      })
      .finally(() => {
        if (this.#asked.get(id) === asked) this.#asked.delete(id);
      });
    this.#asked.set(id, asked);
  }
}
