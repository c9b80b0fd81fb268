/** What every synthesiser must do. Run against the fake and the real ones by tts.test.ts. */
import type { Test } from 'tap';

import { ParleyError, type TextToSpeech } from '../../src/contracts/index.ts';

const codeOf = (error: unknown): string => (error instanceof ParleyError ? error.code : `not a ParleyError: ${String(error)}`);
const loudest = (pcm: Int16Array): number => pcm.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
const LANGUAGE = { language: 'en' };

export function ttsSuite(t: Test, make: () => TextToSpeech): void {
  let tts: TextToSpeech;
  t.before(async () => {
    tts = make();
    await tts.start();
  });
  t.after(() => tts.stop());

  t.test('text becomes sound without silence in front', async (t) => {
    const clip = await tts.synthesise('What day would you like?', LANGUAGE);
    t.ok(clip.rateHz >= 8000, 'rate');
    t.ok(clip.pcm.length > clip.rateHz / 2, 'at least half a second');
    t.ok(loudest(clip.pcm) > 1000, 'audible');
    t.ok(loudest(clip.pcm.subarray(0, clip.rateHz / 50)) > 30, 'it begins within 20 ms');
    t.ok(clip.firstMs >= 0 && clip.totalMs >= clip.firstMs, 'times');
  });

  t.test('longer text is longer sound', async (t) => {
    const short = await tts.synthesise('yes', LANGUAGE);
    const long = await tts.synthesise('yes, that would be very nice of you', LANGUAGE);
    t.ok(long.pcm.length > 2 * short.pcm.length);
  });

  t.test('texts at the same time do not mix', async (t) => {
    const texts = ['one', 'twenty four', 'a table for six on friday', 'goodbye', 'what day'];
    const alone: number[] = [];
    for (const text of texts) alone.push((await tts.synthesise(text, LANGUAGE)).pcm.length);
    const together = await Promise.all(texts.map((text) => tts.synthesise(text, LANGUAGE)));
    // A synthesiser may not be exact to the sample: 5 % tell the texts apart.
    t.ok(together.every((clip, index) => Math.abs(clip.pcm.length - (alone[index] ?? 0)) < 0.05 * (alone[index] ?? 0)));
  });

  t.test('nothing to say is an empty clip', async (t) => {
    for (const text of ['', '   ', '...', '\n\t', '<break time="9s"/>', '—']) {
      t.equal((await tts.synthesise(text, LANGUAGE)).pcm.length, 0, JSON.stringify(text));
    }
  });

  t.test('text is data, whatever it holds', async (t) => {
    const plain = (await tts.synthesise('good morning', LANGUAGE)).pcm.length;
    const hostile = [
      'good\u0000 morning',
      'good\nmorning',
      'good \u001b[31m morning',
      '<voice name="de">good</voice> morning',
      'good [[ morning',
      '\u202egood morning',
      'good morning \ud800',
    ];
    for (const text of hostile) {
      const length = (await tts.synthesise(text, LANGUAGE)).pcm.length;
      t.ok(
        Math.abs(length - plain) < plain * 0.35,
        `${JSON.stringify(text)} sounds like good morning (${length} samples, ${plain} expected)`,
      );
    }
    const odd = [
      '😀 hello',
      'здравствуйте hello 你好',
      '$(reboot) `id` ; rm -rf /',
      '--help',
      '-v de',
      '\'"',
      'a'.repeat(1500),
      '9'.repeat(400),
    ];
    for (const text of odd) t.ok((await tts.synthesise(text, LANGUAGE)).pcm.length >= 0, JSON.stringify(text.slice(0, 20)));
    t.ok((await tts.synthesise('still here', LANGUAGE)).pcm.length > 0);
  });

  t.test('text that is too long is refused', async (t) => {
    t.equal(await tts.synthesise('x'.repeat(tts.maxChars + 1), LANGUAGE).catch(codeOf), 'TTS_FAILED');
    t.equal(await tts.synthesise('long '.repeat(2000), LANGUAGE).catch(codeOf), 'TTS_FAILED', '10,000 characters');
  });

  t.test('a text can be given up', async (t) => {
    const reason = new Error('the caller spoke');
    await t.rejects(tts.synthesise('hello', { ...LANGUAGE, signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const speaking = tts.synthesise('a sentence that nobody will hear', { ...LANGUAGE, signal: controller.signal });
    controller.abort(reason);
    const ended = await speaking.then(
      () => 'spoken',
      (error: unknown) => error,
    );
    t.ok(ended === reason || ended === 'spoken', 'the reason of the signal, unless it was spoken already');
    t.ok((await tts.synthesise('hello', LANGUAGE)).pcm.length > 0, 'the next text is not harmed');
  });
}
