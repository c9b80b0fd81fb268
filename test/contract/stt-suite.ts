/** What every recogniser must do. Run against the fake and the real one by stt.test.ts. */
import type { Test } from 'tap';

import { ParleyError, type SpeechToText } from '../../src/contracts/index.ts';

export interface SttSubject {
  readonly stt: SpeechToText;
  /** Opens a call in the audio memory in which the caller says these words; returns where they lie. */
  call(callId: string, text: string): { slot: number; generation: number; fromSample: number; toSample: number };
  end(): Promise<void>;
}

type Place = ReturnType<SttSubject['call']>;

const codeOf = (error: unknown): string => (error instanceof ParleyError ? error.code : `not a ParleyError: ${String(error)}`);
const failure = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'no error', codeOf);
const opened = (subject: SttSubject, callId: string, place: Place) =>
  subject.stt.open({ callId, slot: place.slot, generation: place.generation, language: 'en' });

export function sttSuite(t: Test, make: () => Promise<SttSubject>): void {
  let subject: SttSubject;
  t.before(async () => {
    subject = await make();
  });
  t.after(() => subject.end());

  t.test('hears what was said in the samples asked for', async (t) => {
    const place = subject.call('one', 'what are your opening hours');
    const session = opened(subject, 'one', place);
    const result = await session.decode({ ...place, kind: 'final' });
    t.equal(result.text, 'what are your opening hours');
    t.ok(result.confidence > 0 && result.confidence <= 1, 'confidence is a probability');
    t.equal(result.words.map((word) => word.text).join(' '), result.text, 'the words are the text');
    t.ok(
      result.words.every(
        (word) => word.fromSample >= place.fromSample && word.toSample <= place.toSample && word.fromSample <= word.toSample,
      ),
      'words lie in the samples asked for',
    );
    t.ok(result.queueMs >= 0 && result.decodeMs >= 0, 'times are given');
    session.close();
  });

  t.test('nothing said is an empty text', async (t) => {
    const place = subject.call('quiet', '');
    const session = opened(subject, 'quiet', place);
    const result = await session.decode({ ...place, kind: 'final' });
    t.equal(result.text, '');
    t.same(result.words, []);
    session.close();
  });

  t.test('an empty range is an empty text', async (t) => {
    const place = subject.call('empty', 'yes');
    const session = opened(subject, 'empty', place);
    const result = await session.decode({ fromSample: place.fromSample, toSample: place.fromSample, kind: 'final' });
    t.equal(result.text, '');
    session.close();
  });

  t.test('two calls at once do not mix', async (t) => {
    const texts = ['yes that is right', 'no that is wrong', 'speak to an agent please', 'where is the office'];
    const calls = texts.map((text, index) => {
      const place = subject.call(`mix-${index}`, text);
      return { place, session: opened(subject, `mix-${index}`, place) };
    });
    for (let round = 0; round < 3; round++) {
      const results = await Promise.all(calls.map(({ place, session }) => session.decode({ ...place, kind: 'final' })));
      t.same(
        results.map((result) => result.text),
        texts,
      );
    }
    for (const { session } of calls) session.close();
  });

  t.test('of two partials the newest wins, a final is always answered', async (t) => {
    const place = subject.call('partials', 'yes please');
    const session = opened(subject, 'partials', place);
    const partials = Array.from({ length: 6 }, () => session.decode({ ...place, kind: 'partial' }).then((result) => result.text, codeOf));
    const final = await session.decode({ ...place, kind: 'final' });
    t.equal(final.text, 'yes please');
    for (const outcome of await Promise.all(partials))
      t.ok(outcome === 'yes please' || outcome === 'STT_ABORTED', `a partial ends as ${outcome}`);
    session.close();
  });

  t.test('a decode can be given up', async (t) => {
    const place = subject.call('abort', 'thank you');
    const session = opened(subject, 'abort', place);
    t.equal(await failure(session.decode({ ...place, kind: 'final' }, AbortSignal.abort())), 'STT_ABORTED', 'before it began');
    const controller = new AbortController();
    const decode = failure(session.decode({ ...place, kind: 'final' }, controller.signal));
    controller.abort();
    t.equal(await decode, 'STT_ABORTED', 'after it began');
    const after = await session.decode({ ...place, kind: 'final' });
    t.equal(after.text, 'thank you', 'the next decode is not harmed');
    session.close();
  });

  t.test('closing a call ends its decodes and refuses new ones', async (t) => {
    const place = subject.call('close', 'goodbye');
    const session = opened(subject, 'close', place);
    const pending = failure(session.decode({ ...place, kind: 'final' }));
    session.close();
    session.close();
    t.equal(await pending, 'STT_ABORTED');
    t.equal(await failure(session.decode({ ...place, kind: 'final' })), 'STT_FAILED');
  });

  t.test('a range that ends before it begins is refused', async (t) => {
    const place = subject.call('backwards', 'yes');
    const session = opened(subject, 'backwards', place);
    t.equal(await failure(session.decode({ fromSample: place.toSample, toSample: place.fromSample, kind: 'final' })), 'STT_FAILED');
    session.close();
  });
}
