import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';

import { createWhisper } from '../../src/stt/index.ts';
import { callerAudio } from '../support/phone-speech.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { MODEL, outcome, PROGRAM, rig, until, workers } from '../support/stt-rig.ts';
import { createTestRing } from '../support/stt-ring.ts';

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

void test('a CUDA build without the toolkit says what is missing and touches nothing', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'parley-cuda-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [programs, source] = [path.join(folder, 'bin'), path.join(folder, 'source')];
  for (const made of [programs, path.join(source, 'include')]) mkdirSync(made, { recursive: true });
  writeFileSync(path.join(source, 'include/whisper.h'), '');
  // All that the script may use before it looks for nvcc, which a developer's machine may well have.
  symlinkSync('/usr/bin/dirname', path.join(programs, 'dirname'));
  const built = readFileSync(PROGRAM);
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['scripts/build-whisper.sh'], {
    encoding: 'utf8',
    env: { PATH: programs, PARLEY_WHISPER_CUDA: '1', PARLEY_WHISPER_SOURCE: source },
  });
  t.equal(status, 1);
  t.equal(stdout, '');
  t.match(stderr, /^build-whisper: PARLEY_WHISPER_CUDA=1 needs the CUDA toolkit: nvcc is not in PATH \(.*nvidia-cuda-toolkit.*\)\n$/);
  t.ok(built.equals(readFileSync(PROGRAM)), 'the recogniser that is there stays');
  t.end();
});
