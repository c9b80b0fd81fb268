/** Recognisers and synthesisers that somebody else runs: the contracts over real sockets, and every way in which a server can be wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { Fault } from '../../bench/servers/calls.ts';
import { readMultipart } from '../../bench/servers/multipart.ts';
import { startServer, type EngineServer } from '../../bench/servers/start.ts';
import { readWav } from '../../bench/servers/wav.ts';
import { ParleyError, type SpeechToText, type TextToSpeech } from '../../src/contracts/index.ts';
import { createDeepgram, createGoogleStt, createOpenAiStt, createWhisperServer } from '../../src/stt/adapters/index.ts';
import { createElevenLabs, createPolly } from '../../src/tts/adapters/index.ts';
import { sttSuite } from '../contract/stt-suite.ts';
import { ttsSuite } from '../contract/tts-suite.ts';
import { Callers, said, startScripter } from '../support/adapter-rig.ts';
import { type CloudAnswer, json, sayIt, startCloud } from '../support/cloud-fakes.ts';
import { openLine } from '../support/media-line.ts';
import { tone } from '../support/pcm.ts';
import { keepingLogger } from '../support/quiet-log.ts';

const logger = keepingLogger();
const external = { processor: 'Example Cloud Ltd', legalBasis: 'Art. 6(1)(b) GDPR' };
const codeOf = (error: unknown): string => (error instanceof ParleyError ? error.code : `not a ParleyError: ${String(error)}`);
const outcome = (promise: Promise<{ text: string }>): Promise<string> => promise.then((result) => result.text, codeOf);

function keyFile(t: Test, key = 'the-key'): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-key-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'key'), `${key}\n`);
  return join(folder, 'key');
}

const makers: Readonly<Record<string, (url: string, more?: object) => SpeechToText>> = {
  'whisper-server': (url, more) => createWhisperServer({ url, logger, ...more }),
  'an OpenAI-compatible server': (url, more) => createOpenAiStt({ url, model: 'stand-in', logger, ...more }),
};

for (const [name, make] of Object.entries(makers)) {
  test(`${name} keeps the contract`, (t) => {
    sttSuite(t, async () => {
      // A seed under which the server's oracle, which knows that more is said in other calls, mishears no last word.
      const server = await startServer('whisper', ['--seed', '5']);
      const callers = new Callers();
      const scripter = startScripter();
      const stt = make(server.callUrl('all'));
      await stt.start(callers.ring.audio);
      return {
        stt,
        call: (_callId, text) => {
          const place = callers.call(text);
          scripter.now(server.origin, 'all', callers.script);
          return place;
        },
        end: async () => {
          await stt.stop();
          await server.stop();
          await scripter.stop();
          callers.ring.free();
        },
      };
    });
    t.end();
  });
}

interface Rig {
  readonly server: EngineServer;
  readonly callers: Callers;
  /** A recogniser of the call `id`, and what its caller says. */
  readonly with: (
    id: string,
    fault?: Fault,
    more?: object,
  ) => Promise<{ stt: SpeechToText; hear: (signal?: AbortSignal) => Promise<string> }>;
}

async function rig(t: Test, make: (url: string, more?: object) => SpeechToText): Promise<Rig> {
  const server = await startServer('whisper');
  const callers = new Callers();
  t.teardown(async () => {
    await server.stop();
    callers.ring.free();
  });
  return {
    server,
    callers,
    with: async (id, fault, more = {}) => {
      const place = callers.call('four people please');
      const replies = fault === undefined ? [] : [{ parts: '', fault, lateMs: 60 }];
      await server.script(id, { ...callers.script, replies });
      const stt = make(server.callUrl(id), more);
      await stt.start(callers.ring.audio);
      t.teardown(() => stt.stop());
      const session = stt.open({ callId: id, ...place, language: 'en-GB' });
      return { stt, hear: (signal) => outcome(session.decode({ ...place, kind: 'final', prompt: 'a table for' }, signal)) };
    },
  };
}

for (const [name, make] of Object.entries(makers)) {
  test(`${name}: faults`, async (t) => {
    const { with: call, server } = await rig(t, make);
    const faults: readonly Fault[] = [
      'hang-up',
      'half',
      'cut',
      'wrong-shape',
      'garbage',
      'status-400',
      'status-404',
      'status-500',
      'huge-line',
      'redirect',
    ];
    for (const fault of faults) {
      const { hear } = await call(fault, fault);
      t.equal(await hear(), 'STT_FAILED', fault);
    }
    const never = await call('never', 'never', { decodeTimeoutMs: 150 });
    t.equal(await never.hear(), 'STT_FAILED', 'never');
    t.equal((await server.until('never', 0, { state: 'closed' })).state, 'closed', 'a request that is given up is closed');
    const late = await call('late', 'late');
    t.equal(await late.hear(), 'four people please', 'late, but in time');
    const tooLate = await call('too-late', 'late', { decodeTimeoutMs: 20 });
    t.equal(await tooLate.hear(), 'STT_FAILED', 'too late');
  });

  test(`${name}: what it is asked, and an abort that reaches it`, async (t) => {
    const { with: call, server } = await rig(t, make);
    const plain = await call('asked');
    t.equal(await plain.hear(), 'four people please');
    const [request] = await server.seen('asked').then((all) => all.filter(({ body }) => body !== null && typeof body === 'object'));
    t.match(request?.body, { response_format: 'verbose_json', language: 'en', prompt: 'a table for' });
    const held = await call('held', 'never');
    const controller = new AbortController();
    const hearing = held.hear(controller.signal);
    await server.until('held', 0, { state: 'open' });
    controller.abort();
    t.equal(await hearing, 'STT_ABORTED');
    t.equal((await server.until('held', 0, { state: 'closed' })).state, 'closed');
  });
}

test('recognisers behind HTTP: down after three failures in a row, up with the first answer', async (t) => {
  const { with: call, server, callers } = await rig(t, makers['whisper-server']!);
  const { stt, hear } = await call('state', 'status-500');
  const states: string[] = [];
  stt.onState((state) => states.push(state));
  for (let i = 0; i < 4; i++) await hear();
  t.same(states, ['down']);
  await server.script('state', { ...callers.script, replies: [] });
  t.equal(await hear(), 'four people please');
  t.same(states, ['down', 'up']);
});

test('recognisers behind HTTP: a newer partial takes over, a final overtakes, a full queue refuses', async (t) => {
  const { server, callers } = await rig(t, makers['whisper-server']!);
  const stt = createWhisperServer({ url: server.callUrl('lanes'), logger, lanes: 1, mostWaiting: 2 });
  await stt.start(callers.ring.audio);
  t.teardown(() => stt.stop());
  const places = ['one two', 'three four', 'five six', 'seven eight'].map((text) => callers.call(text));
  await server.script('lanes', { ...callers.script, replies: [{ parts: '', fault: 'late', lateMs: 80 }] });
  const order: string[] = [];
  const [a, b, c, d] = places.map((place, index) => {
    const session = stt.open({ callId: String(index), ...place, language: 'en' });
    return (kind: 'partial' | 'final') =>
      outcome(session.decode({ ...place, kind })).then((text) => {
        order.push(text);
        return text;
      });
  });
  const first = a!('final');
  await server.until('lanes', 0, { state: 'open' });
  const partial = b!('partial');
  // Each waits in the queue before the next one comes.
  await new Promise((later) => setTimeout(later, 20));
  const final = c!('final');
  await new Promise((later) => setTimeout(later, 20));
  t.equal(await d!('final'), 'STT_FAILED', 'a third one does not wait');
  await Promise.all([first, partial, final]);
  t.same(order, ['STT_FAILED', 'one two', 'five six', 'three four']);
});

test('the audio memory: gone, of another call, not yet there, longer than the ring', async (t) => {
  const { server, callers } = await rig(t, makers['whisper-server']!);
  const stt = createWhisperServer({ url: server.callUrl('memory'), logger, waitMs: 40 });
  t.teardown(() => stt.stop());
  await t.rejects(stt.start({ fd: callers.ring.audio.fd, bytes: 4096 }), { code: 'STT_FAILED', message: /outside itself/ });
  await stt.start(callers.ring.audio);
  const place = callers.call('good morning');
  const session = stt.open({ callId: 'memory', ...place, language: 'en' });
  const decode = (fromSample: number, toSample: number): Promise<string> =>
    outcome(session.decode({ fromSample, toSample, kind: 'final' }));
  t.equal(await decode(place.toSample, place.toSample + 160), 'STT_FAILED', 'not yet there');
  const arriving = decode(place.toSample, place.toSample + 1600);
  callers.ring.write(place.slot, new Int16Array(1600));
  t.equal(await arriving, '', 'audio that comes while the decode waits is heard');
  callers.ring.write(place.slot, new Int16Array(1 << 17));
  t.equal(await decode(0, 1600), 'STT_FAILED', 'overwritten');
  t.equal(await decode(0, 1 << 19), 'STT_FAILED', 'longer than the ring');
  t.equal(await decode(-5, 10), 'STT_FAILED', 'before the call');
  const other = callers.ring.open(place.slot);
  t.not(other, place.generation);
  t.equal(await decode(0, 0), 'STT_FAILED', 'the place belongs to another call');
});

test("the media engine's own memory: what is sent is what the engine has in its ring", async (t) => {
  const line = await openLine(t);
  const sound = tone(160);
  for (let seq = 1; seq <= 20; seq++) await line.packet(seq, sound);
  await line.until('rtp-start');
  await line.untilTrue(() => line.session.stats().sample > 4800, '300 ms of audio');
  const cloud = await startCloud((_request, response) => json(response, 200, { text: 'yes' }));
  t.teardown(() => cloud.stop());
  const stt = createWhisperServer({ url: cloud.origin, logger });
  await stt.start(line.engine.audio);
  t.teardown(() => stt.stop());
  const { slot, generation } = line.session;
  const session = stt.open({ callId: 'call-1', slot, generation, language: 'en' });
  t.equal(await outcome(session.decode({ fromSample: 1600, toSample: 4800, kind: 'final' })), 'yes');
  const { body, headers } = cloud.requests.at(-1)!;
  const file = readMultipart(body, headers['content-type'] ?? '').get('file');
  t.same(readWav(file!).pcm, line.engine.read(line.session, 1600, 4800));
  line.session.close();
  // The media thread closes the call in one of its next slots.
  let last = 'yes';
  for (let tries = 0; tries < 200 && last === 'yes'; tries++)
    last = await outcome(session.decode({ fromSample: 1600, toSample: 4800, kind: 'final' }));
  t.equal(last, 'STT_FAILED', 'the call is over');
});

test('recognisers behind HTTP: start', async (t) => {
  const { server, callers } = await rig(t, makers['whisper-server']!);
  const { audio } = callers.ring;
  const start = (url: string, more: object = {}): Promise<unknown> =>
    createOpenAiStt({ url, model: 'stand-in', logger, ...more }).start(audio);
  await t.rejects(start(server.origin, { model: 'another' }), { code: 'STT_MODEL', message: /another/ });
  await t.rejects(start('http://127.0.0.1:9'), { code: 'STT_FAILED', message: /ECONNREFUSED/ });
  await t.rejects(start(server.origin, { keyFile: '/nonexistent/key' }), { code: 'STT_FAILED', message: /ENOENT/ });
  const cloud = await startCloud((_request, response) => json(response, 401, { error: 'who are you' }));
  t.teardown(() => cloud.stop());
  await t.rejects(start(cloud.origin, { keyFile: keyFile(t) }), { code: 'STT_FAILED', message: /401/ });
  t.equal(cloud.requests[0]?.headers.authorization, 'Bearer the-key');
  cloud.answer((_request, response) => json(response, 503, { status: 'loading model' }));
  await t.rejects(createWhisperServer({ url: cloud.origin, logger }).start(audio), { code: 'STT_MODEL', message: /loading/ });
  cloud.answer(() => undefined);
  await t.rejects(start(cloud.origin, { startTimeoutMs: 50 }), { code: 'STT_FAILED', message: /50 ms/ });
});

test('Deepgram: refused unless somebody answers for it, and its shape', async (t) => {
  const callers = new Callers();
  t.teardown(() => callers.ring.free());
  const words = [
    { word: 'four', start: 0.2, end: 0.5, confidence: 0.99, punctuated_word: 'Four' },
    { word: 'people', start: 0.6, end: 0.9, confidence: 0.98, punctuated_word: 'people.' },
  ];
  const good = {
    metadata: { request_id: 'x' },
    results: { channels: [{ alternatives: [{ transcript: 'Four people.', confidence: 0.97, words }] }] },
  };
  const cloud = await startCloud((_request, response) => json(response, 200, good));
  t.teardown(() => cloud.stop());
  const options = { url: cloud.origin, keyFile: keyFile(t), logger };
  for (const nobody of [undefined, { processor: '', legalBasis: 'x' }, { processor: 'x', legalBasis: ' ' }])
    t.throws(() => createDeepgram({ ...options, external: nobody as typeof external }), { code: 'ENGINE_EXTERNAL' });
  t.throws(() => createDeepgram({ ...options, url: 'http://example.com', external }), { code: 'CONFIG_INVALID', message: /in clear/ });
  const stt = createDeepgram({ ...options, external });
  t.same(stt.external, external, 'for the log of every call');
  t.match(stt.description, /Example Cloud Ltd/);
  await stt.start(callers.ring.audio);
  t.teardown(() => stt.stop());
  t.equal(cloud.requests.length, 0, 'nothing is sent before a call needs it');
  const place = callers.call('four people');
  const session = stt.open({ callId: 'one', ...place, language: 'en' });
  const result = await session.decode({ ...place, kind: 'final' });
  t.equal(result.text, 'Four people.');
  t.equal(result.confidence, 0.97);
  t.same(result.words[1], { text: 'people.', fromSample: 9600, toSample: 14400 });
  const [request] = cloud.requests;
  t.equal(request?.path, '/v1/listen');
  t.equal(request?.headers.authorization, 'Token the-key');
  t.equal(request?.query.get('mip_opt_out'), 'true');
  t.same(readWav(request!.body), { rateHz: 16_000, pcm: said('four people').pcm }, "the caller's samples, unchanged");
  for (const wrong of [{}, { results: {} }, { results: { channels: [{ alternatives: [{ transcript: 5 }] }] } }, { results: 'no' }]) {
    cloud.answer((_request, response) => json(response, 200, wrong));
    t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'STT_FAILED', JSON.stringify(wrong));
  }
  cloud.answer((_request, response) => json(response, 402, { err_msg: 'no credit' }));
  t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'STT_FAILED', 'no credit');
});

test('Google: refused unless somebody answers for it, and its shape', async (t) => {
  const callers = new Callers();
  t.teardown(() => callers.ring.free());
  const words = [
    { endTime: '0.500s', word: 'four' },
    { startTime: '0.600s', endTime: '0.900s', word: 'people' },
  ];
  const cloud = await startCloud((_request, response) =>
    json(response, 200, { results: [{ alternatives: [{ transcript: 'four people', confidence: 0.9, words }] }] }),
  );
  t.teardown(() => cloud.stop());
  const options = { url: cloud.origin, keyFile: keyFile(t), logger };
  t.throws(() => createGoogleStt({ ...options, external: { processor: '', legalBasis: '' } }), { code: 'ENGINE_EXTERNAL' });
  const stt = createGoogleStt({ ...options, external });
  await stt.start(callers.ring.audio);
  t.teardown(() => stt.stop());
  const place = callers.call('four people');
  const session = stt.open({ callId: 'one', ...place, language: 'en-US' });
  const result = await session.decode({ ...place, kind: 'final' });
  t.equal(result.text, 'four people');
  t.same(result.words[0], { text: 'four', fromSample: 0, toSample: 8000 });
  const [request] = cloud.requests;
  t.equal(request?.path, '/v1/speech:recognize');
  t.equal(request?.headers['x-goog-api-key'], 'the-key');
  const body = JSON.parse(request!.body.toString()) as { config: object; audio: { content: string } };
  t.match(body.config, { encoding: 'LINEAR16', sampleRateHertz: 16_000, languageCode: 'en-US' });
  t.equal(Buffer.from(body.audio.content, 'base64').length, 2 * place.toSample);
  cloud.answer((_request, response) => json(response, 200, { totalBilledTime: '0s' }));
  t.equal(await outcome(session.decode({ ...place, kind: 'final' })), '', 'nobody spoke');
  for (const wrong of [
    { error: { code: 3 } },
    { results: 'x' },
    { results: [{ alternatives: [{ transcript: 'a', words: [{ word: 'a', endTime: 'soon' }] }] }] },
  ]) {
    cloud.answer((_request, response) => json(response, 200, wrong));
    t.equal(await outcome(session.decode({ ...place, kind: 'final' })), 'STT_FAILED', JSON.stringify(wrong));
  }
});

const CREDENTIALS = '[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = not+a/secret';
const speakers: Readonly<Record<string, (origin: string, key: string, timeoutMs?: number) => TextToSpeech>> = {
  ElevenLabs: (url, key, timeoutMs = 5000) => createElevenLabs({ url, external, keyFile: key, voices: { en: 'voice-1' }, timeoutMs }),
  'Amazon Polly': (url, key, timeoutMs = 5000) =>
    createPolly({ url, external, credentialsFile: key, region: 'eu-central-1', voices: { en: 'Amy' }, timeoutMs }),
};

for (const [name, make] of Object.entries(speakers)) {
  test(`${name} keeps the contract`, async (t) => {
    const cloud = await startCloud(sayIt);
    t.teardown(() => cloud.stop());
    const key = keyFile(t, name === 'ElevenLabs' ? 'the-key' : CREDENTIALS);
    await t.test('suite', (t) => {
      ttsSuite(t, () => make(cloud.origin, key));
      t.end();
    });
  });

  test(`${name}: faults`, async (t) => {
    const cloud = await startCloud(sayIt);
    t.teardown(() => cloud.stop());
    const tts = make(cloud.origin, keyFile(t, name === 'ElevenLabs' ? 'the-key' : CREDENTIALS), 100);
    const say = (): Promise<string> => tts.synthesise('good morning', { language: 'en' }).then(() => 'spoken', codeOf);
    t.equal(await say(), 'TTS_FAILED', 'before it is started');
    await tts.start();
    t.equal(await say(), 'spoken');
    const faults: Readonly<Record<string, CloudAnswer>> = {
      'status 500': (_request, response) => json(response, 500, { detail: 'x' }),
      'status 401': (_request, response) => json(response, 401, { detail: 'x' }),
      'no audio': (_request, response) => json(response, 200, { text: 'hello' }),
      empty: (_request, response) => void response.writeHead(200, { 'content-type': 'audio/pcm' }).end(),
      'half a sample': (_request, response) => void response.writeHead(200, { 'content-type': 'audio/pcm' }).end(Buffer.alloc(4001, 9)),
      'hangs up': (_request, response) => void response.destroy(),
      redirect: (_request, response) => void response.writeHead(307, { location: 'http://203.0.113.1/' }).end(),
      never: () => undefined,
      'breaks off': (_request, response) => {
        response.writeHead(200, { 'content-type': 'audio/pcm', 'content-length': '100000' });
        response.write(Buffer.alloc(4000, 9), () => response.destroy());
      },
      'stops in the middle': (_request, response) => {
        response.writeHead(200, { 'content-type': 'audio/pcm' });
        response.write(Buffer.alloc(4000, 9));
      },
    };
    for (const [fault, answer] of Object.entries(faults)) {
      cloud.answer(answer);
      t.equal(await say(), 'TTS_FAILED', fault);
    }
    await tts.stop();
    await t.rejects(make(cloud.origin, '/nonexistent/key').start(), { code: 'TTS_FAILED', message: /ENOENT/ });
    await t.rejects(make(cloud.origin, keyFile(t, '')).start(), { code: 'TTS_FAILED' });
  });
}

test('external synthesisers: what they are asked; a speech that is left is closed', async (t) => {
  const cloud = await startCloud(sayIt);
  t.teardown(() => cloud.stop());
  const eleven = speakers['ElevenLabs']!(cloud.origin, keyFile(t));
  await eleven.start();
  await eleven.synthesise('<break/>good morning', { language: 'en-GB', rate: 2 });
  t.equal(cloud.requests[0]?.path, '/v1/text-to-speech/voice-1/stream');
  t.equal(cloud.requests[0]?.query.get('enable_logging'), 'false', 'the provider keeps nothing');
  t.equal(cloud.requests[0]?.query.get('output_format'), 'pcm_16000');
  t.equal(cloud.requests[0]?.headers['xi-api-key'], 'the-key');
  t.same(JSON.parse(cloud.requests[0]!.body.toString()), {
    text: 'good morning',
    model_id: 'eleven_flash_v2_5',
    language_code: 'en',
    voice_settings: { speed: 1.2 },
  });
  const polly = speakers['Amazon Polly']!(cloud.origin, keyFile(t, CREDENTIALS));
  await polly.start();
  await polly.synthesise("Tom's & Anna's", { language: 'en', rate: 0.9 });
  const asked = JSON.parse(cloud.requests[1]!.body.toString()) as Record<string, string>;
  t.match(asked, { OutputFormat: 'pcm', SampleRate: '16000', VoiceId: 'Amy', TextType: 'ssml' });
  t.match(asked['Text'], /^<speak><prosody rate="90%">[^<]*&apos;s[^<]*<\/prosody><\/speak>$/);
  t.match(cloud.requests[1]?.headers.authorization, /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/polly\/aws4_request/);
  t.notMatch(JSON.stringify(cloud.requests[1]?.headers), /not\+a\/secret/, 'the secret is never sent');
  let closed: () => void = () => undefined;
  const left = new Promise<void>((resolve) => (closed = resolve));
  cloud.answer((_request, response) => {
    response.writeHead(200, { 'content-type': 'audio/pcm' });
    response.write(Buffer.alloc(32_000, 9));
    response.on('close', closed);
  });
  for await (const chunk of polly.stream!('a long story', { language: 'en' })) {
    t.ok(chunk.pcm.length > 0, 'audio before the end of the answer');
    break;
  }
  await left;
  t.pass('the provider saw the connection close');
});
