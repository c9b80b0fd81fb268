/** What must not be kept: numbers, addresses, secrets; what must be said and asked before anything is kept. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'tap';
import { findSecrets, maskText } from '../../src/audit/index.ts';
import { createSecretStore } from '../../src/call/index.ts';
import { type Dialogue, type DialogueEffect, type DialogueEvent, ProblemsError, type ToolDefinition } from '../../src/contracts/index.ts';
import { createDialogue, isWithdrawal, loadNotices, parseFlow, withOpening } from '../../src/dialogue/index.ts';
import { parseNotices } from '../../src/dialogue/notice/wording.ts';
import { ErrandDesk, type ToolAdapter } from '../../src/integrations/index.ts';
import { spoken } from '../../src/stt/index.ts';
import { gate, listen, NOTICE, rig, say } from '../support/call-rig.ts';
import { MACHINE_QUESTIONS } from '../support/machine-questions.ts';
import { noteRecorder } from '../support/note-recorder.ts';
import { settle } from '../support/virtual-time.ts';
import { seeded } from '../support/seeded.ts';
import { cardNumber, germanIban, LANGUAGES_SPOKEN, readOut, writtenOut } from '../support/spoken-numbers.ts';

// ---- masking ----

test('1. cards, accounts, IBANs and addresses are found, written and spoken', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['my card is 4111 1111 1111 1111 thanks', 'my card is [card] thanks'],
    ['4111-1111-1111-1111', '[card]'],
    ['four one one one, one one one one one one one one one one one one', '[card]'],
    ['four one one one, are you writing, 1111 1111 1111', '[card]'],
    ['double four seven one two three oh', '[number]'],
    ['vier eins eins eins eins eins bitte', '[number] bitte'],
    ['quatre-vingt-dix-sept douze trente-quatre', '[number]'],
    ['cuarenta y uno veintidós treinta y tres', '[number]'],
    ['einundzwanzig zweiundvierzig dreiundfünfzig', '[number]'],
    ['DE89 3704 0044 0532 0130 00 bitte', '[iban] bitte'],
    ['d e 89 370400440532013000', '[number]'],
    ['GB82 WEST 1234 5698 7654 32', '[iban]'],
    ['write to anna.miller@example.com please', 'write to [email] please'],
    ['anna dot miller at example dot com', '[email]'],
    ['a n n a at g m x punkt de', '[email]'],
    ['anna punto garcia arroba ejemplo punto es', '[email]'],
    ['call 555-123-4567', 'call [number]'],
  ];
  for (const [said, kept] of cases) t.equal(maskText(said), kept);
  t.end();
});

test('2. dates, times, amounts, quantities and short numbers stay', (t) => {
  for (const said of [
    'a table for two at seven thirty on the 27.11.2026',
    '2026-11-27 19:30',
    '27 11 2026',
    '1,250,000 euros',
    '1 250 000 euros',
    'it costs 1234.56',
    'einhundertzwanzig tausend euro',
    'one hundred and twenty three thousand four hundred fifty six',
    'room 12 and 13 for 2 people',
    'meet me at seven, that is at the point',
    'twenty twenty six',
    'the first of may nineteen eighty four',
    'from one to two, for three',
    '',
  ])
    t.equal(maskText(said), said);
  t.end();
});

test('3. no text is broken by masking: spans lie in it, in order; what is masked has nothing left to mask', (t) => {
  const word = fc.oneof(
    fc.constantFrom('four', 'vier', 'quatre', 'double', 'thousand', 'at', 'dot', 'und', '-', '@', '.', 'DE', 'twenty', 'a'),
    fc.stringMatching(/^\d{1,9}$/),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), (words) => {
      const text = words.join(' ');
      const spans = findSecrets(text);
      let last = 0;
      for (const { from, to } of spans) {
        if (from < last || to <= from || to > text.length) return false;
        last = to;
      }
      return findSecrets(maskText(text)).length === 0 || spans.length > 0;
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), fc.constantFrom(...LANGUAGES_SPOKEN), (seed, language) => {
      const random = seeded(seed);
      const card = cardNumber(random);
      return (
        !maskText(`so ${writtenOut(card, random)} ok`).includes(card.slice(0, 6)) && findSecrets(readOut(card, language, random)).length > 0
      );
    }),
    { numRuns: 300 },
  );
  t.end();
});

/** What is left of a spoken or written number after masking: digits and number words in a row would show. */
test('4. recall and precision on a generated table: 2,000 numbers read out, 800 harmless sentences', (t) => {
  const random = seeded(42);
  let missed = 0;
  const first: string[] = [];
  for (let i = 0; i < 2000; i++) {
    const language = LANGUAGES_SPOKEN[i % 4] ?? 'en';
    const value = random.pick([cardNumber(random), random.digits(8), random.digits(10), germanIban(random)]);
    const digits = value.replace('DE', '');
    const said = random.chance(0.5) ? readOut(digits, language, random) : writtenOut(value, random);
    const spans = findSecrets(said);
    const covered = spans.reduce((sum, { from, to }) => sum + to - from, 0);
    if (covered < said.length) {
      missed++;
      if (first.length < 5) first.push(`${said} -> ${maskText(said)}`);
    }
  }
  let wrong = 0;
  for (let i = 0; i < 800; i++) {
    const said = harmless(random.pick(LANGUAGES_SPOKEN), random);
    if (maskText(said) === said) continue;
    wrong++;
    if (first.length < 10) first.push(`${said} -> ${maskText(said)}`);
  }
  t.comment(`recall ${((2000 - missed) / 20).toFixed(2)} %, harmless sentences touched ${((wrong / 800) * 100).toFixed(2)} %`);
  t.ok(missed <= 20, `missed ${missed} of 2000: ${first.join(' | ')}`);
  t.ok(wrong <= 8, `touched ${wrong} of 800: ${first.join(' | ')}`);
  t.end();
});

function harmless(language: string, random: ReturnType<typeof seeded>): string {
  const day = 1 + Math.floor(random.next() * 28);
  const hour = 10 + Math.floor(random.next() * 12);
  const two = readOut(String(1 + Math.floor(random.next() * 9)), language, random);
  const texts: Readonly<Record<string, readonly string[]>> = {
    en: [
      `a table for ${two} at ${hour}:30`,
      `on the ${day}.12.2026 please`,
      `that was ${day}00 euros`,
      `${two} adults and ${two} children at ${hour}`,
    ],
    de: [
      `einen Tisch für ${two} um ${hour} Uhr 30`,
      `am ${day}.12.2026 bitte`,
      `das waren 1.${100 + day},50 Euro`,
      `${two} Erwachsene und ${two} Kinder`,
    ],
    fr: [`une table pour ${two} à ${hour} heures 30`, `le ${day}/12/2026`, `cela coûte ${day} euros`, `${two} adultes et ${two} enfants`],
    es: [`una mesa para ${two} a las ${hour} y media`, `el ${day}/12/2026`, `son ${day} euros`, `${two} adultos y ${two} niños`],
  };
  return random.pick(texts[language] ?? []);
}

// ---- the opening: what every caller is told and asked ----

const ROOT = join(import.meta.dirname, '../..');
const notices = await loadNotices(join(ROOT, 'config/notices.yaml'));

const flowIn = (language: string, greets = true): Dialogue<unknown> => {
  const greeting = greets ? 'greeting: { say: greeting, kind: notice, next: wish }' : 'greeting: { say: greeting, next: wish }';
  const text = `
flow: tiny
language: ${language}
start: greeting
slots: { wish: { type: free }, day: { type: day } }
prompts: { greeting: "Tiny.", wish: "Wish?", day: "Day?", bye: "Bye." }
steps:
  ${greeting}
  wish: { ask: wish, prompt: wish, next: day }
  day: { ask: day, prompt: day, next: bye }
  bye: { end: hangup, prompt: bye }
`;
  return createDialogue(parseFlow(text, 'tiny.yaml'), { today: '2026-11-20' });
};

/** A conversation in effects. */
function talkWith(dialogue: Dialogue<unknown>) {
  let state = dialogue.begin();
  return (event: DialogueEvent): readonly DialogueEffect[] => {
    const [next, effects] = dialogue.step(state, event);
    state = next;
    return effects;
  };
}
const START: DialogueEvent = { t: 'start', variables: {} };
const hear = (text: string): DialogueEvent => ({ t: 'heard', text, confidence: 0.9 });
const brief = (effects: readonly DialogueEffect[]): string =>
  effects
    .filter(({ t }) => t !== 'step' && t !== 'slot')
    .map((effect) =>
      effect.t === 'say'
        ? effect.prompt
        : effect.t === 'consent'
          ? `consent ${effect.result} ${effect.how}`
          : effect.t === 'record'
            ? `record ${effect.act}`
            : effect.t,
    )
    .join(', ');

test('GDPR 13, AI Act 50(1): the caller hears of the machine and of the recording before the first question of the flow', (t) => {
  const asked = talkWith(withOpening(flowIn('en'), { notices, policy: 'ask' }));
  t.equal(brief(asked(START)), 'greeting, may_we_record, listen');
  const told = talkWith(withOpening(flowIn('de'), { notices, policy: 'inform' }));
  t.equal(brief(told(START)), 'greeting, recording_notice');
  t.equal(brief(told({ t: 'said', interrupted: false })), 'record start, wish, listen', 'after the notice, not before');
  const silentFlow = talkWith(withOpening(flowIn('fr', false), { notices, policy: 'off' }));
  t.equal(brief(silentFlow(START)), 'ai_disclosure, greeting, wish, listen', 'a flow that does not say it gets it said');
  t.throws(() => withOpening(flowIn('en'), { notices: { version: '1', byLanguage: {} }, policy: 'off' }), RangeError);
  t.end();
});

test('GDPR 6 and 7: a recording begins with a yes, by voice or key, and with nothing else', (t) => {
  const cases: readonly (readonly [string, readonly DialogueEvent[], string])[] = [
    ['yes', [hear('yes please')], 'consent granted voice, record start, recording_granted, wish, listen'],
    ['key 1', [{ t: 'digits', digits: '1' }], 'consent granted keys, record start, recording_granted, wish, listen'],
    ['no', [hear('no thank you')], 'consent refused voice, recording_refused, wish, listen'],
    ['key 2', [{ t: 'digits', digits: '2' }], 'consent refused keys, recording_refused, wish, listen'],
    ['do not record', [hear('please do not record me')], 'consent refused voice, recording_refused, wish, listen'],
    ['silence', [{ t: 'silence' }, { t: 'silence' }], 'consent refused silence, recording_refused, wish, listen'],
    ['unclear', [hear('a table on friday'), hear('perhaps')], 'consent refused unclear, recording_refused, wish, listen'],
    ['not heard', [{ t: 'not-understood' }, { t: 'not-understood' }], 'consent refused unclear, recording_refused, wish, listen'],
    [
      'another key',
      [
        { t: 'digits', digits: '7' },
        { t: 'digits', digits: '77' },
      ],
      'consent refused unclear, recording_refused, wish, listen',
    ],
    ['a person', [hear('i want to speak to a person')], 'consent refused declined-to-answer, no_person, wish, listen'],
  ];
  for (const [name, events, expected] of cases) {
    const tell = talkWith(withOpening(flowIn('en'), { notices, policy: 'ask' }));
    tell(START);
    t.equal(brief(events.map(tell).at(-1) ?? []), expected, name);
  }
  const tell = talkWith(withOpening(flowIn('en'), { notices, policy: 'ask' }));
  tell(START);
  t.equal(brief(tell(hear('are you a machine'))), 'i_am_a_machine, may_we_record, listen', 'a question is answered, the question stands');
  t.equal(brief(tell({ t: 'silence' })), 'may_we_record, listen', 'and did not cost a try');
  const again = talkWith(withOpening(flowIn('en'), { notices, policy: 'ask' }));
  again(START);
  t.equal(brief(again({ t: 'recovered' })), 'interrupted, may_we_record, listen', 'after a crash of ours it is asked again');
  t.end();
});

test('GDPR 7(3): withdrawal in four languages, at any moment, and only withdrawal', (t) => {
  const said: Readonly<Record<string, readonly string[]>> = {
    en: [
      'stop the recording',
      'please stop recording',
      "i don't want to be recorded",
      'delete the recording',
      'turn off the recorder',
      'do not record this',
      'i withdraw my consent',
    ],
    de: [
      'stoppen sie die aufnahme',
      'bitte die aufzeichnung beenden',
      'ich möchte nicht aufgenommen werden',
      'löschen sie die aufzeichnung',
      'hören sie auf aufzunehmen',
      'nehmen sie das nicht auf',
      'ich widerrufe meine einwilligung',
    ],
    fr: [
      "arrêtez l'enregistrement",
      "supprimez l'enregistrement",
      'je ne veux pas être enregistré',
      "ne m'enregistrez pas",
      'arrêtez de m’enregistrer',
      'je retire mon consentement',
    ],
    es: [
      'detenga la grabación',
      'pare la grabación',
      'borre la grabación',
      'no quiero que me graben',
      'no me grabe',
      'retiro mi consentimiento',
      'deje de grabar',
    ],
  };
  const harmless: Readonly<Record<string, readonly string[]>> = {
    en: [
      'yes you may record it',
      'is this being recorded',
      'please do not stop the recording',
      'i want to book a table',
      'stop',
      'delete my order',
    ],
    de: [
      'ja sie dürfen aufnehmen',
      'wird das aufgezeichnet',
      'bitte nicht löschen',
      'ich möchte einen tisch',
      'stopp',
      'löschen sie meine bestellung',
    ],
    fr: ['oui vous pouvez enregistrer', "c'est enregistré", 'je voudrais une table', 'stop', 'supprimez ma commande'],
    es: ['sí puede grabar', 'se graba esta llamada', 'quiero una mesa', 'pare', 'borre mi pedido'],
  };
  for (const [language, texts] of Object.entries(said)) for (const text of texts) t.equal(isWithdrawal(text, language), true, text);
  for (const [language, texts] of Object.entries(harmless)) for (const text of texts) t.equal(isWithdrawal(text, language), false, text);
  const tell = talkWith(withOpening(flowIn('en'), { notices, policy: 'ask' }));
  for (const event of [START, hear('yes')]) tell(event);
  t.equal(brief(tell(hear('stop the recording'))), 'consent withdrawn voice, record shred, recording_withdrawn, wish, listen');
  t.equal(brief(tell(hear('stop the recording'))), 'not_recorded, wish, listen', 'it is over already');
  t.equal(brief(tell(hear('a table'))), 'day, listen', 'and the flow goes on');
  t.end();
});

test('AI Act 50(1): 200 ways to ask whether this is a person, none is denied', (t) => {
  t.equal(MACHINE_QUESTIONS.length, 200);
  const denied = MACHINE_QUESTIONS.filter(({ language, text }) => {
    const tell = talkWith(withOpening(flowIn(language), { notices, policy: 'off' }));
    tell(START);
    return !brief(tell(hear(text))).startsWith('i_am_a_machine');
  });
  t.same(
    denied.map(({ text }) => text),
    [],
  );
  t.end();
});

test('wordings that are not whole are refused with file, line and key', (t) => {
  const wrong = (text: string): readonly string[] => {
    try {
      parseNotices(text, 'notices.yaml');
      return [];
    } catch (error) {
      return error instanceof ProblemsError
        ? error.problems.map(({ place, message }) => `${place.key ?? ''}: ${message}`)
        : [String(error)];
    }
  };
  t.match(wrong('version: 1\nlanguages: { en: { disclosure: hello } }').join('\n'), /version: .*text[\s\S]*languages\.en\.mayRecord/);
  t.match(wrong('a: ['), [/YAML/]);
  t.end();
});

// ---- on the line ----

test('GDPR 13, AI Act 50(1): 200 callers who talk over it hear the notice whole before the first turn', async (t) => {
  const flow = withOpening(flowIn('en'), { notices, policy: 'ask' });
  const { recorder } = noteRecorder();
  const line = rig(() => [], spoken('yes', 1000), {}, { flow: () => flow, recorder });
  const ids = [await line.begin()];
  while (ids.length < 200) ids.push(line.pbx.ring({ args: { flow: 'test' } }));
  await settle();
  const plans = line.media.sessions.map((_, i) => {
    const random = seeded(i + 1);
    const talks = Array.from({ length: 1 + Math.floor(random.next() * 4) }, () => {
      const from = Math.floor(random.next() * 500) * 10;
      return { from, to: from + 100 + Math.floor(random.next() * 100) * 10 };
    });
    return { talks, key: random.chance(0.3) ? Math.floor(random.next() * 400) * 10 : null };
  });
  for (let ms = 0; ms <= 7000; ms += 10) {
    line.media.sessions.forEach((session, i) => {
      const plan = plans[i];
      for (const { from, to } of plan?.talks ?? []) {
        if (ms === from) session.emit({ t: 'speech-start', sample: from * 16, atUs: line.time.us });
        if (ms === to) session.emit({ t: 'speech-end', sample: to * 16, atUs: line.time.us });
      }
      if (plan?.key === ms) line.pbx.press(ids[i] ?? '', '1');
    });
    await line.time.pass(10);
  }
  const calls = new Set(line.audit.events.flatMap(({ callId }) => callId ?? []));
  t.equal(calls.size, 200);
  const late = [...calls].filter((id) => {
    const events = line.audit.events.filter(({ callId }) => callId === id);
    const notice = events.findIndex((event) => event.type === 'notice.completed' && !event.body.interrupted && event.body.sentMs > 0);
    const turn = events.findIndex(({ type }) => ['caller.said', 'caller.keyed', 'consent', 'recording.started'].includes(type));
    const content = events.findIndex((event) => event.type === 'agent.said' && event.body.kind !== 'notice');
    return notice < 0 || (turn >= 0 && turn < notice) || (content >= 0 && content < notice);
  });
  t.same(late, [], 'the notice is complete first in 200 of 200 calls');
  const began = line.audit.of('recording.started').length;
  t.ok(began > 20, `${began} were recorded`);
  for (const { callId } of line.audit.of('recording.started')) {
    const order = line.audit.events.filter((event) => event.callId === callId).map(({ type }) => type);
    t.ok(order.indexOf('consent') < order.indexOf('recording.started'), 'consent is in the log before the recording');
  }
});

test('a recording whose end cannot be logged does not keep the call from ending', async (t) => {
  const flow = withOpening(flowIn('en'), { notices, policy: 'ask' });
  const { recorder } = noteRecorder();
  const start = recorder.start.bind(recorder);
  recorder.start = async (options) => ({ ...(await start(options)), stop: () => Promise.reject(new Error('the spool is full')) });
  const line = rig(() => [], spoken('yes', 1000), {}, { flow: () => flow, recorder });
  const id = await line.begin();
  await line.time.pass(7000);
  line.pbx.press(id, '1');
  await line.time.pass(3000);
  t.equal(line.audit.of('recording.started').length, 1);
  line.pbx.callerHangsUp(id);
  await settle();
  t.equal(line.audit.of('call.ended').length, 1);
  t.equal(line.media.sessions[0]?.closed, true);
});

test('GDPR 7(3) on the line: a withdrawal is held from its first words and shreds within a second of its last', async (t) => {
  const flow = withOpening(flowIn('en'), { notices, policy: 'ask' });
  const { recorder, takes } = noteRecorder();
  const words = [...spoken('yes', 16 * 10_000), ...spoken('please stop the recording now', 16 * 20_000)];
  const line = rig(() => [], words, {}, { flow: () => flow, recorder, findSecrets });
  await line.begin();
  const zero = line.time.us;
  const at = (ms: number): Promise<void> => line.time.pass(ms - (line.time.us - zero) / 1000);
  await at(9900);
  gate(line, 'speech-start', 10_000);
  await at(10_500);
  gate(line, 'speech-end', 10_300);
  await at(19_900);
  t.equal(line.audit.of('consent')[0]?.body.result, 'granted');
  t.equal(takes.length, 1);
  gate(line, 'speech-start', 20_000);
  await at(21_800);
  gate(line, 'speech-end', 21_700);
  await at(22_700);
  t.same(takes[0]?.what.slice(-1), ['shred'], 'one second after the last word');
  t.same(
    line.audit.of('consent').map(({ body }) => body.result),
    ['granted', 'withdrawn'],
  );
});

test('PCI DSS: a card number by key reaches one tool, once, and is nowhere else', async (t) => {
  const CARD = '4111111111111111';
  const folder = mkdtempSync(join(tmpdir(), 'parley-turns-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const secrets = createSecretStore();
  const taken: string[] = [];
  const shown: unknown[] = [];
  const told: DialogueEvent[] = [];
  const request = { slot: 'card', min: 12, max: 19, check: 'luhn', byVoice: false } as const;
  const ask: DialogueEffect[] = [
    say('your card number please', { kind: 'question' }),
    { t: 'listen', expect: { kind: 'digits', min: 12, max: 19 }, secret: request },
  ];
  const line = rig(
    (event) => {
      told.push(event);
      if (event.t === 'start') return [NOTICE, ...ask];
      return event.t === 'secret'
        ? [say(event.handle === null ? 'that is no card' : 'thank you'), ...(event.handle === null ? ask : [listen])]
        : [];
    },
    spoken('one', 1_000_000),
    { turnRecords: { folder, words: true } },
    { secrets, findSecrets },
  );
  line.runner.watch((event) => shown.push(event));
  const id = await line.begin();
  const modes: string[] = [];
  const session = line.media.sessions[0]!;
  session.secure = (mode) => void modes.push(mode);
  await line.time.pass(4000);
  for (const digit of '4111111111111112#') {
    line.pbx.press(id, digit);
    await line.time.pass(50);
  }
  await line.time.pass(3000);
  for (const digit of `${CARD}#`) {
    line.pbx.press(id, digit);
    await line.time.pass(50);
  }
  await line.time.pass(3000);
  t.same(
    line.audit.of('secret.given').map(({ body }) => [body.digits, body.accepted]),
    [
      [16, false],
      [16, true],
    ],
  );
  t.equal(modes.at(-1), 'off');
  const handle = told.flatMap((event) => (event.t === 'secret' && event.handle !== null ? [event.handle] : []))[0]!;
  const callId = line.audit.of('call.incoming')[0]!.callId!;
  // What a tool gets: the number, in the one argument that may have it, once.
  const field = { type: 'string', optional: false, oneOf: null, maxLength: 40, context: null } as const;
  const definition: ToolDefinition = {
    ...{ name: 'pay', description: 'Pays', effect: 'write', approval: false, result: {}, target: { t: 'port', name: 'bank.pay' } },
    ...{ timeoutMs: 1000, retries: 0, concurrency: 1, perMinute: 60, cost: 0 },
    arguments: { card: { ...field, secret: true }, note: { ...field, secret: false, optional: true } },
  };
  const adapter: ToolAdapter = ({ arguments: given }) => {
    taken.push(JSON.stringify(given));
    return Promise.resolve({});
  };
  const desk = new ErrandDesk({
    clock: line.time,
    timers: line.time,
    adapters: { port: adapter },
    approvers: { ask: () => Promise.resolve('denied') },
    model: null,
    secrets,
  });
  const call = async (given: Readonly<Record<string, string>>): Promise<boolean> => {
    const outcome = await new Promise<DialogueEvent>((resolve) => {
      const errand = {
        t: 'tool',
        definition,
        request: { id: 'e1', tool: 'pay', arguments: given, idempotencyKey: 'k', approval: null },
      } as const;
      desk.begin(errand, { callId, context: {}, signal: new AbortController().signal }, resolve);
    });
    return outcome.t === 'tool-result' && outcome.outcome.ok;
  };
  t.equal(await call({ card: '4111111111111111' }), false, 'a number of anybody else is no secret of the caller');
  t.equal(await call({ card: 'secret:00000000-0000-4000-8000-000000000000' }), false, 'nor is a handle that was made up');
  t.equal(await call({ card: handle }), true);
  t.equal(await call({ card: handle }), false, 'it is gone after its use');
  t.same(taken, [JSON.stringify({ card: CARD })]);
  line.pbx.callerHangsUp(id);
  await line.time.pass(500);
  const everywhere = JSON.stringify([line.audit.events, shown, told, line.tts.spoken, line.pbx.actions]);
  const records = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  for (const text of [everywhere, ...records]) t.notMatch(text, /1{8}/, 'not in log, live events, dialogue, speech, PBX or replay record');
});

test('PCI DSS: a card number by voice is understood in memory and kept nowhere; other words go their way', async (t) => {
  const said = 'four one one one one one one one one one one one one one one one';
  const folder = mkdtempSync(join(tmpdir(), 'parley-turns-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const secrets = createSecretStore();
  const told: DialogueEvent[] = [];
  const request = { slot: 'card', min: 12, max: 19, check: 'luhn', byVoice: true } as const;
  const line = rig(
    (event) => {
      told.push(event);
      if (event.t === 'start')
        return [NOTICE, say('card?', { kind: 'question' }), { t: 'listen', expect: { kind: 'digits', min: 12, max: 19 }, secret: request }];
      return event.t === 'secret' ? [say('thank you'), listen] : [];
    },
    spoken(said, 16 * 4000, 3200, 400),
    { turnRecords: { folder, words: true } },
    { secrets, findSecrets },
  );
  const shown: unknown[] = [];
  line.runner.watch((event) => shown.push(event));
  const id = await line.begin();
  const zero = line.time.us;
  const at = (ms: number): Promise<void> => line.time.pass(ms - (line.time.us - zero) / 1000);
  await at(3900);
  gate(line, 'speech-start', 4000);
  await at(8000);
  gate(line, 'speech-end', 7700);
  await at(11_000);
  const handle = told.flatMap((event) => (event.t === 'secret' && event.handle !== null ? [event.handle] : []))[0];
  t.ok(handle !== undefined, 'it was understood');
  t.equal(secrets.take(line.audit.of('call.incoming')[0]!.callId!, handle ?? ''), '4111111111111111');
  line.pbx.callerHangsUp(id);
  await line.time.pass(500);
  const everywhere = JSON.stringify([line.audit.events, shown, told]);
  const records = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  for (const text of [everywhere, ...records]) t.notMatch(text, /four one|1{8}|one one/, 'nowhere');
  t.equal(line.audit.of('caller.said').length, 0);
});

test('what a flow must not do with a secret is named with its line', (t) => {
  const flow = (steps: string, prompts = ''): readonly string[] => {
    const text = `
flow: pay
language: en
start: card
slots: { card: { type: secret, min: 12, max: 19, check: luhn } }
prompts: { card: "Card?", bye: "Bye."${prompts} }
tools:
  pay: { description: Pays, effect: write, arguments: { card: { secret: true }, note: { optional: true } }, port: bank.pay }
  other: { description: Other, effect: write, arguments: { card: { secret: true } }, port: bank.other }
steps:
  card: { ask: card, prompt: card, next: pay }
${steps}
  bye: { end: hangup, prompt: bye }
`;
    try {
      parseFlow(text, 'pay.yaml');
      return [];
    } catch (error) {
      return error instanceof ProblemsError ? error.problems.map(({ message }) => message) : [String(error)];
    }
  };
  const good = "  pay: { do: pay, with: { card: '{card}' }, next: bye }";
  t.same(flow(good), []);
  t.match(flow(good, ', loud: "{card}"'), [/a secret: it is never spoken/]);
  t.match(flow("  pay: { do: pay, with: { card: '{card}', note: 'x {card}' }, next: bye }"), [/passes the secret card on/]);
  t.match(flow("  pay: { do: pay, with: { card: '4111' }, next: bye }"), [/expected a slot of the type secret/]);
  t.match(flow("  pay: { do: pay, with: { card: '{card}' }, next: two }\n  two: { do: other, with: { card: '{card}' }, next: bye }"), [
    /has it already/,
  ]);
  t.end();
});
