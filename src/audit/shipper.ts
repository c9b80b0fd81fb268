import { setTimeout as sleep } from 'node:timers/promises';
import { ParleyError, type Clock, type Logger } from '../contracts/index.ts';
import type { AuditBatch, EventRow, PayloadRow, Store, StreamRow, SubjectKeyRow } from '../store/index.ts';
import type { Checkpoints } from './checkpoints.ts';
import { advance, decodeRecord, type Head } from './records.ts';
import type { SegmentReader } from './spool-segments.ts';
import type { Spool } from './spool.ts';

export interface ShipperOptions {
  /** Most events in one transaction. */
  readonly batchEvents: number;
  /** Shipped segments that stay on disk, for a database that fails over to an older copy of itself. */
  readonly keepShippedBytes: number;
}

interface Parts {
  readonly spool: Spool;
  readonly store: Store;
  readonly checkpoints: Checkpoints;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Collected {
  readonly batch: { streams: StreamRow[]; events: EventRow[]; subjectKeys: SubjectKeyRow[]; payloads: PayloadRow[] };
  head: Head | null;
  /** Ends of streams that another one follows in this batch. */
  readonly tails: Head[];
  erasures: boolean;
}

/** A small batch costs nearly what a large one does: so long the next one is waited for, unless somebody waits for what is in it. */
const LINGER_MS = 100;
/** Longest pause after a refusal: nothing is lost by waiting, and an admin may have repaired the cause. */
const REFUSED_PAUSE_MS = 15_000;

/**
 * Carries the spool to Postgres: in order, in batches, one transaction each, each of which may be sent twice. Reads only what is
 * on disk for certain. After every reconnection it looks where the database stands and begins there, so that one which came back
 * as an older copy of itself is filled up from the segments that were kept.
 */
export class Shipper {
  readonly #options: ShipperOptions;
  readonly #parts: Parts;
  #segment = 0;
  #reader: SegmentReader | null = null;
  /** Events of the current segment that are shipped. */
  #eventsRead = 0;
  #head: Head | null = null;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  /** Counts notify(): a signal between "nothing to do" and the pause must not get lost. */
  #signals = 0;
  #wake: () => void = () => undefined;
  /** Until everything is shipped: no waiting for more. */
  #hurried = false;
  #endLinger: () => void = () => undefined;
  #rewind = false;
  /** Set while Postgres refuses our rows: CHAIN_FORK or STORE_REFUSED. */
  refused: ParleyError | null = null;

  constructor(options: ShipperOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  get backlog(): number {
    return Math.max(0, this.#parts.spool.eventsFrom(this.#segment) - this.#eventsRead);
  }

  async start(): Promise<void> {
    const { spool, store } = this.#parts;
    this.#segment = await spool.firstUnshipped();
    store.onState((state) => {
      if (state === 'up') this.#rewind = true;
      this.notify();
    });
    this.#rewind = store.state === 'up';
    this.#loop = this.#run();
  }

  /** There is something new on disk, or the store changed its state. */
  notify(): void {
    this.#signals += 1;
    this.#wake();
  }

  /** Somebody waits for what was written so far. */
  hurry(): void {
    this.#hurried = true;
    this.#endLinger();
  }

  /** Ships what it can within `limitMs`, then ends. */
  async stop(limitMs: number): Promise<void> {
    this.hurry();
    const rounds = Math.ceil(limitMs / 20);
    for (let round = 0; round < rounds && this.backlog > 0 && this.#parts.store.state === 'up' && this.refused === null; round++)
      await sleep(20);
    this.#stopping.abort();
    this.notify();
    await this.#loop;
    await this.#reader?.close();
    this.#reader = null;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) await this.#step();
  }

  async #step(): Promise<void> {
    const seen = this.#signals;
    if (this.#parts.store.state === 'down') return this.#pause(1000, seen);
    try {
      if (this.#rewind) await this.#begin();
      const collected = await this.#collect();
      if (collected === null) {
        this.#hurried = false;
        await this.#parts.checkpoints.tick(this.#parts.clock.monoUs());
        await this.#pause(1000, seen);
        return;
      }
      await this.#ship(collected);
      this.refused = null;
      if (!this.#hurried && collected.batch.events.length < this.#options.batchEvents / 2) await this.#linger();
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #failed(error: unknown): Promise<void> {
    const known =
      error instanceof ParleyError
        ? error
        : new ParleyError('SPOOL_FAILED', `The spool could not be read: ${String(error)}.`, { cause: error });
    this.#rewind = true;
    // The store may still say "up" when only this statement failed (a lock, a timeout), or the spool's disk was away.
    if (known.code === 'STORE_DOWN' || known.code === 'SPOOL_FAILED') return this.#sleep(200);
    if (this.refused?.code !== known.code) this.#parts.log.error('the chain cannot be shipped', { code: known.code, why: known.message });
    this.refused = known;
    await this.#sleep(REFUSED_PAUSE_MS);
  }

  #sleep(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => undefined);
  }

  /** Erasures first: a database restored from a backup holds erased people again. Then on from where it really stands. */
  async #begin(): Promise<void> {
    await this.#parts.store.eraseAnnounced();
    await this.#goTo(await this.#firstMissing());
    this.#rewind = false;
  }

  /** The oldest kept segment whose end the database does not hold. Links are enforced there, so what stands before an end is there too. */
  async #firstMissing(): Promise<number> {
    const { spool, store } = this.#parts;
    const kept = spool.segments();
    const tails = kept.map((number) => spool.tail(number));
    const there = await store.hasEvents(tails.flatMap((tail) => (tail === null ? [] : [tail])));
    const missing = kept.find((_, at) => {
      const tail = tails[at] ?? null;
      return tail !== null && !there.has(`${tail.streamId} ${String(tail.seq)} ${tail.hash.toString('hex')}`);
    });
    return missing ?? kept.at(-1) ?? this.#segment;
  }

  async #goTo(segment: number): Promise<void> {
    await this.#reader?.close();
    this.#reader = null;
    this.#segment = segment;
    this.#eventsRead = 0;
  }

  /** The next frames as one batch; null when all is shipped. */
  async #collect(): Promise<Collected | null> {
    const { spool } = this.#parts;
    for (;;) {
      const limit = spool.limit(this.#segment);
      if (limit !== null) {
        this.#reader ??= await spool.reader(this.#segment);
        if (this.#reader !== null) {
          const found = await this.#read(this.#reader, limit);
          if (found !== null) return found;
        }
      }
      const next = spool.segments().find((number) => number > this.#segment);
      if (next === undefined) return null;
      await this.#goTo(next);
      await spool.shippedBefore(next);
      await spool.prune(spool.full ? 0 : this.#options.keepShippedBytes, next);
    }
  }

  async #read(reader: SegmentReader, limit: number): Promise<Collected | null> {
    const collected: Collected = {
      batch: { streams: [], events: [], subjectKeys: [], payloads: [] },
      head: this.#head,
      tails: [],
      erasures: false,
    };
    let any = false;
    while (collected.batch.events.length < this.#options.batchEvents) {
      const frames = await reader.read(limit);
      if (frames.length === 0) {
        if (any || reader.offset >= limit) break;
        await this.#skipDamage(reader, limit);
        continue;
      }
      any = true;
      for (const frame of frames) for (const line of frame.text.split('\n')) collect(collected, line);
    }
    return any ? collected : null;
  }

  /** Damage inside a segment was reported at boot; what stands behind it is sent, and the gap shows in the verification. */
  async #skipDamage(reader: SegmentReader, limit: number): Promise<void> {
    const end = await reader.end(limit);
    this.#parts.log.error('damaged bytes in the spool', { code: 'SPOOL_CORRUPT', path: reader.path, at: reader.offset });
    reader.skipTo(end.t === 'corrupt' ? end.resumesAt : limit);
  }

  async #ship(collected: Collected): Promise<void> {
    const { store, checkpoints, clock } = this.#parts;
    await store.insertAudit(collected.batch satisfies AuditBatch);
    this.#eventsRead += collected.batch.events.length;
    this.#head = collected.head;
    if (collected.erasures) {
      await store.eraseAnnounced();
      this.#parts.spool.purge();
    }
    for (const tail of collected.tails) await checkpoints.closed(tail);
    if (collected.head !== null) await checkpoints.shipped(collected.head, collected.batch.events.length, clock.monoUs());
    await checkpoints.tick(clock.monoUs());
  }

  async #linger(): Promise<void> {
    await new Promise<void>((done) => {
      const timer = setTimeout(done, LINGER_MS);
      timer.unref();
      this.#endLinger = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.#endLinger = () => undefined;
  }

  /** Until notify(), at most `limitMs`. */
  async #pause(limitMs: number, seen: number): Promise<void> {
    if (this.#signals !== seen || this.#stopping.signal.aborted) return;
    await new Promise<void>((done) => {
      const timer = setTimeout(done, limitMs);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.#wake = () => undefined;
  }
}

function collect(into: Collected, line: string): void {
  const record = decodeRecord(line);
  if (record.t === 'stream' && into.head !== null) into.tails.push(into.head);
  into.head = advance(into.head, record);
  const { batch } = into;
  if (record.t === 'stream') batch.streams.push(record.row);
  else if (record.t === 'key') batch.subjectKeys.push(record.row);
  else if (record.t === 'payload') batch.payloads.push(record.row);
  else if (record.t === 'event') {
    batch.events.push(record.row);
    into.erasures ||= record.row.type === 'subject.erased' || record.row.type === 'retention.expired';
  }
}
