import type { Logger } from '../contracts/index.ts';
import type { Store } from '../store/index.ts';
import { publishNote, type AnchorOptions } from './anchors.ts';
import type { Signer } from './keys.ts';
import { writeNote } from './note.ts';
import type { Head } from './records.ts';

export interface CheckpointOptions {
  readonly everyMs: number;
  readonly everyEvents: number;
  readonly anchors: AnchorOptions;
}

/**
 * Signed heads of what Postgres holds. Each goes to the anchors and into the database: an owner of the database can
 * rewrite everything in it, but not the anchors. Made of shipped events only: an anchor ahead of the database would look like a cut.
 */
export class Checkpoints {
  readonly #options: CheckpointOptions;
  readonly #signer: Signer;
  readonly #store: Store;
  readonly #log: Logger;
  #head: Head | null = null;
  #done: Head | null = null;
  #events = 0;
  #lastUs: number;
  readonly #closed = new Set<string>();

  constructor(options: CheckpointOptions, parts: { signer: Signer; store: Store; log: Logger; nowUs: number }) {
    this.#options = options;
    this.#signer = parts.signer;
    this.#store = parts.store;
    this.#log = parts.log;
    this.#lastUs = parts.nowUs;
  }

  /** `events` more are in Postgres; the last is `head`. Times are of the monotonic clock. */
  async shipped(head: Head, events: number, nowUs: number): Promise<void> {
    this.#head = head;
    this.#events += events;
    if (this.#events >= this.#options.everyEvents) await this.make(nowUs);
  }

  /** A stream ended: its last event always gets a checkpoint. */
  async closed(tail: Head): Promise<void> {
    if (this.#closed.has(tail.streamId)) return;
    this.#closed.add(tail.streamId);
    await this.#publish(tail);
  }

  /** Makes one when the period is over and something is new. */
  async tick(nowUs: number): Promise<void> {
    if (nowUs - this.#lastUs >= this.#options.everyMs * 1000) await this.make(nowUs);
  }

  async make(nowUs: number): Promise<void> {
    const head = this.#head;
    if (head === null || (this.#done?.streamId === head.streamId && this.#done.seq === head.seq)) return;
    this.#done = head;
    this.#events = 0;
    this.#lastUs = nowUs;
    await this.#publish(head);
  }

  async #publish(head: Head): Promise<void> {
    const { tsUs } = head;
    if (tsUs === null) return;
    const note = writeNote({ ...head, tsUs }, this.#signer);
    // Each place for itself: a collector that is away must not keep the database from having it, nor the other way round.
    const done = await Promise.allSettled([
      publishNote(this.#options.anchors, note),
      this.#store.insertCheckpoint({ streamId: head.streamId, seq: head.seq, hash: head.hash, tsUs, note }),
    ]);
    for (const each of done) {
      if (each.status === 'fulfilled') continue;
      // The next one covers the same events; a period without any shows in the verification as a longer open end.
      const why: unknown = each.reason;
      this.#log.warn('a checkpoint was not published everywhere', { why: why instanceof Error ? why.message : String(why) });
    }
  }
}
