/** One suite for the port LanguageModel: the shipped fake, Ollama and OpenAI-compatible, the last two against servers in processes of their own. */
import { test, type Test } from 'tap';
import type { Reply, RequestState } from '../../bench/servers/calls.ts';
import { startServer, type EngineServer } from '../../bench/servers/start.ts';
import { partsOf } from '../../bench/servers/stream.ts';
import type { ChatDelta, ChatRequest, LanguageModel } from '../../src/contracts/index.ts';
import { OllamaModel } from '../../src/dialogue/llm/ollama.ts';
import { OpenAiModel } from '../../src/dialogue/llm/openai.ts';
import { ResilientModel } from '../../src/engines/index.ts';
import { ManualTime, settle } from '../../src/dialogue/llm/testing/manual-time.ts';
import { ScriptedModel, type ScriptedStep } from '../../src/dialogue/llm/testing/scripted.ts';

interface Seen {
  readonly sentParts: number;
  readonly state: RequestState;
}
interface Subject {
  readonly model: LanguageModel;
  readonly time: ManualTime;
  readonly reply: (...replies: Reply[]) => Promise<void>;
  readonly requests: () => Promise<readonly Seen[]>;
  /** Resolves when request `n` has sent so many parts, or is in this state. */
  readonly until: (n: number, wanted: { parts: number } | { state: RequestState }) => Promise<Seen>;
  readonly release: () => Promise<void>;
}
interface Kind {
  readonly name: string;
  open(t: Test): Promise<() => Promise<Subject>>;
}

const budget = { firstMs: 800, gapMs: 400, totalMs: 5000 };

const fake: Kind = {
  name: 'scripted',
  open: () => Promise.resolve(() => Promise.resolve(fakeSubject())),
};

function fakeSubject(): Subject {
  const time = new ManualTime();
  let replies: readonly Reply[] = [];
  const model = new ScriptedModel({
    timers: time,
    budget,
    script: (_, seen) => steps(replies[Math.min(seen, replies.length - 1)] ?? { parts: 'Yes.' }),
  });
  const seen = (): Seen[] => model.requests.map(({ sent, state }) => ({ sentParts: sent, state }));
  return {
    model,
    time,
    reply: (...next) => Promise.resolve(void (replies = next)),
    requests: () => Promise.resolve(seen()),
    until: async (n) => {
      await settle();
      return seen()[n]!;
    },
    release: () => time.advance(300),
  };
}

function steps(reply: Reply): ScriptedStep[] {
  if (reply.fault === 'never') return [{ afterMs: 1e9 }];
  const parts = partsOf(reply).flatMap((part): ScriptedStep[] => {
    if ('text' in part) return [{ delta: { t: 'text', text: part.text } }];
    const call = { id: 'call-0', name: part.tool.name, arguments: part.tool.arguments as Record<string, unknown> };
    return [{ delta: { t: 'tool-start', name: call.name } }, { delta: { t: 'tool-call', call } }];
  });
  const held =
    reply.holdAfter === undefined ? parts : [...parts.slice(0, reply.holdAfter), { afterMs: 300 }, ...parts.slice(reply.holdAfter)];
  const tools = partsOf(reply).some((part) => 'tool' in part);
  return [
    ...held,
    { delta: { t: 'usage', usage: { promptTokens: 3, completionTokens: parts.length, cachedTokens: null } } },
    { delta: { t: 'done', reason: tools ? 'tools' : (reply.finish ?? 'stop') } },
  ];
}

function overHttp(name: 'ollama' | 'openai', make: (baseUrl: string, timers: ManualTime) => LanguageModel): Kind {
  return {
    name,
    open: async (t) => {
      const server: EngineServer = await startServer(name);
      t.teardown(() => server.stop());
      let calls = 0;
      return () => {
        const id = `call-${calls++}`;
        const time = new ManualTime();
        return Promise.resolve({
          model: make(server.callUrl(id), time),
          time,
          reply: (...replies: Reply[]) => server.script(id, { replies }),
          requests: () => server.seen(id),
          until: (n: number, wanted: { parts: number } | { state: RequestState }) => server.until(id, n, wanted),
          release: () => server.release(id),
        });
      };
    },
  };
}

const kinds: Kind[] = [
  fake,
  overHttp('ollama', (baseUrl, timers) => {
    const model = new OllamaModel({ name: 'ollama', baseUrl, model: 'stand-in', budget, timers });
    return new ResilientModel([{ model }], { name: 'chain', clock: timers, timers });
  }),
  overHttp('ollama', (baseUrl, timers) => new OllamaModel({ name: 'ollama', baseUrl, model: 'stand-in', budget, timers })),
  overHttp(
    'openai',
    (baseUrl, timers) =>
      new OpenAiModel({ name: 'openai', baseUrl: `${baseUrl}/v1`, model: 'stand-in', dialect: 'llama-server', slots: 2, budget, timers }),
  ),
];

function ask(text: string, rest: Partial<ChatRequest> = {}): ChatRequest {
  return { callKey: 'call', messages: [{ role: 'user', text }], ...rest };
}
async function all(deltas: AsyncIterable<ChatDelta>): Promise<ChatDelta[]> {
  const list: ChatDelta[] = [];
  for await (const delta of deltas) list.push(delta);
  return list;
}
/** A chain says besides who answered. */
function withoutBy(delta: ChatDelta | undefined): unknown {
  return delta?.t === 'done' ? { t: delta.t, reason: delta.reason } : delta;
}
function spoken(deltas: readonly ChatDelta[]): string {
  return deltas.map((delta) => (delta.t === 'text' ? delta.text : '')).join('');
}
function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

for (const kind of kinds) {
  test(`LanguageModel: ${kind.name}`, async (t) => {
    const subject = await kind.open(t);

    await t.test('starts, says what it is, and belongs to the operator', async (t) => {
      const { model } = await subject();
      await model.start();
      t.ok(model.name.length > 0 && model.description.length > 0);
      t.equal(model.external, null);
      await model.stop();
    });

    await t.test('streams text in order, then usage, then one done', async (t) => {
      const { model, reply } = await subject();
      await reply({ parts: 'We are open from nine to five.' });
      const deltas = await all(model.chat(ask('When are you open?')));
      t.equal(spoken(deltas), 'We are open from nine to five.');
      t.same(
        deltas.slice(-2).map((delta) => delta.t),
        ['usage', 'done'],
      );
      t.same(withoutBy(deltas.at(-1)), { t: 'done', reason: 'stop' });
      t.equal(deltas.filter((delta) => delta.t === 'text').length, 7, 'one delta for each token');
    });

    await t.test('sends nothing before it is read', async (t) => {
      const { model, requests } = await subject();
      model.chat(ask('Hello'));
      await settle();
      t.same(await requests(), []);
    });

    await t.test('says when the answer was cut at its length', async (t) => {
      const { model, reply } = await subject();
      await reply({ parts: 'And then', finish: 'length' });
      t.same(withoutBy((await all(model.chat(ask('Tell me a story')))).at(-1)), { t: 'done', reason: 'length' });
    });

    await t.test('puts a tool call together and announces it first', async (t) => {
      const { model, reply } = await subject();
      const wanted = { day: '2026-11-27', guests: 4, note: 'Zoë, 1️⃣ window' };
      await reply({ parts: [{ text: 'One moment.' }, { tool: { name: 'book_table', arguments: wanted } }] });
      const tools = [
        { name: 'book_table', description: 'Books a table', parameters: { type: 'object', properties: { day: { type: 'string' } } } },
      ];
      const deltas = await all(model.chat(ask('A table for four', { tools })));
      const call = deltas.find((delta) => delta.t === 'tool-call');
      t.same(call?.t === 'tool-call' ? call.call.arguments : null, wanted);
      t.ok(call?.t === 'tool-call' && call.call.id !== '');
      t.equal(deltas.findIndex((delta) => delta.t === 'tool-start') < deltas.findIndex((delta) => delta.t === 'tool-call'), true);
      t.same(withoutBy(deltas.at(-1)), { t: 'done', reason: 'tools' });
    });

    await t.test('an abort in mid-stream throws its reason and the server sees the close', async (t) => {
      const { model, reply, until } = await subject();
      await reply({ parts: 'One two three four five six', holdAfter: 2 });
      const controller = new AbortController();
      const heard: ChatDelta[] = [];
      const reading = (async () => {
        for await (const delta of model.chat(ask('Count', { signal: controller.signal }))) {
          heard.push(delta);
          if (heard.length === 2) controller.abort(new Error('the caller speaks'));
        }
      })();
      t.match(await rejection(reading), { message: 'the caller speaks' });
      const request = await until(0, { state: 'closed' });
      t.match(request, { state: 'closed', sentParts: 2 });
      t.equal(spoken(heard), 'One two');
    });

    await t.test('an abort while nothing comes is heard too', async (t) => {
      const { model, reply, until } = await subject();
      await reply({ parts: '', fault: 'never' });
      const controller = new AbortController();
      const reading = rejection(all(model.chat(ask('Hello', { signal: controller.signal }))));
      await until(0, { state: 'open' });
      controller.abort(new Error('hung up'));
      t.match(await reading, { message: 'hung up' });
      t.match(await until(0, { state: 'closed' }), { state: 'closed' });
    });

    await t.test('an abort before the first byte is sent sends nothing', async (t) => {
      const { model, requests } = await subject();
      t.match(await rejection(all(model.chat(ask('Hello', { signal: AbortSignal.abort(new Error('too late')) })))), {
        message: 'too late',
      });
      t.same(await requests(), []);
    });

    await t.test('a reader who leaves early ends the request', async (t) => {
      const { model, reply, until } = await subject();
      await reply({ parts: 'One two three', holdAfter: 1 });
      for await (const delta of model.chat(ask('Count'))) {
        t.equal(delta.t, 'text');
        break;
      }
      t.match(await until(0, { state: 'closed' }), { state: 'closed', sentParts: 1 });
    });

    await t.test('the first token too late: LLM_TIMEOUT, and the server sees the close', async (t) => {
      const { model, reply, until, time } = await subject();
      await reply({ parts: '', fault: 'never' });
      const reading = rejection(all(model.chat(ask('Hello'))));
      await until(0, { state: 'open' });
      await time.advance(799);
      t.match(await until(0, { state: 'open' }), { state: 'open' });
      await time.advance(1);
      t.match(await reading, { code: 'LLM_TIMEOUT', message: /first budget of 800 ms/ });
      t.match(await until(0, { state: 'closed' }), { state: 'closed' });
    });

    await t.test('the answer pauses within its budget: it goes on', async (t) => {
      const { model, reply, until, time, release } = await subject();
      await reply({ parts: 'One two three', holdAfter: 1 });
      const reading = all(model.chat(ask('Count')));
      await until(0, { parts: 1 });
      await time.advance(90);
      await release();
      t.equal(spoken(await reading), 'One two three');
    });

    await t.test('calls at once do not touch each other', async (t) => {
      const one = await subject();
      const two = await subject();
      await one.reply({ parts: 'alpha alpha alpha alpha', holdAfter: 2 });
      await two.reply({ parts: 'beta beta beta beta', holdAfter: 2 });
      const controller = new AbortController();
      const first = rejection(all(one.model.chat(ask('a', { callKey: 'a', signal: controller.signal }))));
      const second = all(two.model.chat(ask('b', { callKey: 'b' })));
      await one.until(0, { parts: 2 });
      await two.until(0, { parts: 2 });
      controller.abort(new Error('gone'));
      t.match(await first, { message: 'gone' });
      await one.until(0, { state: 'closed' });
      await two.release();
      t.equal(spoken(await second), 'beta beta beta beta');
    });

    await t.test('two requests of one engine: aborting one leaves the other alone', async (t) => {
      const { model, reply, until, release } = await subject();
      await reply({ parts: 'alpha alpha alpha', holdAfter: 1 }, { parts: 'beta beta beta', holdAfter: 1 });
      const controller = new AbortController();
      const first = rejection(all(model.chat(ask('a', { callKey: 'a', signal: controller.signal }))));
      await until(0, { parts: 1 });
      const second = all(model.chat(ask('b', { callKey: 'b' })));
      await until(1, { parts: 1 });
      controller.abort(new Error('gone'));
      t.match(await first, { message: 'gone' });
      await release();
      t.equal(spoken(await second), 'beta beta beta');
      t.match(await until(1, { state: 'finished' }), { state: 'finished' });
    });

    await t.test('control characters go, emoji and every script stay', async (t) => {
      const { model, reply } = await subject();
      await reply({
        parts: [{ text: 'Zo\u0000ë \u001b[31m👩‍👩‍👧 ' }, { text: '\u202eПривет\u0007 ' }, { text: '你好 \ud83d' }, { text: '\ude00 مرحبا\n' }],
      });
      t.equal(spoken(await all(model.chat(ask('Hi')))), 'Zoë [31m👩‍👩‍👧 Привет 你好 😀 مرحبا\n');
    });

    await t.test('what the model thinks first is not passed on', async (t) => {
      const { model, reply } = await subject();
      const thought = ['<thi', 'nk>The caller', ' wants 5 < 6', ' tables.</th', 'ink>\n\nOf', ' course.'];
      await reply({ parts: thought.map((text) => ({ text })) });
      t.equal(spoken(await all(model.chat(ask('Hi')))), 'Of course.');
    });

    await t.test('ten thousand characters go in and come out', async (t) => {
      const { model, reply } = await subject();
      const long = 'äß☎️ '.repeat(2000);
      await reply({ parts: [{ text: long }] });
      t.equal(spoken(await all(model.chat(ask(long)))), long);
    });

    await t.test('warms a prompt and lets a call go', async (t) => {
      const { model, reply } = await subject();
      await reply({ parts: 'x' });
      await model.warm({ callKey: 'call', messages: [{ role: 'system', text: 'You are the receptionist.' }] });
      model.release('call');
      model.release('unknown');
      t.pass();
    });
  });
}
