/** One private Asterisk per test file, on ports that are free, and an RTP port that listens. */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../../src/contracts/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import type { PrivateAsterisk, PrivateAsteriskOptions } from '../../src/telephony/index.ts';
import { freeUdpPort } from './sipp.ts';

export type { PrivateAsterisk } from '../../src/telephony/index.ts';
export { answerCalls, freeUdpPort, placeCall } from './sipp.ts';
export type { CallerStep } from './sipp.ts';

const HOST = '127.0.0.1';
const RTP_PORTS = 400;

/** The part of a tap test that cleans up, last added first. */
interface Teardown {
  teardown: (fn: () => unknown) => void;
}

export async function freeTcpPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ok) => server.listen(0, HOST, ok));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Options of a private Asterisk on free ports; give them to startPrivateAsterisk again to restart the same one. */
export async function asteriskOptions(t: Teardown, options: Partial<PrivateAsteriskOptions> = {}): Promise<PrivateAsteriskOptions> {
  const rtpPortMin = 18_000 + RTP_PORTS * Math.floor(Math.random() * 35);
  const runDir = mkdtempSync(join(tmpdir(), 'parley-ast-'));
  t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
  return {
    runDir,
    ariPort: await freeTcpPort(),
    sipPort: await freeUdpPort(),
    rtpPortMin,
    rtpPortMax: rtpPortMin + RTP_PORTS - 1,
    ...options,
  };
}

/** Started now, stopped and removed at the end of the test: `const asterisk = await testAsterisk(t)`. */
export async function testAsterisk(t: Teardown, options: Partial<PrivateAsteriskOptions> = {}): Promise<PrivateAsterisk> {
  const asterisk = await startPrivateAsterisk(await asteriskOptions(t, options));
  t.teardown(() => asterisk.stop());
  return asterisk;
}

/** Names of the channels and bridges that Asterisk has now. */
export async function leftovers(asterisk: PrivateAsterisk): Promise<string[]> {
  const authorization = `Basic ${Buffer.from(`${asterisk.ariUser}:${asterisk.ariPassword}`).toString('base64')}`;
  const list = async (what: string): Promise<string[]> => {
    const response = await fetch(`${asterisk.ariUrl}/ari/${what}`, { headers: { authorization } });
    return ((await response.json()) as { id: string }[]).map(({ id }) => id);
  };
  return [...(await list('channels')), ...(await list('bridges'))];
}

export interface RtpEar {
  readonly port: number;
  readonly socket: Socket;
  /** Packets so far, by payload type. */
  readonly packets: ReadonlyMap<number, number>;
}

/** A bound UDP port that counts RTP packets. */
export async function rtpEar(t: Teardown): Promise<RtpEar> {
  const socket = createSocket('udp4');
  const packets = new Map<number, number>();
  socket.on('message', (data) => {
    const type = (data[1] ?? 0) & 0x7f;
    packets.set(type, (packets.get(type) ?? 0) + 1);
  });
  await new Promise<void>((bound) => socket.bind(0, HOST, bound));
  t.teardown(() => socket.close());
  return { port: socket.address().port, socket, packets };
}

export interface Wire {
  /** Give this to the driver instead of the URL of ARI. */
  readonly url: string;
  /** Destroys the connections of now; new ones are let through. */
  cut(): void;
  /** Carries nothing any more, without closing: a cable pulled out. `thaw` drops what was frozen. */
  freeze(): void;
  thaw(): void;
}

/** A wire between the driver and Asterisk that a test can cut or freeze. */
export async function wireTo(t: Teardown, url: string): Promise<Wire> {
  const target = new URL(url);
  const open = new Set<NetSocket>();
  let frozen = false;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('error', () => undefined);
      from.on('data', (data) => frozen || to.write(data));
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((ok) => server.listen(0, HOST, ok));
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${port}`,
    cut,
    freeze: () => void (frozen = true),
    thaw: () => {
      frozen = false;
      cut();
    },
  };
}

/** Waits until the condition holds; fails loudly when it does not within the time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((later) => setTimeout(later, 20));
  }
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
