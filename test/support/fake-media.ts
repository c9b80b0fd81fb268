/** A media engine without sockets: clips last as long as their samples, time moves when the test says so. */
import type { ClipWriter, MediaEngine, MediaEvent, MediaSession, MediaStats } from '../../src/contracts/index.ts';

interface FakeClip {
  readonly clip: number;
  readonly rateHz: number;
  samples: number;
  ended: boolean;
  held: boolean;
  startedMs: number | null;
}

export class FakeMediaSession implements MediaSession {
  readonly slot: number;
  readonly generation = 1;
  readonly localHost = '127.0.0.1';
  readonly localPort: number;
  readonly callId: string;
  closed = false;
  remote: string | null = null;
  #listener: (event: MediaEvent) => void = () => undefined;
  #clips: FakeClip[] = [];
  #next = 1;
  #nowMs = 0;
  readonly #clock: { us: number };

  constructor(callId: string, slot: number, clock: { us: number }) {
    this.callId = callId;
    this.slot = slot;
    this.localPort = 40000 + slot;
    this.#clock = clock;
  }

  onEvent(listener: (event: MediaEvent) => void): void {
    this.#listener = listener;
  }
  setRemote(host: string, port: number): void {
    this.remote = `${host}:${port}`;
    this.#emit({ t: 'rtp-start', atUs: this.#clock.us });
  }
  /** Clips that sound or wait. */
  get open(): number {
    return this.#clips.length;
  }
  /** Of the clip that was opened last. */
  lastMarks: readonly number[] = [];
  openClip({ rateHz, held, marks = [] }: { rateHz: number; held: boolean; marks?: readonly number[] }): ClipWriter {
    this.lastMarks = marks;
    const clip: FakeClip = { clip: this.#next++, rateHz, samples: 0, ended: false, held, startedMs: null };
    this.#clips.push(clip);
    return {
      clip: clip.clip,
      write: (pcm) => (clip.samples += pcm.length),
      end: () => (clip.ended = true),
      release: () => (clip.held = false),
      lastRound: () => undefined,
      stop: () => {
        this.#clips = this.#clips.filter((other) => other !== clip);
        this.#stopped(clip);
      },
    };
  }
  /** Speech of the caller from `fromMs` to `toMs`: both gate events come now. */
  speech(fromMs: number, toMs: number): void {
    this.#emit({ t: 'speech-start', sample: fromMs * 16, atUs: this.#clock.us });
    this.#emit({ t: 'speech-end', sample: toMs * 16, atUs: this.#clock.us });
  }
  emit(event: MediaEvent): void {
    this.#emit(event);
  }
  /** Time has moved by `ms`: plays. */
  play(ms: number): void {
    this.#nowMs += ms;
    for (;;) {
      const clip = this.#clips.find((candidate) => !candidate.held);
      if (clip === undefined || (!clip.ended && clip.samples === 0)) return;
      if (clip.startedMs === null) {
        clip.startedMs = this.#nowMs;
        this.#emit({ t: 'clip-start', clip: clip.clip, sentSample: this.#nowMs * 16, atUs: this.#clock.us });
      }
      const lengthMs = (clip.samples * 1000) / clip.rateHz;
      if (!clip.ended || this.#nowMs < clip.startedMs + lengthMs) return;
      this.#clips = this.#clips.filter((other) => other !== clip);
      this.#emit({
        t: 'clip-end',
        clip: clip.clip,
        outcome: 'played',
        playedSamples: Math.round(lengthMs * 16),
        sentSample: this.#nowMs * 16,
        atUs: this.#clock.us,
      });
    }
  }
  stop(): void {
    if (this.closed) throw new Error('stopped after the end');
    for (const clip of this.#clips.splice(0)) this.#stopped(clip);
  }
  #stopped({ clip, startedMs }: FakeClip): void {
    const playedMs = startedMs === null ? 0 : this.#nowMs - startedMs;
    const sentSample = this.#nowMs * 16;
    this.#emit({ t: 'clip-end', clip, outcome: 'stopped', playedSamples: playedMs * 16, sentSample, atUs: this.#clock.us });
  }
  gain(): void {}
  pause(): void {}
  resume(): void {}
  secure: (mode: 'off' | 'on' | 'spoken') => void = () => undefined;
  sendDtmf(): void {}
  stats(): MediaStats {
    const sample = Math.round(this.#nowMs * 16);
    return {
      packetsReceived: 1,
      packetsSent: 1,
      framesConcealed: 0,
      lateFrames: 0,
      duplicates: 0,
      underruns: 0,
      dropped: {},
      sample,
      sentSample: sample,
    };
  }
  close(): void {
    this.closed = true;
    this.#listener = () => undefined;
  }
  #emit(event: MediaEvent): void {
    this.#listener(event);
  }
}

export class FakeMediaEngine implements MediaEngine {
  readonly audio = { fd: -1, bytes: 0 };
  readonly sessions: FakeMediaSession[] = [];
  readonly #clock: { us: number };
  constructor(clock: { us: number }) {
    this.#clock = clock;
  }
  open({ callId }: { callId: string }): FakeMediaSession {
    const session = new FakeMediaSession(callId, this.sessions.length, this.#clock);
    this.sessions.push(session);
    return session;
  }
  read(): Int16Array {
    return new Int16Array(0);
  }
  stats(): Record<string, number> {
    return { open: this.sessions.filter((session) => !session.closed).length };
  }
  close(): void {}
}
