/** The adapters against servers in processes of their own: what they send, and everything that can come back wrong. */
import { test, type Test } from 'tap';
import { z } from 'zod';
import type { Reply } from '../../bench/servers/calls.ts';
import { startServer, type EngineServer } from '../../bench/servers/start.ts';
import {
  ParleyError,
  type ChatDelta,
  type ChatRequest,
  type LanguageModel,
  type LogFields,
  type Logger,
} from '../../src/contracts/index.ts';
import { askStructured, OllamaModel, OpenAiModel, type OllamaOptions, type OpenAiOptions } from '../../src/dialogue/llm/index.ts';
import { ManualTime } from '../../src/dialogue/llm/testing/manual-time.ts';
import { llamaIsThere, startLlama } from '../support/llama-server.ts';
import { systemTimers } from '../support/system-timers.ts';

const SECRET = 'my number is 0171 5550199';
const budget = { firstMs: 20_000, gapMs: 20_000, totalMs: 60_000 };

function ask(text: string, rest: Partial<ChatRequest> = {}): ChatRequest {
  return { callKey: 'call', messages: [{ role: 'user', text }], ...rest };
}
async function all(deltas: AsyncIterable<ChatDelta>): Promise<ChatDelta[]> {
  const list: ChatDelta[] = [];
  for await (const delta of deltas) list.push(delta);
  return list;
}
async function rejection(promise: Promise<unknown>): Promise<ParleyError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ParleyError)) throw new Error('expected a ParleyError');
  return error;
}
/** Everything a person could read of an error. */
function readable(error: Error): string {
  const cause = error.cause instanceof Error ? readable(error.cause) : String(error.cause);
  return `${error.message} ${cause}`;
}

interface Kind {
  readonly name: 'ollama' | 'openai';
  readonly make: (server: EngineServer, id: string, more?: Partial<OllamaOptions & OpenAiOptions>) => LanguageModel;
}
const kinds: Kind[] = [
  {
    name: 'ollama',
    make: (server, id, more) =>
      new OllamaModel({
        name: 'ollama',
        baseUrl: server.callUrl(id),
        model: 'stand-in',
        budget,
        timers: systemTimers,
        contextTokens: 4096,
        ...more,
      }),
  },
  {
    name: 'openai',
    make: (server, id, more) =>
      new OpenAiModel({
        name: 'openai',
        baseUrl: `${server.callUrl(id)}/v1`,
        model: 'stand-in',
        dialect: 'llama-server',
        slots: 2,
        budget,
        timers: systemTimers,
        ...more,
      }),
  },
];

/** Collects what the process prints while `run` runs: a package that prints a caller's words would break the privacy rule. */
async function printed(t: Test, run: () => Promise<void>): Promise<string> {
  const captures = (['log', 'warn', 'error', 'info', 'debug'] as const).map((method) => t.capture(console, method));
  await run();
  return captures.map((capture) => JSON.stringify(capture().map((call) => call.args as unknown[]))).join('');
}

for (const kind of kinds) {
  test(`bad input over ${kind.name}`, async (t) => {
    const server = await startServer(kind.name);
    t.teardown(() => server.stop());
    const faults: [string, Partial<Reply>, string, RegExp][] = [
      ['breaks off in the middle', { fault: 'half' }, 'LLM_FAILED', /connection failed/],
      ['ends in good order but too early', { fault: 'cut' }, 'LLM_BAD_OUTPUT', /without saying that it is done/],
      ['has another shape', { fault: 'wrong-shape' }, 'LLM_BAD_OUTPUT', /wrong shape/],
      ['is not the protocol at all', { fault: 'garbage' }, 'LLM_BAD_OUTPUT', /./],
      ['is a 500', { fault: 'status-500' }, 'LLM_FAILED', /status 500/],
      ['is a 400', { fault: 'status-400' }, 'LLM_REFUSED', /status 400/],
      ['is a 404', { fault: 'status-404' }, 'LLM_MODEL', /status 404/],
      ['is a line without an end', { fault: 'huge-line' }, 'LLM_BAD_OUTPUT', /more than \d+ bytes/],
      ['reports an error inside', { fault: 'error-inside' }, 'LLM_FAILED', /./],
      ['sends us elsewhere', { fault: 'redirect' }, 'LLM_FAILED', /./],
    ];
    for (const [what, reply, code, message] of faults) {
      await t.test(`the answer ${what}: ${code}`, async (t) => {
        const id = what.replaceAll(' ', '-');
        await server.script(id, { replies: [{ parts: `One ${SECRET} three four`, ...reply }, { parts: 'Better now.' }] });
        const model = kind.make(server, id);
        let error = new Error('none');
        const output = await printed(t, async () => void (error = await rejection(all(model.chat(ask(SECRET))))));
        t.match(error, { code, message });
        t.notMatch(readable(error), /0171|number/, 'no word of the caller or the model in the error');
        t.notMatch(output, /[a-z]/, 'nothing is printed');
        const next = await all(model.chat(ask('Again?')));
        t.equal(
          next.map((delta) => (delta.t === 'text' ? delta.text : '')).join(''),
          'Better now.',
          'the next request is not touched by it',
        );
        t.match(await server.until(id, 0, { state: reply.fault === 'huge-line' ? 'closed' : 'finished' }), { path: /chat/ });
      });
    }

    await t.test('late, but within its budget', async (t) => {
      await server.script('late', { replies: [{ parts: 'Here I am', fault: 'late', lateMs: 30 }] });
      t.equal((await all(kind.make(server, 'late').chat(ask('Hello')))).at(-1)?.t, 'done');
    });

    await t.test('stops in the middle: the gap budget ends it and the server sees the close', async (t) => {
      const time = new ManualTime();
      await server.script('gap', { replies: [{ parts: 'One two three', holdAfter: 2 }] });
      const model = kind.make(server, 'gap', { timers: time, budget: { firstMs: 1000, gapMs: 300, totalMs: 9000 } });
      const heard: ChatDelta[] = [];
      const reading = rejection(
        (async () => {
          for await (const delta of model.chat(ask('Count'))) {
            heard.push(delta);
            // The alarm of the gap is set when the next delta is asked for.
            if (heard.length === 2) setImmediate(() => void time.advance(300));
          }
        })(),
      );
      t.match(await reading, { code: 'LLM_TIMEOUT', message: /gap budget of 300 ms/ });
      t.match(await server.until('gap', 0, { state: 'closed' }), { sentParts: 2 });
    });

    await t.test('arguments of a tool call that are no object', async (t) => {
      await server.script('arguments', { replies: [{ parts: [{ tool: { name: 'book', arguments: {}, raw: `[${SECRET}` } }] }] });
      const error = await rejection(all(kind.make(server, 'arguments').chat(ask('Book'))));
      t.equal(error.code, 'LLM_BAD_OUTPUT');
      t.notMatch(readable(error), /0171/);
    });

    await t.test('bytes that come one by one, through the middle of every character', async (t) => {
      const text = 'Grüße 😀 às três 你好';
      await server.script('dribble', { replies: [{ parts: text, dribble: true }] });
      const deltas = await all(kind.make(server, 'dribble').chat(ask('Hello')));
      t.equal(deltas.map((delta) => (delta.t === 'text' ? delta.text : '')).join(''), text);
    });

    await t.test('a connection that dies before the answer is tried once more, and only once', async (t) => {
      await server.script('hang-up', { replies: [{ parts: '', fault: 'hang-up' }, { parts: 'Here I am' }] });
      t.equal((await all(kind.make(server, 'hang-up').chat(ask('Hello')))).at(-1)?.t, 'done');
      await server.script('hang-up-2', { replies: [{ parts: '', fault: 'hang-up' }] });
      t.match(await rejection(all(kind.make(server, 'hang-up-2').chat(ask('Hello')))), { code: 'LLM_FAILED' });
      t.equal((await server.seen('hang-up-2')).length, 2);
    });

    await t.test('nobody listens there', async (t) => {
      const gone = await startServer(kind.name);
      const model = kind.make(gone, 'x');
      await gone.stop();
      t.match(await rejection(all(model.chat(ask('Hello')))), { code: 'LLM_FAILED', message: /ECONNREFUSED/, retryable: true });
      t.match(await rejection(model.start()), { code: 'LLM_FAILED' });
    });

    await t.test('the server has another model', async (t) => {
      t.match(await rejection(kind.make(server, 'model', { model: 'unknown' }).start()), { code: 'LLM_MODEL', message: /unknown/ });
      t.match(await rejection(all(kind.make(server, 'model', { model: 'unknown' }).chat(ask('Hello')))), { code: 'LLM_MODEL' });
    });

    await t.test('a finished answer leaves its connection for the next one', async (t) => {
      await server.script('reuse', { replies: [{ parts: 'One two three' }] });
      const model = kind.make(server, 'reuse');
      for (let turn = 0; turn < 4; turn++) await all(model.chat(ask('Hello')));
      const ports = new Set((await server.seen('reuse')).map((request) => request.clientPort));
      t.ok(ports.size < 4, `4 requests over ${ports.size} connections`);
    });

    await t.test('many calls at once: every answer reaches its own call', async (t) => {
      const ids = Array.from({ length: 20 }, (_, i) => `many-${i}`);
      for (const id of ids) await server.script(id, { replies: [{ parts: `${id} `.repeat(30) }] });
      const answers = await Promise.all(ids.map((id) => all(kind.make(server, id).chat(ask('Hello', { callKey: id })))));
      for (const [i, deltas] of answers.entries()) {
        const words = new Set(
          deltas.flatMap((delta) => (delta.t === 'text' ? delta.text.trim().split(/\s+/) : [])).filter((word) => word !== ''),
        );
        t.same([...words], [ids[i]]);
      }
    });
  });
}

test('what Ollama is sent', async (t) => {
  const server = await startServer('ollama');
  t.teardown(() => server.stop());
  const model = kinds[0]!.make(server, 'sent');
  await model.start();
  await all(
    model.chat({
      callKey: 'call-1',
      messages: [
        { role: 'system', text: 'Be brief.' },
        { role: 'user', text: 'Book it' },
        { role: 'assistant', text: '', toolCalls: [{ id: 'c1', name: 'book', arguments: { day: 'Friday' } }] },
        { role: 'tool', callId: 'c1', name: 'book', text: 'done' },
      ],
      tools: [{ name: 'book', description: 'Books', parameters: { type: 'object' } }],
      options: { temperature: 0.2, maxTokens: 60, stop: ['\n\n'], seed: 7, topP: 0.9 },
      format: { type: 'object' },
    }),
  );
  await model.warm({ callKey: 'call-1', messages: [{ role: 'system', text: 'Be brief.' }] });
  const [load, chat, warm] = await server.seen('sent');
  t.match(load?.body, { messages: [], keep_alive: -1 });
  t.same(chat?.body, {
    model: 'stand-in',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Book it' },
      { role: 'assistant', content: '', tool_calls: [{ function: { name: 'book', arguments: { day: 'Friday' } } }] },
      { role: 'tool', tool_name: 'book', content: 'done' },
    ],
    stream: true,
    think: false,
    keep_alive: -1,
    tools: [{ type: 'function', function: { name: 'book', description: 'Books', parameters: { type: 'object' } } }],
    format: { type: 'object' },
    options: { num_ctx: 4096, temperature: 0.2, top_p: 0.9, seed: 7, stop: ['\n\n'], num_predict: 60 },
  });
  t.match(warm?.body, { options: { num_predict: 1, num_ctx: 4096 }, keep_alive: -1 });
});

test('what an OpenAI-compatible server is sent', async (t) => {
  const server = await startServer('openai');
  t.teardown(() => server.stop());
  // The package would read these; the adapter must not let it.
  process.env['OPENAI_API_KEY'] = 'sk-of-somebody-else';
  process.env['OPENAI_BASE_URL'] = 'http://203.0.113.1/v1';
  process.env['OPENAI_ORG_ID'] = 'org';
  t.teardown(() => {
    for (const name of ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'OPENAI_ORG_ID']) Reflect.deleteProperty(process.env, name);
  });
  const make = kinds[1]!.make;

  await t.test('llama-server: prompt cache and one slot for each call', async (t) => {
    const warnings: LogFields[] = [];
    const quiet = (): void => undefined;
    const logger: Logger = {
      debug: quiet,
      info: quiet,
      error: quiet,
      warn: (_, fields) => void warnings.push(fields ?? {}),
      child: () => logger,
    };
    const model = make(server, 'slots', { logger });
    await model.start();
    for (const callKey of ['a', 'b', 'a', 'c', 'c']) await all(model.chat(ask('Hello', { callKey })));
    model.release('a');
    for (const callKey of ['c', 'b']) await all(model.chat(ask('Hello', { callKey })));
    const slots = (await server.seen('slots')).map((request) => request.body as { id_slot?: number; cache_prompt?: boolean });
    t.same(
      slots.map((body) => body.id_slot),
      [0, 1, 0, undefined, undefined, 0, 1],
    );
    t.ok(slots.every((body) => body.cache_prompt === true));
    t.same(warnings, [{ slots: 2, calls: 3 }], 'too few slots are told once');
  });

  await t.test('messages, tools, schema and limits', async (t) => {
    const model = make(server, 'sent', { apiKey: 'ours', dialect: 'vllm' });
    await all(
      model.chat({
        callKey: 'x',
        messages: [
          { role: 'user', text: 'Book it' },
          { role: 'assistant', text: '', toolCalls: [{ id: 'c1', name: 'book', arguments: { day: 'Friday' } }] },
          { role: 'tool', callId: 'c1', name: 'book', text: 'done' },
        ],
        tools: [{ name: 'book', description: 'Books', parameters: { type: 'object' } }],
        format: { type: 'object' },
        options: { maxTokens: 60, temperature: 0 },
      }),
    );
    const [request] = await server.seen('sent');
    t.equal(request?.authorization, 'Bearer ours');
    t.same(request?.body, {
      model: 'stand-in',
      messages: [
        { role: 'user', content: 'Book it' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'book', arguments: '{"day":"Friday"}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'done' },
      ],
      stream: true,
      stream_options: { include_usage: true },
      tools: [{ type: 'function', function: { name: 'book', description: 'Books', parameters: { type: 'object' } } }],
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: { type: 'object' }, strict: true } },
      max_tokens: 60,
      temperature: 0,
    });
  });

  await t.test('no key of the environment', async (t) => {
    await all(make(server, 'key').chat(ask('Hello')));
    t.equal((await server.seen('key'))[0]?.authorization, 'Bearer none');
  });

  await t.test('an external provider: no slots, no warming, and the record says who', async (t) => {
    const external = { processor: 'Example Ltd', legalBasis: 'contract of 2026-10-01' };
    const model = make(server, 'external', { external, dialect: 'openai' });
    await model.start();
    await model.warm({ callKey: 'x', messages: [] });
    await all(model.chat(ask('Hello', { options: { maxTokens: 5 } })));
    t.same(model.external, external);
    const seen = await server.seen('external');
    t.equal(seen.length, 1);
    t.match(seen[0]?.body, { max_completion_tokens: 5 });
    t.notMatch(seen[0]?.body, { cache_prompt: true });
  });
});

test('where a language model may be', async (t) => {
  const base = { name: 'm', model: 'x', budget, timers: systemTimers } as const;
  const resolve = (name: string): Promise<string[]> =>
    Promise.resolve(name === 'inside' ? ['10.1.2.3', 'fd00::1'] : ['10.1.2.3', '198.51.100.7']);
  for (const host of ['8.8.8.8', '[2001:db8::1]', '172.32.0.1', '[::ffff:8.8.8.8]', '0.0.0.0']) {
    t.throws(() => new OpenAiModel({ ...base, dialect: 'openai', baseUrl: `http://${host}/v1` }), { code: 'LLM_EXTERNAL' }, host);
    t.throws(() => new OllamaModel({ ...base, baseUrl: `http://${host}:11434` }), { code: 'LLM_EXTERNAL' }, host);
  }
  for (const host of ['127.0.0.1', '[::1]', '10.0.0.8', '172.16.9.9', '192.168.1.1', '[fd12::1]', '[::ffff:127.0.0.1]']) {
    t.doesNotThrow(() => new OllamaModel({ ...base, baseUrl: `http://${host}:11434` }), host);
  }
  t.throws(() => new OllamaModel({ ...base, baseUrl: 'file:///etc/passwd' }), { code: 'LLM_REFUSED' });
  t.throws(() => new OllamaModel({ ...base, baseUrl: 'http://user:secret@127.0.0.1/' }), { code: 'LLM_REFUSED', message: /key file/ });
  t.throws(() => new OllamaModel({ ...base, baseUrl: 'http://8.8.8.8/', external: { processor: 'Example', legalBasis: ' ' } }), {
    code: 'LLM_EXTERNAL',
  });
  const named = { external: { processor: 'Example', legalBasis: 'contract' } };
  t.doesNotThrow(() => new OllamaModel({ ...base, baseUrl: 'https://8.8.8.8/', ...named }));
  t.throws(() => new OllamaModel({ ...base, baseUrl: 'http://8.8.8.8/', ...named }), { code: 'LLM_REFUSED', message: /in clear/ });
  t.match(await rejection(new OllamaModel({ ...base, baseUrl: 'http://outside/', resolve }).start()), {
    code: 'LLM_EXTERNAL',
    message: /outside/,
  });
  t.match(await rejection(new OllamaModel({ ...base, baseUrl: 'http://outside/', resolve }).warm({ callKey: 'x', messages: [] })), {
    code: 'LLM_EXTERNAL',
  });
  for (const model of [
    new OllamaModel({ ...base, baseUrl: 'http://outside/', resolve }),
    new OpenAiModel({ ...base, dialect: 'vllm', baseUrl: 'http://outside/v1', resolve }),
  ]) {
    t.match(await rejection(all(model.chat(ask('Hello')))), { code: 'LLM_EXTERNAL' }, 'not even when nobody started it');
  }
  const nowhere = (): Promise<string[]> => Promise.reject(new Error('ENOTFOUND'));
  t.match(await rejection(new OllamaModel({ ...base, baseUrl: 'http://nowhere/', resolve: nowhere }).start()), {
    code: 'LLM_FAILED',
    message: /cannot be resolved/,
  });
});

test('llama-server of Debian, with random weights', async (t) => {
  if (!llamaIsThere) {
    t.comment('not here: scripts/fetch-llama.sh fetches it');
    return;
  }
  const server = await startLlama(2);
  t.teardown(() => server.stop());
  const make = (): OpenAiModel =>
    new OpenAiModel({
      name: 'llama',
      baseUrl: `${server.origin}/v1`,
      model: 'tiny',
      dialect: 'llama-server',
      slots: 2,
      budget,
      timers: systemTimers,
    });
  const busy = async (): Promise<number> => {
    const slots = (await (await fetch(`${server.origin}/slots`)).json()) as { is_processing: boolean }[];
    return slots.filter((slot) => slot.is_processing).length;
  };
  const usage = (deltas: readonly ChatDelta[]): number | null => {
    const found = deltas.find((delta) => delta.t === 'usage');
    return found?.t === 'usage' ? found.usage.cachedTokens : null;
  };
  const persona = { role: 'system' as const, text: 'You are the receptionist of the clinic at the lake. You are brief.' };
  const options = { maxTokens: 12, temperature: 0 };

  await t.test('has its model, and no other', async (t) => {
    await make().start();
    const other = new OpenAiModel({
      name: 'llama',
      baseUrl: `${server.origin}/v1`,
      model: 'other',
      dialect: 'llama-server',
      budget,
      timers: systemTimers,
    });
    t.match(await rejection(other.start()), { code: 'LLM_MODEL' });
  });

  await t.test('streams an answer', async (t) => {
    const deltas = await all(make().chat(ask('Hello', { options })));
    t.same(deltas.at(-1), { t: 'done', reason: 'length' });
    t.equal(deltas.filter((delta) => delta.t === 'text').length, 12);
  });

  await t.test('a warmed prompt is found warm by its own call only', async (t) => {
    const model = make();
    const before = [persona, { role: 'user' as const, text: '' }];
    await model.warm({ callKey: 'a', messages: before });
    const warm = await all(model.chat({ callKey: 'a', messages: [persona, { role: 'user', text: 'Is somebody there?' }], options }));
    t.ok((usage(warm) ?? 0) > 30, `${usage(warm) ?? 0} tokens were warm`);
  });

  await t.test('keeps to a schema, so that even a model without sense answers in shape', async (t) => {
    const schema = z.object({ answer: z.enum(['yes', 'no']), guests: z.number().int().min(1).max(9) });
    const fallback = { answer: 'no' as const, guests: 1 };
    const request = {
      callKey: 's',
      messages: [{ role: 'user' as const, text: 'Four of us' }],
      options: { maxTokens: 300, temperature: 0 },
    };
    t.match(await askStructured(make(), request, { schema, fallback }), { source: 'model', failure: null });
  });

  await t.test('an abort stops its work', async (t) => {
    const controller = new AbortController();
    const reading = (async () => {
      for await (const delta of make().chat(
        ask('Talk for ever', { signal: controller.signal, options: { maxTokens: 4000, temperature: 0 } }),
      )) {
        if (delta.t === 'text') controller.abort(new Error('enough'));
      }
    })();
    await t.rejects(reading, { message: 'enough' });
    // A server that had not seen the close would be at it for thousands of tokens; the slot must come free.
    while ((await busy()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(await busy(), 0);
  });

  await t.test('a prompt longer than its context is refused', async (t) => {
    const error = await rejection(all(make().chat(ask('table for two '.repeat(3000), { options }))));
    t.equal(error.code, 'LLM_REFUSED');
    t.notMatch(readable(error), /table/);
  });
});
