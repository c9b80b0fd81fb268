/** The media port over real UDP sockets on loopback: what comes in. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaSession } from '../../src/contracts/index.ts';
import { test } from 'tap';
import { engineFor, frame, levels, type Line, openLine, SSRC, waitFor } from '../support/media-line.ts';
import { amplitudeAt, pcmToUlaw, rms, tone, toL16 } from '../support/pcm.ts';
import { dtmfPayload, RtpPeer, rtpPacket } from '../support/rtp-peer.ts';

void test('a call is heard and answered, in each codec', async (t) => {
  for (const [codec, payloadType] of [
    ['ulaw', 0],
    ['alaw', 8],
    ['slin', 10],
  ] as const) {
    const line = await openLine(t, { receive: codec, send: codec });
    // Echo of our own encoding: what we play comes back as what the caller says.
    const clip = line.session.openClip({ rateHz: 8000, held: false });
    clip.write(tone(8000, { hz: 440, amplitude: 8000 }));
    clip.end();
    await line.untilTrue(() => line.peer.heard.length >= 55, 'frames');
    t.equal(line.peer.heard[10]?.payloadType, payloadType, `${codec} has payload type ${payloadType}`);
    for (const packet of line.peer.heard.slice(5, 45)) await line.peer.send(rtpPacket({ ...packet, ssrc: SSRC }));
    await line.untilTrue(() => line.session.stats().packetsReceived === 40, 'all received');
    const to = line.session.stats().sample;
    const pcm = line.engine.read(line.session, to - 8000, to);
    const amplitude = amplitudeAt(pcm, 440, 16000);
    t.ok(amplitude > 7700 && amplitude < 8300, `${codec}: the tone arrives at its level (${Math.round(amplitude)})`);
    line.session.close();
  }
});

void test('packets pass at once, whatever order and number they come in', async (t) => {
  const line = await openLine(t);
  for (const seq of [65533, 65534, 65535, 65537, 65536, 65538, 65538, 65534])
    await line.packet(seq, frame((seq - 65532) * 1000), { timestamp: (2 ** 32 - 320 + (seq - 65533) * 160) >>> 0 });
  await line.untilTrue(() => line.session.stats().packetsReceived === 8, 'received');
  t.same(levels(line), [1000, 2000, 3000, 4000, 5000, 6000], 'in order across the wrap of both counters');
  t.equal(line.session.stats().duplicates, 2);
  t.equal(line.session.stats().framesConcealed, 0);
});

void test('a lost packet is filled after the hold, and the time line keeps its length', async (t) => {
  const line = await openLine(t);
  for (const seq of [1, 2, 4, 5]) await line.packet(seq, frame(seq * 1000));
  await line.untilTrue(() => line.session.stats().framesConcealed === 1, 'concealed');
  const before = line.session.stats().sample;
  await line.packet(3, frame(3000));
  await line.packet(6, frame(6000));
  await line.untilTrue(() => line.session.stats().lateFrames === 1, 'late');
  t.equal(line.session.stats().sample, before + 320, 'the late one is not heard');
  t.same(
    levels(line).filter((level) => level !== 2000 && level !== 4000),
    [1000, 5000, 6000],
  );
});

void test('pauses: a timestamp gap is silence of its length, nothing at all is silence by the clock', async (t) => {
  const line = await openLine(t);
  await line.packet(1, frame(1000), { timestamp: 0 });
  await line.untilTrue(() => line.session.stats().packetsReceived === 1, 'first');
  const first = line.session.stats().sample;
  await sleep(500);
  const silent = line.session.stats().sample - first;
  t.ok(silent > 16 * 350 && silent < 16 * 600, `the clock went on (${silent / 16} ms)`);
  await line.packet(2, frame(2000), { timestamp: 8 * 500 });
  await line.untilTrue(() => line.session.stats().packetsReceived === 2, 'second');
  await line.packet(3, new Int16Array([30]), { timestamp: 8 * 520, payloadType: 13 });
  await line.packet(4, frame(3000), { timestamp: 8 * 560 });
  await line.untilTrue(() => line.session.stats().packetsReceived === 4, 'after comfort noise');
  t.equal(line.session.stats().framesConcealed, 0, 'a pause is no loss');
  t.same(levels(line), [1000, 2000, 3000]);
});

void test('nothing is heard before the peer is known, nor from anybody else', async (t) => {
  const line = await openLine(t, {}, { connect: false });
  await line.packet(1, frame(9000));
  await line.untilTrue(() => line.session.stats().dropped['noRemote'] === 1, 'counted');
  line.session.setRemote('127.0.0.1', line.peer.port);
  await line.packet(2, frame(1000));
  await line.until('rtp-start');
  const stranger = await RtpPeer.open();
  t.teardown(() => stranger.close());
  stranger.sendTo(line.session.localPort);
  // Right SSRC, right sequence, wrong port: and more of them than the engine cares to count.
  for (let i = 0; i < 100; i++)
    await stranger.send(rtpPacket({ payloadType: 10, seq: 3 + i, timestamp: 480 + i * 160, ssrc: SSRC, payload: toL16(frame(7000)) }));
  await line.untilTrue(() => (line.session.stats().dropped['foreignSource'] ?? 0) >= 64, 'counted');
  await line.packet(3, frame(2000));
  await line.untilTrue(() => line.session.stats().packetsReceived === 2, 'the real one');
  t.same(levels(line), [1000, 2000]);
  t.equal(stranger.heard.length, 0, 'and nothing is sent to strangers');
});

void test('datagrams that are not this call: counted by reason, unheard', async (t) => {
  const line = await openLine(t);
  await line.packet(1, frame(1000));
  const good = rtpPacket({ payloadType: 10, seq: 2, timestamp: 320, ssrc: SSRC, payload: toL16(frame(5000)) });
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(good);
    copy[at] = value;
    return copy;
  };
  const bad: [string, Uint8Array][] = [
    ['notRtp', Buffer.alloc(0)],
    ['notRtp', Buffer.from('INVITE sip:a@b SIP/2.0')],
    ['notRtp', good.subarray(0, 11)],
    ['notRtp', changed(0, 0x40)],
    ['badLength', good.subarray(0, 12)],
    ['badLength', good.subarray(0, 13)], // half an L16 sample
    ['badLength', changed(0, 0x8f).subarray(0, 70)], // more CSRCs than bytes
    ['badLength', Buffer.concat([changed(0, 0x90).subarray(0, 12), Buffer.from([0, 0, 0xff, 0xff, 1, 2])])], // extension too long
    ['badLength', Buffer.concat([changed(0, 0xa0), Buffer.alloc(1)])], // padding of 0
    ['badLength', Buffer.concat([good.subarray(0, 12), Buffer.from([1, 2, 99])]).fill(0xa0, 0, 1)], // padding beyond the payload
    ['badLength', Buffer.alloc(4000, 0x80)],
    ['badLength', rtpPacket({ payloadType: 101, seq: 2, timestamp: 320, ssrc: SSRC, payload: Buffer.from([1, 2]) })],
    ['payloadType', changed(1, 0)],
    ['payloadType', changed(1, 118)],
    ['rtcp', Buffer.concat([Buffer.from([0x80, 200, 0, 7]), Buffer.alloc(24)])],
  ];
  for (const [, datagram] of bad) await line.peer.send(datagram);
  const expected: Record<string, number> = {};
  for (const [reason] of bad) expected[reason] = (expected[reason] ?? 0) + 1;
  await line.untilTrue(() => Object.values(line.session.stats().dropped).reduce((a, b) => a + b, 0) === bad.length, 'all counted');
  t.same(line.session.stats().dropped, expected);
  await line.packet(2, frame(2000));
  await line.untilTrue(() => line.session.stats().packetsReceived === 2, 'the call goes on');
  t.same(levels(line), [1000, 2000]);
  // Padding, extension and CSRC that are right are understood.
  const payload = toL16(frame(3000));
  const dressed = Buffer.concat([
    Buffer.from([0x80 | 0x20 | 0x10 | 2, 10, 0, 3, 0, 0, 1, 0xe0, 0, 0, 0x12, 0x34]),
    Buffer.alloc(8, 1),
    Buffer.from([0xbe, 0xde, 0, 1, 9, 9, 9, 9]),
    payload,
    Buffer.from([0, 0, 0, 4]),
  ]);
  await line.peer.send(dressed);
  await line.untilTrue(() => line.session.stats().packetsReceived === 3, 'dressed');
  t.same(levels(line), [1000, 2000, 3000]);
});

void test('numbers far off and floods: counted, unheard, and another call does not notice', async (t) => {
  const line = await openLine(t);
  const other = line.engine.open({ callId: 'other', receive: 'slin', send: 'slin' });
  const [far, near] = [await RtpPeer.open(), await RtpPeer.open()];
  t.teardown(() => {
    far.close();
    near.close();
  });
  other.setRemote('127.0.0.1', near.port);
  near.sendTo(other.localPort);
  await line.packet(1, frame(1000));
  await line.packet(20_000, frame(9000));
  await line.packet(2, frame(2000));
  await line.untilTrue(() => line.session.stats().dropped['seqJump'] === 1, 'the jump');
  // More than the rate allows, in waves that the socket's buffer holds: what the kernel drops is no flood to the call.
  const flood = toL16(frame(0));
  const flooded = (): boolean => (line.session.stats().dropped['overrun'] ?? 0) > 0;
  for (let n = 3; n < 30_000 && !flooded(); n += 150) {
    await Promise.all(
      Array.from({ length: 150 }, (_, i) =>
        line.peer.send(rtpPacket({ payloadType: 10, seq: n + i, timestamp: (n + i) * 160, ssrc: SSRC, payload: flood })),
      ),
    );
    await sleep(5);
  }
  await near.send(rtpPacket({ payloadType: 10, seq: 1, timestamp: 160, ssrc: 7, payload: toL16(frame(4000)) }));
  await line.untilTrue(flooded, 'the flood');
  await waitFor(() => other.stats().packetsReceived === 1, 'the other call');
  t.same(other.stats().dropped, {});
  t.equal(line.session.stats().dropped['foreignSource'], undefined);
});

void test('another SSRC: one packet is a stray, a stream that follows silence is a transfer', async (t) => {
  const line = await openLine(t);
  await line.packet(1, frame(1000));
  await line.packet(500, frame(9000), { ssrc: 99 });
  await line.packet(2, frame(2000));
  await line.packet(501, frame(9000), { ssrc: 99 });
  await line.packet(3, frame(3000));
  await line.untilTrue(() => line.session.stats().dropped['foreignSsrc'] === 2, 'strays counted');
  for (let i = 0; i < 3; i++) await line.packet(800 + i, frame(4000 + i * 1000), { ssrc: 55, timestamp: 123456 + i * 160 });
  await line.untilTrue(() => line.session.stats().packetsReceived === 8, 'the new stream');
  t.same(levels(line), [1000, 2000, 3000, 4000, 5000, 6000], 'the new stream goes on right behind, without a hole');
});

void test('keys in: one event per press, by its end or when the end was lost', async (t) => {
  const line = await openLine(t);
  let seq = 1;
  const event = (code: number, timestamp: number, end: boolean, duration: number): Promise<void> =>
    line.peer.send(rtpPacket({ payloadType: 101, seq: seq++, timestamp, ssrc: SSRC, payload: dtmfPayload(code, end, duration) }));
  await line.packet(seq++, frame(0));
  for (let i = 1; i <= 5; i++) await event(1, 1000, false, i * 160);
  for (let i = 0; i < 3; i++) await event(1, 1000, true, 960);
  const one = await line.until('dtmf');
  t.match(one, { digit: '1', durationMs: 120 });
  for (let i = 1; i <= 5; i++) await event(11, 5000, false, i * 160);
  t.match(await line.until('dtmf', 2), { digit: '#', durationMs: 100 }, 'no end came');
  line.session.secure('on');
  await sleep(10);
  for (let i = 0; i < 3; i++) await event(2, 9000, true, 960);
  await sleep(100);
  line.session.secure('off');
  await sleep(10);
  for (let i = 0; i < 3; i++) await event(10, 13000, true, 960);
  await line.until('dtmf', 3);
  t.same(
    line.events.flatMap((e) => (e.t === 'dtmf' ? [e.digit] : [])),
    ['1', '#', '*'],
    'the secure one was swallowed',
  );
  t.equal(line.session.stats().framesConcealed, 0, 'event packets are no lost audio');
});

void test('the talk gate: first and last voiced sample', async (t) => {
  const line = await openLine(t, { receive: 'ulaw' });
  let seq = 0;
  const say = async (ms: number, amplitude: number): Promise<void> => {
    for (let i = 0; i < ms / 20; i++) {
      await line.peer.send(
        rtpPacket({ payloadType: 0, seq, timestamp: seq * 160, ssrc: SSRC, payload: pcmToUlaw(tone(160, { amplitude })) }),
      );
      seq++;
    }
    await sleep(30);
  };
  // Something of ours plays, too soft for any echo to matter.
  const clip = line.session.openClip({ rateHz: 8000, held: false });
  clip.write(tone(16000, { amplitude: 110 }));
  await line.until('clip-start');
  await say(200, 20);
  const zero = line.session.stats().sample - 200 * 16;
  await say(400, 4000);
  await say(600, 20);
  const start = await line.until('speech-start');
  const end = await line.until('speech-end');
  t.ok(Math.abs(start.sample - (zero + 200 * 16)) <= 320, `start within 20 ms (${start.sample - zero})`);
  t.ok(Math.abs(end.sample - (zero + 600 * 16)) <= 320, `end within 20 ms (${end.sample - zero})`);
  t.ok(rms(line.engine.read(line.session, start.sample + 160, end.sample - 160)) > 2000, 'and the ring holds it there');
  const hints = line.events.filter((event) => event.t === 'speech-hint');
  t.equal(hints.length, 1);
  t.ok(line.events.findIndex(({ t: kind }) => kind === 'speech-hint') < line.events.indexOf(start), 'a hint comes before the start');
  t.ok(Math.abs((hints[0]?.sample ?? 0) - start.sample) <= 320);
  // 440 Hz for 400 ms: a level melody, a steady level, one long syllable.
  t.ok(Math.abs(end.prosody?.pitchSlope ?? NaN) < 1, `pitch ${end.prosody?.pitchSlope} semitones per second`);
  t.ok(Math.abs(end.prosody?.levelDropDb ?? NaN) < 1, `level ${end.prosody?.levelDropDb} dB`);
  t.ok((end.prosody?.syllablesPerS ?? NaN) < 4);
  const nears = (): number => line.events.filter((event) => event.t === 'speech-near').length;
  const near = line.events.findIndex(({ t: kind }) => kind === 'speech-near');
  t.ok(near >= 0 && near < line.events.indexOf(start), 'before that it is near');
  line.session.secure('on');
  await sleep(50);
  const nearsBefore = nears();
  await say(400, 4000);
  await sleep(50);
  t.equal(nears(), nearsBefore, 'in secure mode nothing is near');
  const to = line.session.stats().sample;
  t.equal(rms(line.engine.read(line.session, to - 3200, to)), 0, 'secure mode is silence');
  t.equal(line.events.filter((event) => event.t === 'speech-start').length, 1);
  line.session.secure('off');
  line.session.stop();
  await line.until('clip-end');
  await sleep(400);
  await say(400, 4000);
  await line.until('speech-start', 2);
  t.equal(line.events.filter((event) => event.t === 'speech-hint').length, 1, 'no hint while we are silent');
});

void test('noise is taken out of what the recogniser reads, not out of the line; flags and time stay', async (t) => {
  const engine = engineFor(t);
  const [plain, cleaned] = (['off', 'suppress'] as const).map((noise) =>
    engine.open({ callId: noise, receive: 'slin', send: 'slin', cleaning: { noise, echo: noise === 'off' ? 'off' : 'cancel' } }),
  );
  if (!plain || !cleaned) throw new Error('no calls');
  const peer = await RtpPeer.open();
  t.teardown(() => peer.close());
  for (const session of [plain, cleaned]) session.setRemote('127.0.0.1', peer.port);
  let random = 1;
  for (let seq = 0; seq < 100; seq++) {
    const pcm = Int16Array.from({ length: 160 }, () => (random = (Math.imul(random, 1664525) + 1013904223) >>> 0) / 2 ** 20 - 2048);
    for (const session of [plain, cleaned]) {
      peer.sendTo(session.localPort);
      await peer.send(rtpPacket({ payloadType: 10, seq, timestamp: seq * 160, ssrc: SSRC, payload: toL16(pcm) }));
    }
    if (seq % 10 === 0) await sleep(5);
  }
  await waitFor(() => [plain, cleaned].every((session) => session.stats().packetsReceived === 100), 'all packets');
  const level = (session: MediaSession): number => {
    const to = session.stats().sample - 3200;
    return rms(engine.read(session, to - 6400, to));
  };
  await waitFor(() => plain.stats().sample >= 31000 && cleaned.stats().sample >= 31000, 'audio');
  t.ok(level(cleaned) < level(plain) / 2, `${level(cleaned)} of ${level(plain)}`);
});

void test('one call out of order does not touch another', async (t) => {
  const engine = engineFor(t);
  const good = engine.open({ callId: 'good', receive: 'slin', send: 'slin' });
  const bad = engine.open({ callId: 'bad', receive: 'slin', send: 'slin' });
  const [peer, noise] = await Promise.all([RtpPeer.open(), RtpPeer.open()]);
  t.teardown(() => {
    peer.close();
    noise.close();
  });
  peer.sendTo(good.localPort);
  noise.sendTo(bad.localPort);
  good.setRemote('127.0.0.1', peer.port);
  bad.setRemote('127.0.0.1', noise.port);
  const flooded = (): boolean => (bad.stats().dropped['overrun'] ?? 0) > 0;
  for (let i = 0; i < 2000 || (i < 200_000 && !flooded()); i++) {
    await noise.send(rtpPacket({ payloadType: 10, seq: i * 7919, timestamp: i * 104729, ssrc: i % 3, payload: toL16(frame(i & 0x3fff)) }));
    if (i % 40 === 0 && i < 2000)
      await peer.send(rtpPacket({ payloadType: 10, seq: i / 40, timestamp: (i / 40) * 160, ssrc: 1, payload: toL16(frame(1000)) }));
  }
  await waitFor(() => good.stats().packetsReceived === 50, 'all of the good call');
  t.equal(good.stats().framesConcealed, 0);
  t.ok(flooded(), 'a flood is cut');
});

/** The most of a tone in any 100 ms of the last two seconds at 16 kHz: on a busy machine the clock makes silence between packets. */
function loudestAt(line: Line, hz: number): number {
  const to = line.session.stats().sample;
  const from = Math.max(0, to - 32_000);
  const pcm = line.engine.read(line.session, from, to);
  const windows = Array.from({ length: Math.max(0, Math.floor((pcm.length - 1600) / 320) + 1) }, (_, n) =>
    pcm.subarray(n * 320, n * 320 + 1600),
  );
  return Math.max(...windows.map((window) => amplitudeAt(window, hz, 16000)));
}

void test('wideband: heard as slin16, answered in g722, both at 16 kHz', async (t) => {
  const line = await openLine(t, { receive: 'slin16', send: 'g722' });
  t.throws(() => line.engine.open({ callId: 'x', receive: 'ulaw', send: 'slin16' }), RangeError);
  for (let seq = 0; seq < 50; seq++)
    if (seq !== 20)
      await line.peer.send(
        rtpPacket({
          payloadType: 118,
          seq,
          timestamp: seq * 320,
          ssrc: SSRC,
          payload: toL16(tone(320 * 50, { rateHz: 16000, hz: 6000 }).subarray(seq * 320, seq * 320 + 320)),
        }),
      );
  await line.untilTrue(() => line.session.stats().framesConcealed === 1, 'the lost one is filled');
  const loudest = loudestAt(line, 6000);
  t.ok(loudest > 7900, '6 kHz is in the ring');
  const clip = line.session.openClip({ rateHz: 24000, held: false, marks: [12000] });
  clip.write(tone(24000, { rateHz: 24000, hz: 6000 }));
  clip.end();
  const end = await line.until('clip-end');
  t.equal(end.playedSamples, 16000);
  t.equal((await line.until('clip-mark')).sentSample + 8000, end.sentSample);
  await line.untilTrue(() => line.peer.heard.length * 320 >= end.sentSample, 'frames');
  t.same([...new Set(line.peer.heard.map((packet) => `${packet.payloadType} ${packet.payload.length}`))], ['9 160']);
  const steps = line.peer.heard.slice(1).map((packet, n) => (packet.timestamp - (line.peer.heard[n]?.timestamp ?? 0)) >>> 0);
  t.same([...new Set(steps)], [160], 'the clock of G.722 runs at 8 kHz');
  // What we sent, heard by ourselves.
  const echo = await openLine(t, { receive: 'g722', send: 'slin' });
  const sent = [...line.peer.heard];
  for (const packet of sent) await echo.peer.send(rtpPacket({ ...packet, ssrc: SSRC }));
  await echo.untilTrue(() => echo.session.stats().packetsReceived === sent.length, 'echoed');
  const amplitude = loudestAt(echo, 6000);
  t.ok(amplitude > 7500 && amplitude < 8500, `6 kHz comes through (${Math.round(amplitude)})`);
});
