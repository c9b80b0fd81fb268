/** The PBX's end of a media session: a UDP socket that builds RTP packets (RFC 3550) and keeps what it hears. */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';

export interface HeardPacket {
  readonly atUs: number;
  readonly payloadType: number;
  readonly marker: boolean;
  readonly seq: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payload: Buffer;
}

export interface RtpFields {
  readonly payloadType: number;
  readonly seq: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly marker?: boolean;
  readonly payload: Uint8Array;
}

export function rtpPacket(fields: RtpFields): Buffer {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = (fields.marker === true ? 0x80 : 0) | fields.payloadType;
  header.writeUInt16BE(fields.seq & 0xffff, 2);
  header.writeUInt32BE(fields.timestamp >>> 0, 4);
  header.writeUInt32BE(fields.ssrc >>> 0, 8);
  return Buffer.concat([header, fields.payload]);
}

/** An RFC 4733 payload; duration in timestamp units of 8 kHz. */
export function dtmfPayload(event: number, end: boolean, duration: number): Buffer {
  const payload = Buffer.from([event, (end ? 0x80 : 0) | 10, 0, 0]);
  payload.writeUInt16BE(duration, 2);
  return payload;
}

export class RtpPeer {
  readonly heard: HeardPacket[] = [];
  readonly datagrams: Buffer[] = [];
  readonly #socket: Socket;
  #remotePort = 0;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.datagrams.push(data);
      if (data.length < 12) return;
      this.heard.push({
        atUs: Number(process.hrtime.bigint() / 1000n),
        payloadType: (data[1] ?? 0) & 0x7f,
        marker: ((data[1] ?? 0) & 0x80) !== 0,
        seq: data.readUInt16BE(2),
        timestamp: data.readUInt32BE(4),
        ssrc: data.readUInt32BE(8),
        payload: data.subarray(12),
      });
    });
  }

  static async open(port = 0): Promise<RtpPeer> {
    const socket = createSocket('udp4');
    socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return new RtpPeer(socket);
  }

  /** An even port and the one above it, as RTP and RTCP have them. */
  static async openPair(): Promise<{ rtp: RtpPeer; rtcp: RtpPeer }> {
    for (let tries = 0; tries < 100; tries++) {
      const rtp = await RtpPeer.open();
      const rtcp = rtp.port % 2 === 0 ? await RtpPeer.open(rtp.port + 1).catch(() => undefined) : undefined;
      if (rtcp) return { rtp, rtcp };
      rtp.close();
    }
    throw new Error('no free pair of ports');
  }

  get port(): number {
    return this.#socket.address().port;
  }

  sendTo(port: number): void {
    this.#remotePort = port;
  }

  /** Resolves when the datagram is with the kernel: what is sent later arrives later. */
  send(datagram: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(datagram, this.#remotePort, '127.0.0.1', (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
