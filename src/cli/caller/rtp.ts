/**
 * The caller's audio leg: sends 20 ms of G.711 in every slot, silence included, on a schedule that never drifts; keeps every packet of both directions
 * with the monotonic time at which it left or came.
 */
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { decode, silenceByte, type Law } from './g711.ts';
import { formatRtp, keySlots, parseRtp, type KeySlot } from './rtp-packet.ts';
import { PAYLOAD_TYPE, type RemoteMedia } from './sdp.ts';
import { bindUdp } from './sip-transport.ts';

export const SLOT_MS = 20;
export const SLOT_SAMPLES = 160;
const GAP_SLOTS_BETWEEN_KEYS = 5;
const MAX_SOURCES = 64;
/** Half an hour: a log must end somewhere. */
const MAX_LOGGED_PACKETS = 90_000;

/** Monotonic milliseconds, with fractions: CLOCK_MONOTONIC. */
export function monoMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A packet that carried audio. */
export interface LoggedPacket {
  /** When it was handed to, or came from, the socket. */
  readonly atMs: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly pcm: Int16Array;
}
export interface LegCounters {
  sent: number;
  received: number;
  duplicates: number;
  /** From another address than the agreed one. */
  strays: number;
  /** No RTP at all. */
  malformed: number;
  /** Another payload type than the agreed one. */
  otherTypes: number;
  /** How late a slot left, at worst. */
  maxLateSendMs: number;
}
export interface LegHandlers {
  /** Once per slot, after its packet has left. */
  onSlot(atMs: number): void;
  onHeard(packet: LoggedPacket): void;
}

/** Something to be sent, filled in as it leaves. */
export interface Utterance {
  /** Index into `sentLog` of its first packet; -1 until it has left. */
  firstPacket: number;
  /** When its last packet left. */
  doneAtMs: number | null;
}
type Item =
  | { readonly kind: 'audio'; readonly bytes: Uint8Array; at: number; readonly utterance: Utterance }
  | { readonly kind: 'key'; readonly slots: KeySlot[]; readonly utterance: Utterance | null; timestamp: number };

export class RtpLeg {
  readonly counters: LegCounters = { sent: 0, received: 0, duplicates: 0, strays: 0, malformed: 0, otherTypes: 0, maxLateSendMs: 0 };
  readonly sentLog: LoggedPacket[] = [];
  readonly heardLog: LoggedPacket[] = [];
  readonly host: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #queue: Item[] = [];
  readonly #seen = new Set<number>();
  readonly #runs = new Map<number, { first: number; last: number; count: number }>();
  readonly #ssrc = randomInt(1, 0xffff_ffff);
  #sequence = randomInt(0, 0xffff);
  #timestamp = randomInt(0, 0xffff_ffff);
  #remote: RemoteMedia | undefined;
  #handlers: LegHandlers | undefined;
  #timer: NodeJS.Timeout | undefined;
  #firstSlotMs = 0;
  #slot = 0;
  #closed = false;

  private constructor(socket: Socket) {
    const { address, port } = socket.address();
    this.host = address;
    this.port = port;
    this.#socket = socket;
    socket.on('message', (bytes, from) => this.#receive(bytes, from.address, from.port, monoMs()));
    // ICMP "port unreachable" of a peer that has gone; the call's end comes by SIP.
    socket.on('error', () => this.counters.malformed++);
  }

  /** Errors: CALLER_FAILED when no port can be bound. */
  static async open(host: string): Promise<RtpLeg> {
    return new RtpLeg(await bindUdp(host, 0));
  }

  /** Where to send and what to expect; may be told anew in mid-call. */
  connect(remote: RemoteMedia): void {
    this.#remote = remote;
  }

  start(handlers: LegHandlers): void {
    this.#handlers = handlers;
    this.#firstSlotMs = monoMs();
    this.#slot = 0;
    this.#pace();
  }

  /** Queues speech behind whatever is still to be sent. */
  say(bytes: Uint8Array): Utterance {
    const utterance: Utterance = { firstPacket: -1, doneAtMs: null };
    this.#queue.push({ kind: 'audio', bytes, at: 0, utterance });
    return utterance;
  }

  /** Queues key presses. `doneAtMs` is set when the last key has been let go. */
  press(keys: string, pressMs = 120): Utterance {
    const utterance: Utterance = { firstPacket: -1, doneAtMs: null };
    keys.split('').forEach((key, index) => {
      if (index > 0) this.#queue.push(this.#silence(GAP_SLOTS_BETWEEN_KEYS));
      this.#queue.push({
        kind: 'key',
        slots: keySlots(key, pressMs),
        utterance: index === keys.length - 1 ? utterance : null,
        timestamp: 0,
      });
    });
    return utterance;
  }

  /** Frees the port; a second time does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#handlers = undefined;
    this.#remote = undefined;
    this.#socket.close();
  }

  #silence(slots: number): Item {
    return {
      kind: 'audio',
      bytes: new Uint8Array(slots * SLOT_SAMPLES).fill(silenceByte(this.#law)),
      at: 0,
      utterance: { firstPacket: -1, doneAtMs: null },
    };
  }

  get #law(): Law {
    return this.#remote?.law ?? 'ulaw';
  }

  #pace(): void {
    // Due times are multiples of the first one: a late timer never shifts the slots after it.
    let now = monoMs();
    let due = this.#firstSlotMs + this.#slot * SLOT_MS;
    while (due <= now && this.#handlers !== undefined) {
      this.counters.maxLateSendMs = Math.max(this.counters.maxLateSendMs, now - due);
      this.#sendSlot();
      this.#slot++;
      due += SLOT_MS;
      now = monoMs();
    }
    if (this.#handlers !== undefined) this.#timer = setTimeout(() => this.#pace(), Math.max(0, due - now));
  }

  #sendSlot(): void {
    const item = this.#queue[0];
    const atMs = monoMs();
    if (item?.kind === 'key') this.#sendKeySlot(item, atMs);
    else this.#sendAudioSlot(item, atMs);
    this.#timestamp = (this.#timestamp + SLOT_SAMPLES) >>> 0;
    this.#handlers?.onSlot(atMs);
  }

  #sendAudioSlot(item: Extract<Item, { kind: 'audio' }> | undefined, atMs: number): void {
    const law = this.#law;
    const payload = new Uint8Array(SLOT_SAMPLES).fill(silenceByte(law));
    if (item !== undefined) {
      payload.set(item.bytes.subarray(item.at, item.at + SLOT_SAMPLES));
      if (item.at === 0) item.utterance.firstPacket = this.sentLog.length;
      item.at += SLOT_SAMPLES;
      if (item.at >= item.bytes.length) {
        item.utterance.doneAtMs = atMs;
        this.#queue.shift();
      }
    }
    if (this.sentLog.length < MAX_LOGGED_PACKETS)
      this.sentLog.push({ atMs, sequence: this.#sequence, timestamp: this.#timestamp, ssrc: this.#ssrc, pcm: decode(law, payload) });
    this.#send(PAYLOAD_TYPE[law], this.sentLog.length === 1, this.#timestamp, payload);
  }

  #sendKeySlot(item: Extract<Item, { kind: 'key' }>, atMs: number): void {
    const slot = item.slots.shift();
    if (slot === undefined) return;
    // RFC 4733 2.2: every packet of one event has the timestamp of its beginning.
    if (slot.marker) item.timestamp = this.#timestamp;
    const type = this.#remote?.keysType;
    if (type !== undefined) for (let copy = 0; copy < slot.copies; copy++) this.#send(type, slot.marker, item.timestamp, slot.payload);
    if (item.slots.length > 0) return;
    if (item.utterance !== null) item.utterance.doneAtMs = atMs;
    this.#queue.shift();
  }

  #send(payloadType: number, marker: boolean, timestamp: number, payload: Uint8Array): void {
    const remote = this.#remote;
    const sequence = this.#sequence;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    // On hold nobody listens; the clock goes on.
    if (remote?.listens !== true) return;
    this.counters.sent++;
    this.#socket.send(
      formatRtp({ payloadType, marker, sequence, timestamp, ssrc: this.#ssrc, payload }),
      remote.port,
      remote.host,
      () => undefined,
    );
  }

  #receive(bytes: Buffer, host: string, port: number, atMs: number): void {
    const remote = this.#remote;
    if (remote?.host !== host || remote.port !== port) {
      this.counters.strays++;
      return;
    }
    const packet = parseRtp(bytes);
    if (packet === null) {
      this.counters.malformed++;
      return;
    }
    if (this.#isDuplicate(packet.ssrc, packet.sequence)) return;
    this.#count(packet.ssrc, packet.sequence);
    if (packet.payloadType !== PAYLOAD_TYPE[remote.law]) {
      this.counters.otherTypes++;
      return;
    }
    this.counters.received++;
    const logged: LoggedPacket = {
      atMs,
      sequence: packet.sequence,
      timestamp: packet.timestamp,
      ssrc: packet.ssrc,
      pcm: decode(remote.law, packet.payload),
    };
    if (this.heardLog.length < MAX_LOGGED_PACKETS) this.heardLog.push(logged);
    this.#handlers?.onHeard(logged);
  }

  /** Packets that never came: numbers missing inside each source's run. */
  get lost(): number {
    return [...this.#runs.values()].reduce((sum, run) => sum + Math.max(0, run.last - run.first + 1 - run.count), 0);
  }

  #count(ssrc: number, sequence: number): void {
    const run = this.#runs.get(ssrc);
    if (run === undefined) {
      if (this.#runs.size < MAX_SOURCES) this.#runs.set(ssrc, { first: sequence, last: sequence, count: 1 });
      return;
    }
    // Numbers are 16 bits and wrap: the nearest one to the last.
    const extended = run.last + (((sequence - run.last) << 16) >> 16);
    run.first = Math.min(run.first, extended);
    run.last = Math.max(run.last, extended);
    run.count++;
  }

  /** The same source and number within the last 256 packets. */
  #isDuplicate(ssrc: number, sequence: number): boolean {
    const key = ssrc * 0x1_0000 + sequence;
    if (this.#seen.has(key)) {
      this.counters.duplicates++;
      return true;
    }
    this.#seen.add(key);
    const oldest = this.#seen.values().next();
    if (this.#seen.size > 256 && oldest.done !== true) this.#seen.delete(oldest.value);
    return false;
  }
}
