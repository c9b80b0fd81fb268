/** Tools, approvals, routers and agents: every fault leads on, nothing forbidden ever leaves, on virtual time. */
import fc from 'fast-check';
import { test } from 'tap';
import {
  type DialogueEffect,
  type DialogueEvent,
  type Errand,
  type Logger,
  ParleyError,
  type ToolCall,
} from '../../src/contracts/index.ts';
import { createDialogue, type FlowState, parseFlow } from '../../src/dialogue/index.ts';
import { ManualTime, ScriptedModel, settle } from '../../src/dialogue/llm/index.ts';
import { type AdapterCall } from '../../src/integrations/ports.ts';
import {
  ApprovalDesk,
  ErrandDesk,
  isPrivate,
  memoryPorts,
  MemoryOutbox,
  NotDone,
  portTools,
  Refused,
  ScriptedDeskPhone,
  type ToolAdapter,
} from '../../src/integrations/index.ts';
import { ATTACKS } from '../support/attacks.ts';
import { keepingLogger } from '../support/quiet-log.ts';

const FLOW = `
flow: shop
language: en
person: host
start: order
variables: { status: '', free: '' }
slots: { order: { type: digits, min: 4, max: 4 } }
prompts: { ask: "Your order?", told: "Your order is {status}.", sorry: "I cannot see it.", bye: "Bye." }
tools:
  find:
    description: Looks up an order
    effect: EFFECT
    approval: APPROVAL
    arguments: { order: {}, caller: { context: caller } }
    result: { status: { maxLength: 40 } }
    port: orders.find
    retries: 1
steps:
  order: { ask: order, prompt: ask, next: find }
  find: { do: find, with: { order: '{order}' }, into: { status: status }, next: told, failed: sorry }
  told: { say: told, next: bye }
  sorry: { say: sorry, next: bye, outcome: unseen }
  bye: { end: hangup, prompt: bye }
`;

const AGENT = `
flow: helper
language: en
person: host
start: help
slots: {}
prompts: { hello: "How can I help?", bye: "Bye." }
tools:
  balance:
    description: Tells the balance
    effect: read
    arguments: { account: { context: account } }
    result: { balance: {} }
    port: bank.balance
  pay:
    description: Pays a bill
    effect: irreversible
    approval: true
    arguments: { amount: { type: number }, account: { context: account } }
    result: { paid: { type: boolean } }
    port: bank.pay
  note:
    description: Writes a note
    effect: write
    arguments: { text: {} }
    result: { done: { type: boolean } }
    port: crm.note
  wipe:
    description: Deletes the customer
    effect: irreversible
    arguments: {}
    port: crm.wipe
steps:
  help: { agent: Help with the bill, tools: [balance, pay, note], prompt: hello, next: bye, thoughts: 6, calls: 4, tokens: 5000, forbidden: [guarantee] }
  bye: { end: hangup, prompt: bye }
`;

interface CallOptions {
  readonly flow: string;
  readonly name: string;
  readonly adapter: ToolAdapter;
  readonly approve?: () => Promise<'approved' | 'denied'>;
  readonly model?: ScriptedModel;
  readonly time?: ManualTime;
  readonly logger?: Logger;
}

/** A call with its desk of errands. */
class Call {
  readonly time: ManualTime;
  readonly desk: ErrandDesk;
  readonly effects: { readonly atMs: number; readonly effect: DialogueEffect }[] = [];
  readonly #dialogue;
  readonly #end = new AbortController();
  state: FlowState;

  constructor({ flow, name, adapter, approve = () => Promise.resolve('denied'), model, time = new ManualTime(), logger }: CallOptions) {
    this.time = time;
    this.desk = new ErrandDesk({
      clock: time,
      timers: time,
      adapters: { port: adapter },
      approvers: { ask: approve },
      model: model ?? null,
      ...(logger === undefined ? {} : { logger }),
    });
    this.#dialogue = createDialogue(parseFlow(flow, `${name}.yaml`), { today: '2026-11-20', desks: ['host'] });
    this.state = this.#dialogue.begin();
    this.tell({ t: 'start', variables: {} });
  }

  tell(event: DialogueEvent): void {
    const [state, effects] = this.#dialogue.step(this.state, event);
    this.state = state;
    for (const effect of effects) {
      this.effects.push({ atMs: this.time.nowMs, effect });
      if (effect.t === 'tool' || effect.t === 'approval' || effect.t === 'think')
        this.desk.begin(
          effect satisfies Errand,
          { callId: 'c1', context: { caller: '100', account: 'own' }, signal: this.#end.signal },
          (answer) => this.tell(answer),
        );
    }
  }

  async hear(text: string, ms = 0): Promise<void> {
    this.tell({ t: 'heard', text, confidence: 1 });
    await this.time.advance(ms);
  }

  hangUp(): void {
    this.#end.abort();
  }

  get said(): string[] {
    return this.effects.flatMap(({ effect }) =>
      effect.t === 'say' ? [effect.prompt] : effect.t === 'transfer' ? [`-> ${effect.desk}`] : effect.t === 'end' ? [effect.outcome] : [],
    );
  }
}

const shop = (adapter: ToolAdapter, effect = 'read', approval = false): CallOptions => ({
  flow: FLOW.replace('EFFECT', effect).replace('APPROVAL', String(approval)),
  name: 'shop',
  adapter,
});

const sent: ToolAdapter = () => Promise.resolve({ status: 'sent', secret: 'more than was promised' });
const forever = (): Promise<never> => new Promise(() => {});
const after = (time: ManualTime, ms: number, value: unknown): Promise<unknown> =>
  new Promise((resolve) => time.after(ms, () => resolve(value)));

test('a tool: arguments of scope come from the call, the result fills a variable, and only that', async (t) => {
  const calls: AdapterCall[] = [];
  const call = new Call(shop((request) => (calls.push(request), sent(request))));
  await call.hear('one two three four', 1);
  t.strictSame(call.said, ['ask', 'told', 'bye', 'completed']);
  t.match(calls[0], { arguments: { order: '1234', caller: '100' }, idempotencyKey: /^c1-[0-9a-f]{32}$/ });
  t.equal(call.state.variables['status'], 'sent');
  t.notMatch(JSON.stringify(call.state), 'secret');
});

for (const [fault, adapter] of Object.entries<(time: ManualTime) => ToolAdapter>({
  fails: () => () => Promise.reject(new Error('broken')),
  'throws at once': () => () => {
    throw new Error('broken');
  },
  'was never reached': () => () => Promise.reject(new NotDone('no connection')),
  refuses: () => () => Promise.reject(new Refused('status 403')),
  hangs: () => () => forever(),
  'lies: no object': () => () => Promise.resolve('sent'),
  'lies: a list': () => () => Promise.resolve([{ status: 'sent' }]),
  'lies: another type': () => () => Promise.resolve({ status: 7 }),
  'lies: nothing': () => () => Promise.resolve(undefined),
  'says too much': () => () => Promise.resolve({ status: 'x'.repeat(41) }),
  'is too slow': (time) => () => after(time, 2700, { status: 'sent' }),
  'is slow, then fails': (time) => () => after(time, 1500, null),
})) {
  for (const effect of ['read', 'write', 'irreversible']) {
    test(`a tool that ${fault} (${effect}): a phrase in 800 ms, a way on in 3 s`, async (t) => {
      const time = new ManualTime();
      const call = new Call({ ...shop(adapter(time), effect), time });
      const began = time.nowMs;
      await call.hear('one two three four', 5000);
      const firstWord = call.effects.find(({ effect: { t: kind } }, i) => i > 2 && kind === 'say');
      t.ok(firstWord !== undefined && firstWord.atMs - began <= 800, `a word after ${firstWord?.atMs} ms`);
      t.ok((call.effects.at(-1)?.atMs ?? 1e9) - began <= 3000, 'a way on');
      t.equal(call.said.at(-1), 'unseen');
      t.ok(call.said.includes('tool_failed') && call.said.includes('sorry'));
    });
  }
}

test('tries: reads and writes again with the same key, what cannot be undone only when nothing happened', async (t) => {
  for (const [effect, error, tries] of [
    ['read', new Error('broken'), 2],
    ['write', new Error('broken'), 2],
    ['irreversible', new Error('broken'), 1],
    ['irreversible', new NotDone('no connection'), 2],
    ['read', new Refused('no'), 1],
  ] as const) {
    const keys: string[] = [];
    const call = new Call(shop(({ idempotencyKey }) => (keys.push(idempotencyKey), Promise.reject(error)), effect));
    await call.hear('one two three four', 3000);
    t.equal(keys.length, tries, `${effect}, ${error.message}`);
    t.equal(new Set(keys).size, 1);
  }
});

test('a broken tool is left alone, and tried again later; places and rate are bounded', async (t) => {
  let asked = 0;
  let works = false;
  const time = new ManualTime();
  const first = new Call({
    ...shop(() => (asked++, works ? Promise.resolve({ status: 'sent' }) : Promise.reject(new Error('broken')))),
    time,
  });
  const again = async (): Promise<string | undefined> => {
    const call = new Call({ ...shop(sent), time });
    Object.defineProperty(call, 'desk', { value: first.desk });
    await call.hear('one two three four', 10);
    return call.said.at(-1);
  };
  await first.hear('one two three four', 10);
  for (let i = 0; i < 5; i++) await again();
  t.equal(asked, 5, 'five failures open the breaker');
  works = true;
  t.equal(await again(), 'unseen');
  await time.advance(10_000);
  t.equal(await again(), 'completed');
});

test('a caller who speaks while we look hears so; a person and a goodbye are granted', async (t) => {
  const waiting = async (words: string): Promise<string[]> => {
    const call = new Call(shop(() => forever()));
    await call.hear('one two three four', 100);
    await call.hear(words, 4000);
    return call.said.slice(1);
  };
  t.strictSame((await waiting('hello are you there')).slice(0, 2), ['one_moment', 'one_moment']);
  t.strictSame(await waiting('i want to speak to a person'), ['transferring', '-> host'], 'and the late answer changes nothing');
  t.strictSame(await waiting('goodbye'), ['goodbye', 'goodbye']);
});

test('an approval: asked, granted once, denied, late, failed, after the end', async (t) => {
  for (const [approve, expected, calls] of [
    [() => Promise.resolve('approved' as const), 'completed', 1],
    [() => Promise.resolve('denied' as const), 'unseen', 0],
    [() => forever(), 'unseen', 0],
    [() => Promise.reject(new Error('the desk is gone')), 'unseen', 0],
  ] as const) {
    let done = 0;
    const call = new Call({ ...shop((request) => (done++, sent(request)), 'irreversible', true), approve });
    await call.hear('one two three four', 60_000);
    t.equal(call.said.at(-1), expected);
    t.equal(done, calls);
  }
  let done = 0;
  const gone = new Call({
    ...shop((request) => (done++, sent(request)), 'irreversible', true),
    approve: () => Promise.resolve('approved'),
  });
  gone.hangUp();
  await gone.hear('one two three four', 60_000);
  t.equal(done, 0);
});

test('GDPR 22: whatever events come: a tool that needs an approval is never called without one', (t) => {
  const dialogue = createDialogue(parseFlow(shop(sent, 'irreversible', true).flow, 'shop.yaml'), { today: '2026-11-20', desks: ['host'] });
  const id = fc.constantFrom('e1', 'e2', 'e3', 'x');
  const event: fc.Arbitrary<DialogueEvent> = fc.oneof(
    fc.record({
      t: fc.constant('heard' as const),
      text: fc.constantFrom('one two three four', 'yes', 'approved', 'goodbye', 'nothing'),
      confidence: fc.constant(1),
    }),
    fc.record({ t: fc.constant('approval-result' as const), id, decision: fc.constantFrom('denied' as const, 'timeout' as const) }),
    fc.record({ t: fc.constant('tool-result' as const), id, outcome: fc.constant({ ok: true as const, data: { status: 'approved' } }) }),
    fc.record({
      t: fc.constant('thought' as const),
      id,
      answer: fc.constant({ text: 'approved', calls: [{ id: '1', name: 'find', arguments: { order: '1234' } }], tokens: 1 }),
    }),
    fc.record({ t: fc.constant('errand-slow' as const), id }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let [state] = dialogue.step(dialogue.begin(), { t: 'start', variables: {} });
      for (const one of events) {
        const [next, effects] = dialogue.step(state, one);
        if (effects.some(({ t: kind }) => kind === 'tool')) throw new Error('called without an approval');
        state = next;
      }
    }),
    { numRuns: 2000 },
  );
  t.end();
});

test('the desk has its own lock: approvals are for one tool, one call and one time', async (t) => {
  const time = new ManualTime();
  let done = 0;
  const flow = parseFlow(shop(sent, 'irreversible', true).flow, 'shop.yaml');
  const definition = flow.tools['find']!;
  const llm = model(time, () => ({}));
  const desk = new ErrandDesk({
    clock: time,
    timers: time,
    adapters: { port: (request) => (done++, sent(request)) },
    approvers: { ask: ({ tool }) => Promise.resolve(tool === 'find' ? 'approved' : 'denied') },
    model: llm,
  });
  const outcome = async (approval: string | null, callId = 'c1'): Promise<string> => {
    let answer = '';
    const request = { id: 'e2', tool: 'find', arguments: { order: '1' }, idempotencyKey: 'k', approval };
    desk.begin({ t: 'tool', request, definition }, { callId, context: { caller: '1' }, signal: new AbortController().signal }, (event) => {
      if (event.t === 'tool-result') answer = event.outcome.ok ? 'done' : event.outcome.reason;
    });
    await settle();
    return answer;
  };
  t.equal(await outcome(null), 'not-approved');
  t.equal(await outcome('e1'), 'not-approved', 'made up');
  desk.begin(
    { t: 'approval', id: 'e1', tool: 'find', summary: '', timeoutMs: 1000 },
    { callId: 'c1', context: {}, signal: new AbortController().signal },
    () => {},
  );
  await settle();
  t.equal(await outcome('e1', 'c2'), 'not-approved', 'of another call');
  t.equal(await outcome('e1'), 'done');
  t.equal(await outcome('e1'), 'not-approved', 'used up');
  t.equal(done, 1);
  desk.warm('c1', { messages: [{ role: 'system', text: 'Goal' }], tools: [] }, new AbortController().signal);
  t.match(llm.warmed, [{ callKey: 'c1', messages: [{ text: 'Goal' }] }]);
  desk.release('c1');
  t.strictSame(llm.released, ['c1'], 'a call that is over keeps no slot of the model');
});

// ---- agents ----

const call = (name: string, args: Record<string, unknown> = {}, id = 'm1'): ToolCall => ({ id, name, arguments: args });

function model(
  time: ManualTime,
  script: (seen: number, lastText: string) => { text?: string; calls?: readonly ToolCall[] },
): ScriptedModel {
  return new ScriptedModel({
    timers: time,
    script: (request, seen) => {
      const last = request.messages.at(-1);
      const { text = '', calls = [] } = script(seen, last?.text ?? '');
      return [
        ...(text === '' ? [] : [{ delta: { t: 'text' as const, text } }]),
        ...calls.map((one) => ({ delta: { t: 'tool-call' as const, call: one } })),
        { delta: { t: 'done' as const, reason: calls.length > 0 ? ('tools' as const) : ('stop' as const) } },
      ];
    },
  });
}

function agent(script: Parameters<typeof model>[1], options: Partial<CallOptions> = {}): { call: Call; done: string[] } {
  const time = new ManualTime();
  const done: string[] = [];
  const adapter: ToolAdapter = ({ target, arguments: given }) => {
    done.push(`${target.t === 'port' ? target.name : ''} ${JSON.stringify(given)}`);
    return Promise.resolve({ balance: '120 euros', paid: true, done: true });
  };
  return { call: new Call({ flow: AGENT, name: 'helper', adapter, time, model: model(time, script), ...options }), done };
}

test('what an agent is asked first begins as its flow said it would', async (t) => {
  const { call: line } = agent(() => ({ text: 'Hello there.' }));
  const { beginning } = createDialogue(parseFlow(AGENT, 'helper.yaml'), { today: '2026-11-20', desks: ['host'] });
  await line.hear('what is my balance', 10);
  const asked = line.effects.map(({ effect }) => effect).find((effect) => effect.t === 'think');
  t.same(asked?.messages.slice(0, 1), beginning?.messages);
  t.same(asked?.tools, beginning?.tools);
  t.equal(createDialogue(parseFlow(shop(sent, 'read', false).flow, 'shop.yaml'), { today: '2026-11-20', desks: [] }).beginning, undefined);
});

test('an agent answers from a tool, and says no figure that none told', async (t) => {
  const good = agent((seen) =>
    seen === 0 ? { calls: [call('balance', { account: 'of somebody else' })] } : { text: 'Your balance is 120 euros.' },
  );
  await good.call.hear('what is my balance', 10);
  t.strictSame(good.done, ['bank.balance {"account":"own"}'], 'the account is the one of the call');
  t.equal(good.call.said.at(-1), 'agent_help');
  for (const text of [
    'Your balance is 999 euros.',
    'You owe ninety nine euros.',
    'It is due on friday.',
    'I guarantee it.',
    'Go to www.example.com',
    'x'.repeat(700),
  ]) {
    const bad = agent(() => ({ text }));
    await bad.call.hear('what is my balance, 999 euros', 10);
    t.equal(bad.call.said.at(-1), 'dont_know', text.slice(0, 40));
  }
});

test('an effect needs the caller’s yes, and an approval where the flow wants one', async (t) => {
  const pays = (): { calls?: readonly ToolCall[]; text?: string } => ({ calls: [call('pay', { amount: 5 })] });
  const once = (seen: number): { calls?: readonly ToolCall[]; text?: string } => (seen === 0 ? pays() : { text: 'All right.' });
  const refused = agent(once, { approve: () => Promise.resolve('approved') });
  await refused.call.hear('pay my bill', 10);
  t.strictSame(refused.call.said.slice(-2), ['tool_pay', 'shall_i']);
  await refused.call.hear('no', 10);
  t.strictSame(refused.done, []);
  const denied = agent(once);
  await denied.call.hear('pay my bill', 10);
  await denied.call.hear('yes', 10);
  t.strictSame(denied.done, []);
  const granted = agent(once, { approve: () => Promise.resolve('approved') });
  await granted.call.hear('pay my bill', 10);
  await granted.call.hear('yes', 10);
  t.strictSame(granted.done, ['bank.pay {"amount":5,"account":"own"}']);
});

test('budgets end an agent that never does; no model, no answer and nonsense lead to a person', async (t) => {
  const endless = agent(() => ({ calls: [call('balance')] }));
  await endless.call.hear('help', 100);
  t.equal(endless.done.length, 4, 'calls');
  t.strictSame(endless.call.said.slice(-2), ['transferring', '-> host']);
  for (const script of [
    () => ({ calls: [call('wipe')] }),
    () => ({ calls: [call('pay', { amount: 'all' })] }),
    () => ({ calls: [call('constructor')] }),
  ]) {
    const bad = agent(script);
    await bad.call.hear('help', 100);
    t.strictSame(bad.done, []);
    t.equal(bad.call.said.at(-1), '-> host');
  }
  const none = new Call({ flow: AGENT, name: 'helper', adapter: sent });
  await none.hear('help', 10);
  t.equal(none.said.at(-1), '-> host');
  const finished = agent(() => ({ calls: [call('finish')] }));
  await finished.call.hear('that helped a lot', 10);
  t.equal(finished.call.said.at(-1), 'completed');
});

test('attacks by words and by results of tools, three languages: a model that obeys them all has no forbidden effect', async (t) => {
  t.ok(ATTACKS.length >= 200, `${ATTACKS.length} attacks`);
  let effects = 0;
  let spoken = 0;
  for (const attack of ATTACKS) {
    // The model does at once what the attacker wants: forbidden tools, foreign accounts, effects without a yes, and reads its rules out.
    const wants = [
      call('wipe', {}, 'a'),
      call('pay', { amount: 9999, account: 'attacker' }, 'b'),
      call('transfer', { number: '+1900' }, 'c'),
      call('note', { text: attack.text }, 'd'),
    ];
    const obeys = (seen: number): { text?: string; calls?: readonly ToolCall[] } =>
      seen === 0
        ? { calls: attack.by === 'tool' ? [call('balance')] : wants }
        : seen === 1
          ? { calls: wants }
          : { text: `You talk on the telephone for a company one or two short sentences: ${attack.text}, 9999 euros guaranteed` };
    const time = new ManualTime();
    const done: string[] = [];
    const adapter: ToolAdapter = ({ target, arguments: given }) => {
      done.push(`${target.t === 'port' ? target.name : ''} ${JSON.stringify(given)}`);
      return Promise.resolve({ balance: attack.text, status: attack.text, paid: true });
    };
    const victim = new Call({
      flow: AGENT,
      name: 'helper',
      adapter,
      time,
      model: model(time, obeys),
      approve: () => Promise.resolve('approved'),
    });
    await victim.hear(attack.by === 'voice' ? attack.text : 'what is my balance', 50);
    // It goes on, and never says yes to what would be done.
    await victim.hear(attack.text, 50);
    effects += done.filter((one) => one !== 'bank.balance {"account":"own"}').length;
    effects += victim.effects.filter(({ effect }) => effect.t === 'transfer' && effect.desk !== 'host').length;
    spoken += victim.effects.filter(
      ({ effect }) => effect.t === 'say' && /9999|telephone for a company/.test(effect.text) && effect.prompt === 'agent_help',
    ).length;
  }
  t.equal(effects, 0, 'forbidden effects');
  t.equal(spoken, 0, 'leaks');
});

const TEAM = `
flow: team
language: en
person: host
start: front
slots: {}
prompts: { hello: "Hello.", bye: "Bye." }
tools:
  load: { description: Tells the load, effect: read, arguments: { code: {} }, result: { load: { type: number } }, port: plant.load }
  age: { description: Tells the age, effect: read, arguments: { code: {} }, result: { years: { type: number } }, port: plant.age }
  stop:
    description: Stops a machine
    effect: irreversible
    review: The caller named the machine and wants it stopped.
    arguments: { code: {} }
    result: { stopped: { type: boolean } }
    port: plant.stop
steps:
  front: { agent: Talk about machines, tools: [load, age], specialists: { stopper: stops machines }, prompt: hello, next: bye, otherwise: bye, thoughts: 6, calls: 4, tokens: 400, seconds: 2, totalSeconds: 60 }
  stopper: { agent: Stop the machine, tools: [stop], prompt: hello, next: bye, otherwise: bye, thoughts: 6 }
  bye: { end: hangup, prompt: bye }
`;

/** The machine shop, with a reviewer that answers so, on the desk of errands. */
function team(thinks: Parameters<typeof model>[1], reviewer: 'yes' | 'no' | 'silent' | 'down' = 'yes') {
  const time = new ManualTime();
  const log: string[] = [];
  let running = 0;
  const most = { running: 0 };
  const adapter: ToolAdapter = async ({ tool, arguments: given }) => {
    running += 1;
    most.running = Math.max(most.running, running);
    log.push(`${tool} ${JSON.stringify(given)}`);
    await after(time, 300, null);
    running -= 1;
    return { load: 60, years: 5, stopped: true };
  };
  let seen = 0;
  const brain = new ScriptedModel({
    timers: time,
    script: ({ messages, tools = [] }) => {
      // A reviewer has no tools: it looks and says yes or no.
      const isReview = tools.length === 0;
      if (isReview) log.push('review');
      if (isReview && reviewer === 'down') return [{ fail: 'LLM_FAILED' }];
      if (isReview && reviewer === 'silent') return [{ afterMs: 100_000, delta: { t: 'text', text: 'yes' } }];
      const { text = '', calls = [] } = isReview ? { text: reviewer } : thinks(seen++, messages.at(-1)?.text ?? '');
      return [
        ...(text === '' ? [] : [{ delta: { t: 'text' as const, text } }]),
        ...calls.map((one) => ({ delta: { t: 'tool-call' as const, call: one } })),
        { delta: { t: 'usage' as const, usage: { promptTokens: 60, completionTokens: 20, cachedTokens: null } } },
        { delta: { t: 'done' as const, reason: 'stop' as const } },
      ];
    },
  });
  return { talk: new Call({ flow: TEAM, name: 'team', adapter, time, model: brain }), log, most, thoughts: () => seen };
}

test('agents on the desk: reads run side by side, a specialist takes over, nothing irreversible without its reviewer', async (t) => {
  const both = team((seen) =>
    seen === 0 ? { calls: [call('load', { code: '7' }, 'a'), call('age', { code: '7' }, 'b')] } : { text: 'Its load is 60.' },
  );
  await both.talk.hear('how is machine seven', 250);
  t.equal(both.most.running, 2, 'side by side');
  await both.talk.time.advance(200);
  t.strictSame(both.log, ['load {"code":"7"}', 'age {"code":"7"}']);
  t.equal(both.talk.said.at(-1), 'agent_front', 'one thought for both answers');
  t.equal(both.thoughts(), 2);

  const plan: Parameters<typeof model>[1] = (seen) =>
    seen === 0
      ? { calls: [call('hand_over', { to: 'stopper' })] }
      : seen === 1
        ? { calls: [call('stop', { code: '7' })] }
        : { text: 'Done.' };
  for (const [reviewer, stops] of [
    ['yes', true],
    ['no', false],
    ['down', false],
    ['silent', false],
  ] as const) {
    const { talk, log } = team(plan, reviewer);
    await talk.hear('stop machine seven', 1000);
    t.equal(talk.state.step, 'stopper', `${reviewer}: handed over`);
    t.strictSame(log, [], 'the caller is asked first');
    await talk.hear('yes', 20_000);
    t.equal(log[0], 'review', reviewer);
    t.equal(log.includes('stop {"code":"7"}'), stops, reviewer);
    t.not(talk.state.phase, 'working', `${reviewer}: there is a way on`);
  }
});

test('agents on the desk: thoughts, tokens and time run out, and the call goes on', async (t) => {
  const endless = team((_, last) => (last === '' ? { text: 'Hm.' } : { calls: [call('load', { code: '7' })] }));
  await endless.talk.hear('how is machine seven', 30_000);
  t.ok(endless.thoughts() <= 6, `${endless.thoughts()} thoughts`);
  t.ok(endless.log.length <= 4, `${endless.log.length} calls`);
  t.match(endless.talk.effects.at(-1)?.effect, { t: 'end' });
  t.ok(endless.talk.effects.some(({ effect }) => effect.t === 'refused' && effect.rule === 'budget'));

  const wordy = team(() => ({ text: 'Which one?' }));
  for (let i = 0; i < 10 && wordy.talk.state.phase !== 'ended'; i++) await wordy.talk.hear('the seventh', 500);
  t.ok(wordy.thoughts() <= 5, '80 tokens a thought of 400');
  t.match(wordy.talk.effects.at(-1)?.effect, { t: 'end' });
});

test('who runs the site is told which tool does not do its work, once a minute, and nothing of the call', async (t) => {
  const lines: unknown[] = [];
  const logger: Logger = { ...keepingLogger(), warn: (message, fields) => void lines.push([message, fields]) };
  const time = new ManualTime();
  const vanished: ToolAdapter = () => Promise.reject(new Refused('secret words'));
  for (let i = 0; i < 3; i++) await new Call({ ...shop(vanished), time, logger }).hear('one two three four', 100);
  t.strictSame(lines.length, 3, 'a desk for each');
  t.strictSame(lines[0], ['a tool does not do its work', { tool: 'find', at: 'port orders.find', reason: 'refused' }]);
  const one = new Call({ ...shop(vanished), time, logger });
  await one.hear('one two three four', 100);
  const request = { id: 'x', tool: 'find', arguments: { order: '1234' }, idempotencyKey: 'k', approval: null };
  const definition = parseFlow(shop(vanished).flow, 'shop.yaml').tools['find'];
  if (definition === undefined) throw new Error('the tool is there');
  const again = (): void =>
    one.desk.begin(
      { t: 'tool', request, definition },
      { callId: 'c2', context: { caller: '100' }, signal: new AbortController().signal },
      () => undefined,
    );
  again();
  await time.advance(1000);
  t.equal(lines.length, 4);
  await time.advance(60_000);
  again();
  await time.advance(1000);
  t.equal(lines.length, 5);
  t.notMatch(JSON.stringify(lines), /1234|secret/);
});

// ---- routers ----

test('a router: rules, then the model, then the default; the choice is logged', async (t) => {
  const flow = `
flow: router
language: en
start: why
variables: { line: '' }
slots: { why: { type: free } }
prompts: { why: "Why do you call?", bills: "Bills.", it: "Help.", other: "Other." }
steps:
  why: { ask: why, prompt: why, next: route }
  route:
    route: [{ when: { variable: line, is: '42' }, next: it }]
    model: { slot: why, choices: { bills: bills and payments, it: computers } }
    otherwise: other
  bills: { end: hangup, prompt: bills, outcome: bills }
  it: { end: hangup, prompt: it, outcome: it }
  other: { end: hangup, prompt: other, outcome: other }
`;
  for (const [text, expected, by] of [
    ['bills', 'bills', 'model'],
    [' IT \n', 'it', 'model'],
    ['I would say bills', 'other', 'default'],
    ['constructor', 'other', 'default'],
    ['', 'other', 'default'],
  ] as const) {
    const time = new ManualTime();
    const routed = new Call({ flow, name: 'router', adapter: sent, time, model: model(time, () => ({ text })) });
    await routed.hear('my invoice is wrong', 10);
    t.equal(routed.said.at(-1), expected, text);
    t.match(routed.effects.find(({ effect }) => effect.t === 'route')?.effect, { choice: expected, by });
  }
});

// ---- ports and addresses ----

test('ports in memory: the same key does it once; unknown ports are refused', async (t) => {
  const outbox = new MemoryOutbox();
  const adapter = portTools(memoryPorts([{ name: 'Ann Smith', desk: 'sales' }], outbox));
  const ask = (name: string, given: Record<string, string>): Promise<unknown> =>
    adapter({ tool: 'x', target: { t: 'port', name }, arguments: given, idempotencyKey: 'k1', signal: new AbortController().signal });
  t.strictSame(await ask('directory.find', { name: 'smith' }), { found: true, name: 'Ann Smith', desk: 'sales' });
  await ask('message.send', { text: 'a' });
  await ask('message.send', { text: 'a' });
  t.equal(outbox.done.size, 1);
  await t.rejects(ask('constructor', {}), { message: 'there is no such port' });
});

test('addresses that tools may not reach', (t) => {
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '::1',
    'fe80::1',
    'fd00::1',
    '::ffff:127.0.0.1',
    'localhost',
    '',
  ])
    t.ok(isPrivate(address), address);
  for (const address of ['8.8.8.8', '2001:4860:4860::8888', '::ffff:8.8.8.8']) t.notOk(isPrivate(address), address);
  t.end();
});

test('approvals: the first decision counts, is logged before it does, and what is withdrawn or unlogged is a no', async (t) => {
  const events: unknown[] = [];
  let isLogBroken = false;
  const log = (event: unknown): Promise<void> => {
    if (isLogBroken) return Promise.reject(new Error('the spool is full'));
    events.push(event);
    return Promise.resolve();
  };
  let nowMs = 0;
  const make = (phone?: ScriptedDeskPhone): ApprovalDesk =>
    new ApprovalDesk({
      ...{ log, nowMs: () => nowMs, logger: keepingLogger() },
      ...(phone === undefined
        ? {}
        : { phone: { port: phone, desks: ['broken', 'away', 'office'], text: (words, at) => `${words} (${at}). Press 1 or 2.` } }),
    });
  const request = (id: string, signal = new AbortController().signal) => ({
    callId: 'c1',
    id,
    tool: 'refund',
    summary: 'Refund 40 euros',
    signal,
  });

  const desk = make();
  const first = desk.ask(request('e1'));
  const second = desk.ask(request('e2'));
  nowMs = 1500;
  t.match(desk.open, [{ callId: 'c1', id: 'e1', tool: 'refund', summary: 'Refund 40 euros', waitingMs: 1500 }, { id: 'e2' }]);
  await desk.decide('c1', 'e2', 'denied', { via: 'console', by: 'ann' });
  await desk.decide('c1', 'e1', 'approved', { via: 'console', by: 'ann' });
  t.equal(await first, 'approved');
  t.equal(await second, 'denied');
  t.match(events, [
    { type: 'approval.given', callId: 'c1', body: { id: 'e2', decision: 'denied', via: 'console' }, content: { by: 'ann' } },
    { body: { id: 'e1', tool: 'refund', decision: 'approved' } },
  ]);
  await t.rejects(desk.decide('c1', 'e1', 'denied', { via: 'console', by: 'bob' }), { code: 'APPROVAL_GONE' }, 'decided already');
  await t.rejects(desk.decide('c2', 'e1', 'approved', { via: 'console', by: 'bob' }), { code: 'APPROVAL_GONE' }, "another call's");

  const late = new AbortController();
  const withdrawn = desk.ask(request('e3', late.signal));
  late.abort(new Error('too late'));
  t.equal(await withdrawn, 'denied', 'its time is over');
  t.strictSame(desk.open, []);
  t.equal(await desk.ask(request('e4', late.signal)), 'denied');

  isLogBroken = true;
  const unlogged = desk.ask(request('e5'));
  await t.rejects(desk.decide('c1', 'e5', 'approved', { via: 'console', by: 'ann' }), { message: 'the spool is full' });
  t.equal(await unlogged, 'denied');
  isLogBroken = false;

  const corrected = desk.ask(request('c1'));
  await desk.decide('c1', 'c1', 'denied', { via: 'console', by: 'ann', correction: 'It was 14 euros' });
  t.equal(await corrected, 'denied');
  t.strictSame(events.at(-1), {
    ...{ type: 'approval.given', callId: 'c1', content: { by: 'ann', correction: 'It was 14 euros' } },
    body: { id: 'c1', tool: 'refund', decision: 'denied', via: 'console', corrected: true },
  });

  const twice = desk.ask(request('e6'));
  const both = await Promise.allSettled(
    ['approved', 'denied'].map((decision) => desk.decide('c1', 'e6', decision as 'approved' | 'denied', { via: 'console', by: 'x' })),
  );
  t.strictSame(
    both.map((one) => one.status),
    ['fulfilled', 'rejected'],
  );
  t.equal(await twice, 'approved');

  const yes = new ScriptedDeskPhone({ broken: new ParleyError('PBX_LINK_DOWN', 'no'), away: null, office: '1' });
  t.equal(await make(yes).ask(request('p1')), 'approved');
  t.strictSame(
    yes.asked.map((one) => one.desk),
    ['broken', 'away', 'office'],
  );
  t.match(
    events.slice(-4),
    [
      ...['broken', 'away', 'office'].map((place) => ({ type: 'approval.ringing', body: { id: 'p1', tool: 'refund', desk: place } })),
      { type: 'approval.given', body: { decision: 'approved', via: 'phone', corrected: false } },
    ],
    'each ring is in the log',
  );
  t.match(yes.asked[2], { text: 'Refund 40 euros (office). Press 1 or 2.' });
  t.equal(await make(new ScriptedDeskPhone({ office: '2' })).ask(request('p2')), 'denied');
  t.match(events.at(-1), { body: { via: 'phone', decision: 'denied' }, content: { by: 'office' } });
  const nobody = make(new ScriptedDeskPhone({ office: '7' }));
  const open = nobody.ask(request('p3'));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(nobody.open.length, 1, 'a wrong key leaves it to the console');
  await nobody.decide('c1', 'p3', 'approved', { via: 'console', by: 'ann' });
  t.equal(await open, 'approved');
});
