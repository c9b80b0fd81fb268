/**
 * The media port: RTP in, PCM and events out; clips in, RTP out. Implemented by the addon in native/.
 * Two time lines, both counted on native threads:
 *   caller time  16 kHz samples since the session opened (`sample`): what the STT ring is indexed by
 *   sent time    20 ms slots really sent, expressed in 16 kHz samples (`sentSample`)
 * `atUs` is CLOCK_MONOTONIC in microseconds, so that both lines and JavaScript can be compared.
 */
import type { Prosody } from './turn.ts';

/**
 * 'ulaw' = PCMU (PT 0), 'alaw' = PCMA (PT 8), 'slin' = L16 8 kHz (Asterisk PT 10). RFC 3551 and Asterisk's names.
 * Wideband: 'g722' (PT 9) both ways; 'slin16' = L16 16 kHz (Asterisk PT 118) to receive only, answered in any other.
 */
export type Codec = 'ulaw' | 'alaw' | 'slin' | 'g722' | 'slin16';

export const CALLER_RATE_HZ = 16000;

export interface MediaEngineOptions {
  /** Address to bind RTP sockets to; loopback unless the PBX is on another host. */
  readonly host: string;
  /** Inclusive UDP port range. */
  readonly portMin: number;
  readonly portMax: number;
  /** How many calls can be open at once: sizes the shared audio memory. */
  readonly maxCalls: number;
  /** Length of each call's 16 kHz ring; rounded up to a power of two of samples. */
  readonly historyMs: number;
  /** Also keep what is sent, beside the caller's audio, for recorders. Doubles the audio memory. Default false. */
  readonly keepSent?: boolean;
  /**
   * One RTP port for all calls, told apart by the addresses given to setRemote: fewer ports and system calls. For a PBX that
   * sends each call from a port of its own (Asterisk does). Default false: a port per call.
   */
  readonly sharedSocket?: boolean;
  /** What calls get that do not say otherwise. Default off. */
  readonly cleaning?: Cleaning;
}

/**
 * What is done to the caller's audio before the talk gate and the recogniser get it; nobody else hears it. Both arrive 10 ms later.
 * Needs libspeexdsp; a machine without it opens the call uncleaned and logs MEDIA_CLEANING once.
 */
export interface Cleaning {
  /** Noise that goes on is taken away, and rumble below 180 Hz. */
  readonly noise?: 'off' | 'suppress';
  /** Our own voice as it comes back up to 250 ms later is taken away: speakerphones, poor adapters. */
  readonly echo?: 'off' | 'cancel';
}

/** The caller's audio of all calls, shared with worker processes. RAM only (memfd): no byte reaches a disk. */
export interface AudioMemory {
  /** Inherit this file descriptor into a worker, which maps it read-only. Layout: native/README.md. */
  readonly fd: number;
  readonly bytes: number;
}

export type MediaEvent =
  /** The first valid packet of the PBX. */
  | { readonly t: 'rtp-start'; readonly atUs: number }
  /**
   * Talk gate: the caller's first voiced sample, and one past the last. `speech-end` comes 60 ms after its sample; a voice that goes
   * on is a `speech-start` again.
   */
  | { readonly t: 'speech-start'; readonly sample: number; readonly atUs: number }
  | { readonly t: 'speech-end'; readonly sample: number; readonly atUs: number; readonly prosody?: Prosody }
  /**
   * Early, and only while we play: two voiced 10 ms frames in a row, above the noise and above what may come back of our own voice. Enough to speak softer,
   * not enough to believe: within 40 ms of audio a `speech-start` follows, or it was a click. Once for each candidate.
   */
  | { readonly t: 'speech-hint'; readonly sample: number; readonly atUs: number }
  /**
   * Something is to be heard that is no voice yet: two of three 10 ms frames 3 dB above the noise and above what may come back of our own
   * voice. For whoever judges voices by more than their energy; told again every 120 ms while it lasts, and not inside a voice.
   */
  | { readonly t: 'speech-near'; readonly sample: number; readonly atUs: number }
  /** An RFC 4733 event, once per key press, when it ends. */
  | { readonly t: 'dtmf'; readonly digit: string; readonly durationMs: number; readonly sample: number; readonly atUs: number }
  /** The first sample of the clip went out. */
  | { readonly t: 'clip-start'; readonly clip: number; readonly sentSample: number; readonly atUs: number }
  /** A mark's sample went out. */
  | { readonly t: 'clip-mark'; readonly clip: number; readonly mark: number; readonly sentSample: number; readonly atUs: number }
  /** The clip is over. `playedSamples` counts 16 kHz samples of the clip really sent. */
  | {
      readonly t: 'clip-end';
      readonly clip: number;
      readonly outcome: 'played' | 'stopped';
      readonly playedSamples: number;
      readonly sentSample: number;
      readonly atUs: number;
    }
  /** No packet for `ms` although some came before. Callers that send no silence make this normal. */
  | { readonly t: 'rtp-idle'; readonly ms: number; readonly atUs: number };

export interface MediaStats {
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly framesConcealed: number;
  readonly lateFrames: number;
  readonly duplicates: number;
  /** Datagrams that never reached audio, by reason: notRtp, badLength, payloadType, foreignSource, foreignSsrc, overrun ... */
  readonly dropped: Readonly<Record<string, number>>;
  /** From RTCP (RFC 3550): the caller's stream as we see it, ours as the PBX reports it. */
  readonly quality?: {
    readonly jitterMs: number;
    readonly packetsLost: number;
    /** Null until the PBX has answered a report of ours. */
    readonly roundTripMs: number | null;
    readonly remoteLossPercent: number;
    readonly remoteJitterMs: number;
    readonly reportsReceived: number;
    readonly reportsSent: number;
  };
  /** Slots of 20 ms in which a clip that was not over had no sample ready: the caller heard a hole. */
  readonly underruns: number;
  /** Caller samples (16 kHz) so far. */
  readonly sample: number;
  readonly sentSample: number;
}

/** Audio to be played. Clips of a session play in the order in which they were opened. */
export interface ClipWriter {
  readonly clip: number;
  /** Copies PCM in. Any length. After `end()` nothing more may come. */
  write(pcm: Int16Array): void;
  end(): void;
  /** Lets a held clip play in the next 20 ms slot. */
  release(): void;
  /** A looping clip plays the round that sounds now to its end, and is then over as `played`. */
  lastRound(): void;
  /**
   * Ends this clip alone: what sounds fades over `fadeMs` (5 to 10,000; default 5) from the next slot on and the next clip follows
   * without a hole; a clip that has not begun, or is paused, is dropped. Its position comes as `clip-end`, `stopped`.
   */
  stop(fadeMs?: number): void;
}

export interface MediaSession {
  readonly callId: string;
  /** Index into the audio memory, with its generation (a slot is reused by later calls). */
  readonly slot: number;
  readonly generation: number;
  readonly localHost: string;
  readonly localPort: number;
  /** Events come batched on the JavaScript thread; one listener. */
  onEvent(listener: (event: MediaEvent) => void): void;
  /** Locks the source: only this address and port is heard and sent to. */
  setRemote(host: string, port: number): void;
  /**
   * `marks` are ascending sample numbers of the clip at its own rate; `clip-mark` events carry a mark's index. `loop`: once `end()`
   * has told its length, the clip begins again without a seam (hold tones, wait phrases) until `lastRound()`, its `stop()` or the
   * session's; marks come in every round, and `playedSamples` counts all rounds. Clips behind it wait.
   */
  openClip(options: { rateHz: number; held: boolean; marks?: readonly number[]; loop?: boolean }): ClipWriter;
  /** Stops within one 20 ms slot with a 5 ms fade: the playing clip and all that wait (held ones too). Positions follow as `clip-end`. */
  stop(): void;
  /** Gain in dB (0 = full) applied in the next slot with a ramp: -12 ducks. */
  gain(db: number): void;
  pause(): void;
  resume(): void;
  /**
   * The caller gives a secret. `on`: silence for STT and recorder, keys are swallowed. `spoken`: STT hears on, recorders get silence,
   * keys are swallowed.
   */
  secure(mode: 'off' | 'on' | 'spoken'): void;
  /** Sends a RFC 4733 key. */
  sendDtmf(digit: string, durationMs: number): void;
  stats(): MediaStats;
  /** Idempotent. No event comes after it returns. */
  close(): void;
}

export interface MediaEngine {
  readonly audio: AudioMemory;
  /** Errors: MEDIA_PORTS_EXHAUSTED. */
  open(options: { callId: string; receive: Codec; send: Codec; payloadTypeDtmf?: number; cleaning?: Cleaning }): MediaSession;
  /** Copies caller PCM [fromSample, toSample) out of a ring: for adapters and tests, never per frame. */
  read(session: MediaSession, fromSample: number, toSample: number): Int16Array;
  /** The same of what was sent, by `sentSample` numbers; only with `keepSent`. */
  readSent?(session: MediaSession, fromSample: number, toSample: number): Int16Array;
  stats(): Readonly<Record<string, number>>;
  close(): void;
}
