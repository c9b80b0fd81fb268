/** The media port over real UDP sockets on loopback: how calls begin and end. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { createMediaEngine } from '../../src/media/index.ts';
import { engineFor, frame, openLine, waitFor } from '../support/media-line.ts';
import type { Line } from '../support/media-line.ts';
import { tone } from '../support/pcm.ts';
import { RtpPeer, rtpPacket } from '../support/rtp-peer.ts';

void test('closing in every state is safe, and silent', async (t) => {
  const states: [string, (line: Line) => Promise<void>][] = [
    ['just opened', () => Promise.resolve()],
    ['receiving', (line) => line.packet(1, frame(1000))],
    [
      'behind a gap',
      async (line) => {
        await line.packet(1, frame(1));
        await line.packet(3, frame(1));
      },
    ],
    [
      'playing',
      async (line) => {
        line.session.openClip({ rateHz: 22050, held: false }).write(tone(22050));
        await line.until('clip-start');
      },
    ],
    [
      'held',
      (line) => {
        line.session.openClip({ rateHz: 8000, held: true }).write(tone(100));
        return Promise.resolve();
      },
    ],
    [
      'stopping',
      async (line) => {
        line.session.openClip({ rateHz: 8000, held: false }).write(tone(9000));
        await line.until('clip-start');
        line.session.stop();
      },
    ],
    [
      'paused',
      async (line) => {
        line.session.openClip({ rateHz: 8000, held: false }).write(tone(9000));
        await line.until('clip-start');
        line.session.pause();
        await sleep(50);
      },
    ],
    [
      'sending a key',
      (line) => {
        line.session.sendDtmf('1', 500);
        return Promise.resolve();
      },
    ],
    [
      'in secure mode',
      (line) => {
        line.session.secure('on');
        return Promise.resolve();
      },
    ],
  ];
  for (const [state, prepare] of states) {
    const line = await openLine(t);
    await prepare(line);
    const writer = line.session.openClip({ rateHz: 8000, held: false });
    line.session.close();
    const seen = line.events.length;
    line.session.close();
    writer.write(tone(10));
    writer.end();
    writer.release();
    t.throws(() => line.session.stop(), { code: 'MEDIA_CLOSED' }, state);
    t.throws(() => line.engine.read(line.session, 0, 1), { code: 'MEDIA_CLOSED' });
    await sleep(60);
    const heard = line.peer.heard.length;
    await line.packet(9, frame(1));
    await sleep(60);
    t.equal(line.events.length, seen, `no event after close: ${state}`);
    t.equal(line.peer.heard.length, heard, 'no packet either');
    t.type(line.session.stats().sample, 'number');
    line.engine.close();
    line.engine.close();
  }
});

void test('ports: exhausted, freed, taken by others', async (t) => {
  const engine = engineFor(t, { ports: 8, maxCalls: 16 });
  const sessions = [1, 2, 3, 4].map((n) => engine.open({ callId: `c${n}`, receive: 'ulaw', send: 'ulaw' }));
  t.equal(new Set(sessions.map((session) => session.localPort)).size, 4);
  t.throws(() => engine.open({ callId: 'c5', receive: 'ulaw', send: 'ulaw' }), { code: 'MEDIA_PORTS_EXHAUSTED', retryable: true });
  sessions[1]?.close();
  const again = engine.open({ callId: 'c6', receive: 'ulaw', send: 'ulaw' });
  t.equal(again.localPort, sessions[1]?.localPort, 'a closed call gives its port back at once');
  again.close();
  await sleep(20);
  const other = createSocket('udp4');
  other.bind(again.localPort, '127.0.0.1');
  await once(other, 'listening');
  t.throws(() => engine.open({ callId: 'c7', receive: 'ulaw', send: 'ulaw' }), { code: 'MEDIA_PORTS_EXHAUSTED' });
  other.close();
  const small = engineFor(t, { ports: 20, maxCalls: 2 });
  small.open({ callId: 'a', receive: 'ulaw', send: 'ulaw' });
  small.open({ callId: 'b', receive: 'ulaw', send: 'ulaw' });
  t.throws(() => small.open({ callId: 'c', receive: 'ulaw', send: 'ulaw' }), { code: 'MEDIA_PORTS_EXHAUSTED', message: /media.maxCalls/ });
});

void test('a hundred quick calls leave nothing behind', async (t) => {
  const engine = engineFor(t, { ports: 20 });
  const peer = await RtpPeer.open();
  t.teardown(() => peer.close());
  const call = async (n: number): Promise<void> => {
    const session = engine.open({ callId: `c${n}`, receive: 'ulaw', send: 'ulaw' });
    session.setRemote('127.0.0.1', peer.port);
    const clip = session.openClip({ rateHz: 22050, held: n % 2 === 0 });
    clip.write(tone(2000, { rateHz: 22050 }));
    if (n % 3 === 0) await sleep(5);
    session.close();
  };
  await call(0);
  await sleep(30);
  const before = readdirSync('/proc/self/fd').length;
  for (let n = 0; n < 100; n++) await call(n);
  await sleep(50);
  t.equal(readdirSync('/proc/self/fd').length, before, 'file descriptors are flat');
  t.equal(engine.stats()['openCalls'], 0);
});

void test('an idle caller is reported once, a peer that refuses packets harms nothing', async (t) => {
  const line = await openLine(t);
  await line.packet(1, frame(1000));
  const idle = await line.until('rtp-idle');
  t.ok(idle.ms >= 1000);
  const port = line.peer.port;
  line.peer.close();
  await sleep(200);
  t.ok(line.session.stats().sentSample > 16 * 1000, 'slots go on');
  line.session.setRemote('127.0.0.1', port);
  t.throws(() => line.session.setRemote('pbx.example', 4000), TypeError);
  t.throws(() => line.session.setRemote('127.0.0.1', 0), RangeError);
  t.throws(() => line.session.setRemote('::1', 4000), TypeError);
});

void test('a PBX port that closes and opens again: refusals are counted, frames go out as soon as somebody is there', async (t) => {
  const line = await openLine(t);
  // So many that the socket is filtered by the kernel, which then tells of refusals.
  for (let seq = 0; seq < 140; seq++) {
    await line.packet(seq, frame(1000));
    if (seq % 20 === 0) await sleep(5);
  }
  await line.untilTrue(() => line.session.stats().packetsReceived === 140, 'all');
  const port = line.peer.port;
  line.peer.close();
  await sleep(150);
  const refused = line.session.stats();
  t.ok(refused.packetsSent > 0);
  const again = createSocket('udp4');
  t.teardown(() => again.close());
  let heard = 0;
  again.on('message', () => heard++);
  again.bind(port, '127.0.0.1');
  await once(again, 'listening');
  await waitFor(() => heard > 10, 'frames again');
  const before = line.session.stats();
  await waitFor(() => line.session.stats().sentSample - before.sentSample >= 16 * 200, 'time goes on');
  t.ok(heard >= 10);
});

void test('RTCP: our reports go to the port above, the answers give loss and round trip', async (t) => {
  const engine = engineFor(t);
  const session = engine.open({ callId: 'rtcp', receive: 'ulaw', send: 'ulaw' });
  const { rtp, rtcp } = await RtpPeer.openPair();
  t.teardown(() => {
    rtp.close();
    rtcp.close();
  });
  rtp.sendTo(session.localPort);
  rtcp.sendTo(session.localPort + 1);
  session.setRemote('127.0.0.1', rtp.port);
  for (let seq = 0; seq < 20; seq++)
    if (seq !== 7) await rtp.send(rtpPacket({ payloadType: 0, seq, timestamp: seq * 160, ssrc: 5, payload: Buffer.alloc(160, 0xff) }));
  await waitFor(() => rtcp.datagrams.length > 0, 'a sender report');
  const report = rtcp.datagrams[0]!;
  t.same([...report.subarray(0, 2)], [0x81, 200]);
  t.equal(report.readUInt32BE(28), 5, 'about the caller');
  t.equal(report.readUInt32BE(32) & 0xffffff, 1, 'one packet is missing');
  const ours = report.readUInt32BE(4);
  const answer = Buffer.alloc(32);
  Buffer.from([0x81, 201, 0, 7]).copy(answer);
  answer.writeUInt32BE(5, 4);
  answer.writeUInt32BE(ours, 8);
  answer[12] = 64; // a quarter lost
  answer.writeUInt32BE(80, 20);
  answer.writeUInt32BE(report.readUInt32BE(10), 24);
  await rtcp.send(answer);
  await waitFor(() => session.stats().quality?.reportsReceived === 1, 'read');
  const quality = session.stats().quality!;
  t.match(quality, { packetsLost: 1, remoteLossPercent: 25, remoteJitterMs: 10 });
  t.ok(quality.roundTripMs !== null && quality.roundTripMs < 5000);
  await rtcp.send(answer.subarray(0, 20));
  await waitFor(() => session.stats().dropped['rtcp'] === 1, 'counted');
});

void test('a process that ends, stands still or has no right to real time: the engine goes along', async (t) => {
  const script = `
    import { createMediaEngine } from './src/media/index.ts';
    const said = [];
    const logger = { info: (m) => said.push('info'), warn: (m) => said.push('warn'), error() {}, debug() {}, child: () => logger };
    const engine = createMediaEngine({ host: '127.0.0.1', portMin: 34000, portMax: 34099, maxCalls: 4, historyMs: 1000, realtime: false, logger });
    const session = engine.open({ callId: 'left open', receive: 'ulaw', send: 'ulaw' });
    session.setRemote('127.0.0.1', 9);
    const clip = session.openClip({ rateHz: 22050, held: false });
    clip.write(new Int16Array(22050 * 3));
    engine.open({ callId: 'second', receive: 'ulaw', send: 'ulaw' });
    console.log(said.join());
    setInterval(() => console.log(JSON.stringify({ sent: session.stats().sentSample, skipped: engine.stats().ticksSkipped })), 50);
    setTimeout(() => process.exit(0), 2500);
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    cwd: join(import.meta.dirname, '..', '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await waitFor(() => output.includes('skipped'), 'running');
  child.kill('SIGSTOP');
  await sleep(500);
  child.kill('SIGCONT');
  const [code] = (await once(child, 'exit')) as [number | null];
  t.equal(code, 0, 'it ended by itself, with calls open');
  const [said, ...lines] = output.trim().split('\n');
  t.equal(said, 'warn', 'said once that it has no real-time class');
  const last = JSON.parse(lines.at(-1) ?? '{}') as { sent: number; skipped: number };
  t.ok(last.skipped > 300, `slots slept through are skipped, not sent in a burst (${last.skipped} ms)`);
  t.ok(last.sent > 16000, 'and it went on');
});

void test('one socket for all calls, told apart by their peers', async (t) => {
  const options = { host: '127.0.0.1', portMin: 34200, portMax: 34201, maxCalls: 4, historyMs: 1000, sharedSocket: true };
  const engine = createMediaEngine(options);
  t.teardown(() => engine.close());
  const lines = await Promise.all(
    [0, 1, 2].map(async (n) => {
      const session = engine.open({ callId: `shared-${n}`, receive: 'ulaw', send: 'ulaw' });
      const peer = await RtpPeer.open();
      t.teardown(() => peer.close());
      peer.sendTo(session.localPort);
      session.setRemote('127.0.0.1', peer.port);
      return { session, peer };
    }),
  );
  t.equal(new Set(lines.map((line) => line.session.localPort)).size, 1);
  t.throws(() => createMediaEngine(options), { code: 'MEDIA_PORTS_EXHAUSTED' });
  await waitFor(() => lines.every((line) => line.peer.heard.length > 3), 'all are sent to');
  t.equal(new Set(lines.flatMap((line) => line.peer.heard.map((packet) => packet.ssrc))).size, 3, 'a stream each');
  const stranger = await RtpPeer.open();
  t.teardown(() => stranger.close());
  stranger.sendTo(lines[0]!.session.localPort);
  const packet = rtpPacket({ payloadType: 0, seq: 1, timestamp: 0, ssrc: 5, payload: Buffer.alloc(160, 0xff) });
  await stranger.send(packet);
  await lines[1]!.peer.send(packet);
  await waitFor(() => lines[1]?.session.stats().packetsReceived === 1 && engine.stats()['strays'] === 1, 'heard, and counted');
  t.same(
    lines.map((line) => line.session.stats().packetsReceived),
    [0, 1, 0],
  );
});

void test('one socket for all calls: what is wrong is counted by its call, the others do not notice', async (t) => {
  const options = { host: '127.0.0.1', portMin: 34210, portMax: 34211, maxCalls: 4, historyMs: 1000, sharedSocket: true };
  const engine = createMediaEngine(options);
  t.teardown(() => engine.close());
  const lines = await Promise.all(
    [0, 1, 2].map(async (n) => {
      const session = engine.open({ callId: `bad-${n}`, receive: 'ulaw', send: 'ulaw' });
      const peer = await RtpPeer.open();
      t.teardown(() => peer.close());
      peer.sendTo(session.localPort);
      session.setRemote('127.0.0.1', peer.port);
      return { session, peer };
    }),
  );
  const [bad, good, gone] = lines as [(typeof lines)[0], (typeof lines)[0], (typeof lines)[0]];
  await waitFor(() => lines.every((line) => line.peer.heard.length > 3), 'all are sent to');
  const packet = (seq: number, ssrc: number): Buffer =>
    rtpPacket({ payloadType: 0, seq, timestamp: seq * 160, ssrc, payload: Buffer.alloc(160, 0xff) });
  // The PBX closes one port: its refusals reach nobody.
  gone.peer.close();
  const wrong = [Buffer.alloc(0), Buffer.from('INVITE'), Buffer.alloc(4000, 0x80), packet(1, 7).subarray(0, 12)];
  for (const datagram of wrong) await bad.peer.send(datagram);
  await bad.peer.send(Buffer.concat([Buffer.from([0x80, 200, 0, 7]), Buffer.alloc(24)]));
  // More at once than one look at the socket takes.
  for (let seq = 1; seq <= 150; seq++) await bad.peer.send(packet(seq, 7));
  for (let seq = 1; seq <= 10; seq++) await good.peer.send(packet(seq, 8));
  await waitFor(() => good.session.stats().packetsReceived === 10 && bad.session.stats().packetsReceived === 150, 'all are heard');
  t.same(bad.session.stats().dropped, { notRtp: 2, badLength: 2, rtcp: 1 });
  t.same(good.session.stats().dropped, {});
  const before = good.peer.heard.length;
  await waitFor(() => good.peer.heard.length > before + 5, 'frames go on');
  t.equal(engine.stats()['strays'], 0);
  t.ok(gone.session.stats().packetsSent > 5);
  for (const { session } of lines) session.close();
});
