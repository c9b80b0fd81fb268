/** Engines in a call: texts that play while they are made, accounts in the events, failures, capacity. Every stage but turn/ is faked. */
import { test } from 'tap';
import { GOVERNOR_POLICY } from '../../src/call/index.ts';
import { type DialogueEvent, ParleyError, type TextToSpeech } from '../../src/contracts/index.ts';
import { spoken } from '../../src/stt/index.ts';
import { createScriptedTts } from '../../src/tts/index.ts';
import { listen, NOTICE, rig, say, session } from '../support/call-rig.ts';
import { settle } from '../support/virtual-time.ts';

/** A synthesiser that makes a word of 100 ms when the test says so. */
function wordByWord() {
  const gates: (() => void)[] = [];
  const state = { fail: null as Error | null, aborted: 0, thrifty: [] as (boolean | undefined)[] };
  const tts: TextToSpeech = {
    ...{ name: 'words', description: 'words', maxChars: 1000, start: () => Promise.resolve(), stop: () => Promise.resolve() },
    synthesise: () => Promise.reject(new Error('not asked')),
    async *stream(text, { signal, thrifty }) {
      state.thrifty.push(thrifty);
      const words = [...text.matchAll(/\S+/g)];
      signal?.addEventListener('abort', () => state.aborted++);
      for (const [n, word] of words.entries()) {
        await new Promise<void>((resolve, reject) => {
          gates.push(resolve);
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        });
        if (state.fail !== null) throw state.fail;
        const marks = [{ text: word[0], fromChar: word.index, toChar: word.index + word[0].length, fromSample: n * 1600 }];
        const use = n === 0 ? { use: { engine: 'words', tookMs: 5, firstMs: 5 } } : {};
        yield { pcm: new Int16Array(1600), rateHz: 16_000, fromSample: n * 1600, marks, ...use };
      }
    },
  };
  const make = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      gates.shift()?.();
      await settle();
    }
  };
  return { tts, make, state };
}

test('1. a text plays while it is made; its account is in the event; what nobody hears is not made', async (t) => {
  const { tts, make, state } = wordByWord();
  const texts = (event: DialogueEvent) => (event.t === 'start' ? [say('one two three four'), say('five six seven eight')] : []);
  const { time, audit, media, begin, pbx } = rig(texts, [], {}, { tts });
  const id = await begin();
  await make(1);
  await time.pass(50);
  t.equal(session(media).open, 1, 'the first word sounds, the rest is not made yet');
  // Both texts are in work now: the words of the two come in turn.
  await make(5);
  await time.pass(500);
  t.match(audit.of('agent.said')[0]?.body, {
    sentMs: 400,
    words: 4,
    heardWords: 4,
    interrupted: false,
    engines: [{ engine: 'words', firstMs: 5 }],
  });
  await time.pass(30);
  pbx.callerHangsUp(id);
  await settle();
  t.ok(state.aborted > 0, 'the engine is told that nobody listens');
});

test('2. a question plays when the place of the question is known', async (t) => {
  const { tts, make } = wordByWord();
  const { time, media, begin } = rig(
    (event) => (event.t === 'start' ? [say('fine. what day?', { kind: 'question' }), listen] : []),
    [],
    {},
    { tts },
  );
  await begin();
  await make(1);
  await time.pass(100);
  t.equal(session(media).open, 0, 'not before');
  await make(1);
  await time.pass(20);
  t.equal(session(media).open, 1);
  t.same(session(media).lastMarks, [1600]);
});

test('3. a speech that breaks off: what was made is heard, then the apology, then a person', async (t) => {
  const { tts, make, state } = wordByWord();
  const apology = createScriptedTts();
  await apology.start();
  const stream = tts.stream!.bind(tts);
  const cached: TextToSpeech = {
    ...tts,
    async *stream(text, options) {
      if (text !== 'sorry') {
        yield* stream(text, options);
        return;
      }
      const { pcm, rateHz } = await apology.synthesise(text, options);
      yield { pcm, rateHz, fromSample: 0, marks: [], use: { engine: 'words', tookMs: 0, cached: true } };
    },
  };
  const { time, audit, pbx, begin } = rig(
    (event) => (event.t === 'start' ? [say('one two three four')] : []),
    [],
    { apologies: { en: 'sorry' } },
    { tts: cached },
  );
  await begin();
  await make(2);
  state.fail = new ParleyError('TTS_FAILED', 'broke off');
  await make(1);
  await time.pass(1000);
  const said = audit.of('agent.said');
  t.match(said[0]?.body, { sentMs: 200, heardWords: 1, words: 2 });
  t.match(said[1]?.body, { prompt: 'apology', engines: [{ cached: true }] });
  t.match(pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'failed', PARLEY_ERROR: 'TTS_FAILED' } });
  t.equal(audit.of('turn.failed')[0]?.body.engine, 'tts');
});

test('4. engines outside are named in the log before they get anything', async (t) => {
  const external = { processor: 'Example', legalBasis: 'contract' };
  const outside = [
    { kind: 'llm', engine: 'openai', external },
    { kind: 'tts', engine: 'polly', external },
    { kind: 'tts', engine: 'elevenlabs', external },
  ] as const;
  const { time, audit, begin, stt } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []), undefined, {}, { outside });
  await begin();
  await time.pass(500);
  const types = audit.types();
  t.same(
    audit.of('engine.external').map(({ body }) => body),
    outside,
    'each of a chain, and the language model',
  );
  t.ok(types.lastIndexOf('engine.external') < types.indexOf('call.answered'));
  t.equal(stt.openCalls, 1);
});

test('5. capacity: waits are watched, worse calls are served cheaply, more go to people, and the log says why', async (t) => {
  const heavy = spoken('i want a table', 32_000);
  const policy = { ...GOVERNOR_POLICY, calls: { degrade: 2, people: 3 }, holdMs: 0 };
  const { time, pbx, audit, runner, begin } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []), heavy, { capacity: policy });
  await begin();
  t.equal(runner.capacity.saves('no-speculation'), false);
  pbx.ring({ args: { flow: 'test' } });
  await settle();
  t.match(audit.of('capacity.changed').at(-1)?.body, { action: 'degrade', reasons: [{ why: 'calls', value: 2, limit: 2 }], openCalls: 2 });
  t.equal(runner.capacity.saves('shorter-replies'), true);
  pbx.ring({ args: { flow: 'test' } });
  await settle();
  t.match(audit.of('capacity.changed').at(-1)?.body, { action: 'people', openCalls: 3 });
  pbx.ring({ args: { flow: 'test' } });
  await time.pass(100);
  t.match(audit.of('call.declined'), [{ body: { outcome: 'capacity' } }]);
  t.match(pbx.actions.filter((action) => action.t === 'leave').at(-1), { variables: { PARLEY_OUTCOME: 'capacity' } });
  t.equal(runner.openCalls().length, 3);
  for (const call of runner.openCalls()) pbx.callerHangsUp(call.pbxId);
  await time.pass(100);
  t.match(audit.of('capacity.changed').at(-1)?.body, { action: 'admit', reasons: [] });
  for (let n = 0; n < 5; n++) runner.answered({ callKey: 'nobody', outcome: 'done', firstMs: 3000, use: null });
  t.equal(runner.capacity.admit(), 'people', 'the model keeps callers waiting');
  t.match(audit.of('capacity.changed').at(-1)?.body, { reasons: [{ why: 'llmFirstToken', value: 3000, limit: 2000 }] });
  t.equal(time.waiting, 0, 'no alarm without calls');
});

test('6. an answer of a language model is an event of its call', async (t) => {
  const { audit, runner, begin } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []));
  await begin();
  const use = { engine: 'ollama', tookMs: 300, firstMs: 90, promptTokens: 50, completionTokens: 9 };
  runner.answered({ callKey: runner.openCalls()[0]!.id, outcome: 'done', firstMs: 90, use });
  runner.answered({ callKey: 'another call', outcome: 'done', firstMs: 90, use });
  runner.engineState('llm', 'ollama', 'down');
  await settle();
  t.match(audit.of('engine.used'), [{ callId: runner.openCalls()[0]!.id, body: { kind: 'llm', outcome: 'done', use } }]);
  t.match(audit.of('engine.state'), [{ body: { engine: 'llm', name: 'ollama', state: 'down' } }]);
});
