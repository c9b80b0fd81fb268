import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';

import { startRawWorker } from '../../bench/support/whisper-client.ts';
import { createWhisper } from '../../src/stt/index.ts';
import { engineFor, SSRC } from '../support/media-line.ts';
import { pcmToUlaw } from '../support/pcm.ts';
import { callerAudio, phoneLine } from '../support/phone-speech.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { RtpPeer, rtpPacket } from '../support/rtp-peer.ts';
import { MODEL, outcome, PROGRAM, rig } from '../support/stt-rig.ts';
import { createTestRing } from '../support/stt-ring.ts';

void test('hears the sentences of a call over a telephone line', async (t) => {
  const { say, open, stt } = await rig(t);
  t.match(stt.description, /test fixture/);
  const session = open(0);
  const sentences = [
    'i want to book a table for four on friday at seven',
    'no that is wrong',
    'saturday at eight',
    'yes that is right',
    'what are your opening hours',
    'my account number is one two three four',
    'speak to an agent please',
    'goodbye',
  ];
  for (const sentence of sentences) {
    const place = say(0, sentence);
    const result = await session.decode({ ...place, kind: 'final' });
    t.equal(result.text, sentence);
    t.ok(result.confidence > 0.5);
    t.ok(result.words[0] !== undefined && result.words[0].fromSample >= place.fromSample, 'words carry absolute samples');
  }
});

void test('hears two callers through the media engine: RTP in, words out', async (t) => {
  const engine = engineFor(t, { historyMs: 16_000 });
  const stt = createWhisper({ program: PROGRAM, model: MODEL, logger: keepingLogger() });
  await stt.start(engine.audio);
  t.teardown(() => stt.stop());
  const call = async (callId: string, text: string): Promise<string> => {
    const session = engine.open({ callId, receive: 'ulaw', send: 'ulaw' });
    const peer = await RtpPeer.open();
    t.teardown(() => {
      peer.close();
    });
    peer.sendTo(session.localPort);
    session.setRemote('127.0.0.1', peer.port);
    const recogniser = stt.open({ callId, slot: session.slot, generation: session.generation, language: 'en' });
    const speech = phoneLine(text);
    const padded = new Int16Array(speech.length + 3200);
    padded.set(speech, 1600);
    for (let at = 0, seq = 1; at < padded.length; at += 160, seq++) {
      const payload = pcmToUlaw(padded.subarray(at, at + 160));
      await peer.send(rtpPacket({ payloadType: 0, seq, timestamp: seq * 160, ssrc: SSRC, payload }));
      await pause(20);
    }
    const toSample = session.stats().sample;
    const words = await outcome(
      recogniser.decode({ fromSample: Math.max(0, toSample - 2 * padded.length - 3200), toSample, kind: 'final' }),
    );
    recogniser.close();
    session.close();
    return words;
  };
  const heard = await Promise.all([call('one', 'what are your opening hours'), call('two', 'my order number is five six seven')]);
  t.same(heard, ['what are your opening hours', 'my order number is five six seven']);
});

void test('a turn longer than the model hears at once is heard in pieces', async (t) => {
  const { say, open } = await rig(t, {}, 1 << 18);
  const session = open(0);
  const first = say(0, 'i want to book a table for four on friday at seven');
  const second = say(0, 'my account number is one two three four');
  t.ok(second.toSample - first.fromSample > 6 * 16000, 'longer than 6 s');
  const result = await session.decode({ fromSample: first.fromSample, toSample: second.toSample, kind: 'final' });
  t.equal(result.text, 'i want to book a table for four on friday at seven my account number is one two three four');
});

void test('sounds that are no speech are no words', async (t) => {
  const { say, open } = await rig(t, {}, 1 << 19);
  const session = open(0);
  let seed = 1;
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5;
  const sounds: Record<string, Int16Array> = {
    silence: new Int16Array(48000),
    'the hiss of a quiet line': Int16Array.from({ length: 48000 }, () => random() * 40),
    '30 s of noise': Int16Array.from({ length: 480000 }, () => random() * 12000),
    'a dial tone': Int16Array.from({ length: 48000 }, (_, i) => 8000 * Math.sin((2 * Math.PI * 425 * i) / 16000)),
    clipping: Int16Array.from({ length: 48000 }, (_, i) => (Math.floor(i / 40) % 2 === 0 ? 32767 : -32768)),
  };
  for (const [name, sound] of Object.entries(sounds)) t.equal(await outcome(session.decode({ ...say(0, sound), kind: 'final' })), '', name);
});

void test('audio that is just being said is waited for', async (t) => {
  const { open, ring } = await rig(t, { waitMs: 2000 });
  const session = open(0);
  const audio = callerAudio('are you a machine');
  const half = audio.length >> 1;
  ring.write(0, audio.subarray(0, half));
  const decode = outcome(session.decode({ fromSample: 0, toSample: audio.length, kind: 'final' }));
  await pause(100);
  ring.write(0, audio.subarray(half));
  t.equal(await decode, 'are you a machine');
});

void test('a decode that is given up leaves its lane to others', async (t) => {
  const { say, open } = await rig(t, { lanes: 1, threads: 1, waitMs: 20_000 });
  const one = open(0);
  const other = open(1);
  const controller = new AbortController();
  const stuck = outcome(one.decode({ fromSample: 0, toSample: 16000, kind: 'final' }, controller.signal));
  const waiting = outcome(other.decode({ ...say(1, 'where is my order'), kind: 'final' }));
  await pause(50);
  controller.abort();
  t.equal(await stuck, 'STT_ABORTED');
  t.equal(await waiting, 'where is my order');
});

void test('a final overtakes the partials of other calls, which are answered afterwards', async (t) => {
  const { say, open, ring } = await rig(t, { lanes: 1, threads: 1, waitMs: 20_000 });
  const order: string[] = [];
  const told =
    (name: string) =>
    (text: string): string => {
      order.push(name);
      return text;
    };
  const one = open(0);
  const two = open(1);
  const three = open(2);
  const audio = callerAudio('i have a question about my bill');
  const half = audio.length >> 1;
  ring.write(0, audio.subarray(0, half));
  const second = say(1, 'where is my order');
  const tail = say(2, 'yes');
  // The only lane waits for the second half of the first caller's words.
  const partials = [
    outcome(one.decode({ fromSample: 0, toSample: audio.length, kind: 'partial' })).then(told('partial')),
    outcome(two.decode({ ...second, kind: 'partial' })).then(told('partial')),
  ];
  await pause(100);
  const final = outcome(three.decode({ ...tail, kind: 'final' })).then(told('final'));
  t.equal(await final, 'yes');
  ring.write(0, audio.subarray(half));
  t.same(await Promise.all(partials), ['i have a question about my bill', 'where is my order'], 'none was lost');
  t.same(order, ['final', 'partial', 'partial']);
});

void test('under a storm of decodes, aborts and hang-ups every request is answered once, and by its own words', async (t) => {
  const ring = createTestRing(4, 1 << 16);
  const texts = ['yes please', 'no that is wrong', 'where is my order', 'thank you'];
  const worker = await startRawWorker(PROGRAM, ['--model', MODEL, '--lanes', '3', '--threads', '1', '--wait-ms', '30'], ring.audio.fd);
  const calls = texts.map((text, slot) => {
    const audio = callerAudio(text);
    const open = { op: 'open', session: slot + 1, slot, generation: ring.open(slot), language: 'en' };
    ring.write(slot, audio);
    worker.send(open);
    return { open, toSample: audio.length };
  });
  let seed = 3;
  const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
  const outcomes = new Set<string>();
  const answers: Promise<void>[] = [];
  for (let asked = 0; asked < 250; asked++) {
    const slot = random(4);
    const { open, toSample } = calls[slot]!;
    const { id, answer } = worker.decode({ session: slot + 1, toSample, kind: random(3) === 0 ? 'final' : 'partial' });
    answers.push(
      answer.then(({ text, error }) => {
        outcomes.add(error ?? 'heard');
        if (text !== undefined && text !== texts[slot]) t.fail(`call ${slot} got "${text}"`);
      }),
    );
    if (random(4) === 0) setTimeout(() => worker.send({ op: 'abort', id }), random(60));
    if (random(40) === 0) {
      worker.send({ op: 'close', session: slot + 1 });
      worker.send(open);
    }
    await pause(random(12));
  }
  await Promise.all(answers);
  t.same([...outcomes].sort(), ['aborted', 'call-closed', 'heard', 'superseded']);
  await worker.stop();
  ring.free();
});

void test('the rules and parsers of the worker, under sanitizers', (t) => {
  execFileSync('cmake', ['--build', '.runtime/whisper/build', '--target', 'whisper-test'], { stdio: 'ignore' });
  const tap = execFileSync('.runtime/whisper/build/whisper-test', { encoding: 'utf8' });
  for (const line of tap.split('\n').filter((line) => /^(not )?ok/.test(line)))
    t.ok(line.startsWith('ok'), line.replace(/^(not )?ok \d+ - /, ''));
  t.end();
});
