import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { test, type Test } from 'tap';

import { ParleyError, type SpeechToText, type SttSession } from '../../src/contracts/index.ts';
import { createWhisper, type WhisperOptions } from '../../src/stt/index.ts';
import { engineFor, SSRC } from '../support/media-line.ts';
import { pcmToUlaw } from '../support/pcm.ts';
import { callerAudio, phoneLine } from '../support/phone-speech.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { RtpPeer, rtpPacket } from '../support/rtp-peer.ts';
import { createTestRing, type TestRing } from '../support/stt-ring.ts';

const PROGRAM = '.runtime/whisper/parley-whisper';
const MODEL = 'models/builtin/ggml-phone-test.bin';

const outcome = (promise: Promise<{ text: string }>): Promise<string> =>
  promise.then(
    (result) => result.text,
    (error: unknown) => (error instanceof ParleyError ? error.code : String(error)),
  );

interface Rig {
  readonly stt: SpeechToText;
  readonly ring: TestRing;
  readonly log: ReturnType<typeof keepingLogger>;
  readonly states: string[];
  readonly say: (slot: number, text: string | Int16Array) => { fromSample: number; toSample: number };
  readonly open: (slot: number) => SttSession;
}

async function rig(t: Test, options: Partial<WhisperOptions> = {}, ringSamples = 1 << 17): Promise<Rig> {
  const log = keepingLogger();
  const ring = createTestRing(8, ringSamples);
  const stt = createWhisper({ program: PROGRAM, model: MODEL, logger: log, ...options });
  const states: string[] = [];
  stt.onState((state) => states.push(state));
  await stt.start(ring.audio);
  t.teardown(async () => {
    await stt.stop();
    ring.free();
  });
  return {
    stt,
    ring,
    log,
    states,
    say: (slot, text) => {
      const audio = typeof text === 'string' ? callerAudio(text) : text;
      const fromSample = ring.written(slot);
      ring.write(slot, audio);
      return { fromSample, toSample: fromSample + audio.length };
    },
    open: (slot) => stt.open({ callId: `call-${slot}`, slot, generation: ring.open(slot), language: 'en' }),
  };
}

/** Children of ours that run the worker program. */
function workers(): number[] {
  const table = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' });
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, name]) => parent === String(process.pid) && name?.startsWith('parley-whisper') === true)
    .map(([pid]) => Number(pid));
}

async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<boolean> {
  for (let waited = 0; waited < ms; waited += 20) {
    if (await condition()) return true;
    await pause(20);
  }
  return false;
}

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

void test('audio that is not there any more, or never was, fails this decode only', async (t) => {
  const { say, open, ring } = await rig(t, { waitMs: 60 });
  const session = open(0);
  const early = say(0, 'yes');
  say(0, new Int16Array(1 << 17));
  t.equal(await outcome(session.decode({ ...early, kind: 'final' })), 'STT_FAILED', 'overwritten');
  t.equal(await outcome(session.decode({ fromSample: 1e9, toSample: 1e9 + 16000, kind: 'final' })), 'STT_FAILED', 'in the future');
  t.equal(await outcome(session.decode({ ...say(0, 'thank you'), kind: 'final' })), 'thank you', 'the call goes on');
  const place = say(0, 'hello');
  ring.close(0);
  t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'STT_FAILED', 'the slot belongs to nobody');
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

void test('a killed worker costs the decode in flight and nothing else', async (t) => {
  const { say, open, states, log } = await rig(t, { waitMs: 5000, resendWithinMs: 0 });
  const session = open(0);
  const before = say(0, 'yes');
  t.equal(await outcome(session.decode({ ...before, kind: 'final' })), 'yes');
  const [pid] = workers();
  // It waits for audio that nobody says: certainly in flight.
  const inFlight = outcome(session.decode({ fromSample: before.toSample, toSample: before.toSample + 16000, kind: 'final' }));
  await pause(100);
  process.kill(pid!, 'SIGKILL');
  t.equal(await inFlight, 'STT_FAILED');
  t.equal(await outcome(session.decode({ ...before, kind: 'final' })), 'STT_FAILED', 'refused at once while it is down');
  t.ok(await until(() => states.at(-1) === 'up'), 'it comes back');
  t.same(states, ['down', 'up']);
  t.not(workers()[0], pid);
  t.equal(await outcome(session.decode({ ...before, kind: 'final' })), 'yes', 'the same call goes on');
  t.notMatch(JSON.stringify(log.lines), /yes/, 'no word in the log');
});

void test('a worker that hangs is killed and replaced', async (t) => {
  const { say, open, states, log } = await rig(t, { hangMs: 600, resendWithinMs: 0 });
  const session = open(0);
  const place = say(0, 'no thank you');
  process.kill(workers()[0]!, 'SIGSTOP');
  t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'STT_FAILED');
  t.ok(await until(() => states.at(-1) === 'up'));
  t.ok(log.lines.some((line) => line.message.includes('hangs')));
  t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'no thank you');
});

void test('a decode that takes long is no hang; one that takes too long fails alone', async (t) => {
  const { say, open, states } = await rig(t, { hangMs: 300, decodeTimeoutMs: 1500, waitMs: 10_000 });
  const [slow, other] = [open(0), open(1)];
  const place = say(1, 'yes please');
  const waiting = outcome(slow.decode({ fromSample: 0, toSample: 16_000, kind: 'final' }));
  t.equal(await waiting, 'STT_FAILED');
  t.equal(await outcome(other.decode({ ...place, kind: 'final' })), 'yes please');
  t.same(states, [], 'the worker was left alone');
});

void test('a crash costs time and no words when the worker is back soon', async (t) => {
  const { say, open, states, ring } = await rig(t, { resendWithinMs: 20_000, waitMs: 5000 });
  const session = open(0);
  const audio = callerAudio('transfer me to sales please');
  ring.write(0, audio.subarray(0, 8000));
  const inFlight = outcome(session.decode({ fromSample: 0, toSample: audio.length, kind: 'final' }));
  const partial = outcome(session.decode({ fromSample: 0, toSample: audio.length, kind: 'partial' }));
  await pause(50);
  process.kill(workers()[0]!, 'SIGKILL');
  t.equal(await partial, 'STT_FAILED', 'a partial is not worth it');
  const meanwhile = outcome(session.decode({ fromSample: 0, toSample: audio.length, kind: 'final' }));
  ring.write(0, audio.subarray(8000));
  t.equal(await inFlight, 'transfer me to sales please');
  t.equal(await meanwhile, 'transfer me to sales please');
  t.same(states, ['down', 'up']);
  const deadly = outcome(session.decode({ fromSample: 1e7, toSample: 1e7 + 16_000, kind: 'final' }));
  for (let crash = 1; crash <= 2; crash++) {
    t.ok(await until(() => states.length === crash * 2 && workers().length === 1));
    process.kill(workers()[0]!, 'SIGKILL');
  }
  t.equal(await deadly, 'STT_FAILED', 'audio that kills twice is given up');
  say(0, new Int16Array(160));
});

void test('a worker that does not come back soon is not waited for', async (t) => {
  const { say, open, states } = await rig(t, { resendWithinMs: 300, restart: { firstMs: 60_000, mostMs: 60_000 } });
  const session = open(0);
  const place = say(0, 'yes');
  // The first restart comes at once, the second after a minute.
  process.kill(workers()[0]!, 'SIGKILL');
  t.ok(await until(() => states.length === 2));
  process.kill(workers()[0]!, 'SIGKILL');
  t.ok(await until(() => states.length === 3));
  t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'STT_FAILED', 'after waiting a little');
  t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'STT_FAILED', 'and then at once');
});

void test('crash after crash is answered by longer pauses, not by a storm', async (t) => {
  const { states, say, open } = await rig(t, { restart: { firstMs: 50, mostMs: 400 } });
  const session = open(0);
  for (let round = 1; round <= 4; round++) {
    process.kill(workers()[0]!, 'SIGKILL');
    t.ok(await until(() => states.length === round * 2), `back for the ${round}. time`);
  }
  t.equal(await outcome(session.decode({ ...say(0, 'okay'), kind: 'final' })), 'okay');
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

void test('a model that cannot be used is named at start', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-models-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true });
  });
  const good = readFileSync(MODEL);
  const write = (name: string, bytes: Buffer): string => {
    writeFileSync(path.join(dir, name), bytes);
    return path.join(dir, name);
  };
  const sparse = (file: string, bytes: number): string => {
    truncateSync(file, bytes);
    return file;
  };
  const models: Record<string, { file: string; says: RegExp }> = {
    missing: { file: path.join(dir, 'nothing.bin'), says: /does not exist/ },
    empty: { file: write('empty.bin', Buffer.alloc(0)), says: /truncated/ },
    'cut in the header': { file: write('header.bin', good.subarray(0, 20)), says: /truncated/ },
    'cut in the middle': { file: write('half.bin', good.subarray(0, good.length >> 1)), says: /truncated/ },
    'one byte short': { file: write('short.bin', good.subarray(0, good.length - 1)), says: /truncated/ },
    'another kind of file': { file: write('magic.bin', Buffer.concat([Buffer.from('GGUF'), good.subarray(4)])), says: /wrong magic/ },
    'too large': { file: sparse(write('large.bin', good.subarray(0, 48)), 2 ** 42), says: /too large for this machine/ },
    'impossible sizes': {
      file: write('sizes.bin', Buffer.concat([good.subarray(0, 8), Buffer.alloc(40, 0x7f), good.subarray(48)])),
      says: /impossible/,
    },
  };
  const ring = createTestRing(1);
  t.teardown(() => {
    ring.free();
  });
  for (const [name, { file, says }] of Object.entries(models)) {
    const stt = createWhisper({ program: PROGRAM, model: file, logger: keepingLogger() });
    await t.rejects(stt.start(ring.audio), { code: 'STT_MODEL', message: says }, name);
  }
  const noProgram = createWhisper({ program: path.join(dir, 'nothing'), model: MODEL, logger: keepingLogger() });
  await t.rejects(noProgram.start(ring.audio), { code: 'STT_FAILED', message: /npm run setup/ }, 'program missing');
  t.ok(await until(() => workers().length === 0), 'nothing is left running');
});

void test('the worker answers nonsense with an error and lives on', async (t) => {
  const ring = createTestRing(1);
  const child = spawn(PROGRAM, ['--model', MODEL, '--audio-fd', '3'], { stdio: ['pipe', 'pipe', 'pipe', ring.audio.fd] });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const nonsense = [
    'hello',
    '{',
    '[]',
    '{"op":"decode"}',
    '{"op":"decode","id":1,"session":9,"fromSample":0,"toSample":5,"kind":"sideways"}',
    '{"op":"decode","id":2,"session":9,"fromSample":0,"toSample":5,"kind":"final"}',
    '{"op":"open","session":1,"slot":99,"generation":1}',
    '{"op":"open","session":-1,"slot":0,"generation":1}',
    '{"op":"fly"}',
    '{"op":"abort","id":1e300}',
    `{"op":"open","language":"${'x'.repeat(100_000)}"}`,
    '\u0000\u0001\uFFFF',
    '{"op":"decode","id":3,"session":1,"fromSample":0,"toSample":9007199254740991,"kind":"final","prompt":"\\ud800"}',
  ];
  child.stdin?.write(`${nonsense.join('\n')}\n{"op":"open","session":1,"slot":0,"generation":1}\n`);
  t.ok(await until(() => out.split('\n').length > nonsense.length), 'every line is answered');
  t.match(out, /"id":1,"error":"bad-request"/);
  t.match(out, /"id":2,"error":"no-session"/);
  t.equal(child.exitCode, null, 'it lives');
  child.stdin?.end();
  t.equal(await ended, 0, 'and ends with its input');
  t.equal(err, '', 'stderr stays empty');
  ring.free();
});

void test('the rules and parsers of the worker, under sanitizers', (t) => {
  execFileSync('cmake', ['--build', '.runtime/whisper/build', '--target', 'whisper-test'], { stdio: 'ignore' });
  const tap = execFileSync('.runtime/whisper/build/whisper-test', { encoding: 'utf8' });
  for (const line of tap.split('\n').filter((line) => /^(not )?ok/.test(line)))
    t.ok(line.startsWith('ok'), line.replace(/^(not )?ok \d+ - /, ''));
  t.end();
});
