/** RTP (RFC 3550) and its key presses (RFC 4733) as bytes. */

export interface RtpPacket {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  /** A view into the datagram. */
  readonly payload: Uint8Array;
}

/** Reads a datagram; null when it is no RTP packet. Never reads outside `bytes`. */
export function parseRtp(bytes: Uint8Array): RtpPacket | null {
  if (bytes.length < 12) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  if (first >> 6 !== 2) return null;
  let at = 12 + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (at + 4 > bytes.length) return null;
    at += 4 + 4 * view.getUint16(at + 2);
  }
  let end = bytes.length;
  if ((first & 0x20) !== 0) {
    const padding = view.getUint8(bytes.length - 1);
    if (padding === 0) return null;
    end -= padding;
  }
  if (at > end) return null;
  const second = view.getUint8(1);
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    payload: bytes.subarray(at, end),
  };
}

export function formatRtp(packet: RtpPacket): Buffer {
  const bytes = Buffer.alloc(12 + packet.payload.length);
  bytes[0] = 0x80;
  bytes[1] = (packet.marker ? 0x80 : 0) | packet.payloadType;
  bytes.writeUInt16BE(packet.sequence & 0xffff, 2);
  bytes.writeUInt32BE(packet.timestamp >>> 0, 4);
  bytes.writeUInt32BE(packet.ssrc >>> 0, 8);
  bytes.set(packet.payload, 12);
  return bytes;
}

export const KEYS = '0123456789*#ABCD';

/** RFC 4733 2.3: event, end bit, volume (-10 dBm0), duration in timestamp units. */
export function keyPayload(key: string, end: boolean, duration: number): Uint8Array {
  const event = KEYS.indexOf(key);
  return Uint8Array.of(event, (end ? 0x80 : 0) | 10, (duration >> 8) & 0xff, duration & 0xff);
}

/** One key press as the packets of consecutive 20 ms slots; the last is sent three times in its slot. */
export interface KeySlot {
  readonly payload: Uint8Array;
  readonly copies: number;
  readonly marker: boolean;
}

export function keySlots(key: string, pressMs: number, slotMs = 20): KeySlot[] {
  const count = Math.max(2, Math.round(pressMs / slotMs));
  return Array.from({ length: count }, (_, i) => {
    const end = i === count - 1;
    return { payload: keyPayload(key, end, (i + 1) * slotMs * 8), copies: end ? 3 : 1, marker: i === 0 };
  });
}
