/** Engines that fail, hang and recover: the state machines by properties, the chain and the model on scripted time. */
import fc from 'fast-check';
import { test } from 'tap';
import { ParleyError, type ChatDelta, type ChatRequest } from '../../src/contracts/index.ts';
import {
  attemptsOf,
  costOf,
  EngineChain,
  ManualTime,
  ResilientModel,
  ScriptedModel,
  scriptedReply,
  settle,
  whole,
} from '../../src/dialogue/llm/index.ts';
import type { AnswerRecord, ScriptedStep } from '../../src/dialogue/llm/index.ts';
import { ask, closedBreaker, told } from '../../src/dialogue/llm/resilience/breaker.ts';
import { bulkhead, EMPTY_BULKHEAD, type BulkheadEvent } from '../../src/dialogue/llm/resilience/bulkhead.ts';
import { reserve } from '../../src/dialogue/llm/resilience/rate.ts';
import { newRace, race, type RaceEffect, type RaceEvent } from '../../src/dialogue/llm/resilience/race.ts';

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
