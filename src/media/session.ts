/** One call. Every method but close() and stats() answers MEDIA_CLOSED once the session is closed. */
import { ParleyError } from '../contracts/index.ts';
import type { ClipWriter, MediaEvent, MediaSession, MediaStats } from '../contracts/index.ts';
import { CALL_STATS, CONTROLS, DROPS } from './native.ts';
import type { NativeEngine, NativeMedia } from './native.ts';

/** Rates that native/ converts from; the wire is 8 kHz. */
const CLIP_RATES_HZ = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000];
const SHORTEST_FADE_MS = 5;
const LONGEST_FADE_MS = 10_000;
/** parley::Secure */
const SECURE_MODES = ['off', 'on', 'spoken'] as const;
const DTMF_DIGITS = /^[0-9*#A-D]$/i;

export interface SessionInit {
  readonly native: NativeMedia;
  readonly engine: NativeEngine;
  readonly callId: string;
  readonly slot: number;
  readonly generation: number;
  readonly localHost: string;
  readonly localPort: number;
  readonly onClosed: () => void;
}

export class NativeSession implements MediaSession {
  readonly callId: string;
  readonly slot: number;
  readonly generation: number;
  readonly localHost: string;
  readonly localPort: number;
  readonly #init: SessionInit;
  readonly #counters = new Float64Array(CALL_STATS.length + DROPS.length);
  #listener: ((event: MediaEvent) => void) | undefined;
  #open = true;

  constructor(init: SessionInit) {
    this.#init = init;
    this.callId = init.callId;
    this.slot = init.slot;
    this.generation = init.generation;
    this.localHost = init.localHost;
    this.localPort = init.localPort;
  }

  onEvent(listener: (event: MediaEvent) => void): void {
    this.#listener = listener;
  }

  /** For the engine: an event of this session, on the JavaScript thread. */
  deliver(event: MediaEvent): void {
    if (this.#open) this.#listener?.(event);
  }

  setRemote(host: string, port: number): void {
    this.#assertOpen();
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw new RangeError(`setRemote: ${port} is no UDP port`);
    const { native, engine } = this.#init;
    if (!native.setRemote(engine, this.slot, this.generation, host === 'localhost' ? '127.0.0.1' : host, port))
      throw new TypeError(`setRemote: '${host}' is no numeric address of the family of ${this.localHost}`);
  }

  openClip(options: { rateHz: number; held: boolean; marks?: readonly number[]; loop?: boolean }): ClipWriter {
    this.#assertOpen();
    if (!CLIP_RATES_HZ.includes(options.rateHz))
      throw new RangeError(`openClip: ${options.rateHz} Hz is not one of ${CLIP_RATES_HZ.join(', ')}`);
    const { native, engine } = this.#init;
    const { rateHz, held, loop = false } = options;
    const clip = native.openClip(engine, this.slot, this.generation, rateHz, held, checkedMarks(options.marks), loop);
    return new NativeClipWriter(native, engine, this, clip);
  }

  stop(): void {
    this.#control('stop', 0);
  }

  gain(db: number): void {
    if (!(db <= 0)) throw new RangeError(`gain: ${db} dB is not 0 or below`);
    this.#control('gain', 10 ** (db / 20));
  }

  pause(): void {
    this.#control('pause', 0);
  }

  resume(): void {
    this.#control('resume', 0);
  }

  secure(mode: 'off' | 'on' | 'spoken'): void {
    this.#control('secure', SECURE_MODES.indexOf(mode));
  }

  sendDtmf(digit: string, durationMs: number): void {
    this.#assertOpen();
    if (!DTMF_DIGITS.test(digit)) throw new RangeError('sendDtmf: not one of 0-9 * # A-D');
    const { native, engine } = this.#init;
    native.sendDtmf(engine, this.slot, this.generation, digit.charCodeAt(0), Math.max(0, Math.round(durationMs)));
  }

  /** After close() the last figures. */
  stats(): MediaStats {
    if (this.#open) this.#init.native.callStats(this.#init.engine, this.slot, this.generation, this.#counters);
    const value = (name: (typeof CALL_STATS)[number]): number => this.#counters[CALL_STATS.indexOf(name)] ?? 0;
    const dropped: Record<string, number> = {};
    DROPS.forEach((reason, index) => {
      const count = this.#counters[CALL_STATS.length + index] ?? 0;
      if (count > 0) dropped[reason] = count;
    });
    return {
      packetsReceived: value('packetsReceived'),
      packetsSent: value('packetsSent'),
      framesConcealed: value('framesConcealed'),
      lateFrames: value('lateFrames'),
      duplicates: value('duplicates'),
      underruns: value('underruns'),
      dropped,
      sample: value('sample'),
      sentSample: value('sentSample'),
      quality: {
        jitterMs: value('jitterUs') / 1000,
        packetsLost: value('packetsLost'),
        roundTripMs: value('roundTripUs') === 0 ? null : value('roundTripUs') / 1000,
        remoteLossPercent: (value('remoteLostShare') * 100) / 256,
        remoteJitterMs: value('remoteJitterUs') / 1000,
        reportsReceived: value('reportsReceived'),
        reportsSent: value('reportsSent'),
      },
    };
  }

  close(): void {
    if (!this.#open) return;
    this.stats();
    this.#open = false;
    this.#listener = undefined;
    this.#init.native.closeCall(this.#init.engine, this.slot, this.generation);
    this.#init.onClosed();
  }

  #control(what: (typeof CONTROLS)[number], value: number): void {
    this.#assertOpen();
    this.#init.native.control(this.#init.engine, this.slot, this.generation, CONTROLS.indexOf(what), value);
  }

  #assertOpen(): void {
    if (!this.#open) throw new ParleyError('MEDIA_CLOSED', `The media session of call ${this.callId} is closed.`);
  }
}

function checkedMarks(marks: readonly number[] | undefined): Float64Array | null {
  if (marks === undefined || marks.length === 0) return null;
  marks.forEach((mark, index) => {
    if (!Number.isSafeInteger(mark) || mark < (marks[index - 1] ?? 0))
      throw new RangeError(`openClip: mark ${index} (${mark}) is no ascending sample number`);
  });
  return Float64Array.from(marks);
}

class NativeClipWriter implements ClipWriter {
  readonly clip: number;
  readonly #native: NativeMedia;
  readonly #engine: NativeEngine;
  readonly #session: NativeSession;
  #ended = false;

  constructor(native: NativeMedia, engine: NativeEngine, session: NativeSession, clip: number) {
    this.#native = native;
    this.#engine = engine;
    this.#session = session;
    this.clip = clip;
  }

  // Writing to a clip that was stopped, or whose call is over, does nothing: its writer learns by `clip-end`.
  write(pcm: Int16Array): void {
    if (this.#ended) throw new TypeError(`clip ${this.clip}: write after end`);
    if (pcm.length > 0) this.#native.writeClip(this.#engine, this.#session.slot, this.#session.generation, this.clip, pcm);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#native.endClip(this.#engine, this.#session.slot, this.#session.generation, this.clip);
  }

  release(): void {
    this.#native.releaseClip(this.#engine, this.#session.slot, this.#session.generation, this.clip);
  }

  lastRound(): void {
    this.#native.lastRound(this.#engine, this.#session.slot, this.#session.generation, this.clip);
  }

  stop(fadeMs = SHORTEST_FADE_MS): void {
    if (!(fadeMs >= SHORTEST_FADE_MS && fadeMs <= LONGEST_FADE_MS))
      throw new RangeError(`clip ${this.clip}: a fade of ${fadeMs} ms is not from ${SHORTEST_FADE_MS} to ${LONGEST_FADE_MS}`);
    this.#native.stopClip(this.#engine, this.#session.slot, this.#session.generation, this.clip, Math.round(fadeMs));
  }
}
