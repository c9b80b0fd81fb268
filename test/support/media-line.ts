/** A call on the media engine with the PBX's end of it in the test's hands. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Codec, MediaEngine, MediaEvent, MediaSession } from '../../src/contracts/index.ts';
import { createMediaEngine } from '../../src/media/index.ts';
import { fromL16, toL16 } from './pcm.ts';
import { RtpPeer, rtpPacket } from './rtp-peer.ts';

export const SSRC = 0x1234;

export interface Line {
  engine: MediaEngine;
  session: MediaSession;
  peer: RtpPeer;
  events: MediaEvent[];
  until<T extends MediaEvent['t']>(t: T, count?: number): Promise<Extract<MediaEvent, { t: T }>>;
  untilTrue(condition: () => boolean, what: string): Promise<void>;
  packet(seq: number, pcm: Int16Array, more?: { timestamp?: number; ssrc?: number; payloadType?: number }): Promise<void>;
}

export async function waitFor(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await sleep(5);
  }
  throw new Error(`not within 5 s: ${what}`);
}

let nextPort = 10000 + (process.pid % 22) * 1000;
export function engineFor(t: Test, options: { ports?: number; maxCalls?: number; historyMs?: number } = {}): MediaEngine {
  const { ports = 40, maxCalls = 16, historyMs = 4000 } = options;
  // An area of its own for every test file that runs beside this one, and for every test in it.
  const portMin = nextPort;
  nextPort += ports + (ports % 2);
  const engine = createMediaEngine({ host: '127.0.0.1', portMin, portMax: portMin + ports - 1, maxCalls, historyMs });
  t.teardown(() => engine.close());
  return engine;
}

export async function openLine(t: Test, codec: { receive?: Codec; send?: Codec } = {}, options: { connect?: boolean } = {}): Promise<Line> {
  const engine = engineFor(t);
  const session = engine.open({ callId: 'call-1', receive: codec.receive ?? 'slin', send: codec.send ?? 'slin' });
  const peer = await RtpPeer.open();
  peer.sendTo(session.localPort);
  t.teardown(() => peer.close());
  if (options.connect !== false) session.setRemote('127.0.0.1', peer.port);
  const events: MediaEvent[] = [];
  session.onEvent((event) => events.push(event));
  const line: Line = {
    engine,
    session,
    peer,
    events,
    async until(type, count = 1) {
      const found = (): MediaEvent[] => events.filter((event) => event.t === type);
      await waitFor(() => found().length >= count, `${count} ${type}`);
      return found()[count - 1] as Extract<MediaEvent, { t: typeof type }>;
    },
    untilTrue: waitFor,
    packet: (seq, pcm, more = {}) =>
      peer.send(
        rtpPacket({
          payloadType: more.payloadType ?? 10,
          seq,
          timestamp: more.timestamp ?? seq * 160,
          ssrc: more.ssrc ?? SSRC,
          payload: toL16(pcm),
        }),
      ),
  };
  return line;
}

/** A frame that can be recognised by its level. */
export const frame = (level: number): Int16Array => new Int16Array(160).fill(level);
/** The levels of the caller's frames as the ring holds them, without the silence before and after. */
export function levels(line: Line): number[] {
  const to = line.session.stats().sample;
  const pcm = line.engine.read(line.session, Math.max(0, to - 32000), to);
  const seen: number[] = [];
  let run = 0;
  for (let n = 1; n < pcm.length; n++) {
    run = Math.abs((pcm[n] ?? 0) - (pcm[n - 1] ?? 0)) <= 2 ? run + 1 : 0;
    const level = Math.round((pcm[n] ?? 0) / 100) * 100;
    if (run === 200 && level !== 0) seen.push(level);
  }
  return seen;
}
export const heardPcm = (line: Line): Int16Array => Int16Array.from(line.peer.heard.flatMap((packet) => [...fromL16(packet.payload)]));
