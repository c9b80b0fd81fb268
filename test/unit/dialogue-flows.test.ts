/** Flows that call flows, expressions, scopes, routers, agents that work together, and what is kept from being said. */
import fc from 'fast-check';
import { test } from 'tap';
import { Expressions } from '../../src/dialogue/flow/expression.ts';
import { easter, isHoliday, isOpen, localTime, type OpeningHours } from '../../src/dialogue/hours.ts';
import { FlowCall, flowsOf, problemsIn } from '../support/flow-call.ts';

// ---- expressions ----

const NAMES = { party: 'int', tier: 'string', money: 'double', more: 'bool', contact: { vip: 'bool', calls: 'int' } } as const;

function value(source: string, values: Readonly<Record<string, string>>): string | null {
  const compiled = new Expressions(NAMES).compile(source, null);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled.evaluate((name) => values[name]);
}

test('expressions: what they give', (t) => {
  for (const [source, values, expected] of [
    ['party > 3 && contact.vip', { party: '4', 'contact.vip': 'true' }, 'true'],
    ['party > 3 && contact.vip', { party: '4' }, null],
    ['party < 3 || more', { more: 'yes' }, 'true'],
    ['party > 3 || more', { more: 'no' }, null],
    ['party * 12', { party: '4' }, '48'],
    ['party / 0', { party: '4' }, null],
    ['money > 4000.0', { money: '5000.00 EUR' }, 'true'],
    ['tier in ["gold", "silver"] ? 1 : 2', { tier: 'tin' }, '2'],
    ['tier.startsWith("g") && size(tier) == 4', { tier: 'gold' }, 'true'],
    ['string(party) + " people"', { party: '4' }, '4 people'],
    ['party', { party: 'four' }, null],
  ] as const)
    t.equal(value(source, values), expected, source);
  t.end();
});

test('expressions: mistakes are named, and there is no way out of them', (t) => {
  const expressions = new Expressions(NAMES);
  for (const [source, expected] of [
    ['tier + 1', /no such overload: string \+ int \(at character \d+\)/],
    ['party', /gives a whole number \(int\), expected true or false/],
    ['parti > 3', /names "parti".*did you mean party\?/],
    ['contact.vop', /names "vop"/],
    ['party ==', /is no valid expression: Unexpected token: EOF/],
    ['tier.matches("(a+)+$")', /calls matches, expected one of size/],
    ['[1, 2].exists(x, x == party)', /calls exists/],
    ['constructor', /names "constructor"/],
    ['tier.constructor == ""', /Cannot index type/],
    ['tier["constructor"] == ""', /Cannot index type/],
    ['__proto__ == ""', /Reserved identifier/],
    ['contact', /expected true or false/],
    [`more${' && more'.repeat(90)}`, /characters, expected at most 500/],
    ['('.repeat(60), /is no valid expression/],
  ] as const) {
    const compiled = expressions.compile(source, 'bool');
    t.match('problem' in compiled ? compiled.problem : '', expected, source);
  }
  t.end();
});

test('whatever is written as an expression: it is refused, or it gives a text or nothing', (t) => {
  const part = fc.constantFrom(
    'party',
    'tier',
    'more',
    'contact.vip',
    '1',
    '"a"',
    '1.5',
    '(',
    ')',
    '&&',
    '||',
    '+',
    '==',
    '.',
    'size',
    '!',
    '?',
    ':',
    '[',
    ']',
    '{',
    '}',
    'in',
    '__proto__',
    'toString',
  );
  const expressions = new Expressions(NAMES);
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }),
      fc.dictionary(fc.constantFrom('party', 'tier', 'contact.vip'), fc.string()),
      (parts, values) => {
        const compiled = expressions.compile(parts.join(' '), null);
        if ('problem' in compiled) return typeof compiled.problem === 'string';
        const result = compiled.evaluate((name) => values[name]);
        return result === null || typeof result === 'string';
      },
    ),
    { numRuns: 3000 },
  );
  t.end();
});

test('a mistake in an expression of a flow names file, line and key', (t) => {
  const text = `flow: x
language: en
start: a
variables: { risk: 0, shop: '' }
slots:
  party: { type: number }
  kind: { type: choice, choices: { big: { words: [big] }, small: { words: [small] } } }
prompts: { p: Hello. }
steps:
  a: { ask: party, prompt: p, next: b }
  b: { ask: kind, prompt: p, next: c }
  c:
    decide:
      - { when: party > "3", next: d }
      - { when: kind == "huge", next: d }
      - { when: parti > 3, next: d }
    otherwise: d
  d:
    set: { risk: shop, rsk: 1, call.topic: '"a"' }
    next: e
  e:
    route:
      - { when: filled.party && kind == "big" }
      - { when: hours.open, next: f }
    otherwise: f
  f: { end: hangup }
`;
  t.strictSame(problemsIn(text), [
    'x.yaml:14: steps.c.decide.0.when: is no valid expression: no such overload: int > string (at character 1)',
    'x.yaml:15: steps.c.decide.1.when: compares kind with "huge", which it cannot be, expected one of big, small',
    'x.yaml:16: steps.c.decide.2.when: names "parti", which is no slot, variable or scope here; did you mean party?',
    'x.yaml:19: steps.d.set.risk: gives a text (string), expected a whole number (int)',
    'x.yaml:19: steps.d.set.rsk: names the variable "rsk", which does not exist; did you mean risk?',
    'x.yaml:19: steps.d.set.call.topic: names the variable "call.topic", which does not exist',
    'x.yaml:23: steps.e.route.0: chooses nothing, expected next, language, persona, model, accuracy or risk',
    'x.yaml:24: steps.e.route.1.when: names "hours", which is no slot, variable or scope here',
  ]);
  t.end();
});

// ---- flows in flows ----

const IDENTIFY = `flow: identify
language: en
languages: [en, de]
start: code
variables: { purpose: our service }
call: { known: false }
results: { customer: code, sure: sure }
slots:
  code: { type: digits, min: 4, max: 4 }
  sure: { type: yes-no }
prompts:
  ask_code: { en: 'For {purpose}: your code?', de: 'Für {purpose}: Ihr Code?' }
  ask_sure: { en: 'Sure?', de: 'Sicher?' }
steps:
  code: { ask: code, prompt: ask_code, next: sure, otherwise: lost }
  sure: { ask: sure, prompt: ask_sure, next: note }
  note: { set: { call.known: 'true' }, next: back }
  back: { end: return, outcome: identified }
  lost: { end: return, outcome: failed }
`;
const MAIN = `flow: main
language: en
start: hello
person: host
variables: { customer: '', how: '', sure: false }
call: { known: false }
contact: { visits: 0 }
slots: { code: { type: number } }
prompts: { hi: Hello., told: 'Customer {customer}, {how}.', q: How many?, none: Nobody., bye: Bye. }
steps:
  hello: { say: hi, next: who }
  who: { call: identify, with: { purpose: main }, into: { customer: customer, outcome: how, sure: sure }, next: count, failed: nobody }
  count: { set: { contact.visits: contact.visits + 1 }, next: told }
  told:
    decide: [{ when: call.known && sure && contact.visits > 2, next: tell }]
    otherwise: nobody
  tell: { say: told, next: how_many }
  how_many: { ask: code, prompt: q, next: bye }
  nobody: { say: none, next: bye }
  bye: { end: hangup, prompt: bye }
`;

test('a flow calls another: arguments, results, and slots of its own', (t) => {
  const call = new FlowCall(flowsOf(MAIN, IDENTIFY), { facts: { contact: { visits: '2', other: 'x' } } });
  t.equal(call.reply, 'hi ask_code');
  t.equal(call.words, 'Hello. For main: your code?');
  t.strictSame(
    call.of('step').map(({ step }) => step),
    ['hello', 'who', 'identify.code'],
  );
  t.equal(call.hear('one two three four'), 'ask_sure');
  t.equal(call.hear('yes'), 'told q');
  t.equal(call.words, 'Customer 1234, identified. How many?');
  t.strictSame(call.of('remember'), [{ t: 'remember', name: 'visits', value: '3' }]);
  t.strictSame(Object.keys(call.dialogue.slots(call.state)), [], 'the slots of the other flow are gone with it');
  t.equal(call.hear('seven'), 'bye hangup: completed');
  t.end();
});

test('a flow that was called fails; the state survives a restart in it; a person is the caller’s', (t) => {
  const loaded = flowsOf(MAIN, IDENTIFY);
  const call = new FlowCall(loaded);
  call.state = JSON.parse(JSON.stringify(call.state)) as typeof call.state;
  for (let i = 0; i < 2; i++) call.hear('banana');
  t.equal(call.hear('banana'), 'none bye hangup: completed');
  t.equal(new FlowCall(loaded).hear('i want to speak to a person'), 'transferring -> host', 'identify names nobody itself');
  t.end();
});

test('the version of a flow covers the flows that it calls', (t) => {
  const before = flowsOf(MAIN, IDENTIFY).flow.version;
  t.not(before, flowsOf(MAIN, IDENTIFY.replace('Sure?', 'Really?')).flow.version);
  t.equal(before, flowsOf(MAIN, IDENTIFY).flow.version);
  t.end();
});

test('calls of flows are checked: cycles without exit, languages, arguments, results, shared names', (t) => {
  const a = (to: string, more = ''): string =>
    `flow: a\nlanguage: en\nstart: q\nslots: { s: { type: yes-no } }\nprompts: { p: P. }\n${more}steps:\n  q: { ask: s, prompt: p, next: c }\n  c: { call: ${to}, next: r }\n  r: { end: return }\n`;
  const b = a('a').replace('flow: a', 'flow: b');
  t.strictSame(problemsIn(a('a')), ['a.yaml:8: steps.c.call: calls a, which never returns: a calls a, without a way out']);
  t.strictSame(problemsIn(a('b'), b), [
    'a.yaml:8: steps.c.call: calls b, which never returns: b calls a calls b, without a way out',
    'b.yaml:8: steps.c.call: calls a, which never returns: a calls b calls a, without a way out',
  ]);
  t.strictSame(problemsIn(a('nobody')), ['a.yaml:8: steps.c.call: names the flow "nobody", which does not exist']);
  const wrong = MAIN.replace('with: { purpose: main }', 'with: { porpose: main }')
    .replace('into: { customer: customer,', 'into: { custmer: customer,')
    .replace('language: en\n', 'language: en\nlanguages: [en]\n')
    .replace('call: { known: false }', "call: { known: '' }")
    .replace('call.known && ', '');
  t.strictSame(problemsIn(wrong, IDENTIFY.replace('languages: [en, de]', 'languages: [de]').replace('language: en', 'language: de')), [
    'main.yaml:13: steps.who.call: calls identify, which has no "en", expected every language of this flow there',
    'main.yaml:13: steps.who.with.porpose: names "porpose", which is no variable of identify; did you mean purpose?',
    'main.yaml:13: steps.who.into.custmer: names "custmer", which is no result of identify; did you mean customer?',
    'main.yaml:7: call.known: is of the type string, and bool in identify, expected the same in both',
  ]);
  const quiet = 'flow: quiet\nlanguage: en\nstart: r\nprompts: {}\nsteps:\n  r: { end: return }\n';
  const loop =
    'flow: loop\nlanguage: en\nstart: c\nvariables: { n: 0 }\nprompts: {}\nsteps:\n  c: { call: quiet, next: d }\n  d: { decide: [{ when: n > 3, next: e }], otherwise: c }\n  e: { end: hangup }\n';
  t.match(problemsIn(loop, quiet), [/steps\.c: is part of a loop that never listens to the caller: quiet may end without a question/]);
  const endless = 'flow: endless\nlanguage: en\nstart: e\nprompts: {}\nsteps:\n  e: { end: hangup }\n';
  t.match(problemsIn(loop, endless.replace('flow: endless', 'flow: quiet')), [
    /calls quiet, which never returns, expected a step with end: return there/,
  ]);
  t.end();
});

// ---- routers ----

const HOURS = "hours: { zone: Europe/Berlin, open: { monday-friday: ['09:00-17:00'] }, holidays: ['12-25', easter+1, '2026-11-18'] }";
/** A Friday, 10:00 in Berlin. */
const OPEN_MS = Date.UTC(2026, 10, 20, 9);

const ROUTER = `flow: router
language: en
languages: [en, de]
start: choose
person: host
budget: 0.05
${HOURS}
variables: { wish: '' }
contact: { vip: false }
personas: { calm: { voice: anna, style: Slow and kind. } }
models: { small: { accuracy: 0.8, cost: 0.001 }, large: { accuracy: 0.95, cost: 0.02 } }
slots: { topic: { type: free } }
prompts:
  q: { en: What is it about?, de: Worum geht es? }
  b: { en: Bills., de: Rechnungen. }
  closed: { en: We are closed., de: Wir haben zu. }
steps:
  choose:
    route:
      - { when: 'line.to == "49"', language: de }
      - { when: contact.vip || history.calls > 5, persona: calm, accuracy: 0.9, risk: low }
      - { when: history.last == "fraud", risk: high }
      - { when: '!hours.open', next: closed }
    otherwise: topic
  topic: { ask: topic, prompt: q, next: by_model }
  by_model:
    route: []
    model: { slot: topic, choices: { bill: a bill, closed: anything else }, use: small }
    otherwise: closed
  bill: { end: hangup, prompt: b }
  closed: { end: hangup, prompt: closed }
`;

test('a router chooses language, persona, model and risk, and goes on to the way; all of it is logged with its evidence', (t) => {
  const facts = { to: '49', from: '0301234', wallMs: OPEN_MS, history: { calls: 7, lastOutcome: 'fraud', daysSince: 2 } };
  const call = new FlowCall(flowsOf(ROUTER), { facts });
  t.equal(call.reply, 'language de q');
  t.equal(call.words, 'Worum geht es?');
  t.strictSame(call.of('persona'), [{ t: 'persona', persona: 'calm', voice: 'anna' }]);
  t.match(call.of('say')[0], { language: 'de', voice: 'anna' });
  t.strictSame(
    call.of('route').map(({ choice, by, evidence, chosen }) => [choice, by, evidence, chosen]),
    [
      ['goes on', 'rule', 'rule 1: line.to 49', { language: 'de', persona: null, model: null, risk: null }],
      ['goes on', 'rule', 'rule 2: contact.vip false, history.calls 7', { language: null, persona: 'calm', model: 'large', risk: 'low' }],
      ['goes on', 'rule', 'rule 3: history.last filled', { language: null, persona: null, model: null, risk: 'high' }],
      ['topic', 'default', 'no rule', { language: null, persona: null, model: null, risk: null }],
    ],
  );
  t.equal(call.hear('es geht um meine Rechnung'), 'think');
  t.equal(call.of('think')[0]?.model, 'small', 'the step names its own model');
  t.equal(call.model('bill'), 'b hangup: completed');
  t.equal(call.words, 'Rechnungen.');
  t.match(call.of('route'), [{ choice: 'bill', by: 'model' }]);
  t.end();
});

test('a router: hours, budget, and a language that stays', (t) => {
  const loaded = flowsOf(ROUTER);
  const at = (wallMs?: number): string => new FlowCall(loaded, { facts: wallMs === undefined ? {} : { wallMs } }).reply;
  t.equal(at(OPEN_MS), 'q');
  t.equal(at(OPEN_MS + 8 * 3_600_000), 'closed hangup: completed');
  t.equal(at(Date.UTC(2026, 10, 18, 9)), 'closed hangup: completed', 'a holiday');
  t.equal(at(Date.UTC(2026, 10, 22, 9)), 'closed hangup: completed', 'a Sunday');
  t.equal(at(), 'q', 'nobody told the time: the rule cannot hold');
  const poor = new FlowCall(loaded, { facts: { wallMs: OPEN_MS, budget: 0.0005, history: { calls: 9, lastOutcome: '', daysSince: 1 } } });
  t.equal(poor.of('route')[0]?.chosen?.model, 'small', 'none can be paid: the cheapest');
  t.equal(poor.hear('my bill'), 'closed hangup: completed');
  t.match(poor.of('route')[0], { by: 'default', evidence: 'no rule, and the budget is spent' });
  const modest = new FlowCall(loaded, { facts: { wallMs: OPEN_MS, budget: 0.01, history: { calls: 9, lastOutcome: '', daysSince: 1 } } });
  t.equal(modest.of('route')[0]?.chosen?.model, 'small', 'the best that can be paid');
  t.strictSame(Object.keys(new FlowCall(loaded).dialogue.otherTexts ?? {}), ['de']);
  t.end();
});

test('a router’s choices are checked', (t) => {
  const wrong = ROUTER.replace('language: de }', 'language: fr }')
    .replace('persona: calm,', 'persona: clam,')
    .replace('accuracy: 0.9,', 'accuracy: 0.99,')
    .replace('use: small', 'use: smal');
  t.strictSame(
    problemsIn(wrong).map((line) => line.replace(/^router\.yaml:\d+: /, '')),
    [
      'steps.choose.route.0.language: names the language "fr", which does not exist',
      'steps.choose.route.1.persona: names the persona "clam", which does not exist; did you mean calm?',
      'steps.choose.route.1.accuracy: is 0.99, expected at most 0.95: no model of the flow is better',
      'steps.by_model.model.use: names the model "smal", which does not exist; did you mean small?',
    ],
  );
  t.match(problemsIn(ROUTER.replace('Europe/Berlin', 'Europe/Berlim')), [/hours\.zone: .*expected a time zone, as in "Europe\/Berlin"/]);
  t.match(problemsIn(ROUTER.replace('monday-friday', 'mon-fri')), [/expected a weekday/]);
  t.end();
});

test('opening hours: zones, both changes of the clock, spans to midnight, movable feasts', (t) => {
  const hours: OpeningHours = {
    zone: 'Europe/Berlin',
    week: Array.from({ length: 7 }, (_, day) => (day === 6 ? [[60, 180]] : [[540, 1440]])),
    holidays: ['easter', 'easter-2', 'easter+39', '01-01'],
  };
  const open = (...utc: [number, number, number, number, number]): boolean => isOpen(hours, localTime(Date.UTC(...utc), hours.zone));
  t.ok(open(2026, 10, 20, 8, 0), 'nine in Berlin');
  t.notOk(open(2026, 10, 20, 7, 59));
  t.ok(open(2026, 10, 20, 22, 59), 'to midnight');
  t.notOk(open(2026, 10, 20, 23, 0));
  t.ok(open(2026, 2, 29, 0, 59), 'a Sunday, 01:59 in winter time');
  t.notOk(open(2026, 2, 29, 1, 0), 'a moment later it is three o’clock');
  t.ok(open(2026, 9, 25, 1, 30), '02:30, the second time that night');
  t.ok(
    isHoliday(hours, '2026-04-03') && isHoliday(hours, '2026-05-14') && isHoliday(hours, '2027-03-28') && isHoliday(hours, '2031-01-01'),
  );
  t.notOk(isHoliday(hours, '2026-04-06') || isHoliday(hours, 'nonsense'));
  t.strictSame([1961, 2024, 2038].map(easter), [
    { year: 1961, month: 4, day: 2 },
    { year: 2024, month: 3, day: 31 },
    { year: 2038, month: 4, day: 25 },
  ]);
  t.end();
});

// ---- tools at once, reviews, risk ----

const TOOLS = `
tools:
  load: { description: Load, effect: read, arguments: { code: {} }, result: { load: { type: number } }, port: plant.load, cost: 0.01 }
  age: { description: Age, effect: read, arguments: { code: {} }, result: { years: { type: number } }, port: plant.age }
  note: { description: Notes it, effect: write, arguments: { text: {} }, result: { id: {} }, port: plant.note }
  stop: { description: Stops the machine, effect: irreversible, arguments: { code: {} }, result: { done: { type: boolean } }, review: The caller named the machine., port: plant.stop }
`;
const GATHER = `flow: plant
language: en
start: code
person: host
variables: { load: 0, years: 0, score: 0, id: '' }
slots: { code: { type: digits, min: 3, max: 3 } }
prompts: { q: Which machine?, stopped: It is stopped., noted: 'Noted as {id}.', fine: Fine. }
${TOOLS}
steps:
  code: { ask: code, prompt: q, next: signals }
  signals:
    gather:
      - { do: load, with: { code: '{code}' }, into: { load: load } }
      - { do: age, with: { code: '{code}' }, into: { years: years } }
    atLeast: 1
    next: score
  score: { set: { score: load * 2 + years }, next: choose }
  choose:
    decide: [{ when: score > 100, next: stop }, { when: score > 10, next: note }]
    otherwise: fine
  stop: { do: stop, with: { code: '{code}' }, next: stopped, failed: fine }
  stopped: { end: hangup, prompt: stopped, outcome: stopped }
  note: { do: note, with: { text: 'score {score}' }, into: { id: id }, next: noted }
  noted: { end: hangup, prompt: noted }
  fine: { end: hangup, prompt: fine }
`;

test('signals are gathered at once; a score decides; a reviewer looks at what cannot be undone', (t) => {
  const loaded = flowsOf(GATHER);
  const call = new FlowCall(loaded);
  t.equal(call.hear('one two three'), 'tool load tool age');
  t.equal(call.tell({ t: 'errand-slow', id: 'e1' }).reply, 'one_moment');
  t.equal(call.tell({ t: 'errand-slow', id: 'e2' }).reply, '', 'one word for both');
  t.equal(call.tool({ load: 60 }), '');
  t.equal(call.tool({ years: 5 }), 'think', '125');
  t.match(call.of('think')[0]?.messages, [
    { role: 'system', text: /The caller named the machine\./ },
    { role: 'user', text: /Act: Stops the machine\ncode: 123/ },
  ]);
  t.equal(call.model('Yes.'), 'tool stop');
  t.equal(call.tool({ done: true }), 'stopped hangup: stopped');
  for (const answer of ['no', 'yes, but only if he agrees', 'I say yes', '']) {
    const denied = new FlowCall(loaded);
    denied.hear('one two three');
    denied.tool({ load: 60 });
    denied.tool({ years: 5 });
    t.equal(denied.model(answer), 'refused tool: review-denied not_approved fine hangup: completed', answer);
  }
  const one = new FlowCall(loaded);
  one.hear('one two three');
  one.tool(null);
  t.equal(one.tool({ years: 3 }), 'fine hangup: completed', 'one signal is enough');
  const none = new FlowCall(loaded);
  none.hear('one two three');
  none.tool(null);
  t.equal(none.tool(null), 'tool_failed transferring -> host');
  t.equal(Math.round(call.state.spent * 100), 1);
  t.end();
});

test('GDPR 22: on the way of high risk a person agrees to whatever has an effect', (t) => {
  const risky = GATHER.replace('start: code', 'start: first').replace(
    '  code: {',
    '  first: { route: [{ when: "true", risk: high }], otherwise: code }\n  code: {',
  );
  const call = new FlowCall(flowsOf(risky));
  call.hear('one two three');
  call.tool({ load: 5 });
  t.equal(call.tool({ years: 5 }), 'approval note');
  const id = call.state.open[0]?.id ?? '';
  t.equal(call.tell({ t: 'approval-result', id, decision: 'approved' }).reply, 'tool note');
  t.match(
    call.of('tool')[0],
    { definition: { approval: true }, request: { approval: id } },
    'the desk of tools looks for the approval too',
  );
  t.equal(call.tool({ id: 'N 7' }), 'noted hangup: completed');
  t.end();
});

test('tools at once only read; an agent has no act that cannot be undone without a second look', (t) => {
  t.match(problemsIn(GATHER.replace('{ do: age, with: { code', '{ do: stop, with: { code').replace('into: { years: years }', 'into: {}')), [
    /gather\.1\.do: does stop, which has the effect "irreversible"/,
  ]);
  const agent = (tools: string): string =>
    `flow: ag\nlanguage: en\nstart: a\nprompts: { q: Hello? }\n${TOOLS}  wipe: { description: W, effect: irreversible, port: plant.wipe }\nsteps:\n  a: { agent: Help, tools: [${tools}], prompt: q, next: e }\n  e: { end: hangup }\n`;
  t.match(problemsIn(agent('load, wipe')), [/tools: has wipe, which cannot be undone, expected approval: true or a review/]);
  t.strictSame(problemsIn(agent('load, stop')), []);
  t.end();
});

// ---- agents together ----

const AGENTS = `flow: desk
language: en
start: front
person: host
budget: 0.5
models: { large: { accuracy: 0.9, cost: 0.02 } }
forbidden: [money back]
prompts: { q: How can I help?, bye: Bye. }
${TOOLS}
steps:
  front:
    agent: Find out what it is about
    tools: [load, age, note]
    specialists: { stopper: stops machines }
    prompt: q
    use: large
    totalSeconds: 60
    next: bye
  stopper: { agent: Stop the machine, tools: [stop], specialists: { front: anything else }, prompt: q, next: bye, outcome: specialist }
  bye: { end: hangup, prompt: bye }
`;

test('an agent reads side by side, then thinks again; acts come by themselves', (t) => {
  const call = new FlowCall(flowsOf(AGENTS));
  t.equal(call.hear('how is machine one two three'), 'think');
  t.match(call.of('think')[0], { model: 'large' });
  t.equal(
    call.model('', ['load', { code: '123' }], ['age', { code: '123' }], ['note', { text: 'asked' }]),
    'tool load tool age',
    'the note waits',
  );
  const [first = '', second = ''] = call.state.open.map(({ id }) => id);
  t.equal(call.tell({ t: 'tool-result', id: second, outcome: { ok: true, data: { years: 5 } } }).reply, '');
  t.equal(call.tell({ t: 'tool-result', id: first, outcome: { ok: true, data: { load: 60 } } }).reply, 'tool_note shall_i');
  t.equal(call.hear('yes', 0.1), 'shall_i', 'a mumble is no yes');
  t.equal(call.hear('yes please'), 'tool note');
  t.equal(call.tool({ id: 'N 7' }), 'think');
  t.match(
    call.of('think')[0]?.messages.flatMap((message) => (message.role === 'tool' ? [[message.name, message.text]] : [])),
    [
      ['age', '{"years":5}'],
      ['load', '{"load":60}'],
      ['note', '{"id":"N 7"}'],
    ],
    'each answer has its call',
  );
  t.equal(call.model('The load is 60.'), 'agent_front');
  t.end();
});

test('an agent hands over to a specialist, who knows what was said; not for ever', (t) => {
  const call = new FlowCall(flowsOf(AGENTS));
  call.hear('stop machine one two three now');
  t.equal(call.model('', ['hand_over', { to: 'nobody' }]), 'refused handover: specialist-not-known think');
  t.equal(call.model('', ['hand_over', { to: 'stopper' }]), 'think');
  t.match(call.of('route')[0], { step: 'front', choice: 'stopper', by: 'model' });
  const [think] = call.of('think');
  t.match(think?.messages, [
    { role: 'system', text: /Goal: Stop the machine/ },
    { role: 'user', text: 'stop machine one two three now' },
  ]);
  t.strictSame(
    think?.tools.map(({ name }) => name),
    ['stop', 'hand_over', 'finish', 'ask_person'],
  );
  t.equal(call.model('', ['load', { code: '123' }]), 'refused tool: tool-not-allowed think', 'the other agent’s tools are gone');
  call.model('', ['hand_over', { to: 'front' }]);
  call.model('', ['hand_over', { to: 'stopper' }]);
  t.equal(call.model('', ['hand_over', { to: 'front' }]), 'refused handover: budget think');
  t.equal(call.model('', ['finish', {}]), 'bye hangup: specialist');
  t.end();
});

test('budgets of an agent: time, money and thoughts lead to a person', (t) => {
  const late = new FlowCall(flowsOf(AGENTS));
  late.tell({ t: 'heard', text: 'hello there my machine', confidence: 1, atMs: 10_000 });
  late.model('What is its number?');
  t.equal(
    late.tell({ t: 'heard', text: 'one two three', confidence: 1, atMs: 71_000 }).reply,
    'refused thought: budget transferring -> host',
  );
  const poor = new FlowCall(flowsOf(AGENTS), { facts: { budget: 0.03 } });
  poor.hear('how is machine one two three');
  poor.model('Which one?');
  t.equal(poor.hear('one two three'), 'refused thought: budget transferring -> host');
  const dear = new FlowCall(flowsOf(AGENTS), { facts: { budget: 0.025 } });
  dear.hear('how is machine one two three');
  t.equal(dear.model('', ['load', { code: '123' }]), 'refused tool: budget refused thought: budget transferring -> host');
  t.end();
});

// ---- what is not said ----

test('what a tool told is looked at before it is spoken', (t) => {
  const flow = GATHER.replace('load * 2 + years', '50');
  const said = (id: string, personal = false): string => {
    const loaded = flowsOf(
      (personal ? flow.replace('result: { id: {} }', 'result: { id: { personal: true } }') : flow).replace(
        'start: code',
        'start: code\nforbidden: [money back]',
      ),
    );
    const call = new FlowCall(loaded, { facts: { from: '0301234567' } });
    call.hear('one two three');
    call.tool({ load: 5 });
    call.tool({ years: 5 });
    return call.tool({ id });
  };
  t.equal(said('N 7'), 'noted hangup: completed');
  t.equal(said('see www.evil.example'), 'refused speech: no-speech dont_know hangup: completed');
  t.equal(said('7, and your Money Back'), 'refused speech: forbidden-promise dont_know hangup: completed');
  for (const foreign of ['7 of ann@example.com', 'call 0171 2345678', 'DE89 3704 0044 0532 0130 00', '+44 20 7946 0958'])
    t.equal(said(foreign), 'refused speech: other-person dont_know hangup: completed', foreign);
  t.equal(said('of the caller 030 1234567'), 'noted hangup: completed', 'his own number');
  t.equal(said('ann@example.com', true), 'noted hangup: completed', 'the author says that it is the caller’s');
  t.equal(said('2026-11-27 at 19:30, order 1234567'), 'noted hangup: completed', 'no number of a telephone');
  t.end();
});

test('an agent does not guess, promise or tell of others; twice, and a person takes over', (t) => {
  for (const [text, rule] of [
    ['I think it is broken.', 'uncertain'],
    ['You get your money back.', 'forbidden-promise'],
    ['Write to bob@example.com.', 'other-person'],
    ['It costs 99 euros.', 'ungrounded-figure'],
  ] as const) {
    const call = new FlowCall(flowsOf(AGENTS));
    call.hear('my machine is broken');
    t.equal(call.model(text), `refused speech: ${rule} dont_know`, text);
    call.hear('and now');
    t.equal(call.model(text), `refused speech: ${rule} transferring -> host`);
  }
  const kind = new FlowCall(flowsOf(AGENTS));
  kind.hear('write to ann at example');
  kind.model('', ['note', { text: 'mail bob@example.com' }]);
  t.match(kind.reply, 'refused tool: other-person', 'what cannot be read back is not done');
  t.end();
});

test('words that the recogniser is not sure of count as not understood, where the flow wants it', (t) => {
  const call = new FlowCall(
    flowsOf(
      MAIN.replace('start: hello', 'start: hello\nlimits: { confidence: 0.4 }'),
      IDENTIFY.replace('start: code', 'start: code\nlimits: { confidence: 0.4 }'),
    ),
  );
  t.equal(call.hear('one two three four', 0.3), 'not_understood ask_code');
  t.equal(call.hear('one two three four', 0.5), 'ask_sure');
  t.end();
});

test('a transfer goes to the desk that a variable names, if there is one; days and times of tools are said as such', (t) => {
  const text = `flow: named
language: en
languages: [en, de]
start: told
variables: { desk: '', at_day: '2026-11-27', at_time: '15:30' }
prompts: { when: { en: 'It is {at_day} at {at_time}.', de: 'Es ist {at_day} um {at_time}.' } }
steps:
  told: { say: when, next: over }
  over: { transfer: host, to: desk }
`;
  const reply = (desk: string): string => new FlowCall(flowsOf(text), { desks: ['host', 'sales'], variables: { desk } }).reply;
  t.match(reply('sales'), '-> sales');
  for (const none of ['', 'cellar', 'constructor']) t.match(reply(none), '-> host', none);
  t.equal(new FlowCall(flowsOf(text)).words.split('.')[0], 'It is Friday the 27th of November at half past three in the afternoon');
  t.match(new FlowCall(flowsOf(text), { language: 'de' }).words, 'Es ist Freitag, den 27. November um fünfzehn Uhr dreißig.');
  t.match(problemsIn(text.replace('to: desk', 'to: dask')), [/names the variable "dask", which does not exist; did you mean desk\?/]);
  t.end();
});
