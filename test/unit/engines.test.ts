/** Engines that fail, hang and recover: the state machines by properties; chains of recognisers, models and synthesisers on scripted time. */
import fc from 'fast-check';
import { test } from 'tap';
import {
  ParleyError,
  type ChatDelta,
  type ChatRequest,
  type ExternalProcessor,
  type SpeechChunk,
  type SpeechOptions,
  type TextToSpeech,
} from '../../src/contracts/index.ts';
import { ManualTime, ScriptedModel, scriptedReply, settle, type ScriptedStep } from '../../src/dialogue/llm/index.ts';
import {
  attemptsOf,
  costOf,
  EngineChain,
  ResilientModel,
  ResilientStt,
  ResilientTts,
  whole,
  type AnswerRecord,
} from '../../src/engines/index.ts';
import { ask, closedBreaker, told } from '../../src/engines/breaker.ts';
import { bulkhead, EMPTY_BULKHEAD, type BulkheadEvent } from '../../src/engines/bulkhead.ts';
import { reserve } from '../../src/engines/rate.ts';
import { createScriptedStt, spoken } from '../../src/stt/index.ts';
import { createScriptedTts } from '../../src/tts/index.ts';
import { newRace, race, type RaceEffect, type RaceEvent } from '../../src/engines/race.ts';

test('rate limit: never more than the burst and what has grown since, and no wait without need', (t) => {
  const options = { perMinute: 60, burst: 3 };
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { maxLength: 40 }), (steps) => {
      let state = 0;
      let atMs = 0;
      const admitted: number[] = [];
      for (const step of steps) {
        atMs += step;
        const [next, waitMs] = reserve(state, atMs, options);
        const recent = admitted.filter((ms) => ms > atMs - 1000 * options.burst).length;
        if (waitMs > 0 && recent === 0) return false;
        state = next;
        admitted.push(atMs + waitMs);
      }
      return admitted.every((from, i) =>
        admitted.slice(i).every((to, j) => j + 1 <= options.burst + Math.floor((to - from) / 1000 + 1e-9)),
      );
    }),
  );
  t.pass();
  t.end();
});

const breakerOptions = { failures: 3, openMs: 100, maxOpenMs: 400 };

test('breaker: opens after failures in a row, tries one, doubles its patience', (t) => {
  let state = closedBreaker(breakerOptions);
  const tell = (how: 'ok' | 'failed' | 'given-up', atMs: number, probe = false): void =>
    void (state = told(state, { t: how, probe, atMs }, breakerOptions));
  const may = (atMs: number): string => {
    const [next, verdict] = ask(state, atMs);
    state = next;
    return verdict;
  };
  tell('failed', 0);
  tell('failed', 0);
  tell('ok', 0);
  tell('failed', 0);
  tell('failed', 0);
  t.equal(may(0), 'go', 'an answer in between begins the count anew');
  tell('failed', 0);
  t.equal(may(99), 'no');
  t.equal(may(100), 'probe');
  t.equal(may(100), 'no', 'one tries, the others wait');
  tell('failed', 100, true);
  t.equal(may(299), 'no', 'twice as long');
  t.equal(may(300), 'probe');
  tell('given-up', 310, true);
  t.equal(may(310), 'probe', 'a probe that we gave up found nothing out');
  tell('ok', 320, true);
  t.equal(may(320), 'go');
  t.end();
});

test('breaker: in any order of events at most one probe, never open longer than the maximum, and never for ever', (t) => {
  const event = fc.record({
    how: fc.constantFrom('ok' as const, 'failed' as const, 'given-up' as const),
    stepMs: fc.nat(200),
    answer: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      let state = closedBreaker(breakerOptions);
      let atMs = 0;
      let probes = 0;
      for (const { how, stepMs, answer } of events) {
        atMs += stepMs;
        const [asked, verdict] = ask(state, atMs);
        state = asked;
        if (verdict === 'probe' && ++probes > 1) return false;
        if (verdict === 'go' && state.mode !== 'closed') return false;
        if (answer) {
          const probe = probes > 0;
          state = told(state, { t: how, probe, atMs }, breakerOptions);
          if (probe) probes = 0;
        }
        if (state.mode === 'open' && state.untilMs > atMs + breakerOptions.maxOpenMs) return false;
      }
      if (probes > 0) state = told(state, { t: 'failed', probe: true, atMs }, breakerOptions);
      return ask(state, atMs + breakerOptions.maxOpenMs)[1] !== 'no';
    }),
  );
  t.pass();
  t.end();
});

test('bulkhead: never more than its places, first come first served, nobody is forgotten', (t) => {
  const step = fc.oneof(fc.constant('enter' as const), fc.constant('leave' as const), fc.constant('give-up' as const), fc.nat(60));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 3 }), fc.nat(3), (steps, places, queue) => {
      const options = { places, queue, waitMs: 50 };
      let state = EMPTY_BULKHEAD;
      let atMs = 0;
      let nextId = 0;
      const entered: number[] = [];
      const decided = new Map<number, string>();
      const left = new Set<number>();
      let lastAdmitted = -1;
      const unfair: number[] = [];
      const feed = (event: BulkheadEvent): void => {
        const [next, effects] = bulkhead(state, event, options);
        state = next;
        for (const effect of effects) {
          if (effect.t === 'wake') continue;
          if (decided.has(effect.id)) unfair.push(effect.id);
          decided.set(effect.id, effect.t);
          if (effect.t === 'admit') {
            if (effect.id < lastAdmitted) unfair.push(effect.id);
            lastAdmitted = effect.id;
          }
        }
      };
      for (const what of steps) {
        if (typeof what === 'number') {
          atMs += what;
          feed({ t: 'tick', atMs });
        } else if (what === 'enter') {
          entered.push(nextId);
          feed({ t: 'enter', id: nextId++, atMs });
        } else {
          const id = what === 'leave' ? state.running[0] : state.waiting[0]?.id;
          if (id === undefined) continue;
          left.add(id);
          feed({ t: 'leave', id });
        }
        if (state.running.length > places || state.waiting.length > queue) return false;
        if (state.waiting.length > 0 && state.running.length < places) return false;
      }
      feed({ t: 'tick', atMs: atMs + 50 });
      return unfair.length === 0 && state.waiting.length === 0 && entered.every((id) => decided.has(id) || left.has(id));
    }),
  );
  t.pass();
  t.end();
});

test('race: at most two at once, one winner, nobody starts after it, every loser is given up once', (t) => {
  const event: fc.Arbitrary<RaceEvent> = fc.oneof(
    fc.record({ t: fc.constantFrom('failed' as const, 'won' as const), engine: fc.nat(3) }),
    fc.constant({ t: 'hedge' as const }),
    fc.constant({ t: 'abort' as const }),
  );
  fc.assert(fc.property(fc.array(event, { maxLength: 30 }), fc.integer({ min: 1, max: 4 }), raceHolds));
  t.pass();
  t.end();
});

/** Plays the events and checks every effect against what the engines would have seen. */
function raceHolds(events: readonly RaceEvent[], engines: number): boolean {
  let state = newRace(engines);
  const open = new Set<number>();
  const started = new Set<number>();
  let ends = 0;
  const legal = (effect: RaceEffect): boolean => {
    switch (effect.t) {
      case 'start': {
        const fresh = ends === 0 && !started.has(effect.engine);
        started.add(effect.engine);
        open.add(effect.engine);
        return fresh;
      }
      case 'give-up':
        return open.delete(effect.engine);
      case 'win':
        ends++;
        return open.delete(effect.engine) && open.size === 0;
      case 'lost':
        ends++;
        return open.size === 0 && started.size === engines;
      case 'arm-hedge':
        return started.size === 1;
    }
  };
  for (const next of [{ t: 'begin' as const }, ...events]) {
    if (next.t === 'failed') open.delete(next.engine);
    const [after, effects] = race(state, next);
    state = after;
    if (!effects.every(legal) || open.size > 2 || ends > 1) return false;
    const waitingForNobody = ends === 0 && !state.over && open.size === 0;
    if (waitingForNobody) return false;
  }
  return true;
}

const noWait = { places: 8, queue: 8, waitMs: 100 };
const link = (name: string): { name: string; engine: string; breaker: typeof breakerOptions; bulkhead: typeof noWait } => ({
  name,
  engine: name,
  breaker: breakerOptions,
  bulkhead: noWait,
});

test('chain: fits every kind of engine; the second answers for the first', async (t) => {
  const time = new ManualTime();
  const chain = new EngineChain<string>([link('whisper'), link('server')], { clock: time, timers: time });
  const outcome = await chain.run(
    whole((engine) =>
      engine === 'whisper' ? Promise.reject(new ParleyError('STT_FAILED', 'gone')) : Promise.resolve(`words of ${engine}`),
    ),
  );
  t.match(outcome, {
    value: 'words of server',
    engine: 'server',
    attempts: [
      { engine: 'whisper', outcome: 'STT_FAILED' },
      { engine: 'server', outcome: 'answered' },
    ],
  });
  const error: unknown = await chain
    .run(whole(() => Promise.reject(new ParleyError('STT_FAILED', 'gone'))))
    .catch((reason: unknown) => reason);
  t.match(error, { code: 'STT_FAILED' });
  t.same(
    attemptsOf(error).map((attempt) => attempt.engine),
    ['whisper', 'server'],
  );
});

test('chain: a start budget, a breaker that opens, and the one that tries again', async (t) => {
  const time = new ManualTime();
  const states: string[] = [];
  const chain = new EngineChain<string>([{ ...link('slow'), startMs: 50 }, link('spare')], {
    clock: time,
    timers: time,
    onState: (engine, state) => void states.push(`${engine} ${state}`),
  });
  let asked = 0;
  let healthy = false;
  const act = whole<string, string>((engine, signal) => {
    if (engine === 'spare' || healthy) return Promise.resolve(engine);
    asked++;
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  });
  for (let turn = 0; turn < 3; turn++) {
    const run = chain.run(act);
    await time.advance(50);
    t.match(await run, { value: 'spare', attempts: [{ outcome: 'ENGINE_TIMEOUT' }, { outcome: 'answered' }] });
  }
  t.match(await chain.run(act), { value: 'spare', attempts: [{ outcome: 'ENGINE_OPEN' }, {}] });
  t.equal(asked, 3, 'an open engine is not asked');
  t.match(chain.load(), [
    { engine: 'slow', mode: 'open', running: 0 },
    { engine: 'spare', mode: 'closed' },
  ]);
  healthy = true;
  await time.advance(100);
  t.match(await chain.run(act), { value: 'slow' });
  await settle();
  t.same(states, ['slow down', 'slow up']);
});

test('chain: places and a bounded wait; an abort leaves the queue', async (t) => {
  const time = new ManualTime();
  const chain = new EngineChain<string>([{ ...link('one'), bulkhead: { places: 1, queue: 2, waitMs: 100 } }], {
    clock: time,
    timers: time,
  });
  const ends: (() => void)[] = [];
  const act = whole<string, string>(() => new Promise((resolve) => ends.push(() => resolve('done'))));
  const first = chain.run(act);
  const second = chain.run(act);
  const controller = new AbortController();
  const third = chain.run(act, controller.signal);
  const fourth = chain.run(act);
  await t.rejects(fourth, { code: 'ENGINE_BUSY' }, 'the queue is full');
  controller.abort(new Error('hung up'));
  await t.rejects(third, { message: 'hung up' });
  const fifth = chain.run(act);
  await settle();
  ends[0]!();
  t.match(await first, { value: 'done' });
  await settle();
  t.equal(ends.length, 2);
  const late = t.rejects(fifth, { code: 'ENGINE_BUSY' }, 'waited its time');
  await time.advance(100);
  await late;
  ends[1]!();
  t.match(await second, { value: 'done' });
  t.match(chain.load(), [{ running: 0, waiting: 0, mode: 'closed' }]);
});

test('chain: a rate limit with a bounded wait', async (t) => {
  const time = new ManualTime();
  const chain = new EngineChain<string>([{ ...link('one'), rate: { perMinute: 600, burst: 1 } }], { clock: time, timers: time });
  const act = whole<string, number>(() => Promise.resolve(time.nowMs));
  t.match(await chain.run(act), { value: 0 });
  const second = chain.run(act);
  const third = t.rejects(chain.run(act), { code: 'ENGINE_BUSY' }, 'would have to wait 200 ms');
  await time.advance(100);
  t.match(await second, { value: 100 });
  await third;
  const controller = new AbortController();
  const fourth = t.rejects(chain.run(act, controller.signal), { message: 'hung up' });
  await settle();
  controller.abort(new Error('hung up'));
  await fourth;
  t.equal(time.pending, 0);
});

test('chain: a request that is wrong in itself does not open the breaker', async (t) => {
  const time = new ManualTime();
  const chain = new EngineChain<string>([link('one')], { clock: time, timers: time });
  for (let i = 0; i < 10; i++)
    await t.rejects(chain.run(whole(() => Promise.reject(new ParleyError('LLM_REFUSED', 'too long')))), { code: 'LLM_REFUSED' });
});

const request: ChatRequest = { callKey: 'call', messages: [{ role: 'user', text: 'Hello' }] };
async function all(deltas: AsyncIterable<ChatDelta>): Promise<string> {
  let text = '';
  for await (const delta of deltas) if (delta.t === 'text') text += delta.text;
  return text;
}
function scene(first: ScriptedStep[], second: ScriptedStep[], hedgeAfterMs?: number) {
  const time = new ManualTime();
  const records: AnswerRecord[] = [];
  const budget = { firstMs: 300, gapMs: 300, totalMs: 5000 };
  const one = new ScriptedModel({ name: 'one', timers: time, budget, script: () => first });
  const two = new ScriptedModel({
    name: 'two',
    timers: time,
    budget,
    script: () => second,
    external: { processor: 'Example', legalBasis: 'contract' },
  });
  const price = { currency: 'EUR', promptPerMillion: 2, completionPerMillion: 8 };
  const model = new ResilientModel([{ model: one }, { model: two, price }], {
    name: 'llm',
    clock: time,
    timers: time,
    onAnswer: (record) => void records.push(record),
    ...(hedgeAfterMs === undefined ? {} : { hedgeAfterMs }),
  });
  return { time, one, two, model, records };
}

test('model: the first engine hangs, the second answers, and the record says who, how long and what it cost', async (t) => {
  const { time, one, model, records } = scene([{ afterMs: 1e6 }], scriptedReply('Good day to you', { firstMs: 20, gapMs: 10 }));
  t.match(model.external, { processor: 'Example' });
  const reading = all(model.chat(request));
  await time.advance(1000);
  t.equal(await reading, 'Good day to you');
  t.equal(one.requests[0]?.state, 'closed', 'the first is told to stop');
  t.match(records, [
    {
      callKey: 'call',
      engine: 'two',
      outcome: 'done',
      firstMs: 320,
      totalMs: 350,
      external: { processor: 'Example' },
      usage: { promptTokens: 10, completionTokens: 4 },
    },
  ]);
  t.match(records[0]?.attempts, [
    { engine: 'one', outcome: 'LLM_TIMEOUT', tookMs: 300 },
    { engine: 'two', outcome: 'answered', tookMs: 20 },
  ]);
  t.ok(Math.abs((records[0]?.cost?.amount ?? 0) - 52e-6) < 1e-12);
});

test('model: the hedge asks the second early; the slower one is given up', async (t) => {
  const { time, one, two, model, records } = scene(scriptedReply('slow', { firstMs: 200 }), scriptedReply('quick', { firstMs: 30 }), 100);
  const reading = all(model.chat(request));
  await time.advance(99);
  t.equal(two.requests.length, 0);
  await time.advance(200);
  t.equal(await reading, 'quick');
  t.equal(one.requests[0]?.state, 'closed');
  t.match(records, [{ engine: 'two', firstMs: 130 }]);
  t.match(
    records[0]?.attempts.find((attempt) => attempt.engine === 'one'),
    { outcome: 'given-up' },
  );
});

test('model: an answer that breaks off after it began is not mixed with another one', async (t) => {
  const { model, two, records } = scene([{ delta: { t: 'text', text: 'We are' } }, { fail: 'LLM_FAILED' }], scriptedReply('never said'));
  const heard: ChatDelta[] = [];
  await t.rejects(
    (async () => {
      for await (const delta of model.chat(request)) heard.push(delta);
    })(),
    { code: 'LLM_FAILED' },
  );
  t.match(heard, [{ text: 'We are' }]);
  t.equal(two.requests.length, 0);
  t.match(records, [{ engine: 'one', outcome: 'LLM_FAILED' }]);
});

test('model: nobody answers', async (t) => {
  const { model, records } = scene([{ fail: 'LLM_FAILED' }], [{ fail: 'LLM_TIMEOUT' }]);
  await t.rejects(all(model.chat(request)), { code: 'LLM_TIMEOUT' });
  t.match(records, [
    { engine: null, outcome: 'LLM_TIMEOUT', cost: null, attempts: [{ outcome: 'LLM_FAILED' }, { outcome: 'LLM_TIMEOUT' }] },
  ]);
});

test('model: the caller hangs up in each state', async (t) => {
  const waiting = scene([{ afterMs: 1e6 }], []);
  const controller = new AbortController();
  const reading = all(waiting.model.chat({ ...request, signal: controller.signal }));
  await settle();
  controller.abort(new Error('hung up'));
  await t.rejects(reading, { message: 'hung up' });
  await settle();
  t.equal(waiting.one.requests[0]?.state, 'closed');
  t.equal(waiting.two.requests.length, 0, 'no fallback for nobody');
  t.match(waiting.records, [{ outcome: 'given-up' }]);
  t.match(waiting.model.load(), [{ running: 0 }, { running: 0 }]);

  const talking = scene(scriptedReply('one two three', { gapMs: 10 }), []);
  const second = new AbortController();
  const half = (async () => {
    for await (const delta of talking.model.chat({ ...request, signal: second.signal }))
      if (delta.t === 'text') second.abort(new Error('hung up'));
  })();
  await t.rejects(half, { message: 'hung up' });
  t.equal(talking.one.requests[0]?.state, 'closed');
  t.match(talking.records, [{ outcome: 'given-up', engine: 'one' }]);

  const leaving = scene(scriptedReply('one two three', { gapMs: 10 }), []);
  for await (const delta of leaving.model.chat(request)) if (delta.t === 'text') break;
  await settle();
  t.equal(leaving.one.requests[0]?.state, 'closed');
  t.match(leaving.model.load(), [{ running: 0, mode: 'closed' }, {}]);
});

test('model: starts when one can, warms the preferred one, releases all', async (t) => {
  const { model, one, two } = scene([], []);
  await model.start();
  await model.warm({ callKey: 'call', messages: [] });
  t.same([one.warmed.length, two.warmed.length], [1, 0]);
  model.release('call');
  t.same([one.released, two.released], [['call'], ['call']]);
  await model.stop();
});

test('cost: tokens, warm tokens, time', (t) => {
  const price = { currency: 'EUR', promptPerMillion: 10, completionPerMillion: 20, cachedPerMillion: 1, perHour: 3.6 };
  t.same(costOf({ promptTokens: 1_000_000, completionTokens: 500_000, cachedTokens: 400_000 }, 1000, price), {
    amount: 6 + 0.4 + 10 + 0.001,
    currency: 'EUR',
  });
  t.same(costOf(null, 0, price), { amount: 0, currency: 'EUR' });
  t.end();
});

const AUDIO = { fd: -1, bytes: 0 };
const OPENING = { callId: 'call', slot: 0, generation: 1, language: 'en' };

function recognisers(timeoutMs = 500) {
  const time = new ManualTime();
  const says = { call: spoken('a table for two', 1000) };
  const [one, two] = [createScriptedStt({ says }), createScriptedStt({ says })];
  const states: string[] = [];
  const engines: string[] = [];
  const stt = new ResilientStt(
    [
      { stt: one, name: 'one', timeoutMs, price: { currency: 'EUR', perHour: 36 } },
      { stt: two, name: 'two', timeoutMs, price: { currency: 'EUR', perAudioMinute: 0.6 } },
    ],
    { clock: time, timers: time, onEngine: (engine, state) => engines.push(`${engine} ${state}`) },
  );
  stt.onState((state, why) => states.push(`${state}: ${why}`));
  return { time, one, two, stt, states, engines };
}
const FINAL = { fromSample: 0, toSample: 160_000, kind: 'final' } as const;

test('recognisers: the second hears the same samples when the first hangs, and the account says so', async (t) => {
  const { time, one, stt } = recognisers();
  await stt.start(AUDIO);
  const session = stt.open(OPENING);
  one.hold();
  const decode = session.decode(FINAL);
  await time.advance(499);
  await time.advance(2);
  t.match(await decode, {
    text: 'a table for two',
    use: {
      engine: 'two',
      tookMs: 500,
      audioMs: 10_000,
      cost: { amount: 0.1, currency: 'EUR' },
      before: [{ engine: 'one', outcome: 'ENGINE_TIMEOUT', tookMs: 500 }],
    },
  });
  one.release();
  t.match(await session.decode(FINAL), { use: { engine: 'one' } }, 'one failure is no verdict');
  session.close();
  await t.rejects(session.decode(FINAL), { code: 'STT_FAILED' });
});

test('recognisers: a call that ends in the middle of a failover asks nobody else', async (t) => {
  const { one, two, stt } = recognisers();
  await stt.start(AUDIO);
  const session = stt.open(OPENING);
  one.hold();
  const decode = session.decode(FINAL);
  await settle();
  session.close();
  await t.rejects(decode, { code: 'STT_ABORTED' });
  t.equal(two.requests.length, 0);
  t.equal(one.openCalls, 0);
});

test('recognisers: partials go to the engine that would be asked, and all down is told once', async (t) => {
  const { one, two, stt, states, engines } = recognisers();
  await stt.start(AUDIO);
  const session = stt.open(OPENING);
  one.crash();
  t.same(states, [], 'there is another one');
  t.same(engines, ['one down']);
  for (let n = 0; n < 3; n++) await session.decode(FINAL);
  t.match(await session.decode({ ...FINAL, kind: 'partial' }), { use: { engine: 'two' } }, 'the first is left alone now');
  two.crash();
  t.match(states, [/^down: two/]);
  await t.rejects(session.decode(FINAL), { code: 'STT_FAILED' });
  one.revive();
  t.match(states[1], /^up: one/);
  await stt.stop();
});

test('recognisers: one that does not start is tried again, none that starts is an error', async (t) => {
  const { time, one, stt, engines } = recognisers();
  let tries = 0;
  const start = one.start.bind(one);
  one.start = () => (tries++ < 2 ? Promise.reject(new ParleyError('STT_FAILED', 'not yet')) : start());
  await stt.start(AUDIO);
  t.same(engines, ['one down']);
  await time.advance(5_000);
  t.same(engines, ['one down', 'one down']);
  await time.advance(10_000);
  t.same(engines.at(-1), 'one up');
  await stt.stop();
  const never = createScriptedStt({ says: {} });
  never.start = () => Promise.reject(new ParleyError('STT_MODEL', 'no'));
  const dead = new ResilientStt([{ stt: never }], { clock: time, timers: time });
  await t.rejects(dead.start(AUDIO), { code: 'STT_MODEL' });
});

/** A synthesiser whose words are constant samples of 100 ms, in chunks of a word, and that breaks off after `most` words. */
function streaming(name: string, rateHz: number, level: number, most = Infinity, external: ExternalProcessor | null = null): TextToSpeech {
  const word = rateHz / 10;
  const wordsOf = (text: string) =>
    [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], fromChar: match.index, toChar: match.index + match[0].length }));
  async function* stream(text: string, { signal }: SpeechOptions): AsyncGenerator<SpeechChunk> {
    const words = wordsOf(text);
    for (const [n] of words.entries()) {
      signal?.throwIfAborted();
      if (n >= most) throw new ParleyError('TTS_FAILED', 'broke off');
      const marks = n === 0 ? words.map((each, i) => ({ ...each, fromSample: i * word })) : [];
      yield { pcm: new Int16Array(word).fill(level), rateHz, fromSample: n * word, marks };
      await Promise.resolve();
    }
  }
  return {
    name,
    description: name,
    external,
    maxChars: 1000,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    stream,
    synthesise: async (text, options) => {
      const pcm: number[] = [];
      for await (const chunk of stream(text, options)) pcm.push(...chunk.pcm);
      return { pcm: Int16Array.from(pcm), rateHz, firstMs: 0, totalMs: 0 };
    },
  };
}

async function chunksOf(tts: ResilientTts, text: string, options: Partial<SpeechOptions> = {}): Promise<SpeechChunk[]> {
  const chunks: SpeechChunk[] = [];
  for await (const chunk of tts.stream(text, { language: 'en', ...options })) chunks.push(chunk);
  return chunks;
}

test('synthesisers: one breaks off in the middle of a speech, the next goes on with the next word', async (t) => {
  const time = new ManualTime();
  const external = { processor: 'Example', legalBasis: 'contract' };
  const tts = new ResilientTts(
    [
      { tts: streaming('one', 22_050, 100, 2) },
      { tts: streaming('two', 16_000, 200, Infinity, external), price: { currency: 'EUR', perMillionCharacters: 10 } },
    ],
    { clock: time, timers: time },
  );
  await tts.start();
  const text = 'your table is booked';
  const made = await chunksOf(tts, text);
  const chunks = made.slice(0, -1);
  t.match(made.at(-1), { pcm: { length: 0 }, use: { engine: 'two', audioMs: 200, characters: 9 } }, 'the account is whole at the end');
  t.same(
    chunks.map((chunk) => chunk.pcm[chunk.pcm.length >> 1]),
    [100, 100, 200, 200],
    'no word twice, none left out',
  );
  t.ok(
    chunks.every(({ rateHz }) => rateHz === 22_050),
    'one rate',
  );
  let at = 0;
  for (const { fromSample, pcm } of chunks) {
    t.equal(fromSample, at);
    at += pcm.length;
  }
  t.same(
    chunks.map((chunk) => chunk.use?.engine),
    ['one', undefined, 'two', undefined],
  );
  t.match(chunks[2]?.use, { external, characters: 'is booked'.length, cost: { amount: 9e-5 } });
  const last = chunks.flatMap((chunk) => chunk.marks).at(-1);
  t.match(last, { text: 'booked', fromChar: 14, toChar: 20, fromSample: 3 * 2205 });
  t.equal(text.slice(last?.fromChar, last?.toChar), 'booked');
});

test('synthesisers: nobody is left to go on, or everything was said already', async (t) => {
  const time = new ManualTime();
  const both = (most: number) =>
    new ResilientTts([{ tts: streaming('one', 16_000, 1, most) }, { tts: streaming('two', 16_000, 2, most) }], {
      clock: time,
      timers: time,
    });
  await t.rejects(chunksOf(both(1), 'one two three'), { code: 'TTS_FAILED' });
  t.equal((await chunksOf(both(3), 'one two three')).filter(({ pcm }) => pcm.length > 0).length, 3);
});

test('synthesisers: hangs, thrift, voices, hang-up', async (t) => {
  const time = new ManualTime();
  const [one, two] = [createScriptedTts(), createScriptedTts()];
  const heard: SpeechOptions[] = [];
  const speak = two.synthesise.bind(two);
  two.synthesise = (text, options) => (heard.push(options), speak(text, options));
  const tts = new ResilientTts(
    [
      { tts: one, name: 'one', timeoutMs: 300 },
      { tts: two, name: 'two', timeoutMs: 300, thrifty: true },
    ],
    { clock: time, timers: time },
  );
  await tts.start();
  one.hold();
  const clip = tts.synthesise('good morning', { language: 'en', voice: 'of-one' });
  await time.advance(300);
  t.match(await clip, { use: { engine: 'two', characters: 12, before: [{ engine: 'one', outcome: 'ENGINE_TIMEOUT' }] } });
  t.equal(heard[0]?.voice, undefined, 'a voice of the first is nobody to the second');
  one.release();
  t.match(await tts.synthesise('x', { language: 'en', thrifty: true }), { use: { engine: 'two' } });
  one.hold();
  const controller = new AbortController();
  const given = tts.synthesise('never', { language: 'en', signal: controller.signal });
  await settle();
  controller.abort(new Error('hung up'));
  await t.rejects(given, { message: 'hung up' });
  t.notOk(two.spoken.includes('never'));
  await t.rejects(tts.synthesise('x'.repeat(3000), { language: 'en' }), { code: 'TTS_FAILED', message: /3000 characters/ });
});

test('model: the one that a request names answers first, the chain stands in for it, and it stands in for none', async (t) => {
  const time = new ManualTime();
  const budget = { firstMs: 300, gapMs: 100, totalMs: 2000 };
  const down = new Set<string>();
  const [large, small, careful] = ['large', 'small', 'careful'].map(
    (name) =>
      new ScriptedModel({ name, timers: time, budget, script: () => (down.has(name) ? [{ fail: 'LLM_FAILED' }] : scriptedReply(name)) }),
  );
  const price = { currency: 'EUR', promptPerMillion: 100_000, completionPerMillion: 0 };
  const model = new ResilientModel([{ model: large! }, { model: small!, thrifty: true }, { model: careful!, byName: true, price }], {
    name: 'llm',
    clock: time,
    timers: time,
  });
  const ask = async (more: object): Promise<unknown> => {
    const reading = (async () => {
      for await (const delta of model.chat({ ...request, ...more })) if (delta.t === 'done') return delta.by;
      return null;
    })().catch((error: unknown) => (error instanceof ParleyError ? error.code : error));
    await time.advance(500);
    return reading;
  };
  t.strictSame(await ask({ model: 'careful' }), { engine: 'careful', cost: { amount: 1, currency: 'EUR' } });
  t.strictSame(await ask({ model: 'small' }), { engine: 'small' });
  t.strictSame(
    await ask({ model: 'careful', thrifty: true }),
    { engine: 'careful', cost: { amount: 1, currency: 'EUR' } },
    'chosen, not saved on',
  );
  t.strictSame(await ask({ model: 'gone' }), { engine: 'large' });
  down.add('careful');
  t.strictSame(await ask({ model: 'careful' }), { engine: 'large' });
  t.strictSame(await ask({ model: 'careful', thrifty: true }), { engine: 'small' });
  down.delete('careful');
  for (const name of ['large', 'small']) down.add(name);
  const asked = careful!.requests.length;
  t.equal(await ask({}), 'LLM_FAILED', 'nobody else may answer');
  t.equal(careful!.requests.length, asked);
});

test('model: a thrifty answer asks the smaller model first', async (t) => {
  const time = new ManualTime();
  const budget = { firstMs: 300, gapMs: 100, totalMs: 2000 };
  const [large, small] = ['large', 'small'].map(
    (name) => new ScriptedModel({ name, timers: time, budget, script: () => scriptedReply(name) }),
  );
  const model = new ResilientModel([{ model: large! }, { model: small!, thrifty: true }], { name: 'llm', clock: time, timers: time });
  const read = async (more: object): Promise<string> => {
    const reading = all(model.chat({ ...request, ...more }));
    await time.advance(100);
    return reading;
  };
  t.equal(await read({}), 'large');
  t.equal(await read({ thrifty: true }), 'small');
});
