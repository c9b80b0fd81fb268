/** Tools, colleagues and models in a call: asked after the commit only, logged before they act, answered or given up. */
import fc from 'fast-check';
import { test } from 'tap';
import type { Dialogue, DialogueEffect, DialogueEvent, Errand, ToolDefinition } from '../../src/contracts/index.ts';
import type { ErrandPort } from '../../src/call/ports.ts';
import { spoken } from '../../src/stt/index.ts';
import { gate, listen, listening, rig, say } from '../support/call-rig.ts';
import { settle } from '../support/virtual-time.ts';

const definition = (effect: ToolDefinition['effect']): ToolDefinition => ({
  name: 'book',
  description: 'Books',
  effect,
  approval: false,
  arguments: {},
  result: {},
  target: { t: 'port', name: 'calendar.book' },
  timeoutMs: 2000,
  retries: 0,
  concurrency: 1,
  perMinute: 60,
  cost: 0.02,
});
const tool = (effect: ToolDefinition['effect'], id = 'e1'): Extract<Errand, { t: 'tool' }> => ({
  t: 'tool',
  definition: definition(effect),
  request: { id, tool: 'book', arguments: { day: 'secret-day' }, idempotencyKey: 'k1', approval: null },
});
const thinking: Errand = { t: 'think', id: 'e1', messages: [], tools: [], maxTokens: 50, timeoutMs: 2000, model: 'careful' };
const done: DialogueEvent = { t: 'tool-result', id: 'e1', outcome: { ok: true, data: { number: 'secret-number' } } };
const BY = { engine: 'large', cost: { amount: 0.002, currency: 'EUR' } };
const thought = (text: string): DialogueEvent => ({ t: 'thought', id: 'e1', answer: { text, calls: [], tokens: 7, by: BY } });

interface Begun {
  readonly errand: Errand;
  readonly context: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly tell: (event: DialogueEvent) => void;
  /** What the log had when it was begun. */
  readonly logged: readonly string[];
}

async function line(answer: (event: DialogueEvent) => readonly DialogueEffect[], says = spoken('i want a table', 32_000)) {
  const begun: Begun[] = [];
  const released: string[] = [];
  const errands: ErrandPort = {
    begin: (errand, { context, signal }, tell) => begun.push({ errand, context, signal, tell, logged: made.audit.types() }),
    release: (callId) => released.push(callId),
  };
  const made = await listening(answer, says, {}, { errands });
  const turn = async (fromMs: number, toMs: number): Promise<void> => {
    await made.at(fromMs);
    gate(made, 'speech-start', fromMs - 50);
    await made.at(toMs);
    gate(made, 'speech-end', toMs - 100);
  };
  const said = (): (string | undefined)[] => made.audit.of('agent.said').map((event) => event.content?.['text']);
  return { ...made, begun, released, turn, said };
}

test('1. an act is on disk before it is asked for; arguments and results are content', async (t) => {
  const call = await line((event) =>
    event.t === 'heard' ? [tool('write')] : event.t === 'tool-result' ? [say('it is booked'), listen] : [],
  );
  await call.turn(2000, 3400);
  await call.at(3600);
  t.same(call.begun, [], 'not before the commit, however early the reply is prepared');
  await call.at(4600);
  t.equal(call.begun.length, 1);
  const [first] = call.begun;
  t.equal(first?.logged.at(-1), 'tool.requested');
  t.match(first?.context, { caller: /./, called: /./, call: /-/ });
  first?.tell(done);
  await call.at(7000);
  t.equal(call.said().at(-1), 'it is booked');
  t.match(call.audit.of('tool.requested')[0], { body: { tool: 'book', effect: 'write' }, content: { arguments: /secret-day/ } });
  t.match(call.audit.of('tool.answered')[0], { body: { ok: true, cost: 0.02 }, content: { result: /secret-number/ } });
  t.notMatch(JSON.stringify(call.audit.events.map(({ body }) => body)), /secret/);
});

test('2. a wait phrase bridges a slow tool; what comes after it is said too', async (t) => {
  const call = await line((event) =>
    event.t === 'heard'
      ? [tool('read')]
      : event.t === 'errand-slow'
        ? [say('one moment')]
        : event.t === 'tool-result'
          ? [say('here it is'), listen]
          : [],
  );
  await call.turn(2000, 3400);
  await call.at(4600);
  call.begun[0]?.tell({ t: 'errand-slow', id: 'e1' });
  await call.at(4900);
  call.begun[0]?.tell(done);
  await call.at(9000);
  t.same(call.said().slice(-2), ['one moment', 'here it is']);
});

test('3. a thought is asked for ahead; its reply is held, and released at the commit; the log knows it from then on', async (t) => {
  const call = await line((event) => (event.t === 'heard' ? [thinking] : event.t === 'thought' ? [say('a table it is'), listen] : []));
  await call.turn(2000, 3400);
  await call.at(3500);
  t.equal(call.begun.length, 1);
  call.begun[0]?.tell(thought('a table it is'));
  await call.at(3600);
  t.ok(call.tts.spoken.includes('a table it is'), 'synthesised under the wait');
  t.equal(call.audit.of('model.answered').length, 0);
  await call.at(6000);
  t.equal(call.begun.length, 1, 'not asked again');
  t.equal(call.tts.spoken.filter((text) => text === 'a table it is').length, 1, 'made once');
  t.match(call.audit.of('model.answered')[0]?.body, { tokens: 7, answered: true, model: 'careful', ...BY });
  t.equal(call.audit.of('turn.latency')[0]?.body.waterfall.speculation, 'hit');
  t.equal(call.said().at(-1), 'a table it is');
});

test('4. a thought that is slower than the wait is taken over at the commit, wait phrase included', async (t) => {
  const call = await line((event) =>
    event.t === 'heard'
      ? [thinking]
      : event.t === 'errand-slow'
        ? [say('one moment')]
        : event.t === 'thought'
          ? [say('a table it is'), listen]
          : [],
  );
  await call.turn(2000, 3400);
  await call.at(3900);
  call.begun[0]?.tell({ t: 'errand-slow', id: 'e1' });
  t.notOk(call.tts.spoken.includes('one moment'), 'nobody waits yet');
  await call.at(5000);
  t.ok(call.tts.spoken.includes('one moment'));
  call.begun[0]?.tell(thought('a table it is'));
  await call.at(9000);
  t.equal(call.begun.length, 1);
  t.same(call.said().slice(-2), ['one moment', 'a table it is']);
});

test('5. the call ends while an act is at work: it is given up, and the log says that nobody knows', async (t) => {
  const call = await line((event) => (event.t === 'heard' ? [tool('write')] : []));
  await call.turn(2000, 3400);
  await call.at(5000);
  call.pbx.callerHangsUp(call.id);
  await settle();
  t.equal(call.begun[0]?.signal.aborted, true);
  t.match(call.audit.of('tool.answered')[0]?.body, { ok: false, reason: 'call-ended', mayHaveHappened: true });
  t.same(call.audit.types().slice(-2), ['tool.answered', 'call.ended']);
  t.equal(call.released.length, 1);
});

test('6. a caller who goes on takes a question back, never an act', async (t) => {
  const twice = [...spoken('a table', 32_000), ...spoken('on friday', 72_000)];
  const reading = await line((event) => (event.t === 'heard' ? [tool('read'), say('let me look for you in the book')] : []), twice);
  await reading.turn(2000, 2800);
  await reading.at(3750);
  gate(reading, 'speech-start', 3700);
  await reading.at(3900);
  t.equal(reading.audit.of('turn.retracted').length, 1);
  t.equal(reading.begun[0]?.signal.aborted, true);
  t.match(reading.audit.of('tool.answered')[0]?.body, { reason: 'retracted', mayHaveHappened: false });

  const writing = await line((event) => (event.t === 'heard' ? [tool('write'), say('let me write that into the book')] : []), twice);
  await writing.turn(2000, 2800);
  await writing.at(3750);
  gate(writing, 'speech-start', 3700);
  await writing.at(3900);
  t.equal(writing.audit.of('turn.retracted').length, 0);
  t.equal(writing.begun[0]?.signal.aborted, false);
});

test('7. what cannot be logged is not done; where nothing is configured every errand fails at once', async (t) => {
  const results: DialogueEvent[] = [];
  const answer = (event: DialogueEvent): readonly DialogueEffect[] => {
    if ('id' in event) results.push(event);
    return event.t === 'heard' ? [tool('write')] : [];
  };
  const full = await line(answer);
  const append = full.audit.append.bind(full.audit);
  full.audit.append = (event) => (event.type === 'tool.requested' ? Promise.reject(new Error('full')) : append(event));
  await full.turn(2000, 3400);
  await full.at(5000);
  t.equal(full.begun.length, 0);
  t.match(results, [{ t: 'tool-result', outcome: { ok: false, reason: 'refused', mayHaveHappened: false } }]);

  results.length = 0;
  const bare = await listening(answer);
  await bare.at(2000);
  gate(bare, 'speech-start', 1950);
  await bare.at(3400);
  gate(bare, 'speech-end', 3300);
  await bare.at(5000);
  t.match(results, [{ t: 'tool-result', outcome: { ok: false, reason: 'refused' } }]);
});

test('8. choices and refusals are in the log', async (t) => {
  const call = await line((event) =>
    event.t === 'heard'
      ? [
          { t: 'route', step: 'way', choice: 'sales', by: 'rule', evidence: 'topic=order' },
          { t: 'refused', what: 'text', rule: 'forbidden' },
          say('fine'),
          listen,
        ]
      : [],
  );
  await call.turn(2000, 3400);
  await call.at(6000);
  t.match(call.audit.of('route.chosen')[0]?.body, { choice: 'sales', by: 'rule' });
  t.match(call.audit.of('act.refused')[0]?.body, { what: 'text', rule: 'forbidden' });
});

test('9. whatever the caller does, every act belongs to one turn that counts, and every answer is logged once', async (t) => {
  const talk = fc.array(fc.record({ voiceMs: fc.integer({ min: 100, max: 900 }), pauseMs: fc.integer({ min: 250, max: 1400 }) }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(talk, fc.boolean(), async (pieces, isSlow) => {
      let count = 0;
      const call = await line(
        (event) =>
          event.t === 'heard' ? [tool('write', `e${(count += 1)}`)] : event.t === 'tool-result' ? [say('it is done'), listen] : [],
        spoken('one two three four five six seven eight nine ten eleven twelve', 32_000),
      );
      let ms = 2000;
      let answered = 0;
      for (const { voiceMs, pauseMs } of pieces) {
        await call.turn(ms, ms + voiceMs);
        ms += voiceMs + pauseMs;
        if (isSlow) await call.at(ms);
        for (; answered < call.begun.length; answered++) {
          const { errand, tell } = call.begun[answered]!;
          if (errand.t === 'tool') tell({ t: 'tool-result', id: errand.request.id, outcome: { ok: true, data: {} } });
        }
      }
      await call.at(ms + 4000);
      const committed = new Set(call.audit.of('caller.said').map(({ body }) => body.turn)).size;
      if (call.audit.of('turn.retracted').length > 0) throw new Error('a turn with an act was taken back');
      if (call.begun.length !== committed) throw new Error(`${call.begun.length} acts for ${committed} turns`);
      call.pbx.callerHangsUp(call.id);
      await settle();
      const requested = call.audit.of('tool.requested').map(({ body }) => body.id);
      const ends = call.audit.of('tool.answered').map(({ body }) => body.id);
      if (requested.join() !== [...ends].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))).join())
        throw new Error('an act without an end');
    }),
    { numRuns: 30 },
  );
  t.end();
});

test('while the line rings the model is told how it will be asked, after outside engines were named and before the answer', async (t) => {
  const beginning = { messages: [{ role: 'system' as const, text: 'Goal: help' }], tools: [] };
  const dialogue: Dialogue<unknown> = {
    ...{ flow: 'test', version: 'v1', language: 'en', fixedTexts: [], begin: () => null, slots: () => ({}), beginning },
    step: (_state, event) => [null, event.t === 'start' ? [listen] : []],
  };
  const outside = [{ kind: 'llm' as const, engine: 'openai', external: { processor: 'Example', legalBasis: 'contract' } }];
  const warmed: (readonly [string, unknown, readonly string[]])[] = [];
  const errands: ErrandPort = {
    begin: () => undefined,
    warm: (callId, told) => warmed.push([callId, told, made.audit.types()]),
    release: () => undefined,
  };
  const made = rig(() => [], undefined, {}, { flow: () => dialogue, outside, errands });
  const id = await made.begin();
  t.equal(warmed.length, 1);
  const [callId, told, logged] = warmed[0] ?? [];
  t.equal(callId, made.runner.openCalls()[0]?.id);
  t.same(told, beginning);
  t.equal(logged?.at(-1), 'engine.external');
  made.pbx.callerHangsUp(id);
  await settle();
});
