/**
 * The work of the worker: windows of all calls that are listened to or whose gate is open, several in one run of the model. A run
 * starts when `BATCH` windows wait or the oldest has waited `PATIENCE_MS`; a call has one window in a run, because the next one needs
 * its memory. Nothing is queued: a window that waits is only a position in the call's ring, and a call that lags is given up.
 */
import type { CallNews, DeskOptions, FromWorker, Order } from './messages.ts';
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
/** After a gate closed the model listens on for 320 ms: in a voice, most pauses are shorter. */
const HOLD = 5120;
/** After something was to be heard it listens on for 160 ms; it is told of that again and again while it lasts. */
const NEAR_HOLD = 2560;
/** A voice that goes on for so long after the gate closed is one that the gate does not hear: 320 ms. */
const UNHEARD = 5120;
const SURE_BEYOND = 3;

export interface DeskParts extends DeskOptions {
  readonly model: {
    window(index: number): Float32Array;
    run(memories: readonly Memory[]): Promise<Float32Array>;
  };
  readonly audio: Pick<AudioReader, 'written' | 'read'>;
  readonly send: (message: FromWorker) => void;
  readonly nowUs: () => number;
  readonly cpuMs: () => number;
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
  /** Looked at whatever the gate says. */
  listening: boolean;
  gateOpen: boolean;
  gateEnd: number;
  /** Nothing has been said yet of how the gate's last opening ended. */
  owes: boolean;
  /** Windows in a row that hold a voice although the gate has long closed. */
  beyond: number;
  /** First sample of the next window; one past the last one that was heard. */
  next: number;
  heardTo: number;
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
  #listening = 0;
  #running = false;
  #stopped: (() => void) | null = null;
  #lastSentMs = 0;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  get tracks(): number {
    return this.#tracks.size;
  }

  receive(...orders: readonly Order[]): void {
    for (const order of orders) {
      if (order.t === 'open') this.#open(order);
      else if (order.t === 'listen') this.#listen(order);
      else if (order.t === 'near') this.#near(order);
      else if (order.t === 'close') this.#close(order);
      else if (order.t === 'rest') this.#rest(order.call);
      else this.#forget(order.call);
    }
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

  #track({ call, slot, generation }: { call: number; slot: number; generation: number }): Track {
    const known = this.#tracks.get(call);
    if (known !== undefined) return known;
    const { thresholds } = this.#parts;
    const track: Track = {
      ...{ call, slot, generation, memory: newMemory(), hysteresis: new Hysteresis(thresholds) },
      ...{ opening: 0, listening: false, gateOpen: false, gateEnd: 0, owes: false, beyond: 0 },
      ...{ next: -1, heardTo: -1, written: 0, seenMs: 0, grewMs: 0, early: 0, allowance: 0, dueMs: 0, readyMs: null, inRun: false },
    };
    this.#tracks.set(call, track);
    return track;
  }

  #open(order: Extract<Order, { t: 'open' }>): void {
    const track = this.#track(order);
    track.opening = order.opening;
    track.gateOpen = true;
    track.beyond = 0;
    this.#begin(track, this.#beforeVoice(order.sample));
    // The gate opened again in the middle of a word, before its audio was worked off.
    if (track.hysteresis.speaking) this.#tell(track, { t: 'speech-start', sample: track.next });
  }

  /** As an opening, but nobody waits for an answer: the model has heard the beginning when the gate opens, or it was nothing. */
  #near(order: Extract<Order, { t: 'near' }>): void {
    const track = this.#track(order);
    if (track.listening || track.gateOpen) return;
    track.gateEnd = Math.max(track.gateEnd, order.sample - (HOLD - NEAR_HOLD));
    this.#begin(track, this.#beforeVoice(order.sample));
  }

  /** Windows begin at even samples, where the ring of a narrow-band call holds the caller's own samples. */
  #beforeVoice(sample: number): number {
    return Math.max(0, sample - this.#parts.preRollMs * SAMPLES_PER_MS) & ~1;
  }

  #listen(order: Extract<Order, { t: 'listen' }>): void {
    const track = this.#track(order);
    if (track.listening || this.#listening >= this.#parts.mostListening) return;
    track.listening = true;
    this.#listening++;
    this.#begin(track, (this.#parts.audio.written(track.slot, track.generation) ?? 0) & ~1);
  }

  /** Looks at every window from `from` on, or goes on where it is; what was never heard may lie before that. */
  #begin(track: Track, from: number): void {
    const active = this.#active.has(track);
    const start = Math.max(from, track.heardTo);
    const moves = !track.inRun && (track.next > start || (!active && track.next < start));
    this.#active.add(track);
    if (moves) {
      track.next = start;
      track.readyMs = null;
    }
    if (track.inRun || (active && !moves)) return;
    const nowMs = this.#nowMs();
    track.written = this.#parts.audio.written(track.slot, track.generation) ?? 0;
    track.seenMs = nowMs;
    track.grewMs = nowMs - STEP_MS + LOOK_AGAIN_MS;
    track.early = 0;
    track.allowance = Math.min(MOST_TO_CATCH_UP, Math.max(0, Math.floor((track.written - track.next) / WINDOW)));
    this.#look(track, nowMs);
  }

  #close({ call, sample }: Extract<Order, { t: 'close' }>): void {
    const track = this.#tracks.get(call);
    if (track === undefined || !track.gateOpen) return;
    track.gateOpen = false;
    track.gateEnd = sample;
    track.owes = true;
    if (!track.inRun) this.#workedOff(track);
  }

  #rest(call: number): void {
    const track = this.#tracks.get(call);
    if (track === undefined) return;
    this.#listenNoMore(track);
    // What follows may be our own echo.
    if (!track.gateOpen) track.gateEnd = Math.min(track.gateEnd, track.next - HOLD);
    if (!track.inRun) this.#workedOff(track);
  }

  #listenNoMore(track: Track): void {
    if (track.listening) this.#listening--;
    track.listening = false;
  }

  #forget(call: number): void {
    const track = this.#tracks.get(call);
    if (track === undefined) return;
    this.#listenNoMore(track);
    this.#active.delete(track);
    this.#tracks.delete(call);
  }

  /** Is the next window of this call there? */
  #look(track: Track, nowMs: number): void {
    const written = this.#parts.audio.written(track.slot, track.generation);
    if (written === null) {
      // Another call has the slot: this one is over, and nobody listens any more.
      this.#listenNoMore(track);
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
    else this.#lookBeyond(track, probability);
    track.next += WINDOW;
    track.heardTo = track.next;
    track.allowance = Math.max(0, track.allowance - 1);
    track.readyMs = null;
    track.dueMs = 0;
    this.#workedOff(track);
  }

  /** A voice that goes on although the gate closed: told of when it is sure, for the gate's pause has ended it. */
  #lookBeyond(track: Track, probability: number): void {
    if (track.gateOpen || !track.hysteresis.speaking || track.next < track.gateEnd + UNHEARD) return;
    track.beyond = probability >= this.#parts.thresholds.start ? track.beyond + 1 : 0;
    if (track.beyond === SURE_BEYOND) this.#tell(track, { t: 'speech-start', sample: track.next - (SURE_BEYOND - 1) * WINDOW });
  }

  /** With the gate closed for long enough there is nothing more to say of its opening, nor, unless we listen, to look at. */
  #workedOff(track: Track): void {
    if (track.gateOpen || !this.#active.has(track) || track.next < track.gateEnd + HOLD) return;
    if (!track.listening) {
      const edge = track.hysteresis.flush();
      if (edge !== null) this.#tell(track, edge);
      this.#active.delete(track);
    }
    if (track.owes) this.#tell(track, { t: 'drained' });
    track.owes = false;
  }

  #shed(track: Track): void {
    track.hysteresis.flush();
    track.next = track.heardTo = track.written;
    track.gateOpen = false;
    track.owes = false;
    wipe(track.memory);
    this.#listenNoMore(track);
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
    this.#parts.send({
      t: 'news',
      news,
      counts: { windows: this.#windows, runs: this.#runs, listening: this.#listening, cpuMs: this.#parts.cpuMs() },
    });
  }

  #nowMs(): number {
    return this.#parts.nowUs() / 1000;
  }
}
