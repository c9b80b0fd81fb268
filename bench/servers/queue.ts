/**
 * A processor-sharing server: n jobs in service each run at min(1, C/n) of full speed. All jobs advance at one rate, so one virtual clock
 * serves them all. `ProcessorSharing` is pure: time comes in; `SharedServer` is the thin runner on the real clock.
 */
interface Job {
  /** Virtual times of what is still to happen, ascending. */
  readonly due: number[];
  next: number;
}

export interface Milestone {
  readonly job: number;
  /** Index into the offsets given to `add`. */
  readonly index: number;
  readonly atMs: number;
}

export class ProcessorSharing {
  readonly #capacity: number;
  readonly #jobs = new Map<number, Job>();
  #virtual = 0;
  #nowMs: number;

  constructor(capacity: number, nowMs = 0) {
    if (!(capacity > 0)) throw new RangeError('capacity is positive');
    this.#capacity = capacity;
    this.#nowMs = nowMs;
  }

  get inService(): number {
    return this.#jobs.size;
  }

  get #rate(): number {
    return Math.min(1, this.#capacity / Math.max(1, this.#jobs.size));
  }

  /** `offsets`: full-speed milliseconds of service after which each milestone happens, ascending; the last one ends the job. */
  add(job: number, offsets: readonly number[], nowMs: number): Milestone[] {
    const passed = this.advance(nowMs);
    if (offsets.length > 0) this.#jobs.set(job, { due: offsets.map((offset) => this.#virtual + offset), next: 0 });
    return passed;
  }

  /** The job was given up: its share goes to the others. */
  remove(job: number, nowMs: number): Milestone[] {
    const passed = this.advance(nowMs);
    this.#jobs.delete(job);
    return passed;
  }

  /** Everything that happens up to and at this time, in order. */
  advance(toMs: number): Milestone[] {
    const passed: Milestone[] = [];
    for (;;) {
      const first = this.#earliest();
      const atMs = first === null ? Infinity : this.#nowMs + Math.max(0, first.due - this.#virtual) / this.#rate;
      if (first === null || atMs > toMs) break;
      this.#virtual = Math.max(this.#virtual, first.due);
      this.#nowMs = atMs;
      passed.push({ job: first.id, index: first.job.next, atMs });
      if (++first.job.next === first.job.due.length) this.#jobs.delete(first.id);
    }
    if (toMs > this.#nowMs) {
      if (this.#jobs.size > 0) this.#virtual += (toMs - this.#nowMs) * this.#rate;
      this.#nowMs = toMs;
    }
    return passed;
  }

  /** When the next milestone will be, if no job comes or goes. */
  nextMs(): number | null {
    const first = this.#earliest();
    return first === null ? null : this.#nowMs + Math.max(0, first.due - this.#virtual) / this.#rate;
  }

  #earliest(): { id: number; job: Job; due: number } | null {
    let best: { id: number; job: Job; due: number } | null = null;
    for (const [id, job] of this.#jobs) {
      const due = job.due[job.next] ?? Infinity;
      if (best === null || due < best.due) best = { id, job, due };
    }
    return best;
  }
}

/** Runs jobs on the real clock. Timers of Node fire up to about 1 ms late; nothing fires early. */
export class SharedServer {
  readonly #queue: ProcessorSharing;
  readonly #listeners = new Map<number, { reached: (index: number) => void; left: number }>();
  #timer: NodeJS.Timeout | undefined;
  #next = 1;

  constructor(capacity: number) {
    this.#queue = new ProcessorSharing(capacity, performance.now());
  }

  /** Calls `reached` at each milestone. Returns how to give the job up. */
  run(offsets: readonly number[], reached: (index: number) => void): () => void {
    const job = this.#next++;
    this.#listeners.set(job, { reached, left: offsets.length });
    this.#tell(this.#queue.add(job, offsets, performance.now()));
    this.#arm();
    return () => {
      if (!this.#listeners.delete(job)) return;
      this.#tell(this.#queue.remove(job, performance.now()));
      this.#arm();
    };
  }

  #tell(milestones: readonly Milestone[]): void {
    for (const { job, index } of milestones) {
      const listener = this.#listeners.get(job);
      if (listener === undefined) continue;
      if (--listener.left === 0) this.#listeners.delete(job);
      listener.reached(index);
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const nextMs = this.#queue.nextMs();
    if (nextMs === null) return;
    this.#timer = setTimeout(
      () => {
        this.#tell(this.#queue.advance(performance.now()));
        this.#arm();
      },
      Math.max(0, nextMs - performance.now()),
    );
  }
}
