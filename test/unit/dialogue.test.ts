/** Conversations in words: the shipped booking flow turn by turn, then the parts of the runner, then what holds for every caller. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'tap';
import type { Dialogue, DialogueEffect, DialogueEvent } from '../../src/contracts/index.ts';
import { ProblemsError } from '../../src/contracts/index.ts';
import { LANGUAGES } from '../../src/dialogue/language/index.ts';
import { checkSpoken } from '../../src/dialogue/runner/guard.ts';
import { createDialogue, desksOf, type FlowState, type LoadedFlow, loadFlows, parseFacts, parseFlow } from '../../src/dialogue/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** A Friday. */
const TODAY = '2026-11-20';
const flows = await loadFlows(join(ROOT, 'config', 'flows'));
const booking = flows.get('booking');
if (booking === undefined) throw new Error('the booking flow is shipped');

/** One call in words. */
class Call {
  readonly dialogue: Dialogue<FlowState>;
  state: FlowState;
  effects: readonly DialogueEffect[] = [];

  constructor(loaded: LoadedFlow, options: { desks?: readonly string[]; variables?: Record<string, string>; today?: string } = {}) {
    const { desks = ['host'], variables = {}, today = TODAY } = options;
    this.dialogue = createDialogue(loaded.flow, { facts: loaded.facts, today, desks });
    this.state = this.dialogue.begin();
    this.tell({ t: 'start', variables });
  }

  tell(event: DialogueEvent): this {
    [this.state, this.effects] = this.dialogue.step(this.state, event);
    return this;
  }

  /** The caller says this; returns the prompts of the reply, in order, and what is done. */
  hear(text: string): string {
    return this.tell({ t: 'heard', text, confidence: 0.9 }).reply;
  }

  get reply(): string {
    return this.effects
      .flatMap((effect) => {
        if (effect.t === 'say') return [effect.prompt];
        if (effect.t === 'transfer') return [`-> ${effect.desk}`];
        return effect.t === 'end' ? [`${effect.how}: ${effect.outcome}`] : [];
      })
      .join(' ');
  }

  get words(): string {
    return this.effects.flatMap((effect) => (effect.t === 'say' ? [effect.text] : [])).join(' ');
  }

  get slots(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.dialogue.slots(this.state)).map(([name, { value }]) => [name, value]));
  }
}

/** The caller, up to the read-back. */
function readBack(): Call {
  const call = new Call(booking!);
  call.hear('i want to book a table for four on friday at seven');
  return call;
}

test('the call begins with a notice that cannot be talked over', (t) => {
  const call = new Call(booking);
  const [step, notice] = call.effects;
  t.strictSame(step, { t: 'step', step: 'greeting', reason: 'start' });
  t.match(notice, {
    t: 'say',
    kind: 'notice',
    interruptible: false,
    prompt: 'greeting',
    text: /the Parley restaurant.*automated assistant/,
  });
  t.equal(call.reply, 'greeting how_can_i_help');
  t.strictSame(call.effects.at(-1), { t: 'listen', expect: { kind: 'choice' } });
  t.match(new Call(booking, { variables: { restaurant: 'The Harbour', unknown: 'x' } }).words, /Welcome to The Harbour\./);
  t.end();
});

test('a booking in one sentence fills every slot and is read back', (t) => {
  const call = readBack();
  t.equal(call.reply, 'read_back');
  t.equal(call.words, 'A table for four on Friday the 27th of November at seven in the evening. Is that right?');
  t.strictSame(call.slots, { request: 'book', party: '4', day: '2026-11-27', time: '19:00' });
  t.strictSame(call.effects.at(-1), { t: 'listen', expect: { kind: 'yes-no' } });
  t.equal(call.hear('yes that is right'), 'booked anything_else');
  t.equal(call.hear('no thank you'), 'farewell hangup: booked');
  t.end();
});

test('a booking piece by piece asks only for what is missing', (t) => {
  const call = new Call(booking);
  t.equal(call.hear('i would like to book a table please'), 'ask_party');
  t.equal(call.hear('four'), 'ask_day');
  t.equal(call.hear('saturday at eight'), 'read_back');
  t.match(call.words, /four on Saturday the 21st of November at eight in the evening/);
  t.end();
});

for (const { says, expected, slots } of [
  { says: ['saturday at seven'], expected: ['read_back'], slots: { day: '2026-11-21' } },
  { says: ['no saturday is right'], expected: ['read_back'], slots: { day: '2026-11-21' } },
  { says: ['change my table to saturday'], expected: ['read_back'], slots: { day: '2026-11-21' } },
  { says: ['no saturday at eight in the evening'], expected: ['read_back'], slots: { day: '2026-11-21', time: '20:00' } },
  { says: ['no that is wrong', 'saturday please'], expected: ['what_is_wrong', 'read_back'], slots: { day: '2026-11-21' } },
  { says: ['no friday is wrong', 'saturday'], expected: ['ask_day', 'read_back'], slots: { day: '2026-11-21' } },
  { says: ['no', 'the time', 'nine'], expected: ['what_is_wrong', 'ask_time', 'read_back'], slots: { time: '21:00' } },
  { says: ['no the day', 'monday'], expected: ['ask_day', 'read_back'], slots: { day: '2026-11-23' } },
  { says: ['for five people'], expected: ['read_back'], slots: { party: '5' } },
  { says: ['no monday is wrong'], expected: ['what_is_wrong'], slots: { day: '2026-11-27' } },
  { says: ['not friday saturday'], expected: ['read_back'], slots: { day: '2026-11-21' } },
]) {
  test(`a correction: ${says.join(' / ')}`, (t) => {
    const call = readBack();
    t.strictSame(
      says.map((text) => call.hear(text)),
      expected,
    );
    t.match(call.slots, slots);
    if (expected.at(-1) === 'read_back') t.equal(call.hear('yes saturday is right'.replace('saturday', 'that')), 'booked anything_else');
    t.end();
  });
}

test('a correction is marked as one in the log', (t) => {
  const call = readBack();
  call.hear('change my table to saturday');
  const [effect] = call.effects.filter(({ t: kind }) => kind === 'slot');
  t.strictSame(effect, {
    t: 'slot',
    slot: 'day',
    value: { value: '2026-11-21', spoken: 'Saturday the 21st of November' },
    corrected: true,
  });
  t.end();
});

test('what is read back is confirmed by a yes, with or without the words again', (t) => {
  t.equal(readBack().hear('friday at seven'), 'read_back', 'but that alone is no yes');
  t.equal(readBack().hear('cancel my table on friday'), 'read_back', 'and this is far from it');
  t.equal(readBack().hear('yes friday is right'), 'booked anything_else');
  t.equal(readBack().hear('okay friday is good'), 'booked anything_else');
  t.end();
});

test('a booking can still be changed when it is booked', (t) => {
  const call = readBack();
  call.hear('yes please');
  t.equal(call.hear('change my table to saturday'), 'read_back');
  t.equal(call.hear('yes'), 'booked anything_else');
  t.equal(call.slots['day'], '2026-11-21');
  t.equal(call.hear('no that is wrong'), 'what_is_wrong', 'this is no "no, nothing else"');
  t.equal(call.hear('at eight'), 'read_back');
  t.end();
});

test('a question in the middle is answered from the facts, then the open question comes again', (t) => {
  const call = new Call(booking);
  t.equal(call.hear('what are your opening hours'), 'fact_opening_hours how_can_i_help');
  call.hear('book a table for two on monday');
  t.equal(call.hear('are you open on sunday'), 'fact_opening_hours ask_time');
  t.equal(call.slots['day'], '2026-11-23', 'a question changes nothing');
  t.equal(call.hear('where is the office'), 'fact_address ask_time');
  t.equal(call.hear('how much is it'), 'fact_prices ask_time');
  t.equal(call.hear('please stop recording'), 'fact_recording ask_time');
  t.equal(call.hear('delete my data please'), 'fact_data ask_time');
  t.equal(call.hear('at seven'), 'read_back');
  t.end();
});

test('the caller may ask to ask', (t) => {
  const call = new Call(booking);
  t.equal(call.hear('i have a question'), 'ask_question');
  t.equal(call.hear('where is the office'), 'fact_address anything_else');
  t.equal(call.hear('yes'), 'ask_question');
  t.equal(call.hear('how much is it'), 'fact_prices anything_else');
  t.equal(call.hear('no'), 'farewell hangup: completed');
  t.end();
});

test('what nobody told us is not known: a person is offered', (t) => {
  const call = new Call(booking);
  t.equal(call.hear('what is my balance'), 'dont_know_offer');
  t.equal(call.hear('no thank you'), 'all_right how_can_i_help');
  t.equal(call.hear('where is my order'), 'dont_know_offer');
  t.equal(call.hear('yes please'), 'transferring -> host');
  const offered = new Call(booking);
  offered.hear('what is my balance');
  t.equal(offered.hear('book a table for two'), 'ask_day', 'an offer can be passed over');
  offered.hear('what is my balance');
  offered.hear('what are your opening hours');
  t.equal(offered.hear('yes'), 'not_understood ask_day', 'and is then forgotten');
  t.equal(new Call(booking, { desks: [] }).hear('what is my balance'), 'dont_know help', 'nobody is offered where nobody is');
  t.end();
});

for (const words of [
  'i want to speak to a person',
  'speak to an agent please',
  'i need to talk to a human',
  'transfer me to support please',
  'Operator!',
]) {
  test(`a person at any time: ${words}`, (t) => {
    t.equal(new Call(booking).hear(words), 'transferring -> host');
    t.equal(readBack().hear(words), 'transferring -> host');
    t.end();
  });
}

test('a desk that is named wins; without desks nobody is promised; a failed transfer leads back', (t) => {
  t.equal(new Call(booking, { desks: ['host', 'sales'] }).hear('transfer me to sales please'), 'transferring -> sales');
  t.equal(new Call(booking, { desks: [] }).hear('i want to speak to a person'), 'no_person how_can_i_help');
  const call = readBack();
  call.hear('speak to an agent please');
  t.strictSame(call.tell({ t: 'heard', text: 'hello', confidence: 1 }).effects, [], 'on the way to the desk nobody is asked');
  t.equal(call.tell({ t: 'transfer-failed', reason: 'busy' }).reply, 'transfer_failed read_back');
  t.equal(call.hear('yes'), 'booked anything_else');
  t.end();
});

test('a transfer of the flow itself, and where it goes when it fails', (t) => {
  const call = new Call(booking);
  t.equal(call.hear('cancel my table please'), 'changes_by_a_person -> host');
  t.equal(call.tell({ t: 'transfer-failed', reason: 'busy' }).reply, 'transfer_failed anything_else');
  t.equal(new Call(booking, { desks: [] }).hear('cancel my table please'), 'no_person anything_else');
  t.end();
});

for (const words of ['are you a machine', 'are you a person', 'are you human', 'Am I talking to a robot?', 'Is this a recording?']) {
  test(`the truth about what we are: ${words}`, (t) => {
    const call = new Call(booking);
    t.equal(call.hear(words), 'i_am_a_machine how_can_i_help');
    t.match(call.words, /I am a machine/);
    t.end();
  });
}

test('say that again', (t) => {
  const call = new Call(booking);
  t.equal(call.hear('please say that again'), 'greeting how_can_i_help');
  call.hear('what are your opening hours');
  t.equal(call.hear('what did you say'), 'fact_opening_hours how_can_i_help');
  t.equal(call.hear('what did you say'), 'fact_opening_hours how_can_i_help', 'and again');
  t.equal(readBack().hear('please say that again'), 'read_back');
  call.tell({ t: 'not-understood' });
  t.equal(call.hear('what did you say'), 'how_can_i_help', 'apologies are not said again');
  t.end();
});

test('wait a moment: a short word and more patience', (t) => {
  const call = readBack();
  for (const words of ['wait a moment', 'hold on please', 'just a second']) {
    t.equal(call.hear(words), 'hold_on');
    t.strictSame(call.effects.at(-1), { t: 'listen', expect: { kind: 'yes-no' }, silenceMs: 30000 });
  }
  t.equal(call.hear('yes'), 'booked anything_else', 'the open question stands');
  t.end();
});

test('goodbye ends the call at any time, politely', (t) => {
  t.equal(new Call(booking).hear('goodbye'), 'goodbye hangup: goodbye');
  const call = readBack();
  call.hear('yes');
  t.equal(call.hear('goodbye'), 'goodbye hangup: booked');
  t.strictSame(call.tell({ t: 'heard', text: 'hello', confidence: 1 }).effects, [], 'after the end there is nothing');
  t.end();
});

test('a greeting is no answer and no mistake', (t) => {
  const call = new Call(booking);
  for (let i = 0; i < 5; i++) t.equal(call.hear('Hello?'), 'how_can_i_help');
  t.end();
});

test('nothing understood: an apology and the question in other words, then a person', (t) => {
  const call = new Call(booking);
  t.equal(call.tell({ t: 'not-understood' }).reply, 'not_understood help');
  t.equal(call.hear('seven eleven monday'), 'how_can_i_help', 'a day and nothing else: kept, the question stands');
  t.equal(call.hear('i do not know'), 'all_right help');
  t.equal(call.tell({ t: 'not-understood' }).reply, 'give_up -> host');
  t.equal(call.tell({ t: 'transfer-failed', reason: 'no answer' }).reply, 'transfer_failed goodbye hangup: no-person');
  const alone = new Call(booking, { desks: [] });
  for (let i = 0; i < 2; i++) alone.tell({ t: 'not-understood' });
  t.equal(alone.tell({ t: 'not-understood' }).reply, 'give_up_goodbye hangup: not-understood');
  t.end();
});

test('silence: a question, then a goodbye; a word between begins anew', (t) => {
  const call = new Call(booking);
  t.equal(call.tell({ t: 'silence' }).reply, 'still_there help');
  call.hear('hello');
  t.equal(call.tell({ t: 'silence' }).reply, 'still_there help');
  t.equal(call.tell({ t: 'silence' }).reply, 'silence_goodbye hangup: silence');
  t.end();
});

test('GDPR 22: keys: a choice, a number, yes and no, and 0 for a person', (t) => {
  const call = new Call(booking);
  const key = (digits: string): string => call.tell({ t: 'digits', digits }).reply;
  t.equal(key('1'), 'ask_party');
  t.equal(key('4'), 'ask_day');
  t.equal(key('7'), 'not_understood ask_day', 'no day is a number');
  t.equal(call.hear('monday'), 'ask_time');
  t.equal(key('1930'), 'read_back');
  t.match(call.words, /half past seven in the evening/);
  t.equal(key('2'), 'what_is_wrong');
  t.equal(call.hear('for two people'), 'read_back');
  t.equal(key('1'), 'booked anything_else');
  t.equal(key('2'), 'farewell hangup: booked');
  t.equal(new Call(booking).tell({ t: 'digits', digits: '0' }).reply, 'transferring -> host');
  t.end();
});

test('a value that cannot be is said so, and the question stands', (t) => {
  const call = new Call(booking);
  call.hear('book a table');
  t.equal(call.hear('for twenty'), 'party_out_of_range ask_party');
  t.equal(call.hear('for two'), 'ask_day');
  t.equal(call.hear('on the fifth of october'), 'day_out_of_range ask_day');
  t.equal(call.hear('tomorrow'), 'ask_time');
  t.equal(call.hear('at three in the morning'), 'time_out_of_range ask_time');
  t.equal(call.hear('half past eight'), 'read_back');
  t.equal(call.slots['time'], '20:30');
  t.equal(call.hear('for six on monday at two'), 'time_out_of_range read_back', 'what can be is taken, what cannot be is said');
  t.match(call.slots, { party: '6', day: '2026-11-23', time: '20:30' });
  t.equal(new Call(booking).hear('book a table for six on monday at two'), 'time_out_of_range ask_time');
  t.end();
});

test('texts that are always the same are known ahead, with the version of every word', async (t) => {
  const { fixedTexts, version } = new Call(booking).dialogue;
  t.ok(fixedTexts.includes('How can I help you?'));
  t.ok(fixedTexts.includes('I am a machine, an automated assistant, and not a person.'));
  t.ok(
    fixedTexts.some((text) => text.startsWith('We are open')),
    'facts too',
  );
  t.ok(
    fixedTexts.some((text) => text.startsWith('Welcome to the Parley restaurant')),
    'variables at their defaults',
  );
  t.notOk(fixedTexts.some((text) => text.includes('{')));
  t.match(version, /^[0-9a-f]{64}$/);
  t.not(version, parseFlow(await readFile(booking.flow.file, 'utf8'), booking.flow.file).version, 'the facts are in it');
  t.strictSame(desksOf(booking.flow), ['host']);
});

test('the state is plain data: a call goes on after a restart', (t) => {
  const call = readBack();
  call.state = JSON.parse(JSON.stringify(call.state)) as FlowState;
  t.equal(call.hear('yes'), 'booked anything_else');
  t.end();
});

// ---- understanding, slot by slot ----

function slotCall(slot: string, options: { today?: string } = {}): (text: string) => string | undefined {
  const text = `
flow: slots
language: en
start: ask
slots: { it: ${slot} }
prompts: { q: "Which?", bye: "Bye." }
steps:
  ask: { ask: it, prompt: q, next: bye }
  bye: { end: leave, prompt: bye }
`;
  const loaded = { flow: parseFlow(text, 'slots.yaml'), facts: {} };
  return (said) => {
    const call = new Call(loaded, options);
    call.hear(said);
    return call.slots['it'];
  };
}

test('numbers', (t) => {
  const number = slotCall('{ type: number }');
  for (const [said, value] of [
    ['four', '4'],
    ['4', '4'],
    ['twelve please', '12'],
    ['twenty five', '25'],
    ['Twenty-five.', '25'],
    ['one hundred and twenty', '120'],
    ['two thousand and six', '2006'],
    ['1,200', '1200'],
    ['a table', undefined],
    ['constructor', undefined],
  ] as const)
    t.equal(number(said), value, said);
  t.end();
});

test('digits', (t) => {
  const digits = slotCall('{ type: digits, min: 3, max: 8 }');
  for (const [said, value] of [
    ['one two three', '123'],
    ['oh double five seven', '0557'],
    ['555-1234', '5551234'],
    ['my number is four four two', '442'],
    ['one two', undefined],
    ['twenty one forty', '2140'],
    ['1 2 3', '123'],
  ] as const)
    t.equal(digits(said), value, said);
  t.end();
});

test('days', (t) => {
  const day = slotCall('{ type: day }');
  for (const [said, value] of [
    ['today', '2026-11-20'],
    ['tomorrow', '2026-11-21'],
    ['the day after tomorrow', '2026-11-22'],
    ['monday', '2026-11-23'],
    ['friday', '2026-11-27'],
    ['on Thursday, please', '2026-11-26'],
    ['the twenty seventh', '2026-11-27'],
    ['the 3rd', '2026-12-03'],
    ['december 24', '2026-12-24'],
    ['the first of january', '2027-01-01'],
    ['24 december', '2026-12-24'],
    ['the thirty first', '2026-12-31'],
    ['four', undefined],
    ['friday no saturday', '2026-11-21'],
  ] as const)
    t.equal(day(said), value, said);
  t.equal(slotCall('{ type: day }', { today: '2028-02-28' })('the twenty ninth'), '2028-02-29', 'a leap year');
  t.equal(slotCall('{ type: day }', { today: '2026-12-31' })('tomorrow'), '2027-01-01');
  t.end();
});

test('times', (t) => {
  const time = slotCall('{ type: time }');
  for (const [said, value] of [
    ['seven', '07:00'],
    ['at seven in the evening', '19:00'],
    ['three', '15:00'],
    ['half past seven', '07:30'],
    ['quarter to eight pm', '19:45'],
    ['quarter past ten', '10:15'],
    ['19:30', '19:30'],
    ['7.30 p.m.', '19:30'],
    ['seven thirty', '07:30'],
    ['noon', '12:00'],
    ['midnight', '00:00'],
    ["eleven o'clock", '11:00'],
    ['ten past nine in the morning', '09:10'],
    ['nine oh five', '09:05'],
    ['twelve', '12:00'],
    ['friday', undefined],
  ] as const)
    t.equal(time(said), value, said);
  const evening = slotCall('{ type: time, from: "17:00", to: "22:00" }');
  t.equal(evening('seven'), '19:00');
  t.equal(evening('eleven'), undefined);
  t.end();
});

test('yes and no', (t) => {
  const yesNo = slotCall('{ type: yes-no }');
  for (const [said, value] of [
    ['yes', 'yes'],
    ['yes please', 'yes'],
    ['okay', 'yes'],
    ['that is right', 'yes'],
    ['no', 'no'],
    ['no thank you', 'no'],
    ['that is wrong', 'no'],
    ['that is not right', 'no'],
    ["that's correct", 'yes'],
    ['a table', undefined],
  ] as const)
    t.equal(yesNo(said), value, said);
  t.end();
});

test('two slots of one type: the asked one first, then the empty one; the last word counts', (t) => {
  const text = `
flow: stay
language: en
start: from
slots: { from: { type: day }, until: { type: day }, guests: { type: number, before: [for] } }
prompts: { from: "From?", until: "Until?", guests: "How many?" }
steps:
  from: { ask: from, prompt: from, next: until }
  until: { ask: until, prompt: until, next: guests }
  guests: { ask: guests, prompt: guests, next: end }
  end: { end: leave, outcome: asked }
`;
  const call = new Call({ flow: parseFlow(text, 'stay.yaml'), facts: {} }, { variables: { today: '2026-12-01' } });
  t.equal(call.hear('tomorrow'), 'until');
  t.equal(call.slots['from'], '2026-12-02', 'the dialplan may say what day it is');
  t.equal(call.hear('hello'), 'until');
  t.equal(call.hear('until friday'), 'guests');
  t.equal(call.hear('five no for four'), 'leave: asked');
  t.strictSame(call.slots, { from: '2026-12-02', until: '2026-12-04', guests: '4' });
  const early = new Call({ flow: parseFlow(text, 'stay.yaml'), facts: {} }, { variables: { today: 'yesterday' } });
  early.hear('monday');
  t.equal(early.slots['from'], '2026-11-23', 'a day that is none is ignored');
  t.end();
});

test('choices take the longest phrase; free text is kept whole', (t) => {
  const choice = slotCall('{ type: choice, choices: { bill: { words: [bill] }, pay: { words: [pay my bill] } } }');
  t.equal(choice('i want to pay my bill'), 'pay');
  t.equal(choice('my bill'), 'bill');
  t.equal(slotCall('{ type: free }')('The blue one.'), 'the blue one');
  t.end();
});

// ---- steps and ways out ----

const reception: LoadedFlow = await (async () => {
  const file = join(ROOT, 'test', 'fixtures', 'flows', 'reception.yaml');
  return { flow: parseFlow(await readFile(file, 'utf8'), file), facts: {} };
})();

test('decisions: variables, filled slots, numbers', (t) => {
  t.equal(new Call(reception, { variables: { open: 'no' } }).reply, 'closed leave: closed');
  const count = (said: string): string => {
    const call = new Call(reception);
    call.hear('one two three four');
    return call.hear(said);
  };
  t.equal(count('six'), 'bye hangup: done');
  t.equal(count('sixty'), 'many bye hangup: done');
  t.equal(count('twenty'), 'ask_sure');
  t.end();
});

test('a caller cannot write into the flow: variables are texts, never templates', (t) => {
  const call = new Call(reception, { variables: { caller: '{pin} Ann' } });
  t.equal(call.words, 'Your number please, {pin} Ann.');
  t.ok(new Call(reception, { variables: { caller: 'x'.repeat(5000) } }).words.length < 300);
  t.end();
});

test('a confirmation of one slot asks for it at once after a no', (t) => {
  const call = new Call(reception);
  call.hear('one two three four');
  call.hear('twenty');
  t.equal(call.hear('no'), 'ask_guests');
  t.equal(call.hear('thirty'), 'ask_sure', 'and comes back');
  t.equal(call.hear('yes'), 'bye hangup: done');
  t.end();
});

test('the flow’s own ways out: failure, silence, goodbye, and of one question', (t) => {
  const call = new Call(reception);
  t.equal(call.hear('one two'), 'four_digits ask_pin');
  t.equal(call.hear('no'), 'sorry transferring -> host');
  t.equal(call.tell({ t: 'transfer-failed', reason: 'busy' }).reply, 'transfer_failed bye hangup: done');
  t.equal(new Call(reception).hear('goodbye'), 'bye hangup: done');
  const quiet = new Call(reception);
  const silence = (): string => quiet.tell({ t: 'silence' }).reply;
  t.strictSame([silence(), silence(), silence()], ['still_there ask_pin', 'lost', 'silence_goodbye hangup: silence']);
  const guests = new Call(reception);
  guests.tell({ t: 'digits', digits: '1234' });
  guests.hear('a few');
  t.equal(guests.hear('some'), 'bye hangup: done', 'otherwise wins over onFailure');
  t.end();
});

test('keys of the wrong number are said so', (t) => {
  const call = new Call(reception);
  t.strictSame(call.effects.at(-1), { t: 'listen', expect: { kind: 'digits', min: 4, max: 4 } });
  t.equal(call.tell({ t: 'digits', digits: '12' }).reply, 'four_digits ask_pin');
  t.equal(call.tell({ t: 'digits', digits: '0' }).reply, 'sorry transferring -> host', 'a second miss, not a key for a person');
  t.end();
});

// ---- flow files ----

function problemsOf(parse: () => unknown): readonly string[] {
  try {
    parse();
  } catch (error) {
    if (error instanceof ProblemsError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const BAD_FLOWS = join(ROOT, 'test', 'fixtures', 'flows');

test('a mistake in a flow names file, line, key and what was expected; all of them at once', async (t) => {
  const text = await readFile(join(BAD_FLOWS, 'many-mistakes.yaml'), 'utf8');
  t.strictSame(
    problemsOf(() => parseFlow(text, 'many-mistakes.yaml')),
    [
      'many-mistakes.yaml:3: langage: is not a known key; did you mean language?',
      'many-mistakes.yaml: language: is missing, expected text',
      'many-mistakes.yaml:5: limits.turns: is "many", expected a number',
      'many-mistakes.yaml:8: slots.when.type: is "dya", expected one of digits, secret, number, day, time, yes-no, choice, free, name, money, email, phone, postcode; did you mean day?',
      'many-mistakes.yaml:10: slots.at.from: is "25:00", expected a time in quotes, as in "19:30"',
      'many-mistakes.yaml:17: steps.first.nxt: is not a known key; did you mean next?',
      'many-mistakes.yaml:15: steps.first.next: is missing, expected text',
      'many-mistakes.yaml:18: steps.second: has say and ask, expected exactly one of say, ask, confirm, answer, decide, transfer, do, route, set, call, gather, agent, end',
    ].sort(byLine),
  );
  t.end();
});

function byLine(a: string, b: string): number {
  const line = (text: string): number => Number(/:(\d+):/.exec(text)?.[1] ?? 0);
  return line(a) - line(b);
}

test('broken YAML names its line', (t) => {
  const [problem] = problemsOf(() => parseFlow('flow: x\nsteps: [\n', 'x.yaml'));
  t.match(problem, /^x\.yaml:\d+: is not valid YAML: /);
  t.match(problemsOf(() => parseFlow('', 'x.yaml'))[0], /^x\.yaml: is empty/);
  t.match(problemsOf(() => parseFlow('flow: a\nflow: b', 'x.yaml'))[0], /^x\.yaml:2: is not valid YAML: /);
  t.end();
});

test('references are checked: steps, prompts, slots, placeholders, ways to an end', async (t) => {
  const text = await readFile(join(BAD_FLOWS, 'loose-ends.yaml'), 'utf8');
  t.strictSame(
    problemsOf(() => parseFlow(text, 'loose-ends.yaml')),
    [
      'loose-ends.yaml:2: flow: is "loose", expected "loose-ends" as the file is called',
      'loose-ends.yaml:11: prompts.hello: has {nane}, expected the name of a slot or a variable; did you mean name?',
      'loose-ends.yaml:16: steps.ask_name.prompt: names the prompt "aks", which does not exist; did you mean ask?',
      'loose-ends.yaml:17: steps.ask_name.next: names the step "chek", which does not exist; did you mean check?',
      'loose-ends.yaml:19: steps.check.confirm: has size, but no step asks for it: a caller could not correct it',
    ],
  );
});

test('paths are checked: steps that nobody comes to, loops that never listen, no way to an end', async (t) => {
  const text = await readFile(join(BAD_FLOWS, 'no_way.yaml'), 'utf8');
  t.strictSame(
    problemsOf(() => parseFlow(text, 'no_way.yaml')),
    [
      'no_way.yaml:10: steps.begin: leads to no end, expected a way to an end or a transfer',
      'no_way.yaml:12: steps.round: leads to no end, expected a way to an end or a transfer',
      'no_way.yaml:12: steps.round: is part of a loop that never listens to the caller',
      'no_way.yaml:15: steps.about: leads to no end, expected a way to an end or a transfer',
      'no_way.yaml:15: steps.about: is part of a loop that never listens to the caller',
      'no_way.yaml:18: steps.bye: cannot be reached from any other step',
    ],
  );
});

test('a language that is promised must be there in every prompt', (t) => {
  const text = 'flow: x\nlanguage: en\nlanguages: [en, nl]\nstart: a\nprompts:\n  a: Hello.\nsteps:\n  a: { end: hangup, prompt: a }\n';
  t.strictSame(
    problemsOf(() => parseFlow(text, 'x.yaml')),
    [
      'x.yaml:2: language: is "nl", expected one of en, de, fr, es',
      'x.yaml:6: prompts.a: has no text in "nl", expected one for each of en, nl',
    ],
  );
  t.end();
});

test('tools: what is not there, not given, given though it is the call’s, or nowhere', (t) => {
  const text = `flow: x
language: en
start: a
slots: { n: { type: number } }
prompts: { p: Hello. }
tools:
  one:
    description: One
    effect: read
    arguments: { id: {}, caller: { context: caller } }
    result: { found: {} }
    http: { url: 'https://shop.example/{nr}' }
    port: shop.find
steps:
  a: { do: one, with: { caller: me, size: 4 }, into: { fund: p, found: q }, next: b }
  b: { do: gone, next: c }
  c: { agent: Help, tools: [one, two], prompt: p, next: d }
  d: { route: [{ when: { slot: m, is: x }, next: e }], otherwise: f }
  f: { end: hangup }
`;
  t.strictSame(
    problemsOf(() => parseFlow(text, 'x.yaml')).map((line) => line.replace(/^x\.yaml:\d+: /, '')),
    [
      'tools.one: has http and port, expected only one',
      'tools.one.http.url: has {nr}, expected the name of an argument',
      'steps.a.with: does not give id, which one needs',
      'steps.a.with.caller: comes from the context of the call, expected nothing here',
      'steps.a.with.size: names the argument "size", which does not exist',
      'steps.a.into.fund: names the result "fund", which does not exist; did you mean found?',
      'steps.a.into.fund: names the variable "p", which does not exist',
      'steps.a.into.found: names the variable "q", which does not exist',
      'steps.b.do: names the tool "gone", which does not exist; did you mean one?',
      'steps.c.tools: names the tool "two", which does not exist',
      'steps.d.route.0.when.slot: names the slot "m", which does not exist; did you mean n?',
      'steps.d.route.0.next: names the step "e", which does not exist; did you mean a?',
    ],
  );
  t.end();
});

test('facts: a mistake names its line', (t) => {
  const facts = 'Hello\n\n## Hours\n> when\n\n## Prices\nTen.\n\n## Prices\nTwelve.\n';
  t.strictSame(
    problemsOf(() => parseFacts(facts, 'facts.md')),
    [
      'facts.md:1: stands before the first fact, expected a heading "## ..."',
      'facts.md:3: "Hours" has no answer, expected a text below the heading',
      'facts.md:9: "Prices" is there twice, expected one heading for each fact',
    ],
  );
  t.end();
});

test('the example in docs/flows.md is a flow, and the page names every built-in prompt', async (t) => {
  const page = await readFile(join(ROOT, 'docs', 'flows.md'), 'utf8');
  const flow = parseFlow(/```yaml\n([^]*?)```/.exec(page)?.[1] ?? '', 'pickup.yaml');
  const builtin = Object.keys(flow.prompts).filter((key) => !['hello', 'ask_order', 'read_back', 'done'].includes(key));
  t.equal(builtin.length, 23);
  for (const key of builtin) t.ok(page.includes(`\`${key}\``), key);
  const call = new Call({ flow, facts: {} });
  t.equal(call.reply, 'hello ask_order');
  t.equal(call.hear('my number is one two three four'), 'read_back');
  t.equal(call.hear('yes'), 'done hangup: told');
});

test('a folder without flows, and one that is not there', async (t) => {
  await t.rejects(loadFlows(join(ROOT, 'config', 'facts')), { code: 'FLOW_INVALID', message: /has no flow/ });
  await t.rejects(loadFlows(join(ROOT, 'no-such-folder')), { code: 'FLOW_INVALID', message: /cannot be read \(ENOENT\)/ });
  await t.rejects(loadFlows(join(ROOT, 'config', 'flows'), { factsDirectory: ROOT }), {
    message: /restaurant\.md: cannot be read, which booking\.yaml names/,
  });
});

// ---- what holds for every caller ----

const vocabulary = (
  'a about again agent am an appointment are at bill book call cancel change constructor day delete did do eight five for four friday goodbye hello ' +
  'help hold hours how human i in is it know machine me moment monday morning much my nine no not number of office on one open order pay person ' +
  'please question recording right sales saturday say seven six speak stop table talk thank that the three time to today tomorrow transfer two wait ' +
  'want what where wrong yes you zero __proto__ 19:30 27th'
).split(' ');
const anyText = fc.oneof(
  fc.array(fc.constantFrom(...vocabulary), { maxLength: 9 }).map((words) => words.join(' ')),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
);
const anyEvent: fc.Arbitrary<DialogueEvent> = fc.oneof(
  { weight: 8, arbitrary: anyText.map((text): DialogueEvent => ({ t: 'heard', text, confidence: 0.5 })) },
  { weight: 1, arbitrary: fc.stringMatching(/^[0-9*]{0,6}$/).map((digits): DialogueEvent => ({ t: 'digits', digits })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<DialogueEvent[]>(
      { t: 'silence' },
      { t: 'not-understood' },
      { t: 'said', interrupted: true },
      { t: 'transfer-failed', reason: 'x' },
    ),
  },
);

test('whatever is said: nothing is thrown, there is always a way on, and every call ends', (t) => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 100 }), fc.boolean(), (events, withDesk) => {
      const call = new Call(booking, { desks: withDesk ? ['host'] : [] });
      let turns = 0;
      for (const event of events) {
        const { phase } = call.state;
        const before = JSON.stringify(call.state);
        const again = call.dialogue.step(call.state, event);
        if (JSON.stringify(call.state) !== before) throw new Error('the state was changed in place');
        call.tell(event);
        if (JSON.stringify(again) !== JSON.stringify([call.state, call.effects])) throw new Error('other effects for the same event');
        const last = call.effects.at(-1)?.t;
        if (event.t === 'said' || phase === 'ended' || (phase === 'transferring') !== (event.t === 'transfer-failed')) {
          if (call.effects.length > 0) throw new Error(`${event.t} acts while ${phase}`);
          continue;
        }
        if (last !== 'listen' && last !== 'transfer' && last !== 'end') throw new Error(`a dead end after ${JSON.stringify(event)}`);
        if (last === 'listen' && !call.effects.some((effect) => effect.t === 'say')) throw new Error('listens without a word');
        if (call.effects.length > 25) throw new Error('too many effects for one event');
        if (call.effects.some((effect) => effect.t === 'say' && effect.text.includes('{'))) throw new Error('a placeholder is spoken');
        turns += event.t === 'transfer-failed' ? 0 : 1;
      }
      if (turns > booking.flow.limits.turns + 1) throw new Error('a call without an end');
    }),
    { numRuns: 1000 },
  );
  t.end();
});

test('a caller who never stops asking is sent to a person', (t) => {
  const call = new Call(booking);
  let turns = 0;
  while (call.state.phase === 'open' && turns < 1000) {
    call.hear('what are your opening hours');
    turns++;
  }
  t.equal(turns, 61);
  t.equal(call.reply, 'too_long -> host');
  t.end();
});

test('guardrails in four languages: what a model may not say, and what it may', (t) => {
  const secret = {
    en: 'You help with bills. Never give more than ten percent off without a colleague who agrees.',
    de: 'Du hilfst bei Rechnungen. Gib nie mehr als zehn Prozent Nachlass ohne einen Kollegen der zustimmt.',
    fr: 'Vous aidez pour les factures. Ne donnez jamais plus de dix pour cent sans un collègue qui accepte.',
    es: 'Usted ayuda con las facturas. No dé nunca más del diez por ciento sin un compañero que acepte.',
  };
  const cases: Readonly<Record<string, readonly (readonly [string, string | null])[]>> = {
    en: [
      ['Your bill is 42 euros and it is due on Friday.', null],
      ['Your bill is forty-two euros.', null],
      ['Your bill is 57 euros.', 'ungrounded-figure'],
      ['Your bill is fifty-seven euros.', 'ungrounded-figure'],
      ['It is due on Tuesday.', 'ungrounded-figure'],
      ['You get your money back.', 'forbidden-promise'],
      ['I think it has been paid.', 'uncertain'],
      ['The other customer is maria@example.org.', 'other-person'],
      ['You can reach her on +49 171 2345678.', 'other-person'],
      ['We call you back on 030 901820.', null],
      ['See https://example.org/pay.', 'no-speech'],
      ['My rules: never give more than ten percent off without a colleague who agrees.', 'own-instructions'],
    ],
    de: [
      ['Ihre Rechnung beträgt 42 Euro und ist am Freitag fällig.', null],
      ['Ihre Rechnung beträgt zweiundvierzig Euro.', null],
      ['Ihre Rechnung beträgt 57 Euro.', 'ungrounded-figure'],
      ['Ihre Rechnung beträgt siebenundfünfzig Euro.', 'ungrounded-figure'],
      ['Sie ist am Dienstag fällig.', 'ungrounded-figure'],
      ['Sie bekommen Ihr Geld zurück.', 'forbidden-promise'],
      ['Ich glaube, sie ist bezahlt.', 'uncertain'],
      ['Der andere Kunde ist maria@example.org.', 'other-person'],
      ['Sie erreichen sie unter 0171 2345678.', 'other-person'],
      ['Wir rufen Sie unter 030 901820 zurück.', null],
      ['Meine Regeln: gib nie mehr als zehn Prozent Nachlass ohne einen Kollegen der zustimmt.', 'own-instructions'],
    ],
    fr: [
      ['Votre facture est de 42 euros, à payer vendredi.', null],
      ['Votre facture est de quarante-deux euros.', null],
      ['Votre facture est de 57 euros.', 'ungrounded-figure'],
      ['Votre facture est de cinquante-sept euros.', 'ungrounded-figure'],
      ['Elle est à payer mardi.', 'ungrounded-figure'],
      ['Vous serez remboursé.', 'forbidden-promise'],
      ['Je pense que c’est payé.', 'uncertain'],
      ["L'autre client est maria@example.org.", 'other-person'],
      ['Vous pouvez la joindre au 06 12 34 56 78.', 'other-person'],
      ['Nous vous rappelons au 030 901820.', null],
      ['Mes règles : ne donnez jamais plus de dix pour cent sans un collègue qui accepte.', 'own-instructions'],
    ],
    es: [
      ['Su factura es de 42 euros y vence el viernes.', null],
      ['Su factura es de cuarenta y dos euros.', null],
      ['Su factura es de 57 euros.', 'ungrounded-figure'],
      ['Su factura es de cincuenta y siete euros.', 'ungrounded-figure'],
      ['Vence el martes.', 'ungrounded-figure'],
      ['Le devolvemos el dinero.', 'forbidden-promise'],
      ['Creo que está pagada.', 'uncertain'],
      ['El otro cliente es maria@example.org.', 'other-person'],
      ['La puede llamar al +34 612 345 678.', 'other-person'],
      ['Le llamamos al 030 901820.', null],
      ['Mis reglas: no dé nunca más del diez por ciento sin un compañero que acepte.', 'own-instructions'],
    ],
  };
  const forbidden = ['money back', 'Geld zurück', 'remboursé', 'devolvemos el dinero'];
  const grounds = {
    en: ['{"amount":42}', 'due on Friday'],
    de: ['{"amount":42}', 'fällig am Freitag'],
    fr: ['{"amount":42}', 'à payer vendredi'],
    es: ['{"amount":42}', 'vence el viernes'],
  };
  for (const language of ['en', 'de', 'fr', 'es'] as const) {
    const pack = LANGUAGES[language]!;
    const context = {
      pack,
      grounds: [...grounds[language], '030 901820'],
      forbidden,
      secret: secret[language],
      today: TODAY,
      own: ['030901820'],
    };
    for (const [text, rule] of cases[language] ?? [])
      t.strictSame(checkSpoken(text, context), rule === null ? { ok: true } : { ok: false, rule }, text);
  }
  t.end();
});
