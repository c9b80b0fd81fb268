/** Memory in a call: asked for once, never waited for, told to the flow, kept at the end; and the line that goes along with a transfer. */
import { test } from 'tap';
import {
  type CallMemory,
  type Dialogue,
  type DialogueEffect,
  type DialogueEvent,
  type FinishedCall,
  ParleyError,
  type Recalled,
} from '../../src/contracts/index.ts';

import { createDialogue, loadNotices, parseFlow, withOpening } from '../../src/dialogue/index.ts';
import { createSecretStore } from '../../src/call/index.ts';
import { spoken } from '../../src/stt/index.ts';
import { gate, listen, NOTICE, rig, say } from '../support/call-rig.ts';
import { settle } from '../support/virtual-time.ts';
import { join } from 'node:path';

const KNOWN: Recalled = { contact: { visits: '3', remember_me: 'true' }, history: { calls: 3, lastOutcome: 'booked', daysSince: 2 } };

class FakeMemory implements CallMemory {
  readonly asked: { callId: string; number: string }[] = [];
  readonly kept: FinishedCall[] = [];
  answer: () => Promise<Recalled | null> = () => Promise.resolve(KNOWN);
  keepFails = false;
  recall(about: { callId: string; number: string }): Promise<Recalled | null> {
    this.asked.push(about);
    return this.answer();
  }
  keep(call: FinishedCall): Promise<void> {
    this.kept.push(call);
    return this.keepFails ? Promise.reject(new ParleyError('STORE_DOWN', 'away')) : Promise.resolve();
  }
}

function line(memory: FakeMemory, after: readonly DialogueEffect[] = [{ t: 'end', how: 'hangup', outcome: 'done' }], slots = SLOTS) {
  const told: DialogueEvent[] = [];
  const dialogue: Dialogue<unknown> = {
    flow: 'booking',
    version: 'v1',
    language: 'en',
    fixedTexts: [],
    begin: () => null,
    step: (_state, event) => {
      told.push(event);
      return [null, event.t === 'start' ? [NOTICE, listen] : event.t === 'heard' ? [say('good'), ...after] : []];
    },
    slots: () => slots,
    remembered: () => ({ visits: '4' }),
  };
  const made = rig(() => [], undefined, {}, { memory, flow: () => dialogue });
  const starts = (): DialogueEvent[] => told.filter(({ t }) => t === 'start');
  const talk = async (): Promise<void> => {
    await made.time.pass(1500);
    gate(made, 'speech-start', 1450);
    await made.time.pass(1500);
    gate(made, 'speech-end', 2900);
    await made.time.pass(5000);
  };
  return { ...made, told, starts, talk };
}

const SECRET = createSecretStore().put('call', '4111111111111111');
const SLOTS = {
  day: { value: '2026-11-27', spoken: 'Friday' },
  party_size: { value: '4', spoken: 'four' },
  card: { value: SECRET, spoken: '' },
};

test('1. what is known is told with the start; what was found out is kept, without secrets', async (t) => {
  const memory = new FakeMemory();
  const call = line(memory);
  await call.begin();
  t.match(call.starts(), [{ t: 'start', facts: { contact: KNOWN.contact, history: KNOWN.history } }]);
  await call.talk();
  t.equal(call.audit.types().at(-1), 'call.ended');
  const [incoming] = call.audit.of('call.incoming');
  t.strictSame(memory.asked, [{ callId: incoming!.callId, number: incoming!.content!['from'] }]);
  t.strictSame(memory.kept, [
    {
      callId: incoming!.callId,
      number: incoming!.content!['from'],
      outcome: 'done',
      values: { visits: '4' },
      slots: { day: '2026-11-27', party_size: '4' },
      summary: 'booking: day Friday; party size four (done)',
      agreedBefore: 'true',
    },
  ]);
});

test('2. a memory that hangs costs 300 ms, not the call; a late answer changes nothing', async (t) => {
  const memory = new FakeMemory();
  let answer: (recalled: Recalled) => void = () => undefined;
  memory.answer = () => new Promise((resolve) => (answer = resolve));
  const call = line(memory);
  await call.begin();
  await call.time.pass(290);
  t.equal(call.starts().length, 0);
  await call.time.pass(20);
  t.equal(call.starts().length, 1);
  t.notOk(JSON.stringify(call.starts()).includes('visits'));
  answer(KNOWN);
  await settle();
  t.equal(call.starts().length, 1);
});

test('3. a memory that fails, or cannot keep, changes nothing in the call', async (t) => {
  const memory = new FakeMemory();
  memory.answer = () => Promise.reject(new ParleyError('STORE_DOWN', 'away'));
  memory.keepFails = true;
  const call = line(memory);
  await call.begin();
  t.equal(call.starts().length, 1);
  await call.talk();
  t.equal(call.audit.of('call.ended')[0]!.body.outcome, 'done');
  t.equal(memory.kept[0]!.agreedBefore, undefined);
});

test('4. a caller who hangs up while he is looked up is not greeted; nor is anything asked about a withheld number', async (t) => {
  const memory = new FakeMemory();
  memory.answer = () => new Promise(() => undefined);
  const call = line(memory);
  const id = await call.begin();
  call.pbx.callerHangsUp(id);
  await call.time.pass(400);
  t.equal(call.starts().length, 0);
  t.equal(call.audit.types().at(-1), 'call.ended');

  const unasked = new FakeMemory();
  const withheld = line(unasked);
  await withheld.pbx.start();
  await withheld.stt.start();
  await withheld.tts.start();
  withheld.pbx.ring({ args: { flow: 'test' }, from: { name: '', number: '' } });
  await settle();
  await withheld.talk();
  t.equal(withheld.audit.types().at(-1), 'call.ended');
  t.strictSame([unasked.asked, unasked.kept], [[], []]);
});

test('5. a transfer takes along the slots and one line, without secrets', async (t) => {
  const call = line(new FakeMemory(), [{ t: 'transfer', desk: 'sales' }]);
  await call.begin();
  await call.talk();
  t.match(call.pbx.actions.at(-1), {
    t: 'transfer',
    variables: { PARLEY_OUTCOME: 'transferred', PARLEY_SUMMARY: 'booking: day Friday; party size four', PARLEY_SLOT_day: '2026-11-27' },
  });
  t.notOk(JSON.stringify(call.pbx.actions).includes(SECRET));
});

test('6. the dialogue says what it set about the contact in this call, behind the opening too', async (t) => {
  const text = `flow: count
language: en
start: add
contact: { visits: 0, city: Ulm }
prompts: { bye: 'Goodbye.' }
steps:
  add: { set: { contact.visits: contact.visits + 1 }, next: over }
  over: { end: hangup, prompt: bye }
`;
  const inner = createDialogue(parseFlow(text, 'count.yaml'), { today: '2026-11-20' });
  const notices = await loadNotices(join(import.meta.dirname, '../../config/notices.yaml'));
  const dialogue = withOpening(inner, { notices, policy: 'off' });
  const before = dialogue.begin();
  t.strictSame(dialogue.remembered?.(before), {});
  const [after] = dialogue.step(before, { t: 'start', variables: {}, facts: { contact: { visits: '3', city: 'Bonn', unknown: 'x' } } });
  t.strictSame(dialogue.remembered?.(after), { visits: '4' });
});

test('GDPR 7(1): consent to being remembered is in the log with its question, before anything follows; a no as well', async (t) => {
  const text = (answer: string): string => `flow: asks
language: en
start: ask_leave
contact: { remember_me: false }
slots:
  may_we: { type: yes-no }
prompts: { may: 'May we remember you?', bye: 'Goodbye.' }
steps:
  ask_leave: { ask: may_we, prompt: may, next: note }
  note: { set: { contact.remember_me: ${answer} }, next: over }
  over: { end: hangup, prompt: bye }
`;
  const consentOf = async (words: string, known: Recalled | null, answer = 'may_we') => {
    const memory = new FakeMemory();
    memory.answer = () => Promise.resolve(known);
    const dialogue = createDialogue(parseFlow(text(answer), 'asks.yaml'), { today: '2026-11-20' });
    const made = rig(() => [], spoken(words, 32_000), {}, { memory, flow: () => dialogue });
    await made.begin();
    await made.time.pass(1500);
    gate(made, 'speech-start', 1450);
    await made.time.pass(1500);
    gate(made, 'speech-end', 2900);
    await made.time.pass(8000);
    const types = made.audit.types();
    const [consent] = made.audit.of('consent');
    return { consent, types, said: made.audit.of('agent.said'), kept: memory.kept, version: dialogue.version };
  };
  const yes = await consentOf('yes please', null);
  t.match(yes.consent?.body, { purpose: 'memory', result: 'granted', how: 'voice', language: 'en', wordingVersion: yes.version });
  t.equal(yes.consent?.body.wordingSha256, yes.said.find(({ body }) => body.kind === 'question')?.body.wordingSha256);
  t.ok((yes.consent?.body.atSample ?? 0) > 0);
  t.ok(yes.types.indexOf('consent') < yes.types.indexOf('call.ended'));
  t.match(yes.kept, [{ values: { remember_me: 'true' } }]);
  t.match((await consentOf('no', null)).consent?.body, { purpose: 'memory', result: 'refused' });
  t.match((await consentOf('no', KNOWN)).consent?.body, { purpose: 'memory', result: 'withdrawn' }, 'what was agreed before is taken back');
  const unasked = text('true')
    .replace('start: ask_leave', 'start: note')
    .replace(/^ {2}(ask_leave|may_we):.*\n/gm, '')
    .replace('slots:\n', '')
    .replace("may: 'May we remember you?', ", '');
  const dialogue = createDialogue(parseFlow(unasked, 'asks.yaml'), { today: '2026-11-20' });
  const made = rig(() => [], undefined, {}, { memory: new FakeMemory(), flow: () => dialogue });
  await made.begin();
  await made.time.pass(5000);
  t.match(
    made.audit.of('consent')[0]?.body,
    { result: 'granted', how: 'not-asked', wordingSha256: '' },
    'a flow that asks nobody shows as such',
  );
});
