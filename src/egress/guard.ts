import { Socket as UdpSocket } from 'node:dgram';
import { Socket } from 'node:net';
import { ParleyError } from '../contracts/index.ts';
import { bareHost, type Destination, isLocal } from './destinations.ts';

/** Connections to one place that were refused. */
export interface Refusal {
  readonly host: string;
  readonly port: number;
  readonly transport: 'tcp' | 'udp';
  readonly refused: number;
}

export interface EgressGuard {
  /** Refused since the guard went up. */
  readonly refused: number;
  /** Those since the last call, by destination. */
  take(): readonly Refusal[];
  /** Takes this guard's list away; the last one gives Node its own functions back. */
  close(): void;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;
interface Target {
  readonly host: string;
  readonly port: number;
}

/** Something that tries many places must not fill the log. */
const MAX_PLACES = 100;

class Guard implements EgressGuard {
  readonly #allowed: ReadonlySet<string>;
  readonly #new = new Map<string, Refusal>();
  refused = 0;

  constructor(allowed: readonly Destination[]) {
    this.#allowed = new Set(allowed.map(({ host, port }) => `${bareHost(host)} ${port}`));
  }

  allows({ host, port }: Target): boolean {
    return this.#allowed.has(`${host} ${port}`);
  }

  count({ host, port }: Target, transport: Refusal['transport']): void {
    this.refused += 1;
    const place = this.#new.size < MAX_PLACES ? { host: host.slice(0, 253), port } : { host: 'others', port: 0 };
    const key = `${transport} ${place.host} ${place.port}`;
    this.#new.set(key, { ...place, transport, refused: (this.#new.get(key)?.refused ?? 0) + 1 });
  }

  take(): readonly Refusal[] {
    const taken = [...this.#new.values()];
    this.#new.clear();
    return taken;
  }

  close(): void {
    active.delete(this);
    if (active.size === 0) restore();
  }
}

const active = new Set<Guard>();
let restore = (): void => undefined;

/**
 * From now on every TCP, TLS and UDP connection that JavaScript of this process opens is checked, whoever opens it: fetch, http, https, ws,
 * pg and all others end in net.Socket.connect or in dgram's send. Programs that Parley starts are not under it: docs/gdpr.md says what
 * holds those.
 */
export function guardEgress(allowed: readonly Destination[]): EgressGuard {
  const guard = new Guard(allowed);
  if (active.size === 0) restore = install();
  active.add(guard);
  return guard;
}

/** Null: it may go on. */
function refusalOf(target: Target | null, transport: Refusal['transport']): ParleyError | null {
  if (target === null || isLocal(target.host)) return null;
  const guards = [...active];
  if (guards.some((guard) => guard.allows(target))) return null;
  for (const guard of guards) guard.count(target, transport);
  return new ParleyError(
    'EGRESS_REFUSED',
    `A connection to ${target.host}:${target.port} was refused: nothing in the configuration names it.`,
  );
}

function install(): () => void {
  const tcp = Socket.prototype as unknown as { connect: Method };
  const udp = UdpSocket.prototype as unknown as { connect: Method; send: Method };
  const own = { tcpConnect: tcp.connect, udpConnect: udp.connect, udpSend: udp.send };
  tcp.connect = function (this: unknown, ...args) {
    const refused = refusalOf(tcpTarget(args), 'tcp');
    if (refused === null) return own.tcpConnect.apply(this, args);
    const socket = this as Socket & { connecting: boolean };
    // As a connection that fails does it: later, when whoever asked has had the time to listen. Until then what is written waits.
    socket.connecting = true;
    setImmediate(() => socket.destroy(refused));
    return socket;
  };
  udp.connect = function (this: unknown, ...args) {
    return refuseUdp(this as UdpSocket, udpTarget(args[0], args[1]), args) ?? own.udpConnect.apply(this, args);
  };
  udp.send = function (this: unknown, ...args) {
    // send(data, offset, length, port, address) or send(data, port, address), as dgram itself tells them apart.
    const sliced = Boolean(args[4]) || (Boolean(args[3]) && typeof args[3] !== 'function');
    const target = sliced ? udpTarget(args[3], args[4]) : udpTarget(args[1], args[2]);
    return refuseUdp(this as UdpSocket, target, args) ?? own.udpSend.apply(this, args);
  };
  return () => {
    tcp.connect = own.tcpConnect;
    udp.connect = own.udpConnect;
    udp.send = own.udpSend;
  };
}

/** True when it was refused. */
function refuseUdp(socket: UdpSocket, target: Target | null, args: readonly unknown[]): true | undefined {
  const refused = refusalOf(target, 'udp');
  if (refused === null) return undefined;
  const done = args.at(-1);
  queueMicrotask(() => {
    if (typeof done === 'function') (done as (error: Error) => void)(refused);
    else socket.emit('error', refused);
  });
  return true;
}

/** connect(options), connect(port, host), connect(path); net.connect hands over a list with the options in it. Null: a Unix socket. */
function tcpTarget(args: readonly unknown[]): Target | null {
  const first: unknown = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
  if (typeof first === 'object' && first !== null) {
    const { path, host, port } = first as { path?: unknown; host?: unknown; port?: unknown };
    return typeof path === 'string' ? null : { host: hostOf(host), port: Number(port) };
  }
  if (typeof first === 'string' && !/^\d+$/.test(first)) return null;
  return { host: hostOf(args[1]), port: Number(first) };
}

function udpTarget(port: unknown, address: unknown): Target | null {
  return typeof port === 'number' ? { host: hostOf(address), port } : null;
}

const hostOf = (host: unknown): string => (typeof host === 'string' && host !== '' ? bareHost(host) : 'localhost');
