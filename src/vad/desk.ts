/**
 * The work of the worker thread: windows of all calls whose gate is open, several in one run of the model. A run starts when
 * `BATCH` windows wait or the oldest has waited `PATIENCE_MS`; a call has one window in a run, because the next one needs its
 * memory. Nothing is queued: a window that waits is only a position in the call's ring, and a call that lags is given up.
 */
import type { CallNews, FromWorker, ToWorker, Thresholds } from './messages.ts';
import { decimate, HISTORY } from './decimate.ts';
import { Hysteresis, WINDOW } from './hysteresis.ts';
import { MOST_IN_A_RUN, newMemory, wipe, type Memory } from './model.ts';
import type { AudioReader } from './memory.ts';

export const BATCH = 16;
const PATIENCE_MS = 3;
const SAMPLES_PER_MS = 16;
/** Audio comes in steps of 20 ms. The next look is a little before the step that completes the window, then again and again. */
const STEP = 320;
const STEP_MS = 20;
const BEFORE_MS = 2;
const LOOK_AGAIN_MS = 4;
/** More than a second of audio to catch up with: whoever stood still so long gets the gate's answer at once. */
const MOST_TO_CATCH_UP = 32;
const BEAT_MS = 100;

export interface DeskParts {
  readonly model: {
    window(index: number): Float32Array;
    run(memories: readonly Memory[]): Promise<Float32Array>;
  };
  readonly audio: Pick<AudioReader, 'written' | 'read'>;
  readonly thresholds: Thresholds;
  readonly preRollMs: number;
  /** Windows that the model may lag behind the line before a call is given up, beyond pre-roll and bursts of the network. */
  readonly mostBehind: number;
  readonly send: (message: FromWorker) => void;
  readonly nowUs: () => number;
  /** Calls back once, `ms` from now; a later alarm replaces an earlier one. Null: none. */
  readonly alarm: (ms: number | null) => void;
}

interface Track {
  readonly call: number;
  readonly slot: number;
  readonly generation: number;
  readonly memory: Memory;
  readonly hysteresis: Hysteresis;
  opening: number;
  /** First sample of the next window; sample at which to stop. */
  next: number;
  until: number;
  /** Samples known to be written, when that was looked up and when it last grew (ms), and how many came before their time. */
  written: number;
  seenMs: number;
  grewMs: number;
  early: number;
  /** Windows that are nobody's lag and still to be caught up with: pre-roll, and what the network delivered at once. */
  allowance: number;
  /** When to look for the next window, and since when it waits; ms. */
  dueMs: number;
  readyMs: number | null;
  /** Its window is in the run under way. */
  inRun: boolean;
}

export class Desk {
  readonly #parts: DeskParts;
  /** Calls seen and not forgotten; those whose gate is open, or whose audio is not yet worked off. */
  readonly #tracks = new Map<number, Track>();
  readonly #active = new Set<Track>();
  readonly #wide = new Int16Array(HISTORY + WINDOW);
  #news: CallNews[] = [];
  #windows = 0;
  #runs = 0;
  #running = false;
  #stopped: (() => void) | null = null;
  #lastSentMs = 0;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  get tracks(): number {
    return this.#tracks.size;
  }

  receive(message: Exclude<ToWorker, { t: 'stop' }>): void {
    if (message.t === 'open') this.#open(message);
    else if (message.t === 'close') this.#close(message);
    else this.#forget(message.call);
    this.work();
  }

  /** Looks for windows, runs the model when it is time, and sets the alarm. Called by the alarm and by every message. */
  work(): void {
    if (this.#running || this.#stopped !== null) return;
    const nowMs = this.#nowMs();
    const waiting: Track[] = [];
    let oldestMs = Infinity;
    let dueMs = Infinity;
    for (const track of this.#active) {
      if (track.readyMs === null && track.dueMs <= nowMs) this.#look(track, nowMs);
      if (track.readyMs === null) {
        if (this.#active.has(track)) dueMs = Math.min(dueMs, track.dueMs);
        continue;
      }
      waiting.push(track);
      oldestMs = Math.min(oldestMs, track.readyMs);
    }
    if (waiting.length >= BATCH || nowMs - oldestMs >= PATIENCE_MS) {
      this.#running = true;
      void this.#run(waiting.slice(0, MOST_IN_A_RUN));
      return;
    }
    this.#beat(nowMs);
    const nextMs = Math.min(dueMs, oldestMs + PATIENCE_MS);
    this.#parts.alarm(nextMs === Infinity ? null : Math.max(1, Math.ceil(nextMs - nowMs)));
  }

  /** Forgets every call; resolves when no run is under way any more. */
  async stop(): Promise<void> {
    this.#active.clear();
    this.#tracks.clear();
    this.#parts.alarm(null);
    await new Promise<void>((resolve) => {
      this.#stopped = resolve;
      if (!this.#running) resolve();
    });
  }

  #open({ call, opening, slot, generation, sample }: Extract<ToWorker, { t: 'open' }>): void {
    let track = this.#tracks.get(call);
    if (track === undefined) {
      const { thresholds } = this.#parts;
      const made = { call, slot, generation, memory: newMemory(), hysteresis: new Hysteresis(thresholds) };
      track = {
        ...made,
        opening,
        next: -1,
        until: 0,
        written: 0,
        seenMs: 0,
        grewMs: 0,
        early: 0,
        allowance: 0,
        dueMs: 0,
        readyMs: null,
        inRun: false,
      };
      this.#tracks.set(call, track);
    }
    // Windows begin at even samples, where the ring of a narrow-band call holds the caller's own samples.
    const from = Math.max(0, sample - this.#parts.preRollMs * SAMPLES_PER_MS) & ~1;
    if (!this.#active.has(track) && track.next < from) {
      track.next = from;
      wipe(track.memory);
    }
    track.opening = opening;
    track.until = Infinity;
    // The gate closed and opened again before its audio was worked off, in the middle of a word.
    if (track.hysteresis.speaking) this.#tell(track, { t: 'speech-start', sample: track.next });
    this.#active.add(track);
    if (track.inRun) return;
    const nowMs = this.#nowMs();
    track.written = this.#parts.audio.written(slot, generation) ?? 0;
    track.seenMs = nowMs;
    track.grewMs = nowMs - STEP_MS + LOOK_AGAIN_MS;
    track.early = 0;
    track.allowance = Math.min(MOST_TO_CATCH_UP, Math.max(0, Math.floor((track.written - track.next) / WINDOW)));
    this.#look(track, nowMs);
  }

  #close({ call, sample }: Extract<ToWorker, { t: 'close' }>): void {
    const track = this.#tracks.get(call);
    if (track === undefined || !this.#active.has(track)) return;
    track.until = sample;
    if (track.next >= track.until && !track.inRun) this.#drained(track);
  }

  #forget(call: number): void {
    const track = this.#tracks.get(call);
    if (track !== undefined) this.#active.delete(track);
    this.#tracks.delete(call);
  }

  /** Is the next window of this call there? */
  #look(track: Track, nowMs: number): void {
    const written = this.#parts.audio.written(track.slot, track.generation);
    if (written === null) {
      // Another call has the slot: this one is over, and nobody listens any more.
      this.#active.delete(track);
      return;
    }
    this.#note(track, written, nowMs);
    const missing = track.next + WINDOW - written;
    if (missing > 0) {
      const expectedMs = track.grewMs + Math.ceil(missing / STEP) * STEP_MS - BEFORE_MS;
      track.dueMs = expectedMs > nowMs ? expectedMs : nowMs + LOOK_AGAIN_MS;
      track.readyMs = null;
      return;
    }
    const behind = Math.floor((written - track.next) / WINDOW) - track.allowance;
    if (behind > this.#parts.mostBehind) this.#shed(track);
    // What the model catches up with is late already.
    else track.readyMs = track.allowance > 0 ? nowMs - PATIENCE_MS : nowMs;
  }

  /** Audio that came faster than time passes is a burst: a stall of the network, not of ours. */
  #note(track: Track, written: number, nowMs: number): void {
    track.early = Math.max(0, track.early + written - track.written - (nowMs - track.seenMs) * SAMPLES_PER_MS);
    if (written > track.written) track.grewMs = nowMs;
    track.written = written;
    track.seenMs = nowMs;
    const windows = Math.floor((track.early - STEP) / WINDOW);
    if (windows <= 0) return;
    track.early -= windows * WINDOW;
    track.allowance = Math.min(MOST_TO_CATCH_UP, track.allowance + windows);
  }

  async #run(chosen: readonly Track[]): Promise<void> {
    const { model, audio } = this.#parts;
    const batch: Track[] = [];
    for (const track of chosen) {
      const result = audio.read(track.slot, track.generation, track.next - HISTORY, this.#wide);
      if (result === 'ok') {
        decimate(this.#wide, model.window(batch.length));
        batch.push(track);
      } else if (result === 'gone') this.#shed(track);
      else track.readyMs = null;
    }
    if (batch.length > 0) {
      for (const track of batch) track.inRun = true;
      const probabilities = await model.run(batch.map((track) => track.memory));
      this.#windows += batch.length;
      this.#runs++;
      for (const [index, track] of batch.entries()) {
        track.inRun = false;
        this.#heard(track, probabilities[index] ?? 0);
      }
    }
    this.#running = false;
    this.#stopped?.();
    this.#flush(this.#nowMs());
    this.work();
  }

  #heard(track: Track, probability: number): void {
    const edge = track.hysteresis.push(probability, track.next);
    if (edge !== null) this.#tell(track, edge);
    track.next += WINDOW;
    track.allowance = Math.max(0, track.allowance - 1);
    track.readyMs = null;
    track.dueMs = 0;
    if (track.next >= track.until) this.#drained(track);
  }

  #drained(track: Track): void {
    const edge = track.hysteresis.flush();
    if (edge !== null) this.#tell(track, edge);
    this.#tell(track, { t: 'drained' });
    this.#active.delete(track);
  }

  #shed(track: Track): void {
    track.hysteresis.flush();
    track.next = track.written;
    wipe(track.memory);
    this.#active.delete(track);
    this.#tell(track, { t: 'shed' });
  }

  #tell(track: Track, what: { t: 'speech-start' | 'speech-end'; sample: number } | { t: 'drained' | 'shed' }): void {
    if (!this.#tracks.has(track.call)) return;
    this.#news.push({ ...what, call: track.call, opening: track.opening, atUs: this.#parts.nowUs() });
  }

  #beat(nowMs: number): void {
    if (this.#news.length > 0 || (this.#active.size > 0 && nowMs - this.#lastSentMs >= BEAT_MS)) this.#send(nowMs);
  }

  #flush(nowMs: number): void {
    if (this.#news.length > 0) this.#send(nowMs);
  }

  #send(nowMs: number): void {
    const news = this.#news;
    this.#news = [];
    this.#lastSentMs = nowMs;
    this.#parts.send({ t: 'news', news, counts: { windows: this.#windows, runs: this.#runs } });
  }

  #nowMs(): number {
    return this.#parts.nowUs() / 1000;
  }
}
