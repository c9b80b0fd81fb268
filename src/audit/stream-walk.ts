import type { FindingKind } from './findings.ts';
import type { StoredEvent } from './stored-event.ts';

interface Edge {
  readonly hash: Buffer;
  readonly tsUs: number | null;
  readonly monoUs: number | null;
}

interface Hole {
  readonly from: number;
  readonly to: number;
  readonly left: Edge;
  readonly right: StoredEvent;
}

/** The monotonic and the wall clock may differ so much between two events before somebody must have set one. */
const JUMP_US = 2_000_000;

/**
 * Walks one stream in constant memory, in any order of its rows: a dump lists rows as they lie on disk. Where a row is ahead of
 * its turn a hole stays open; later rows close it, and what is still open at the end was removed.
 */
export class StreamWalk {
  readonly #found: (kind: FindingKind, seq: number | null, what: string) => void;
  #tail: Edge;
  #next = 1;
  #holes: Hole[] = [];

  constructor(genesis: Buffer, found: (kind: FindingKind, seq: number | null, what: string) => void) {
    this.#tail = { hash: genesis, tsUs: null, monoUs: null };
    this.#found = found;
  }

  get tailSeq(): number {
    return this.#next - 1;
  }
  /** Hash of the last event, or the genesis. */
  get tailHash(): Buffer {
    return this.#tail.hash;
  }

  add(event: StoredEvent): void {
    if (event.seq >= this.#next) {
      if (event.seq === this.#next) this.#check(this.#tail, event);
      else this.#holes.push({ from: this.#next, to: event.seq - 1, left: this.#tail, right: event });
      this.#next = event.seq + 1;
      this.#tail = event;
      return;
    }
    const at = this.#holeAt(event.seq);
    const hole = this.#holes[at];
    if (hole === undefined || event.seq < hole.from) this.#found('duplicate', event.seq, 'the number is used twice');
    else this.#holes.splice(at, 1, ...this.#fill(hole, event));
  }

  end(): void {
    for (const { from, to } of this.#holes) {
      this.#found('gap', to + 1, from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`);
    }
  }

  /** Holes are in order: the first that ends at or after `seq`. */
  #holeAt(seq: number): number {
    let low = 0;
    let high = this.#holes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#holes[middle]?.to ?? seq) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #fill(hole: Hole, event: StoredEvent): Hole[] {
    const rest: Hole[] = [];
    if (event.seq === hole.from) this.#check(hole.left, event);
    else rest.push({ ...hole, to: event.seq - 1, right: event });
    if (event.seq === hole.to) this.#check(event, hole.right);
    else rest.push({ ...hole, from: event.seq + 1, left: event });
    return rest;
  }

  #check(before: Edge, event: StoredEvent): void {
    if (!event.digest(before.hash).equals(event.hash)) {
      this.#found('hash-mismatch', event.seq, 'the hash does not follow from the event and the one before it');
      return;
    }
    if (before.tsUs === null || before.monoUs === null) return;
    if (event.monoUs < before.monoUs) this.#found('clock-back', event.seq, 'the monotonic clock went back');
    const jumpUs = event.tsUs - before.tsUs - (event.monoUs - before.monoUs);
    if (Math.abs(jumpUs) > JUMP_US && event.type !== 'clock.step') {
      this.#found('clock-jump', event.seq, `the wall clock jumped by ${Math.round(jumpUs / 1000)} ms without clock.step`);
    }
  }
}
