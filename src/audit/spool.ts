import { randomBytes } from 'node:crypto';
import { open, readFile, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { CommitPace } from './commit-pace.ts';
import { readOrCreateKey, syncFolder } from './keys.ts';
import { encodeHead, type Head } from './records.ts';
import { encodeFrame, SALT_BYTES, segmentHeader, segmentKey } from './spool-format.ts';
import { replayFolder, type Replay, type SegmentState } from './spool-replay.ts';
import { SegmentReader, segmentPath } from './spool-segments.ts';

export interface SpoolOptions {
  readonly folder: string;
  readonly keyFile: string;
  /** Most bytes of all segments together. */
  readonly maxBytes: number;
  /** Of a file kept aside, given up when the disk is full, so that the end of calls can still be logged. */
  readonly reservedBytes: number;
  readonly segmentBytes: number;
}

interface Batch {
  readonly lines: string[];
  chars: number;
  events: number;
  head: Head;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: ParleyError) => void;
}

interface Segment {
  readonly number: number;
  readonly path: string;
  readonly file: FileHandle;
  readonly key: Buffer;
  /** Bytes on disk for certain. */
  offset: number;
  frame: number;
}

const MAX_FRAME_TEXT = 4 * 1024 * 1024;

/**
 * The append-only local file that makes "log before act" true. One writer. What is appended in one turn of the event loop, or while
 * a write is under way or waits for its turn, goes to disk together: one write, one fdatasync, both off the loop.
 * After a failed write nothing of it counts, everything that waited is refused, and the chain goes on from the last durable head.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #key: Buffer;
  #segment: Segment | null = null;
  #next: number;
  #durable: Head | null;
  #pending: Batch[] = [];
  #writing: Promise<void> | null = null;
  #broken = false;
  #retired = 0;
  readonly #pace = new CommitPace();
  #reserve: boolean;
  readonly #segments: Map<number, SegmentState>;
  /** Everything before this has been shipped. */
  #shipped = 0;
  readonly #purging = new Set<number>();
  #onDiscard: (head: Head | null) => void = () => undefined;
  #onDurable: () => void = () => undefined;

  private constructor(
    options: SpoolOptions,
    key: Buffer,
    state: { next: number; head: Head | null; reserve: boolean; segments: Map<number, SegmentState> },
  ) {
    this.#options = options;
    this.#key = key;
    this.#next = state.next;
    this.#durable = state.head;
    this.#reserve = state.reserve;
    this.#segments = state.segments;
  }

  static async open(options: SpoolOptions): Promise<{ spool: Spool; replay: Replay }> {
    const key = await readOrCreateKey(options.keyFile);
    const { replay, next, segments } = await replayFolder(options.folder, key);
    const reserve = await makeReserve(options);
    return { spool: new Spool(options, key, { next, head: replay.head, reserve, segments }), replay };
  }

  /** Called when appended records were given up: the chain stands at `head` again. */
  onDiscard(listener: (head: Head | null) => void): void {
    this.#onDiscard = listener;
  }

  onDurable(listener: () => void): void {
    this.#onDurable = listener;
  }

  /** The last head on disk. */
  get durable(): Head | null {
    return this.#durable;
  }

  get bytes(): number {
    let sum = 0;
    for (const { size } of this.#segments.values()) sum += size;
    return sum;
  }

  /** True when only what ends calls may still be written. */
  get full(): boolean {
    const waiting = this.#pending.reduce((sum, batch) => sum + batch.chars, 0);
    return !this.#reserve || this.bytes + waiting > this.#options.maxBytes - this.#options.reservedBytes;
  }

  /** Lines of one event and what belongs to it; `head` is the chain's end after them. Resolves when they are on disk. Errors: SPOOL_FAILED. */
  append(lines: readonly string[], events: number, head: Head): Promise<void> {
    let batch = this.#pending.at(-1);
    if (batch === undefined || batch.chars > MAX_FRAME_TEXT) {
      batch = newBatch(head);
      this.#pending.push(batch);
    }
    batch.head = head;
    batch.events += events;
    for (const line of lines) {
      batch.lines.push(line);
      batch.chars += line.length;
    }
    this.#writing ??= Promise.resolve().then(() => this.#drain());
    return batch.promise;
  }

  /** Resolves when nothing is waiting to be written. */
  async settled(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      await this.#pace.turn();
      const batch = this.#pending.shift();
      if (batch === undefined) break;
      try {
        await this.#write(batch);
        this.#durable = batch.head;
        batch.resolve();
        this.#onDurable();
      } catch (error) {
        this.#giveUp([batch, ...this.#pending.splice(0)], error);
      }
    }
    this.#writing = null;
  }

  #giveUp(batches: readonly Batch[], error: unknown): void {
    this.#onDiscard(this.#durable);
    const why = error instanceof Error ? error.message : String(error);
    const failure = new ParleyError('SPOOL_FAILED', `The spool in ${this.#options.folder} could not be written: ${why}.`, { cause: error });
    for (const batch of batches) batch.reject(failure);
  }

  async #write(batch: Batch): Promise<void> {
    try {
      if (this.#broken) await this.#repair();
      const segment = await this.#open();
      const frame = encodeFrame(segment.key, segment.frame + 1, batch.lines.join('\n'));
      await writeWhole(segment.file, frame, segment.offset);
      await segment.file.datasync();
      segment.offset += frame.length;
      segment.frame += 1;
      const state = this.#segments.get(segment.number);
      if (state !== undefined) Object.assign(state, { size: segment.offset, events: state.events + batch.events, tail: batch.head });
    } catch (error) {
      this.#broken = true;
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC' || !this.#reserve) throw error;
      await this.#useReserve();
      await this.#write(batch);
    }
  }

  /** After a failed write: back to what is certain, or no further; and on with a new file, for it may be this one that ails. */
  async #repair(): Promise<void> {
    const segment = this.#segment;
    if (segment !== null) {
      await segment.file.truncate(segment.offset);
      await segment.file.datasync();
      this.#retired = segment.number;
    }
    this.#broken = false;
  }

  async #useReserve(): Promise<void> {
    await rm(join(this.#options.folder, 'reserve'), { force: true });
    this.#reserve = false;
  }

  /** Tries to set the reserve aside again once there is room. */
  async refillReserve(): Promise<void> {
    if (!this.#reserve) this.#reserve = await makeReserve(this.#options);
  }

  /** The segment to write to; a full one is closed and the next begins with the chain's head. */
  async #open(): Promise<Segment> {
    const current = this.#segment;
    if (current !== null && this.#usable(current)) return current;
    const number = this.#next;
    const path = segmentPath(this.#options.folder, number);
    await rm(path, { force: true });
    const file = await open(path, 'wx', 0o600);
    const header = segmentHeader(randomBytes(SALT_BYTES));
    const key = segmentKey(this.#key, header);
    try {
      if (key === null) throw new RangeError('segment header');
      await writeWhole(file, header, 0);
      const segment: Segment = { number, path, file, key, offset: header.length, frame: 0 };
      if (this.#durable !== null) {
        const frame = encodeFrame(key, 1, encodeHead(this.#durable));
        await writeWhole(file, frame, segment.offset);
        segment.offset += frame.length;
        segment.frame = 1;
      }
      await file.datasync();
      await syncFolder(this.#options.folder);
      this.#next = number + 1;
      this.#segment = segment;
      this.#segments.set(number, { size: segment.offset, events: 0, tail: this.#durable });
      await current?.file.close();
      return segment;
    } catch (error) {
      await file.close();
      await rm(path, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  #usable(segment: Segment): boolean {
    return segment.offset < this.#options.segmentBytes && segment.number !== this.#retired && !this.#purging.has(segment.number);
  }

  /** How far a segment may be read: only what is on disk for certain. Null for a segment that is not there. */
  limit(number: number): number | null {
    return this.#segments.get(number)?.size ?? null;
  }

  /** Events of this and all later segments. */
  eventsFrom(segment: number): number {
    let sum = 0;
    for (const [number, { events }] of this.#segments) if (number >= segment) sum += events;
    return sum;
  }

  /** Where the chain stood at a segment's end. */
  tail(segment: number): Head | null {
    return this.#segments.get(segment)?.tail ?? null;
  }

  segments(): readonly number[] {
    return [...this.#segments.keys()].sort((a, b) => a - b);
  }

  /** Null for a segment without a whole header. */
  reader(segment: number): Promise<SegmentReader | null> {
    return SegmentReader.open(segmentPath(this.#options.folder, segment), this.#key);
  }

  /** Everything before this segment is in Postgres. Kept on disk as a hint: after a crash a little is sent again. */
  async shippedBefore(segment: number): Promise<void> {
    if (segment <= this.#shipped) return;
    this.#shipped = segment;
    await writeFile(join(this.#options.folder, 'shipped'), `${segment}\n`, { mode: 0o600 }).catch(() => undefined);
  }

  /** The segment to begin with after a boot. */
  async firstUnshipped(): Promise<number> {
    const text = await readFile(join(this.#options.folder, 'shipped'), 'utf8').catch(() => '0');
    const hint = Number.parseInt(text, 10) || 0;
    return this.segments().find((number) => number >= hint) ?? this.#next;
  }

  /**
   * Somebody was erased: no segment written so far stays longer than it takes to ship it. The next event begins a new one.
   */
  purge(): void {
    for (const number of this.#segments.keys()) this.#purging.add(number);
  }

  /** Removes segments before the one that is being shipped, oldest first, down to `keepBytes` of them: a database that fails over to an older copy needs them again. */
  async prune(keepBytes: number, before: number): Promise<number> {
    const done = this.segments().filter((number) => number < before && number !== this.#segment?.number);
    let kept = done.reduce((sum, number) => sum + (this.#segments.get(number)?.size ?? 0), 0);
    let removed = 0;
    for (const number of done) {
      if (kept <= keepBytes && !this.#purging.has(number)) break;
      kept -= this.#segments.get(number)?.size ?? 0;
      await rm(segmentPath(this.#options.folder, number), { force: true });
      this.#segments.delete(number);
      this.#purging.delete(number);
      removed += 1;
    }
    return removed;
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#segment?.file.close();
    this.#segment = null;
  }
}

function newBatch(head: Head): Batch {
  let resolve: () => void = () => undefined;
  let reject: (error: ParleyError) => void = () => undefined;
  const promise = new Promise<void>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  // Each append hands this promise out; a caller that looks away must not end the process.
  promise.catch(() => undefined);
  return { lines: [], chars: 0, events: 0, head, promise, resolve, reject };
}

async function writeWhole(file: FileHandle, data: Buffer, at: number): Promise<void> {
  for (let done = 0; done < data.length;) {
    const { bytesWritten } = await file.write(data, done, data.length - done, at + done);
    done += bytesWritten;
  }
}

/** Real blocks, not a hole: it is there to be given up when the disk is full. False when the disk has no room for it now. */
async function makeReserve(options: SpoolOptions): Promise<boolean> {
  const path = join(options.folder, 'reserve');
  const has = await stat(path).then(
    (s) => s.size,
    () => 0,
  );
  if (has >= options.reservedBytes) return true;
  try {
    const file = await open(path, 'w', 0o600);
    try {
      const block = Buffer.alloc(1024 * 1024);
      for (let at = 0; at < options.reservedBytes; at += block.length) {
        await writeWhole(file, block.subarray(0, Math.min(block.length, options.reservedBytes - at)), at);
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    return true;
  } catch {
    await rm(path, { force: true }).catch(() => undefined);
    return false;
  }
}
