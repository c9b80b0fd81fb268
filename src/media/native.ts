/** The addon's edge, in the order of native/binding/addon.cc. Plain values only; callers here have validated them. */

/**
 * Which edge this is. Raise it here and in addon.cc with every change of a function, an argument or the order of fields below: an addon
 * of another version reads arguments that are not there, and takes the whole process down.
 */
export const API_VERSION = 2;

/** An opaque native object. */
export interface NativeEngine {
  readonly __native: 'parley_media engine';
}

export interface NativeMedia {
  readonly apiVersion: number;
  /** An engine, or the errno of what failed. */
  createEngine(
    host: string,
    portMin: number,
    portMax: number,
    maxCalls: number,
    historyMs: number,
    realtime: boolean,
    keepSent: boolean,
    sharedSocket: boolean,
    onEvents: () => void,
  ): NativeEngine | number;
  closeEngine(engine: NativeEngine): void;
  /** out: fd, bytes */
  audioMemory(engine: NativeEngine, out: Float64Array): void;
  /** out: slot, generation, port, errno. Answers an index into OPEN_ERRORS. */
  openCall(
    engine: NativeEngine,
    receive: number,
    send: number,
    dtmfPayloadType: number,
    suppressNoise: boolean,
    cancelEcho: boolean,
    out: Float64Array,
  ): number;
  /** False where libspeexdsp is missing. */
  cleaningAvailable(): boolean;
  setRemote(engine: NativeEngine, slot: number, generation: number, host: string, port: number): boolean;
  /** 0: the call is closed. */
  openClip(
    engine: NativeEngine,
    slot: number,
    generation: number,
    rateHz: number,
    held: boolean,
    marks: Float64Array | null,
    loop: boolean,
  ): number;
  writeClip(engine: NativeEngine, slot: number, generation: number, clip: number, pcm: Int16Array): boolean;
  endClip(engine: NativeEngine, slot: number, generation: number, clip: number): boolean;
  releaseClip(engine: NativeEngine, slot: number, generation: number, clip: number): boolean;
  lastRound(engine: NativeEngine, slot: number, generation: number, clip: number): boolean;
  stopClip(engine: NativeEngine, slot: number, generation: number, clip: number, fadeMs: number): boolean;
  control(engine: NativeEngine, slot: number, generation: number, what: number, value: number): boolean;
  sendDtmf(engine: NativeEngine, slot: number, generation: number, charCode: number, durationMs: number): boolean;
  closeCall(engine: NativeEngine, slot: number, generation: number): boolean;
  /** Answers how many events were written, EVENT_FIELDS numbers each. */
  drain(engine: NativeEngine, out: Float64Array): number;
  callStats(engine: NativeEngine, slot: number, generation: number, out: Float64Array): boolean;
  engineStats(engine: NativeEngine, out: Float64Array): void;
  /** Answers an index into READ_RESULTS. */
  read(engine: NativeEngine, slot: number, generation: number, fromSample: number, out: Int16Array): number;
  readSent(engine: NativeEngine, slot: number, generation: number, fromSample: number, out: Int16Array): number;
}

/** parley::Codec */
export const CODECS = ['ulaw', 'alaw', 'slin', 'g722', 'slin16'] as const;
/** parley::Control */
export const CONTROLS = ['stop', 'gain', 'pause', 'resume', 'secure'] as const;
/** parley::Engine::OpenError */
export const OPEN_ERRORS = ['none', 'portsExhausted', 'callsExhausted', 'system'] as const;
/** parley::EventType */
export const EVENTS = [
  'rtp-start',
  'speech-start',
  'speech-end',
  'dtmf',
  'clip-start',
  'clip-mark',
  'clip-played',
  'clip-stopped',
  'rtp-idle',
  'speech-hint',
  'speech-near',
] as const;
/** type, slot, generation, a, b, sample, atUs, pitchSlope, levelDropDb, syllablesPerS (NaN: not known) */
export const EVENT_FIELDS = 10;
/** parley_audio_result of native/core/audio/audio_memory.h */
export const READ_RESULTS = ['ok', 'notYet', 'gone', 'closed', 'badRange'] as const;
/** parley::SessionStats, then parley::Drop */
export const CALL_STATS = [
  'packetsReceived',
  'packetsSent',
  'framesConcealed',
  'lateFrames',
  'duplicates',
  'reordered',
  'reanchored',
  'underruns',
  'sendErrors',
  'sample',
  'sentSample',
  'jitterUs',
  'packetsLost',
  'roundTripUs',
  'remoteLostShare',
  'remoteJitterUs',
  'reportsReceived',
  'reportsSent',
] as const;
export const DROPS = [
  'notRtp',
  'badLength',
  'payloadType',
  'foreignSource',
  'foreignSsrc',
  'seqJump',
  'overrun',
  'noRemote',
  'rtcp',
] as const;
/** parley::ThreadStats */
export const ENGINE_STATS = [
  'openCalls',
  'ticks',
  'ticksSkipped',
  'packetsSent',
  'packetsReceived',
  'sendErrors',
  'framesLate',
  'strays',
  'eventsLost',
  'fifo',
  'cpuUs',
  'sendLatenessP50Us',
  'sendLatenessP99Us',
  'sendLatenessP999Us',
  'sendLatenessMaxUs',
] as const;
