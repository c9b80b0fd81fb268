/**
 * The caller's own recording: what was said and what was heard on one clock, as it went over the wire. Packets are put where their timestamps say,
 * each stretch of timestamps anchored at its least delayed packet; so a late timer or a full socket does not tear the audio.
 */
import { writeFile } from 'node:fs/promises';
import { ParleyError } from '../../contracts/index.ts';
import { RATE_HZ } from './level.ts';
import type { LoggedPacket } from './rtp.ts';

/** Timestamps that run ahead of the clock by more than this begin a new stretch. */
const AHEAD_MS = 100;
/** Timestamps that stay behind by more than this, for so many packets, begin a new stretch. */
const BEHIND_MS = 200;
const BEHIND_PACKETS = 10;
const MAX_SAMPLES = RATE_HZ * 3600;

interface Stretch {
  readonly ssrc: number;
  readonly firstTimestamp: number;
  readonly packets: LoggedPacket[];
  /** Least of (arrival - media time) in ms: where the stretch's first timestamp lies on the clock. */
  originMs: number;
}

/** One direction as mono PCM at 8 kHz; sample 0 is at `zeroMs`, the end is where the last packet ends. */
export function layOut(log: readonly LoggedPacket[], zeroMs: number): Int16Array {
  const stretches = split(log);
  const place = (stretch: Stretch, packet: LoggedPacket): number =>
    Math.round((stretch.originMs + mediaMs(stretch, packet) - zeroMs) * (RATE_HZ / 1000));
  let length = 0;
  for (const stretch of stretches)
    for (const packet of stretch.packets) length = Math.max(length, place(stretch, packet) + packet.pcm.length);
  const pcm = new Int16Array(Math.min(length, MAX_SAMPLES));
  for (const stretch of stretches) {
    for (const packet of stretch.packets) {
      const at = place(stretch, packet);
      const from = Math.max(0, -at);
      const to = Math.min(packet.pcm.length, pcm.length - at);
      if (to > from) pcm.set(packet.pcm.subarray(from, to), at + from);
    }
  }
  return pcm;
}

function split(log: readonly LoggedPacket[]): Stretch[] {
  const stretches: Stretch[] = [];
  let current: Stretch | undefined;
  log.forEach((packet, index) => {
    if (current === undefined || current.ssrc !== packet.ssrc || breaks(current, log, index)) {
      current = { ssrc: packet.ssrc, firstTimestamp: packet.timestamp, packets: [], originMs: packet.atMs };
      stretches.push(current);
    }
    current.packets.push(packet);
    current.originMs = Math.min(current.originMs, packet.atMs - mediaMs(current, packet));
  });
  return stretches;
}

/** Has the timestamp jumped against the clock at this packet, for good? One late packet, or a burst after a stall, is no jump. */
function breaks(stretch: Stretch, log: readonly LoggedPacket[], index: number): boolean {
  const delay = (packet: LoggedPacket): number => packet.atMs - mediaMs(stretch, packet) - stretch.originMs;
  const packet = log[index];
  if (packet === undefined) return false;
  if (delay(packet) < -AHEAD_MS) return true;
  if (delay(packet) < BEHIND_MS) return false;
  const next = log.slice(index + 1, index + 1 + BEHIND_PACKETS).filter((later) => later.ssrc === packet.ssrc);
  return next.every((later) => delay(later) > BEHIND_MS / 2);
}

/** Media time of a packet since its stretch began, ms. Timestamps are 32 bits and wrap. */
function mediaMs(stretch: Stretch, packet: LoggedPacket): number {
  return ((packet.timestamp - stretch.firstTimestamp) | 0) / (RATE_HZ / 1000);
}

/** Writes a stereo WAV: caller left, heard right. 8 kHz, 16 bit; the shorter side is filled with silence. Errors: CALLER_FAILED. */
export async function writeRecording(path: string, spoken: Int16Array, heard: Int16Array): Promise<void> {
  const frames = Math.max(spoken.length, heard.length);
  const bytes = Buffer.alloc(44 + frames * 4);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + frames * 4, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(2, 22);
  bytes.writeUInt32LE(RATE_HZ, 24);
  bytes.writeUInt32LE(RATE_HZ * 4, 28);
  bytes.writeUInt16LE(4, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(frames * 4, 40);
  for (let i = 0; i < frames; i++) {
    bytes.writeInt16LE(spoken[i] ?? 0, 44 + 4 * i);
    bytes.writeInt16LE(heard[i] ?? 0, 46 + 4 * i);
  }
  try {
    // A recording is a person's voice: nobody else on the machine may read it.
    await writeFile(path, bytes, { mode: 0o600 });
  } catch (cause) {
    throw new ParleyError('CALLER_FAILED', `cannot write the recording to ${path}`, { cause });
  }
}
