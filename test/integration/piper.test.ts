/** Piper voices through real onnxruntime, a real worker thread, real espeak-ng, and Piper's HTTP protocol. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { t as root, test, type Test } from 'tap';

import { GraphBuilder } from '../../scripts/test-voice/builder.ts';
import { mediumVoice } from '../../scripts/test-voice/medium.ts';
import { smallVoice } from '../../scripts/test-voice/small.ts';
import type { SpeechChunk, TextToSpeech } from '../../src/contracts/index.ts';
import { makeInitializer } from '../../src/tts/piper/onnx/build.ts';
import { readModel, writeModel } from '../../src/tts/piper/onnx/model.ts';
import { createPiper, type PiperOptions, type PiperTts } from '../../src/tts/index.ts';
import { createPiperHttp } from '../../src/tts/piper/index.ts';
import { Phonemiser } from '../../src/tts/piper/phonemiser.ts';
import { VoiceRunner, type RunnerOptions, type Utterance } from '../../src/tts/piper/runner.ts';
import { loadVoiceFile } from '../../src/tts/piper/voice-file.ts';
import { Workshop } from '../../src/tts/piper/workshop.ts';
import { ttsSuite } from '../contract/tts-suite.ts';
import { keepingLogger } from '../support/quiet-log.ts';

// Loading voices of true size takes seconds on a busy machine.
root.setTimeout(240_000);

const folder = mkdtempSync(join(tmpdir(), 'parley-piper-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

function place(name: string, model: Uint8Array, settings: string): string {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, model);
  writeFileSync(`${path}.json`, settings);
  return path;
}

const small = smallVoice();
const smallPath = place('small', small.model, small.settings);
const two = smallVoice({ speakers: 2 });
const twoPath = place('two', two.model, two.settings);
const mediumPath = place('medium', mediumVoice(), small.settings);

const OPTIONS: RunnerOptions = { threads: 1, chunkFrames: 160, cuts: 'best' };
const EN = { language: 'en' };
const LONG =
  'The appointment is on Friday at ten, please bring your card and the letter that we sent you last week, and come ten minutes early.';

function engine(t: Test, options: Partial<PiperOptions> = {}): PiperTts {
  const piper = createPiper({ voices: { test: { model: smallPath, languages: ['en'] } }, logger: keepingLogger(), ...options });
  t.teardown(() => piper.stop());
  return piper;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const utterance = (phonemes: number, scales: Utterance['scales'] = [0, 1, 0], sid: number | null = null): Utterance => {
  const ids = [1, 0];
  for (let index = 0; index < phonemes; index++) ids.push(10 + ((index * 5) % 40), 0);
  return { ids: [...ids, 2], scales, sid };
};

const sameBytes = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  a.byteLength === b.byteLength &&
  Buffer.compare(Buffer.from(a.buffer, a.byteOffset, a.byteLength), Buffer.from(b.buffer, b.byteOffset, b.byteLength)) === 0;

void test('Piper keeps the contract of a synthesiser', (t) => {
  ttsSuite(t, () => createPiper({ voices: { test: { model: smallPath, languages: ['en'] } }, logger: keepingLogger() }));
  t.end();
});

void test('cut and whole are the same to the last bit', async (t) => {
  const lengths = { small: [1, 2, 5, 9, 10, 11, 12, 13, 20, 25, 26, 27, 33, 50, 77, 120, 300], two: [1, 30, 100], medium: [9, 40] };
  for (const [name, path] of [
    ['small', smallPath],
    ['two', twoPath],
    ['medium', mediumPath],
  ] as const) {
    await t.test(name, async (t) => {
      const file = await loadVoiceFile(path);
      const whole = await VoiceRunner.load(file, { ...OPTIONS, cuts: 'whole' });
      t.match(whole.facts, { graphs: 1, why: /switched off/ });
      const ways = [
        ['best', 3, 160],
        ['best', 3, 20],
        ['two', 2, 160],
      ] as const;
      for (const [cuts, graphs, chunkFrames] of name === 'medium' ? ways.slice(0, 1) : ways) {
        const runner = await VoiceRunner.load(file, { ...OPTIONS, cuts, chunkFrames });
        t.match(runner.facts, { graphs, bitIdentical: true, hopSamples: 256 });
        for (const phonemes of lengths[name]) {
          const spoken = utterance(phonemes, [0, phonemes % 2 === 0 ? 1 : 0.8, 0], name === 'two' ? phonemes % 2 : null);
          const [expected, got] = [await whole.collect(spoken), await runner.collect(spoken)];
          t.ok(sameBytes(expected, got), `${phonemes} phonemes, ${graphs} graphs, chunks of ${chunkFrames}: ${expected.length} samples`);
        }
        await runner.release();
      }
      await whole.release();
    });
  }
});

void test('streaming', async (t) => {
  const piper = engine(t);
  await piper.start();
  const chunks = await all(piper.stream(LONG, EN));
  const clip = await piper.synthesise(LONG, EN);

  await t.test('the pieces are the clip, in order', (t) => {
    t.ok(chunks.length > 3);
    let at = 0;
    for (const chunk of chunks) {
      t.equal(chunk.fromSample, at);
      at += chunk.pcm.length;
    }
    t.equal(at, clip.pcm.length);
    t.ok(chunks.every((chunk) => sameBytes(chunk.pcm, clip.pcm.subarray(chunk.fromSample, chunk.fromSample + chunk.pcm.length))));
    t.ok(chunks[0]!.pcm.length < clip.rateHz, 'less than a second comes first');
    t.end();
  });
  await t.test('each word of the text has its place, in order, inside the speech', (t) => {
    const marks = clip.marks ?? [];
    t.same(
      marks.map((mark) => mark.text),
      LONG.replace(/[.,]/g, '').split(' '),
    );
    t.ok(marks.every((mark) => LONG.slice(mark.fromChar, mark.toChar) === mark.text));
    t.ok(marks.every((mark, index) => mark.fromSample >= (marks[index - 1]?.fromSample ?? 0) && mark.fromSample < clip.pcm.length));
    t.ok(new Set(marks.map((mark) => mark.fromSample)).size === marks.length, 'no two at one place');
    t.same(chunks[0]?.marks, marks, 'known with the first chunk');
    t.end();
  });
  await t.test('sentences follow each other with a pause, marks count through', async (t) => {
    const one = await piper.synthesise('Good day.', EN);
    const both = await piper.synthesise('Good day. Good day.', EN);
    const [, , third] = both.marks ?? [];
    t.equal(third?.text, 'Good');
    t.ok((third?.fromSample ?? 0) >= one.pcm.length + 0.2 * one.rateHz);
  });
  await t.test('durations add up to the samples', async (t) => {
    const runner = await VoiceRunner.load(await loadVoiceFile(smallPath), OPTIONS);
    const pieces = await all(runner.run(utterance(80)));
    const samples = pieces.reduce((sum, piece) => sum + piece.samples.length, 0);
    t.equal(pieces[0]?.frames?.length, utterance(80).ids.length);
    t.equal((pieces[0]?.frames ?? []).reduce((sum, count) => sum + count, 0) * 256, samples);
    t.ok(pieces.slice(1).every((piece) => piece.frames === null));
    await runner.release();
  });
  await t.test('speaking rate: faster is shorter', async (t) => {
    const fast = await piper.synthesise(LONG, { ...EN, rate: 1.5 });
    t.ok(fast.pcm.length < 0.85 * clip.pcm.length);
    for (const rate of [0, NaN, 100]) await t.rejects(piper.synthesise('hello', { ...EN, rate }), { code: 'TTS_FAILED', message: /rate/ });
  });
  await t.test('ten speak at once and none hears another', async (t) => {
    const texts = Array.from({ length: 10 }, (_, index) => `${index} is the number, ${'and so on '.repeat(index)} end`);
    const alone: Int16Array[] = [];
    for (const text of texts) alone.push((await piper.synthesise(text, EN)).pcm);
    const together = await Promise.all(texts.map((text) => piper.synthesise(text, EN)));
    t.ok(together.every((clip, index) => sameBytes(clip.pcm, alone[index]!)));
  });
  await t.test('one is given up between two chunks, the others go on', async (t) => {
    const controller = new AbortController();
    const reason = new Error('the caller spoke');
    const heard: SpeechChunk[] = [];
    const given = (async (): Promise<void> => {
      for await (const chunk of piper.stream(`${LONG} ${LONG}`, { ...EN, signal: controller.signal })) {
        heard.push(chunk);
        controller.abort(reason);
      }
    })();
    const other = piper.synthesise(LONG, EN);
    await t.rejects(given, reason);
    t.equal(heard.length, 1);
    t.ok(sameBytes((await other).pcm, clip.pcm));
  });
  await t.test('a loop that is left early ends the work', async (t) => {
    for await (const chunk of piper.stream(LONG, EN)) {
      t.ok(chunk.pcm.length > 0);
      break;
    }
    t.ok(sameBytes((await piper.synthesise(LONG, EN)).pcm, clip.pcm));
  });
  await t.test('strange texts are spoken or empty, never an error', async (t) => {
    for (const text of [
      '😀',
      '\u0000\u0001',
      'мир hello 世界 مرحبا',
      'a'.repeat(4000),
      '9'.repeat(3000),
      'word '.repeat(100),
      '[[h@loU]]',
      '-v de',
    ]) {
      t.ok((await piper.synthesise(text, EN)).pcm.length >= 0, text.slice(0, 12));
    }
  });
});

void test('several voices', async (t) => {
  const logger = keepingLogger();
  const piper = engine(t, {
    logger,
    voices: {
      plain: { model: smallPath, languages: ['en'] },
      anna: { model: twoPath, languages: ['de', 'de-AT'], speaker: 'speaker-0' },
    },
  });
  await t.rejects(piper.synthesise('hello', EN), { code: 'TTS_FAILED', message: /not started/ });
  await piper.start();
  const of = async (options: { language: string; voice?: string }): Promise<Int16Array> => (await piper.synthesise('hello', options)).pcm;
  t.ok(sameBytes(await of({ language: 'de-CH' }), await of({ language: 'de' })), 'a region falls back to its language');
  t.notOk(sameBytes(await of({ language: 'de' }), await of(EN)));
  t.ok(sameBytes(await of({ language: 'xx' }), await of(EN)), 'the first voice speaks what nobody names');
  t.ok(sameBytes(await of({ language: 'en', voice: 'anna' }), await of({ language: 'de' })), 'by name');
  await t.rejects(of({ language: 'en', voice: 'nobody' }), { code: 'TTS_FAILED', message: /no voice nobody; known are plain, anna/ });
  t.match(piper.voiceHash('anna'), /^[0-9a-f]{64}$/);
  t.match(
    piper.description,
    /plain \(small.onnx, sha256 [0-9a-f]{12}, test voice of Parley: tones instead of speech, no trained weights\), anna/,
  );
  t.match(logger.lines[0], { level: 'info', fields: { voice: 'plain', graphs: 3, bitIdentical: true } });
  await piper.stop();
  await piper.start();
  t.ok((await of(EN)).length > 0, 'started again');
  const wrong = engine(t, { voices: { anna: { model: twoPath, languages: ['de'], speaker: 'carl' } } });
  await t.rejects(wrong.start(), { code: 'TTS_VOICE', message: /no speaker carl/ });
  const other = engine(t, { voices: { anna: { model: twoPath, languages: ['de'], speaker: 1 } } });
  await other.start();
  t.notOk(
    sameBytes((await other.synthesise('hello', { language: 'de' })).pcm, await of({ language: 'de' })),
    'another speaker sounds different',
  );
});

void test('voices that cannot be used, or not be cut', async (t) => {
  const start = (model: string, sha256?: string): Promise<void> =>
    engine(t, { voices: { bad: { model, languages: ['en'], ...(sha256 === undefined ? {} : { sha256 }) } } }).start();
  await t.rejects(start(join(folder, 'none.onnx')), { code: 'TTS_VOICE', message: /no such file/ });
  await t.rejects(start(smallPath, 'ab'.repeat(32)), { code: 'TTS_VOICE', message: /expected abab/ });
  await t.rejects(start(place('half', small.model.slice(0, 70_000), small.settings)), { code: 'TTS_VOICE', message: /no complete ONNX/ });
  await t.rejects(engine(t, { voices: {} }).start(), { code: 'TTS_VOICE', message: /No Piper voice/ });
  const model = readModel(small.model);
  const { graph } = model;
  const drawn = new GraphBuilder(1);
  const unknownOp = graph.nodes.map((node) =>
    node.op === 'CumSum' ? (drawn.named('Cumulate', node.inputs, node.outputs[0]!), drawn.nodes[0]!) : node,
  );
  await t.rejects(start(place('op', writeModel(model, { ...graph, nodes: unknownOp }), small.settings)), {
    code: 'TTS_VOICE',
    message: /cannot be used/,
  });

  await t.test('no latent to cut at: spoken whole, with a warning and estimated marks', async (t) => {
    // The mask is added instead of multiplied: another shape than a Piper voice has.
    const builder = new GraphBuilder(1);
    const masking = graph.nodes.find((node) => node.outputs[0] === '/Mul_7_output_0')!;
    builder.named('Add', masking.inputs, '/Mul_7_output_0');
    const nodes = graph.nodes.map((node) => (node === masking ? builder.nodes[0]! : node));
    const logger = keepingLogger();
    const piper = engine(t, {
      logger,
      voices: { odd: { model: place('odd', writeModel(model, { ...graph, nodes }), small.settings), languages: ['en'] } },
    });
    await piper.start();
    t.match(logger.lines.at(-1), { level: 'warn', fields: { voice: 'odd', graphs: 1, why: /not masked/ } });
    const chunks = await all(piper.stream('good day to you', EN));
    t.equal(chunks.length, 1);
    t.same(
      chunks[0]?.marks.map((mark) => mark.text),
      ['good', 'day', 'to', 'you'],
    );
  });
  await t.test('a cut that changes the audio is found when the voice is loaded, and not used', async (t) => {
    // The "mask" is 0.5 everywhere: the flow may not be run with a mask of ones.
    const builder = new GraphBuilder(1);
    const mask = graph.nodes.find((node) => node.outputs[0] === '/Mul_7_output_0')!.inputs[1]!;
    const at = graph.nodes.findIndex((node) => node.outputs[0] === mask);
    const [original] = graph.nodes.slice(at, at + 1);
    builder.named('Unsqueeze', original!.inputs, '/full');
    builder.named('Mul', ['/full', '/half'], mask);
    const changed = {
      ...graph,
      nodes: graph.nodes.toSpliced(at, 1, ...builder.nodes),
      initializers: [...graph.initializers, makeInitializer('/half', [], Float32Array.of(0.5))],
    };
    const file = await loadVoiceFile(place('half-mask', writeModel(model, changed), small.settings));
    const runner = await VoiceRunner.load(file, OPTIONS);
    t.match(runner.facts, { graphs: 2, why: /differ by/, bitIdentical: true });
    await runner.release();
  });
});

void test('faults of the worker and the helper', async (t) => {
  const program = (name: string, body: string): URL => {
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, body);
    return new URL(`file://${path}`);
  };
  const LOADED = `const loaded = (id) => process.send({ t: 'loaded', id, voice: { sha256: '', config: {}, facts: {} } });`;
  const plan = { path: 'v.onnx', sha256: null, options: OPTIONS };

  await t.test('a worker that dies fails what it owed and is started again', async (t) => {
    const dying = program(
      'dying',
      `${LOADED} process.on('message', (m) => { if (m.t === 'load') loaded(m.id); else if (m.utterance.sid === 9) process.exit(3); else process.send({ t: 'piece', id: m.id, pcm: new Int16Array(4), frames: null, hopSamples: null, last: true }); });`,
    );
    const logger = keepingLogger();
    const workshop = new Workshop({ mostUtterances: 10, hangMs: 5000, program: dying, log: logger });
    await workshop.load(plan);
    await t.rejects(all(workshop.speak('v.onnx', utterance(1, [0, 1, 0], 9))), {
      code: 'TTS_FAILED',
      retryable: true,
      message: /exit code 3/,
    });
    t.match(logger.lines[0], { level: 'error', fields: { why: 'exit code 3' } });
    await t.rejects(
      all(workshop.speak('v.onnx', utterance(1))),
      { code: 'TTS_FAILED', message: /starting again/ },
      'at once, so that another engine can speak',
    );
    while (workshop.starts < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal((await all(workshop.speak('v.onnx', utterance(1)))).length, 1);
    await workshop.close();
    await t.rejects(all(workshop.speak('v.onnx', utterance(1))), { code: 'TTS_FAILED' });
  });
  await t.test('who was not heard yet goes first', async (t) => {
    const workshop = new Workshop({ mostUtterances: 10, hangMs: 20_000 });
    await workshop.load({ path: smallPath, sha256: null, options: { ...OPTIONS, chunkFrames: 10 } });
    const order: string[] = [];
    const speak = async (name: string, phonemes: number): Promise<void> => {
      for await (const piece of workshop.speak(smallPath, utterance(phonemes))) order.push(piece.last ? `${name} ends` : name);
    };
    const long = speak('long', 400);
    await Promise.all([long, speak('b', 100), speak('c', 100)]);
    t.same([...new Set(order)].slice(0, 3).sort(), ['b', 'c', 'long'], 'all three are heard before one of them ends');
    await workshop.close();
  });
  await t.test('a worker that is killed in the middle of a sentence costs that sentence', async (t) => {
    const workshop = new Workshop({ mostUtterances: 10, hangMs: 20_000 });
    const real = { path: smallPath, sha256: null, options: { ...OPTIONS, chunkFrames: 10 } };
    await workshop.load(real);
    const { pid } = workshop;
    await t.rejects(
      (async () => {
        for await (const piece of workshop.speak(smallPath, utterance(300))) if (piece.frames !== null) process.kill(pid!, 'SIGKILL');
      })(),
      { code: 'TTS_FAILED', message: /SIGKILL/ },
    );
    while (workshop.starts < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    t.ok((await all(workshop.speak(smallPath, utterance(30)))).length > 0);
    t.not(workshop.pid, pid);
    await workshop.close();
  });
  await t.test('stopped while it computes', async (t) => {
    const piper = createPiper({ voices: { test: { model: mediumPath, languages: ['en'] } }, logger: keepingLogger() });
    await piper.start();
    const speaking = piper.synthesise(`${LONG} ${LONG}`, EN);
    const ended = t.rejects(speaking, { code: 'TTS_FAILED', message: /stopped/ });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await piper.stop();
    await ended;
  });
  await t.test('a worker that hangs is ended', async (t) => {
    const deaf = program('deaf', `${LOADED} process.on('message', (m) => { if (m.t === 'load') loaded(m.id); else for (;;); });`);
    const workshop = new Workshop({ mostUtterances: 10, hangMs: 2000, program: deaf });
    await workshop.load(plan);
    await t.rejects(all(workshop.speak('v.onnx', utterance(1))), { code: 'TTS_FAILED', message: /no answer for 2000 ms/ });
    await workshop.close();
  });
  await t.test('more than allowed are refused', async (t) => {
    const silent = program('silent', `${LOADED} process.on('message', (m) => { if (m.t === 'load') loaded(m.id); });`);
    const workshop = new Workshop({ mostUtterances: 2, hangMs: 5000, program: silent });
    await workshop.load(plan);
    const waiting = [1, 2].map(() => all(workshop.speak('v.onnx', utterance(1))));
    const ended = Promise.allSettled(waiting);
    await new Promise((resolve) => setImmediate(resolve));
    await t.rejects(all(workshop.speak('v.onnx', utterance(1))), { code: 'TTS_FAILED', message: /overloaded/ });
    await workshop.close();
    t.match(await ended, [{ reason: { message: /stopped/ } }, { reason: { message: /stopped/ } }]);
  });
  await t.test('espeak-ng', async (t) => {
    const helper = (options: Partial<ConstructorParameters<typeof Phonemiser>[0]>): Phonemiser =>
      new Phonemiser({ voice: 'en-us', program: 'espeak-ng', timeoutMs: 5000, mostLines: 50, ...options });
    await t.rejects(engine(t, { espeak: join(folder, 'no-espeak') }).start(), { code: 'TTS_FAILED', message: /install espeak-ng/ });
    await t.rejects(helper({ voice: 'xx-none' }).warm(), { code: 'TTS_FAILED', message: /does it have the voice xx-none/ });
    const good = helper({});
    t.same(await good.phonemes(['hello', '', '[[h@loU]]', 'a\nb', '...']), ['həlˈoʊ', '', 'ˈeɪtʃ æt lˈoʊ jˈuː', 'ɐ bˈiː', '']);
    const many = await Promise.all(Array.from({ length: 10 }, (_, index) => good.phonemes([`${index}`, 'and', `${index}`])));
    t.ok(
      many.every(([first, and, last]) => first === last && and === many[0]?.[1] && first !== ''),
      'answers go to those who asked',
    );
    t.equal(new Set(many.map(([first]) => first)).size, 10);
    await t.rejects(good.phonemes(['x'.repeat(2000)]), { code: 'TTS_FAILED', message: /too long/ });
    await t.rejects(good.phonemes(Array.from({ length: 51 }, () => 'x')), { code: 'TTS_FAILED', message: /overloaded/ });
    good.close();
    t.same(await good.phonemes(['hello']), ['həlˈoʊ'], 'started again when it is needed');
    good.close();
    for (const voice of ['de', 'ru', 'cmn', 'ar']) {
      const other = helper({ voice });
      t.not((await other.phonemes(['1 2 3']))[0], '', voice);
      other.close();
    }
    writeFileSync(join(folder, 'mute'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    await t.rejects(helper({ program: join(folder, 'mute'), timeoutMs: 200 }).phonemes(['hello']), {
      code: 'TTS_FAILED',
      message: /no answer for 200 ms/,
    });
  });
});

void test("Piper's HTTP server", async (t) => {
  const asked: unknown[] = [];
  /** An engine against a server that answers with `answer`. */
  const against = async (t: Test, answer: RequestListener, timeoutMs = 2000): Promise<TextToSpeech> => {
    const server = createServer(answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return createPiperHttp({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      voices: { de: 'de_DE-thorsten-medium' },
      timeoutMs,
    });
  };
  const wav = (samples: number, { rateHz = 22050, announced = samples * 2 } = {}): Buffer => {
    const file = Buffer.alloc(44 + samples * 2);
    file.write('RIFF\0\0\0\0WAVEfmt ', 0, 'latin1');
    file.writeUInt32LE(16, 16);
    file.writeUInt16LE(1, 20);
    file.writeUInt16LE(1, 22);
    file.writeUInt32LE(rateHz, 24);
    file.writeUInt16LE(16, 34);
    file.write('data', 36);
    file.writeUInt32LE(announced, 40);
    for (let at = 0; at < samples; at++) file.writeInt16LE(Math.round(8000 * Math.sin(at / 10)), 44 + 2 * at);
    return file;
  };
  /** As long as its text, as Piper's is. */
  const good: RequestListener = (request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      asked.push([request.method, request.url, JSON.parse(body)]);
      response.setHeader('content-type', 'audio/wav').end(wav((JSON.parse(body) as { text: string }).text.length * 1500));
    });
  };

  const server = await against(t, good);
  await t.test('keeps the contract', (t) => {
    ttsSuite(t, () => server);
    t.end();
  });
  await t.test('one request per sentence, with voice and rate', async (t) => {
    await server.start();
    asked.length = 0;
    const chunks = await all(server.stream!('Das kostet 5 €. Gut?', { language: 'de-DE', rate: 2 }));
    t.same(asked, [
      ['POST', '/synthesize', { text: 'Das kostet 5 Euro.', voice: 'de_DE-thorsten-medium', length_scale: 0.5 }],
      ['POST', '/synthesize', { text: 'Gut?', voice: 'de_DE-thorsten-medium', length_scale: 0.5 }],
    ]);
    t.equal(chunks.length, 2);
    t.equal(chunks[1]?.fromSample, chunks[0]?.pcm.length);
  });
  const FAULTS: [string, RequestListener, RegExp][] = [
    ['status 500', (_, response) => void response.writeHead(500).end('Traceback'), /status 500/],
    ['a redirect', (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /failed/],
    ['JSON instead of audio', (_, response) => void response.end('{"ok": true}'), /no WAV/],
    ['half a WAV', (_, response) => void response.end(wav(100, { announced: 4000 })), /ends after 200 of 4000 bytes/],
    ['another sample format', (_, response) => void response.end(wav(10, { rateHz: 96000 })), /96000 samples per second/],
    ['nothing', (_, response) => void response.end(), /no WAV/],
    [
      'a connection cut in the middle',
      (_, response) => void response.writeHead(200, { 'content-length': '9000' }).write(wav(10), () => response.destroy()),
      /failed/,
    ],
    ['never', () => undefined, /no answer within 300 ms/],
    [
      'a beginning and then never',
      (_, response) => void response.writeHead(200, { 'content-length': '9000' }).write('RIFF'),
      /no answer within 300 ms/,
    ],
  ];
  for (const [name, answer, message] of FAULTS) {
    await t.test(name, async (t) => {
      const broken = await against(t, answer, 300);
      await t.rejects(broken.synthesise('hello', EN), { code: 'TTS_FAILED', retryable: true, message });
    });
  }
  await t.test('nobody there', async (t) => {
    await t.rejects(createPiperHttp({ url: 'http://127.0.0.1:9' }).start(), { code: 'TTS_FAILED', message: /127.0.0.1:9 failed/ });
  });
  await t.test('given up while the server is silent', async (t) => {
    const silent = await against(t, () => undefined, 5000);
    const controller = new AbortController();
    const reason = new Error('the caller spoke');
    const speaking = silent.synthesise('hello', { ...EN, signal: controller.signal });
    controller.abort(reason);
    await t.rejects(speaking, reason);
  });
});
