import fc from 'fast-check';
import { test } from 'tap';

import { ParleyError } from '../../src/contracts/index.ts';
import { createScriptedStt, spoken } from '../../src/stt/index.ts';
import { parseWorkerLine } from '../../src/stt/messages.ts';
import { PendingDecodes, refusal } from '../../src/stt/pending.ts';

const codeOf = (error: unknown): string => (error instanceof ParleyError ? error.code : 'no ParleyError');

void test('lines of the worker', (t) => {
  t.match(parseWorkerLine('{"ready":{"model":"m.bin","audioContext":300,"multilingual":false,"lanes":2}}'), {
    t: 'ready',
    ready: { model: 'm.bin', audioContext: 300, lanes: 2, whisper: '' },
  });
  t.same(parseWorkerLine('{"id":7,"text":"yes","confidence":0.9,"words":[{"text":"yes","from":1,"to":2}],"queueMs":1,"decodeMs":2}'), {
    t: 'result',
    id: 7,
    text: 'yes',
    confidence: 0.9,
    words: [{ text: 'yes', from: 1, to: 2 }],
    queueMs: 1,
    decodeMs: 2,
  });
  t.same(parseWorkerLine('{"id":7,"error":"audio-gone"}'), { t: 'refused', id: 7, error: 'audio-gone' });
  t.same(parseWorkerLine('{"error":"model","message":"truncated"}'), { t: 'error', error: 'model', message: 'truncated' });
  t.same(parseWorkerLine('{"pong":2,"progress":77}'), { t: 'pong', running: 2, progress: 77 });
  for (const line of ['', '{', '[]', 'null', '"x"', '{"id":1}', '{"text":"x"}']) t.equal(parseWorkerLine(line).t, 'garbage', line);
  t.match(parseWorkerLine('{"id":1,"text":"x","confidence":7}'), { confidence: 1 }, 'confidence stays a probability');
  fc.assert(fc.property(fc.string(), (line) => typeof parseWorkerLine(line).t === 'string'));
  fc.assert(fc.property(fc.json(), (line) => typeof parseWorkerLine(line).t === 'string'));
  t.end();
});

void test('what the worker refuses has a code and no words', (t) => {
  t.equal(refusal('aborted').code, 'STT_ABORTED');
  t.equal(refusal('superseded').code, 'STT_ABORTED');
  for (const error of ['audio-gone', 'bad-range', 'call-closed', 'busy', 'failed', 'something new'])
    t.equal(refusal(error).code, 'STT_FAILED', error);
  t.end();
});

void test('decodes in flight are settled once', (t) => {
  const pending = new PendingDecodes();
  const settled: string[] = [];
  const add = (id: number, session: number): void => {
    pending.add(
      {
        id,
        session,
        request: { fromSample: 0, toSample: 1, kind: 'final' },
        sent: 0,
        resolve: () => settled.push(`resolve ${id}`),
        reject: (error) => settled.push(`${error.code} ${id}`),
      },
      60_000,
      () => settled.push(`timeout ${id}`),
    );
  };
  add(1, 10);
  add(2, 20);
  add(3, 10);
  pending.take(1)?.resolve({ text: '', confidence: 0, words: [], queueMs: 0, decodeMs: 0 });
  t.equal(pending.take(1), undefined);
  pending.rejectAll(
    () => refusal('aborted'),
    (decode) => decode.session === 10,
  );
  t.equal(pending.size, 1);
  pending.rejectAll(() => refusal('failed'));
  t.equal(pending.size, 0);
  t.same(settled, ['resolve 1', 'STT_ABORTED 3', 'STT_FAILED 2']);
  t.end();
});

void test('the scripted recogniser', async (t) => {
  const words = spoken('one two three', 0, 1000, 100);
  t.same(words[1], { text: 'two', fromSample: 1100, toSample: 2100 });
  const stt = createScriptedStt({ says: { a: words } });
  const states: string[] = [];
  stt.onState((state) => states.push(state));
  await stt.start();
  const session = stt.open({ callId: 'a' });

  const upTo = async (toSample: number): Promise<string> => (await session.decode({ fromSample: 0, toSample, kind: 'partial' })).text;
  t.equal(await upTo(500), '', 'a word counts when its last sample is there');
  t.equal(await upTo(1000), 'one');
  t.equal(await upTo(3300), 'one two three');
  t.equal((await session.decode({ fromSample: 1000, toSample: 3300, kind: 'final' })).text, 'two three');

  stt.failNext('STT_FAILED');
  t.equal(await session.decode({ fromSample: 0, toSample: 10, kind: 'final' }).catch(codeOf), 'STT_FAILED');

  stt.hold();
  const waiting = session.decode({ fromSample: 0, toSample: 1000, kind: 'final' }).catch(codeOf);
  stt.crash();
  t.equal(await waiting, 'STT_FAILED', 'a crash fails what is in flight');
  t.equal(
    await session.decode({ fromSample: 0, toSample: 10, kind: 'final' }).catch(codeOf),
    'STT_FAILED',
    'and what comes while it is down',
  );
  stt.revive();
  const later = session.decode({ fromSample: 0, toSample: 1000, kind: 'final' });
  stt.release();
  t.equal((await later).text, 'one');
  t.same(states, ['down', 'up']);
  t.equal(stt.requests.length, 8);
  session.close();
  t.equal(stt.openCalls, 0);
});
