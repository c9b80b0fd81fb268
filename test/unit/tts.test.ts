import fc from 'fast-check';
import { test } from 'tap';

import type { SpeechChunk, TextToSpeech } from '../../src/contracts/index.ts';
import { createPhraseCache, createScriptedTts } from '../../src/tts/index.ts';
import { isSpeakable, plainText, spokenText } from '../../src/tts/text.ts';
import { trimSilence } from '../../src/tts/trim.ts';
import { WaveStream } from '../../src/tts/wave-stream.ts';

void test('plain text', (t) => {
  t.equal(plainText('  Hello,\n\n  you. '), 'Hello, you.');
  t.equal(plainText('<speak>Hi <break time="5s"/>there</speak>'), 'Hi there');
  t.equal(plainText('a < b and c > d'), 'a b and c d', 'a lone bracket is no tag');
  t.equal(plainText('[[h@l@U]] {x}'), 'h@l@U x');
  t.equal(plainText('wait......... what?!?!'), 'wait... what?!?!');
  t.equal(plainText('50 € für Ümit'), '50 € für Ümit');
  t.equal(plainText('one\u0007two\u200bthree\u2028four'), 'one two three four');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const plain = plainText(text);
      return !/[\p{Cc}<>[\]{}]/u.test(plain) && plain === plain.trim() && !plain.includes('  ') && plainText(plain) === plain;
    }),
  );
  t.notOk(isSpeakable('... ?!'));
  t.ok(isSpeakable('3'));
  t.ok(isSpeakable('ß'));
  t.end();
});

void test('numbers are read as the language reads them', (t) => {
  t.equal(spokenText('Friday at 19:00, for 4.', 'en'), 'Friday at 7 P M, for 4.');
  t.equal(spokenText("It's $12.50, don't be late!", 'en-US'), "It's 12 dollars 50, don't be late!");
  t.equal(spokenText('Call 555-0123?', 'en'), 'Call 555 0123?');
  t.equal(spokenText('19:00 wa', 'sw'), '19:00 wa', 'a language without rules is left alone');
  t.equal(spokenText('What day would you like?', 'en'), 'What day would you like?');
  t.end();
});

void test('silence is trimmed', (t) => {
  const rateHz = 1000;
  const speech = Int16Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 5000 : -5000));
  const clip = new Int16Array(1000);
  clip.set(speech, 300);
  const trimmed = trimSilence(clip, rateHz, 80);
  t.equal(trimmed.length, 5 + 100 + 80);
  t.equal(trimmed[5], 5000);
  t.equal(trimSilence(new Int16Array(500), rateHz).length, 0);
  t.equal(trimSilence(new Int16Array(0), rateHz).length, 0);
  t.equal(trimSilence(speech, rateHz).length, 100, 'nothing to trim');
  t.end();
});

const header = (): Buffer => {
  const bytes = Buffer.alloc(44);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(22050, 24);
  return bytes;
};

void test('samples come out whole however the bytes are cut', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (samples, cuts) => {
        const bytes = Buffer.concat([header(), Buffer.from(Int16Array.from(samples).buffer)]);
        const stream = new WaveStream();
        const out: number[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          out.push(...stream.push(bytes.subarray(at, at + size)));
          at += size;
        }
        return stream.rateHz === 22050 && out.join() === samples.join();
      },
    ),
  );
  const notWave = new WaveStream();
  notWave.push(Buffer.alloc(60, 'x'));
  t.equal(notWave.rateHz, -1);
  t.end();
});

void test('phrases rendered ahead', async (t) => {
  const engine = createScriptedTts();
  const cache = createPhraseCache(engine, { maxEntries: 2 });
  await cache.start();
  t.equal(await cache.prerender(['hello', 'goodbye', 'hello'], 'en'), 2);
  t.equal(engine.spoken.length, 2);
  const clip = await cache.synthesise('hello', { language: 'en' });
  t.ok(clip.pcm.length > 0);
  t.equal(clip.totalMs, 0);
  t.equal(engine.spoken.length, 2, 'a hit asks nobody');
  await cache.synthesise('hello', { language: 'de' });
  await cache.synthesise('your table is booked', { language: 'en' });
  await cache.synthesise('your table is booked', { language: 'en' });
  t.equal(engine.spoken.length, 5, 'another language is another phrase, and what was not rendered ahead is not kept');
  t.same(cache.stats, { entries: 2, hits: 1, misses: 3 });
  await cache.prerender(['one moment please'], 'en');
  t.equal((await cache.synthesise('goodbye', { language: 'en' })).pcm.length > 0, true);
  t.equal(engine.spoken.at(-1), 'goodbye', 'the one that was used least recently made room');
  engine.failNext(1);
  t.equal(await cache.prerender(['will fail', 'works'], 'en'), 2, 'a failure is left out');
  await cache.stop();
  t.equal(cache.stats.entries, 0);
});

void test('phrases of a streaming engine', async (t) => {
  const engine: TextToSpeech & { streamed: string[] } = Object.assign(createScriptedTts(), {
    streamed: [] as string[],
    async *stream(text: string): AsyncGenerator<SpeechChunk> {
      engine.streamed.push(text);
      yield { pcm: (await engine.synthesise(text, { language: 'en' })).pcm, rateHz: 22050, fromSample: 0, marks: [] };
    },
  });
  const cache = createPhraseCache(engine, { maxEntries: 5 });
  await cache.start();
  await cache.prerender(['hello'], { language: 'en', rate: 1.2 });
  const heard = async (text: string, rate: number): Promise<number> => {
    let samples = 0;
    for await (const chunk of cache.stream?.(text, { language: 'en', rate }) ?? []) samples += chunk.pcm.length;
    return samples;
  };
  t.ok((await heard('hello', 1.2)) > 0);
  t.same(engine.streamed, [], 'from the cache');
  t.ok((await heard('hello', 1)) > 0);
  t.same(engine.streamed, ['hello'], 'another rate is another phrase');
  t.equal(typeof createPhraseCache(createScriptedTts(), { maxEntries: 1 }).stream, 'undefined', 'no stream where the engine has none');
});

void test('the scripted synthesiser', async (t) => {
  const tts = createScriptedTts();
  await tts.start();
  const options = { language: 'en' };
  const once = await tts.synthesise('one two', options);
  t.same((await tts.synthesise('one two', options)).pcm, once.pcm, 'the same text is the same sound');
  t.notSame((await tts.synthesise('one three', options)).pcm, once.pcm);
  tts.failNext(2);
  await t.rejects(tts.synthesise('x', options), { code: 'TTS_FAILED' });
  await t.rejects(tts.synthesise('x', options), { code: 'TTS_FAILED' });
  tts.hold();
  let done = false;
  const held = tts.synthesise('x', options).then(() => (done = true));
  await Promise.resolve();
  t.equal(done, false);
  tts.release();
  t.equal(await held, true);
});
