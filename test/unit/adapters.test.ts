/** Adapters to engines that somebody else runs: where they may be, and what is made of their answers. */
import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { test } from 'tap';
import { isAddress, isNear } from '../../src/contracts/index.ts';
import { checkedProcessor, checkedUrl, nearLookup } from '../../src/stt/adapters/hosts.ts';
import { formOf } from '../../src/stt/adapters/multipart.ts';
import { shape } from '../../src/stt/adapters/shape.ts';
import { heardFromOpenAi, heardFromWhisperCpp } from '../../src/stt/adapters/verbose.ts';
import { createElevenLabs, createPolly } from '../../src/tts/adapters/index.ts';
import { authorization } from '../../src/tts/adapters/sigv4.ts';
import { readMultipart } from '../../bench/servers/multipart.ts';

const external = { processor: 'Example Cloud Ltd', legalBasis: 'Art. 6(1)(b) GDPR' };

test('where a recogniser may be', (t) => {
  for (const address of ['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.9.9', '169.254.1.1', '::1', 'fd00::1', 'fe80::1'])
    t.ok(isNear(address), address);
  for (const address of ['::ffff:10.0.0.1', '::ffff:c0a8:101', '0:0:0:0:0:0:0:1', 'fe80::1%eth0', 'FD12:3456::', 'febf::1', '172.16.0.0'])
    t.ok(isNear(address), address);
  for (const address of [
    '::ffff:8.8.8.8',
    '::',
    'fec0::1',
    '::1::',
    '1::2::3',
    ':::1',
    '::12345',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0',
    '::10.0.0.1',
  ])
    t.notOk(isNear(address), address);
  for (const address of ['8.8.8.8', '172.32.0.1', '2001:db8::1', '0.0.0.0', 'localhost', '', '1270.0.0.1'])
    t.notOk(isNear(address), address);
  t.throws(() => checkedUrl('http://203.0.113.5:8080', null), { code: 'ENGINE_EXTERNAL' });
  t.throws(() => checkedUrl('http://[2001:db8::1]/', null), { code: 'ENGINE_EXTERNAL' });
  t.equal(checkedUrl('https://203.0.113.5', external).hostname, '203.0.113.5');
  t.throws(() => checkedUrl('http://203.0.113.5', external), { code: 'CONFIG_INVALID', message: /in clear/ });
  for (const url of ['', 'ftp://127.0.0.1', 'file:///etc/passwd', 'http://user:secret@127.0.0.1'])
    t.throws(() => checkedUrl(url, null), { code: 'CONFIG_INVALID' }, url);
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const near = new BlockList();
      for (const [from, bits] of [
        ['127.0.0.0', 8],
        ['10.0.0.0', 8],
        ['172.16.0.0', 12],
        ['192.168.0.0', 16],
        ['169.254.0.0', 16],
      ] as const)
        near.addSubnet(from, bits, 'ipv4');
      for (const [from, bits] of [
        ['::1', 128],
        ['fc00::', 7],
        ['fe80::', 10],
      ] as const)
        near.addSubnet(from, bits, 'ipv6');
      return isAddress(address) && isNear(address) === near.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef:.%')) }),
      (text) => isAddress(text) === (isIP(text) !== 0 && !/%$/.test(text)),
    ),
    { numRuns: 2000, examples: [['::%'], ['::1%a%b'], ['fe80::1%a']] },
  );
  t.equal(checkedProcessor(undefined), null);
  t.throws(() => checkedProcessor({ processor: 'x', legalBasis: ' ' }), { code: 'ENGINE_EXTERNAL' });
  t.end();
});

test('a connection to a name is judged by what the name resolves to', async (t) => {
  // A literal address resolves to itself without a name server.
  const found = (name: string, all: boolean): Promise<unknown> =>
    new Promise((resolve) => nearLookup(name, { all }, (error, address) => resolve(error ?? address)));
  t.equal(await found('127.0.0.1', false), '127.0.0.1');
  t.same(await found('10.1.2.3', true), [{ address: '10.1.2.3', family: 4 }]);
  t.match(await found('203.0.113.9', false), { code: 'ENGINE_EXTERNAL', message: /203\.0\.113\.9/ });
  t.match(await found('2001:db8::1', true), { code: 'ENGINE_EXTERNAL' });
});

test('whisper.cpp lists tokens: pieces of a word come together', (t) => {
  const token = (word: string, start: number, end: number): object => ({ word, start, end, probability: 0.9 });
  const words = [token(' reser', 0, 0.3), token('vation', 0.3, 0.6), token(' please', 0.7, 1), token('.', 1, 1)];
  const heard = heardFromWhisperCpp({
    text: ' reservation please.\n',
    segments: [{ text: ' reservation please.', avg_logprob: -0.1, no_speech_prob: 0.01, words }],
  });
  t.same(
    heard.words?.map(({ text }) => text.trim()),
    ['reservation', 'please.'],
  );
  t.ok(Math.abs((heard.confidence ?? 0) - Math.exp(-0.1)) < 1e-9);
  const result = shape(heard, 16_000, 48_000);
  t.equal(result.text, 'reservation please.');
  t.same(result.words[0], { text: 'reservation', fromSample: 16_000, toSample: 25_600 });
  t.end();
});

test("Whisper's own rule: a segment in which nobody spoke is no text", (t) => {
  const ghost = { text: ' Thank you for watching.', avg_logprob: -1.5, no_speech_prob: 0.9 };
  t.match(heardFromOpenAi({ text: ' Thank you for watching.', segments: [ghost] }), { text: '' });
  const real = { text: ' Yes.', avg_logprob: -0.2, no_speech_prob: 0.1 };
  t.equal(shape(heardFromOpenAi({ text: ' Yes. Thank you for watching.', segments: [real, ghost] }), 0, 16_000).text, 'Yes.');
  t.end();
});

test('plain json: words are spread over the samples, the confidence is unknown', (t) => {
  const result = shape(heardFromOpenAi({ text: 'four people please' }), 0, 3000);
  t.same(
    result.words.map((word) => [word.fromSample, word.toSample]),
    [
      [0, 1000],
      [1000, 2000],
      [2000, 3000],
    ],
  );
  t.ok(result.confidence > 0 && result.confidence < 1);
  for (const wrong of [
    {},
    { text: 5 },
    { text: 'a', words: 'b' },
    { text: 'a', words: [{ word: 'a', start: 'x', end: 1 }] },
    { text: 'a', segments: [{}] },
  ])
    t.throws(() => heardFromOpenAi(wrong), Error, JSON.stringify(wrong));
  t.throws(() => shape({ text: 'long '.repeat(3000), confidence: 1, words: null }, 0, 1), /10000 characters/);
  t.end();
});

test('whatever a server says, words lie in order inside the samples and are the text', (t) => {
  const word = fc.record({
    text: fc.string({ unit: 'binary', maxLength: 12 }),
    fromMs: fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
    toMs: fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
  });
  const heard = fc.record({
    text: fc.string({ unit: 'binary', maxLength: 60 }),
    confidence: fc.option(fc.double({ noNaN: true, min: -2, max: 2 })),
    words: fc.option(fc.array(word, { maxLength: 8 })),
  });
  fc.assert(
    fc.property(heard, fc.nat(1e6), fc.nat(1e5), (given, from, length) => {
      const { text, words, confidence } = shape(given, from, from + length);
      return (
        text === words.map((each) => each.text).join(' ') &&
        !/[\u0000-\u001f]/.test(text) &&
        !/[\uD800-\uDFFF]/u.test(text) &&
        confidence >= 0 &&
        confidence <= 1 &&
        words.every(
          (each, i) =>
            from <= each.fromSample &&
            each.fromSample <= each.toSample &&
            each.toSample <= from + length &&
            each.fromSample >= (words[i - 1]?.fromSample ?? 0),
        )
      );
    }),
    { numRuns: 30 },
  );
  t.pass();
  t.end();
});

test('a form field is data', (t) => {
  const hostile = 'x\r\n--parley-\r\ncontent-disposition: form-data; name="model"\r\n\r\nother';
  const { body, contentType } = formOf(Buffer.from('RIFF'), [
    ['prompt', hostile],
    ['model', 'mine'],
  ]);
  const fields = readMultipart(body, contentType);
  t.equal(fields.get('prompt')?.toString(), hostile);
  t.equal(fields.get('model')?.toString(), 'mine');
  t.equal(fields.get('file')?.toString(), 'RIFF');
  t.end();
});

test("AWS's own example of a signature", (t) => {
  // "get-vanilla" of the Signature Version 4 test suite.
  const date = '20150830T123600Z';
  const request = { method: 'GET', path: '/', headers: { host: 'example.amazonaws.com', 'x-amz-date': date }, body: '' };
  const signed = authorization(
    request,
    { region: 'us-east-1', service: 'service', date },
    {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    },
  );
  t.match(signed, /Credential=AKIDEXAMPLE\/20150830\/us-east-1\/service\/aws4_request, SignedHeaders=host;x-amz-date, /);
  t.match(signed, /Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31$/);
  t.end();
});

test('external synthesisers are off unless somebody answers for them', (t) => {
  const eleven = { keyFile: 'key', voices: { en: 'v' } };
  const polly = { credentialsFile: 'key', region: 'eu-central-1', voices: { en: 'Amy' } };
  for (const nobody of [undefined, { processor: '', legalBasis: 'x' }, { processor: 'x', legalBasis: ' ' }]) {
    t.throws(() => createElevenLabs({ ...eleven, external: nobody as typeof external }), { code: 'ENGINE_EXTERNAL' });
    t.throws(() => createPolly({ ...polly, external: nobody as typeof external }), { code: 'ENGINE_EXTERNAL' });
  }
  for (const url of ['http://example.com', 'https://user:pass@example.com', 'example', 'file:///etc/passwd'])
    t.throws(() => createElevenLabs({ ...eleven, external, url }), { code: 'CONFIG_INVALID' }, url);
  const tts = createPolly({ ...polly, external });
  t.same(tts.external, external, 'for the log of every call');
  t.match(tts.description, /polly\.eu-central-1\.amazonaws\.com, processor Example Cloud Ltd/);
  t.end();
});
