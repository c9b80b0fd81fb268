/** The media port over real UDP sockets on loopback: what goes out. */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { createMediaEngine } from '../../src/media/index.ts';
import { engineFor, heardPcm, openLine, waitFor } from '../support/media-line.ts';
import { amplitudeAt, fromL16, pcmToUlaw, rms, tone, ulawToPcm } from '../support/pcm.ts';
import { RtpPeer } from '../support/rtp-peer.ts';

void test('mu-law on the wire is G.711', async (t) => {
  const line = await openLine(t, { receive: 'ulaw', send: 'ulaw' });
  const clip = line.session.openClip({ rateHz: 8000, held: false });
  const pcm = tone(1600, { hz: 300, amplitude: 20000 });
  clip.write(pcm);
  clip.end();
  const end = (await line.until('clip-end')).sentSample / 2;
  await line.untilTrue(() => line.peer.heard.length * 160 >= end, 'frames');
  const heard = Buffer.concat(line.peer.heard.map((packet) => packet.payload));
  t.same(
    [...heard.subarray(end - 1600, end)].map(ulawToPcm),
    [...pcmToUlaw(pcm)].map(ulawToPcm),
    'every sample is the nearest level of the recommendation',
  );
});

void test('frames without end: 20 ms of timestamp each, silence included, one SSRC, one marker', async (t) => {
  const line = await openLine(t);
  await sleep(200);
  const clip = line.session.openClip({ rateHz: 8000, held: false });
  clip.write(tone(1000));
  clip.end();
  await line.until('clip-end');
  line.session.sendDtmf('5', 100);
  await sleep(300);
  const audio = line.peer.heard.filter((packet) => packet.payloadType === 10);
  t.equal(new Set(line.peer.heard.map((packet) => packet.ssrc)).size, 1);
  t.same(
    audio.map((packet) => packet.marker),
    audio.map((_, index) => index === 0),
  );
  for (const [index, packet] of line.peer.heard.entries()) {
    const before = line.peer.heard[index - 1];
    if (before) t.equal((packet.seq - before.seq) & 0xffff, 1, 'sequence numbers without a gap');
  }
  // A key takes its slots from the audio, so audio timestamps step by whole slots and stay on the clock.
  const first = audio[0];
  const last = audio.at(-1);
  const slots = ((((last?.timestamp ?? 0) - (first?.timestamp ?? 0)) >>> 0) / 160) | 0;
  t.equal((((last?.timestamp ?? 0) - (first?.timestamp ?? 0)) >>> 0) % 160, 0);
  const keys = line.peer.heard.filter((packet) => packet.payloadType === 101);
  t.equal(slots + 1, audio.length + keys.length, 'no slot is missing');
  t.equal(line.session.stats().dropped['noRemote'], undefined);
});

void test('keys out: an event of RFC 4733 with its end three times', async (t) => {
  const line = await openLine(t);
  line.session.sendDtmf('#', 100);
  line.session.sendDtmf('7', 40);
  const keys = (): typeof line.peer.heard => line.peer.heard.filter((packet) => packet.payloadType === 101);
  await line.untilTrue(() => keys().filter((packet) => ((packet.payload[1] ?? 0) & 0x80) !== 0).length === 6, 'both keys');
  const first = keys().filter((packet) => packet.payload[0] === 11);
  t.same(
    first.map((packet) => packet.payload.readUInt16BE(2)),
    [160, 320, 480, 640, 800, 800, 800],
  );
  t.same(
    first.map((packet) => ((packet.payload[1] ?? 0) & 0x80) !== 0),
    [false, false, false, false, true, true, true],
  );
  t.equal(new Set(first.map((packet) => packet.timestamp)).size, 1);
  t.equal(keys().filter((packet) => packet.payload[0] === 7).length, 4);
});

void test('clips: held until released, in order, with exact positions and marks', async (t) => {
  const line = await openLine(t);
  const first = line.session.openClip({ rateHz: 16000, held: true, marks: [0, 8000] });
  const second = line.session.openClip({ rateHz: 8000, held: false });
  first.write(tone(10000, { rateHz: 16000 }));
  second.write(tone(801));
  second.end();
  await sleep(200);
  t.same(line.events, [], 'a held clip holds those behind it');
  first.release();
  first.write(tone(6000, { rateHz: 16000 }));
  first.end();
  const ended = await line.until('clip-end', 2);
  const [start, mark0, mark1, end, start2] = line.events;
  const from = start?.t === 'clip-start' ? start.sentSample : Number.NaN;
  t.match(start, { t: 'clip-start', clip: first.clip });
  t.match(mark0, { t: 'clip-mark', clip: first.clip, mark: 0, sentSample: from });
  t.match(mark1, { t: 'clip-mark', clip: first.clip, mark: 1, sentSample: from + 8000 });
  t.match(end, { t: 'clip-end', clip: first.clip, outcome: 'played', playedSamples: 16000, sentSample: from + 16000 });
  t.match(start2, { t: 'clip-start', clip: second.clip, sentSample: from + 16000 });
  t.match(ended, { clip: second.clip, outcome: 'played', playedSamples: 1602 });
  // The sent positions are those of the packets.
  await line.untilTrue(() => line.peer.heard.length * 320 > from + 18000, 'all frames');
  const pcm = heardPcm(line);
  t.equal(rms(pcm.subarray(0, from / 2)), 0);
  t.ok(amplitudeAt(pcm.subarray(from / 2 + 80, from / 2 + 8000), 440, 8000) > 7800);
});

void test('stop: within one slot, faded, held and waiting clips too', async (t) => {
  const line = await openLine(t);
  const playing = line.session.openClip({ rateHz: 8000, held: false });
  const held = line.session.openClip({ rateHz: 8000, held: true });
  playing.write(tone(80000));
  held.write(tone(800));
  held.end();
  await line.until('clip-start');
  await sleep(100);
  const before = line.session.stats().sentSample;
  line.session.stop();
  await line.until('clip-end', 2);
  const [end, heldEnd] = line.events.filter((event) => event.t === 'clip-end');
  if (end?.t !== 'clip-end') throw new Error('no end');
  t.match(end, { clip: playing.clip, outcome: 'stopped' });
  t.match(heldEnd, { clip: held.clip, outcome: 'stopped', playedSamples: 0 });
  t.ok(end.sentSample - before <= 2 * 320 + 80, `at most one more frame and the fade (${end.sentSample - before} samples)`);
  playing.write(tone(100)); // its writer may not know yet
  await line.untilTrue(() => line.peer.heard.length * 320 > end.sentSample + 1600, 'frames after');
  const pcm = heardPcm(line);
  const at = end.sentSample / 2;
  t.equal(rms(pcm.subarray(at, at + 600)), 0, 'silence after');
  t.ok(rms(pcm.subarray(at - 400, at - 40)) > 5000, 'full before');
  t.ok(Math.abs(pcm[at - 1] ?? 0) < 300, 'no click');
  const next = line.session.openClip({ rateHz: 8000, held: false });
  next.write(tone(160));
  next.end();
  t.match(await line.until('clip-end', 3), { clip: next.clip, outcome: 'played', playedSamples: 320 }, 'what comes later plays');
});

void test('a hold tone loops without a seam until it is stopped with a fade; the reply behind it follows', async (t) => {
  const line = await openLine(t);
  const hold = line.session.openClip({ rateHz: 24000, held: false, loop: true, marks: [0] });
  const reply = line.session.openClip({ rateHz: 8000, held: false });
  hold.write(tone(2400, { rateHz: 24000, hz: 400, amplitude: 8000 }));
  hold.end();
  reply.write(tone(800, { hz: 1000 }));
  reply.end();
  const start = (await line.until('clip-start')).sentSample;
  t.equal((await line.until('clip-mark', 4)).sentSample, start + 3 * 1600, 'a mark in every round, each 100 ms');
  t.throws(() => hold.stop(1), RangeError);
  hold.stop(100);
  const end = await line.until('clip-end');
  t.match(end, { clip: hold.clip, outcome: 'stopped', playedSamples: end.sentSample - start });
  t.match(await line.until('clip-end', 2), { clip: reply.clip, outcome: 'played', playedSamples: 1600, sentSample: end.sentSample + 1600 });
  await line.untilTrue(() => line.peer.heard.length * 320 > end.sentSample + 1600, 'frames after');
  const pcm = heardPcm(line);
  const from = start / 2;
  t.ok(Math.abs(amplitudeAt(pcm.subarray(from + 80, from + 80 + 2000), 400, 8000) - 8000) < 60, 'one wave over the seams');
  const again = line.session.openClip({ rateHz: 8000, held: false, loop: true });
  again.write(tone(400));
  again.end();
  await line.until('clip-start', 3);
  again.lastRound();
  const last = await line.until('clip-end', 3);
  t.match(last, { clip: again.clip, outcome: 'played' });
  t.equal(last.playedSamples % 800, 0, 'whole rounds');
});

void test('gain, pause and resume', async (t) => {
  const line = await openLine(t);
  const clip = line.session.openClip({ rateHz: 24000, held: false });
  clip.write(tone(48000, { rateHz: 24000, amplitude: 10000 }));
  clip.end();
  await line.until('clip-start');
  line.session.gain(-12);
  await sleep(300);
  t.ok(Math.abs(amplitudeAt(heardPcm(line).slice(-800), 440, 8000) - 2512) < 100, 'ducked by 12 dB');
  line.session.gain(0);
  line.session.pause();
  await sleep(100);
  const pausedAt = line.peer.heard.length;
  await sleep(200);
  t.equal(rms(Int16Array.from(line.peer.heard.slice(pausedAt, pausedAt + 8).flatMap((packet) => [...fromL16(packet.payload)]))), 0);
  line.session.resume();
  const end = await line.until('clip-end');
  t.equal(end.playedSamples, 32000, 'nothing was skipped');
});

void test('a recorder finds what was sent beside what was heard', async (t) => {
  const engine = createMediaEngine({ host: '127.0.0.1', portMin: 33000, portMax: 33099, maxCalls: 2, historyMs: 4000, keepSent: true });
  t.teardown(() => engine.close());
  const session = engine.open({ callId: 'recorded', receive: 'ulaw', send: 'slin' });
  const peer = await RtpPeer.open();
  t.teardown(() => peer.close());
  session.setRemote('127.0.0.1', peer.port);
  const clip = session.openClip({ rateHz: 8000, held: false });
  clip.write(tone(8000, { hz: 600 }));
  clip.end();
  let end = 0;
  session.onEvent((event) => {
    if (event.t === 'clip-end') end = event.sentSample;
  });
  await waitFor(() => end > 0 && session.stats().sentSample > end, 'played');
  const sent = engine.readSent?.(session, end - 16000, end) ?? new Int16Array();
  t.ok(Math.abs(amplitudeAt(sent.subarray(200), 600, 16000) - 8000) < 50);
  t.ok(rms(sent.subarray(0, 20)) < 1000, 'it begins where the clip began');
  session.secure('on');
  await sleep(60);
  const secret = session.openClip({ rateHz: 8000, held: false });
  secret.write(tone(1600));
  secret.end();
  const before = end;
  await waitFor(() => end > before && session.stats().sentSample > end, 'played');
  t.equal(rms(engine.readSent?.(session, end - 3000, end) ?? tone(10)), 0, 'secure mode is silence for the recorder');
  t.ok(
    amplitudeAt(Int16Array.from(peer.heard.slice(-15).flatMap((packet) => [...fromL16(packet.payload)])), 440, 8000) > 1000,
    'not for the caller',
  );
  const plain = engineFor(t);
  const unkept = plain.open({ callId: 'plain', receive: 'ulaw', send: 'ulaw' });
  t.throws(() => plain.readSent?.(unkept, 0, 0), RangeError);
});
