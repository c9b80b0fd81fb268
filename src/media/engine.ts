/** The engine: owns the native thread and hands drained events to the sessions. */
import { getSystemErrorName } from 'node:util';
import { CALLER_RATE_HZ, ParleyError } from '../contracts/index.ts';
import type { AudioMemory, Cleaning, Codec, Logger, MediaEngine, MediaEngineOptions, MediaSession } from '../contracts/index.ts';
import { decodeEvent } from './events.ts';
import { loadAddon } from './load.ts';
import { CODECS, ENGINE_STATS, EVENT_FIELDS, OPEN_ERRORS, READ_RESULTS } from './native.ts';
import type { NativeEngine, NativeMedia } from './native.ts';
import { NativeSession } from './session.ts';

export interface MediaEngineExtras {
  readonly logger?: Logger;
  /** False: do not ask for SCHED_FIFO. Default true; without the right to it the thread runs at a better nice value. */
  readonly realtime?: boolean;
}

const EVENTS_PER_DRAIN = 64;
const DEFAULT_DTMF_PAYLOAD_TYPE = 101;

/** Errors: MEDIA_ADDON (not built, or the system refused memory or a thread), RangeError for impossible options. */
export function createMediaEngine(options: MediaEngineOptions & MediaEngineExtras): MediaEngine {
  return new NativeMediaEngine(checked(options), loadAddon());
}

function checked(options: MediaEngineOptions & MediaEngineExtras): MediaEngineOptions & MediaEngineExtras {
  const inRange = (name: keyof MediaEngineOptions, value: number, min: number, max: number): void => {
    if (!Number.isInteger(value) || value < min || value > max)
      throw new RangeError(`media.${name}: ${value} is no whole number from ${min} to ${max}`);
  };
  inRange('portMin', options.portMin, 1024, 65535);
  inRange('portMax', options.portMax, options.portMin, 65535);
  inRange('maxCalls', options.maxCalls, 1, 4096);
  inRange('historyMs', options.historyMs, 100, 600_000);
  return { ...options, host: options.host === 'localhost' ? '127.0.0.1' : options.host };
}

class NativeMediaEngine implements MediaEngine {
  readonly audio: AudioMemory;
  readonly #native: NativeMedia;
  readonly #engine: NativeEngine;
  readonly #options: MediaEngineOptions & MediaEngineExtras;
  readonly #sessions = new Map<number, NativeSession>();
  readonly #events = new Float64Array(EVENTS_PER_DRAIN * EVENT_FIELDS);
  #closed = false;
  #classReported = false;
  #cleaningReported = false;

  constructor(options: MediaEngineOptions & MediaEngineExtras, native: NativeMedia) {
    this.#options = options;
    this.#native = native;
    const { host, portMin, portMax, maxCalls, historyMs, keepSent = false, sharedSocket = false, realtime = true } = options;
    const made = native.createEngine(host, portMin, portMax, maxCalls, historyMs, realtime, keepSent, sharedSocket, () => {
      this.#drain();
    });
    if (typeof made === 'number' && sharedSocket && getSystemErrorName(-made) === 'EADDRINUSE')
      throw new ParleyError(
        'MEDIA_PORTS_EXHAUSTED',
        `The shared RTP socket gets no port: no free pair from ${portMin} to ${portMax} on ${host}.`,
      );
    if (typeof made === 'number')
      throw new ParleyError(
        'MEDIA_ADDON',
        `The media thread could not start: ${getSystemErrorName(-made)} (${maxCalls} calls, ${historyMs} ms of history).`,
      );
    this.#engine = made;
    const memory = new Float64Array(2);
    native.audioMemory(made, memory);
    this.audio = { fd: memory[0] ?? -1, bytes: memory[1] ?? 0 };
  }

  open(options: { callId: string; receive: Codec; send: Codec; payloadTypeDtmf?: number; cleaning?: Cleaning }): MediaSession {
    if (this.#closed) throw new ParleyError('MEDIA_CLOSED', 'The media engine is closed.');
    const dtmf = options.payloadTypeDtmf ?? DEFAULT_DTMF_PAYLOAD_TYPE;
    if (!Number.isInteger(dtmf) || dtmf < 96 || dtmf > 127) throw new RangeError(`payloadTypeDtmf: ${dtmf} is not from 96 to 127`);
    if (options.send === 'slin16') throw new RangeError('send: slin16 is receive only; Asterisk drops it without a word');
    const out = new Float64Array(4);
    const { noise = 'off', echo = 'off' } = { ...this.#options.cleaning, ...options.cleaning };
    const [receive, send] = [CODECS.indexOf(options.receive), CODECS.indexOf(options.send)];
    if (noise !== 'off' || echo !== 'off') this.#reportCleaning();
    const error = OPEN_ERRORS[this.#native.openCall(this.#engine, receive, send, dtmf, noise === 'suppress', echo === 'cancel', out)];
    const [slot = 0, generation = 0, localPort = 0, errno = 0] = out;
    if (error !== 'none') throw this.#openFailed(error, errno, options.callId);
    const session = new NativeSession({
      native: this.#native,
      engine: this.#engine,
      callId: options.callId,
      slot,
      generation,
      localHost: this.#options.host,
      localPort,
      onClosed: () => {
        this.#sessions.delete(slot);
      },
    });
    this.#sessions.set(slot, session);
    this.#reportClass();
    return session;
  }

  /** Once, when the thread has long been running: whether frames may be late when the machine is busy. */
  #reportClass(): void {
    if (this.#classReported) return;
    this.#classReported = true;
    if (this.stats()['fifo'] === 1) this.#options.logger?.info('media thread runs in real time', { class: 'SCHED_FIFO' });
    else
      this.#options.logger?.warn('media thread has no real-time class: frames may be late when the machine is busy', {
        class: 'SCHED_OTHER',
        remedy: 'grant CAP_SYS_NICE, or LimitRTPRIO=20 in the unit file',
      });
  }

  /** Once: a call uncleaned is better than none. */
  #reportCleaning(): void {
    if (this.#cleaningReported || this.#native.cleaningAvailable()) return;
    this.#cleaningReported = true;
    const { code, message } = new ParleyError(
      'MEDIA_CLEANING',
      'Calls are not cleaned of noise or echo: libspeexdsp.so.1 is not on this machine. Install it (Debian, Ubuntu: apt-get install libspeexdsp1).',
    );
    this.#options.logger?.error('audio is not cleaned', { code, reason: message });
  }

  #openFailed(error: (typeof OPEN_ERRORS)[number] | undefined, errno: number, callId: string): ParleyError {
    const { host, portMin, portMax, maxCalls } = this.#options;
    const why = {
      none: '',
      portsExhausted: `no free even port from ${portMin} to ${portMax} on ${host} (each call takes an even port for RTP; the odd one above is its RTCP)`,
      callsExhausted: `${maxCalls} calls are open, as many as media.maxCalls allows`,
      system: `${host} cannot be bound: ${errno > 0 ? getSystemErrorName(-errno) : 'unknown'}`,
    }[error ?? 'system'];
    return new ParleyError('MEDIA_PORTS_EXHAUSTED', `Call ${callId} gets no RTP port: ${why}.`);
  }

  read(session: MediaSession, fromSample: number, toSample: number): Int16Array {
    return this.#read('read', session, fromSample, toSample);
  }

  readSent(session: MediaSession, fromSample: number, toSample: number): Int16Array {
    if (this.#options.keepSent !== true) throw new RangeError('readSent: the engine was created without keepSent');
    return this.#read('readSent', session, fromSample, toSample);
  }

  #read(which: 'read' | 'readSent', session: MediaSession, fromSample: number, toSample: number): Int16Array {
    if (!Number.isSafeInteger(fromSample) || !Number.isSafeInteger(toSample) || fromSample < 0 || toSample < fromSample)
      throw new RangeError(`${which}: ${fromSample}..${toSample} is no sample range`);
    const closed = (): ParleyError => new ParleyError('MEDIA_CLOSED', `The media session of call ${session.callId} is closed.`);
    if (this.#sessions.get(session.slot) !== session) throw closed();
    if ((toSample - fromSample) * 2 > this.audio.bytes) throw new RangeError(`${which}: longer than the ring`);
    const pcm = new Int16Array(toSample - fromSample);
    const result = READ_RESULTS[this.#native[which](this.#engine, session.slot, session.generation, fromSample, pcm)];
    if (result === 'ok') return pcm;
    if (result === 'closed') throw closed();
    const why = { notYet: 'not all of it has come yet', gone: 'the ring has gone past it', badRange: 'longer than the ring' };
    const range = `${fromSample / CALLER_RATE_HZ} s to ${toSample / CALLER_RATE_HZ} s`;
    throw new RangeError(`${which}: ${range}: ${why[result ?? 'badRange']}`);
  }

  stats(): Readonly<Record<string, number>> {
    const values = new Float64Array(ENGINE_STATS.length);
    if (!this.#closed) this.#native.engineStats(this.#engine, values);
    return Object.fromEntries(ENGINE_STATS.map((name, index) => [name, values[index] ?? 0]));
  }

  close(): void {
    if (this.#closed) return;
    for (const session of [...this.#sessions.values()]) session.close();
    this.#closed = true;
    this.#native.closeEngine(this.#engine);
  }

  #drain(): void {
    let count = EVENTS_PER_DRAIN;
    while (count === EVENTS_PER_DRAIN && !this.#closed) {
      count = this.#native.drain(this.#engine, this.#events);
      for (let i = 0; i < count; i++) this.#deliver(i);
    }
  }

  #deliver(index: number): void {
    const decoded = decodeEvent(this.#events, index);
    const session = decoded && this.#sessions.get(decoded.slot);
    if (session?.generation !== decoded?.generation) return;
    try {
      if (decoded) session?.deliver(decoded.event);
    } catch (error) {
      // One call's listener must not cost the others their events.
      this.#options.logger?.error('media event listener failed', { callId: session?.callId, error: String(error) });
    }
  }
}
