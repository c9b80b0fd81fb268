/** The pipeline with every stage but turn/ faked: what is asked of the stages, in which order, and that nothing is left behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'tap';
import { maskWords, type Stages } from '../../src/call/index.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { Listener } from '../../src/call/listener.ts';
import { cleaningOf } from '../../src/call/cleaning.ts';
import { heardOf, questionSample, resumeSample } from '../../src/call/ledger.ts';
import {
  type Dialogue,
  type DialogueEffect,
  type DialogueEvent,
  ParleyError,
  type SpeechOptions,
  type SpeechToText,
} from '../../src/contracts/index.ts';
import { createScriptedStt, spoken } from '../../src/stt/index.ts';
import { createScriptedTts } from '../../src/tts/index.ts';
import { type RecordedStep, replayTurns, TURN_DEFAULTS, turnWords } from '../../src/turn/index.ts';
import { doneTo, gate, listen, listening, NOTICE, rig, say, session } from '../support/call-rig.ts';
import { settle } from '../support/virtual-time.ts';

test('1. a call is logged before it is answered, the notice is logged before it is spoken', async (t) => {
  const { time, pbx, audit, media, begin } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []));
  await begin();
  await time.pass(2000);
  t.same(audit.types().slice(0, 6), ['pbx.link', 'call.incoming', 'call.answered', 'notice.started', 'notice.completed', 'agent.said']);
  t.same(doneTo(pbx), ['answer', 'openMedia']);
  t.equal(session(media).remote, '127.0.0.1:5000');
  t.equal(audit.of('notice.completed')[0]!.body.interrupted, false);
});

test('2. what the caller says is committed, answered, and its waterfall kept', async (t) => {
  const { time, audit, media, tts, begin } = rig((event) =>
    event.t === 'start' ? [NOTICE, listen] : event.t === 'heard' ? [say(`you said ${event.text}`), listen] : [],
  );
  await begin();
  await time.pass(2000);
  await time.pass(1500);
  session(media).speech(2000, 3300);
  await time.pass(3000);
  t.equal(audit.of('caller.said')[0]!.content?.['text'], 'i want a table');
  t.equal(audit.of('caller.said')[0]!.body.words, 4);
  t.ok(tts.spoken.includes('you said i want a table'));
  const { waterfall } = audit.of('turn.latency')[0]!.body;
  t.ok(waterfall.perceivedMs !== null && waterfall.perceivedMs >= waterfall.waitMs, 'total covers the wait');
  t.equal(JSON.stringify(audit.events.map((event) => event.body)).includes('table'), false, 'no words outside content');
});

test('3. the end of a flow leaves into the dialplan with outcome and slots', async (t) => {
  const { time, pbx, audit, media, begin } = rig((event) =>
    event.t === 'start' ? [NOTICE, { t: 'end', how: 'leave', outcome: 'booked' }] : [],
  );
  await begin();
  await time.pass(2000);
  t.match(pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'booked', PARLEY_SLOT_day: '2026-11-27' } });
  t.equal(audit.of('call.ended').length, 1);
  t.equal(session(media).closed, true);
});

test('4. a transfer is on disk before it happens; a desk that does not answer is told to the flow', async (t) => {
  const refused = rig((event) =>
    event.t === 'start' ? [{ t: 'transfer', desk: 'sales' }] : event.t === 'transfer-failed' ? [say('nobody there'), listen] : [],
  );
  refused.pbx.failNext('transfer', new ParleyError('PBX_BAD_INPUT', 'no such extension'));
  await refused.begin();
  await refused.time.pass(1000);
  t.same(refused.tts.spoken, ['nobody there']);
  t.equal(refused.audit.of('transfer.failed')[0]!.body.code, 'PBX_BAD_INPUT');

  const good = rig((event) => (event.t === 'start' ? [{ t: 'transfer', desk: 'sales' }] : []));
  await good.begin();
  await good.time.pass(100);
  t.match(good.pbx.actions.at(-1), { t: 'transfer', context: 'parley-desks', extension: '100' });
  t.equal(good.audit.of('call.ended')[0]!.body.outcome, 'transferred');

  const unknown = rig((event) => (event.t === 'start' ? [{ t: 'transfer', desk: 'moon' }] : []));
  await unknown.begin();
  await unknown.time.pass(100);
  t.equal(unknown.audit.of('transfer.failed')[0]!.body.code, 'CALL_NO_DESK');
});

test('5. hanging up in any state frees everything and ends the call exactly once', async (t) => {
  for (const [name, passMs, talk] of [
    ['at once', 0, false],
    ['while the notice plays', 100, false],
    ['while listening', 2500, false],
    ['while decoding', 2500, true],
    ['while the reply plays', 4300, true],
  ] as const) {
    const { time, pbx, media, audit, stt, begin, runner } = rig((event) =>
      event.t === 'start' ? [NOTICE, listen] : event.t === 'heard' ? [say('a rather long answer to what you said', {}), listen] : [],
    );
    const id = await begin();
    await time.pass(Math.min(passMs, 3400));
    if (talk) session(media).speech(2000, 3300);
    if (passMs > 3400) await time.pass(passMs - 3400);
    pbx.callerHangsUp(id);
    await settle();
    await time.pass(500);
    t.equal(audit.of('call.ended').length, 1, `${name}: ended once`);
    t.equal(runner.openCalls().length, 0, `${name}: forgotten`);
    t.equal(session(media).closed, true, `${name}: media closed`);
    t.equal(stt.openCalls, 0, `${name}: recogniser state closed`);
    t.equal(time.waiting, 0, `${name}: no alarm left`);
  }
});

test('6. the recogniser fails: the flow is told, the call goes on', async (t) => {
  const heard: string[] = [];
  const { time, audit, media, stt, begin } = rig((event) => {
    heard.push(event.t);
    return event.t === 'start' ? [NOTICE, listen] : event.t === 'not-understood' ? [say('sorry', { kind: 'apology' }), listen] : [];
  });
  await begin();
  await time.pass(3500);
  session(media).emit({ t: 'speech-start', sample: 2000 * 16, atUs: time.us });
  stt.failNext('STT_FAILED');
  session(media).emit({ t: 'speech-end', sample: 3300 * 16, atUs: time.us });
  await time.pass(2000);
  t.ok(heard.includes('not-understood'));
  t.equal(audit.of('turn.failed')[0]!.body.code, 'STT_FAILED');
  t.equal(audit.of('call.ended').length, 0);
});

test('7. the synthesiser fails: the caller goes back to the dialplan, not into silence', async (t) => {
  const { time, pbx, audit, tts, begin } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []));
  tts.failNext(9);
  await begin();
  await time.pass(500);
  t.match(pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'failed', PARLEY_ERROR: 'TTS_FAILED' } });
  t.equal(audit.of('call.ended').length, 1);
});

test('8. calls that the PBX lost are closed as pbx.lost; calls that we lost go back to the dialplan', async (t) => {
  const { time, pbx, audit, begin } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []));
  const id = await begin();
  await time.pass(500);
  pbx.linkDown();
  pbx.lose(id);
  await settle();
  t.equal(audit.of('call.ended').length, 0, 'the link alone ends nothing');
  pbx.linkUp();
  await settle();
  await time.pass(50);
  t.equal(audit.of('call.ended')[0]!.body.outcome, 'pbx.lost');
});

test('9. an unknown flow and a drain give the caller back', async (t) => {
  const { time, pbx, runner, audit, begin } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []));
  await begin({ flow: 'missing' });
  t.match(pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'no-flow' } });
  pbx.ring({ args: { flow: 'test' } });
  await settle();
  const drained = runner.drain();
  await settle();
  pbx.ring({ args: { flow: 'test' } });
  await settle();
  t.match(pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'draining' } });
  await time.pass(1500);
  await drained;
  t.equal(audit.of('call.ended')[0]!.body.outcome, 'drained');
});

test('10. a caller who breaks in silences an interruptible reply, and the log says how much was heard', async (t) => {
  const { time, audit, media, begin } = rig(
    (event) => (event.t === 'start' ? [say('one two three four five six seven eight'), listen] : event.t === 'heard' ? [listen] : []),
    spoken('stop', 16_000),
  );
  await begin();
  await time.pass(1000);
  session(media).emit({ t: 'speech-start', sample: 15_200, atUs: time.us });
  await time.pass(700);
  t.equal(audit.of('agent.said')[0]?.body.interrupted, true);
  t.ok((audit.of('agent.said')[0]?.body.sentMs ?? 9999) < 1500);
  t.equal(audit.of('caller.interrupted').length, 1);
});

test('GDPR 18, 21: a call of somebody who objected goes to people: no sound of it is opened, nothing recognised, nothing said', async (t) => {
  const line = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []), undefined, {}, { admit: () => 'restricted' });
  await line.begin();
  await line.time.pass(3000);
  t.match(line.pbx.actions, [{ t: 'claim' }, { t: 'leave', variables: { PARLEY_OUTCOME: 'restricted' } }]);
  t.equal(line.media.sessions.length, 0);
  t.same(line.tts.spoken, []);
  t.match(line.audit.of('call.declined'), [{ body: { outcome: 'restricted' } }]);
  t.equal(line.audit.of('call.incoming').length, 0);
});

test('11. a full log sends new calls to people or refuses them, as configured', async (t) => {
  const { pbx, begin, admission } = rig((event) => (event.t === 'start' ? [NOTICE, listen] : []));
  admission.now = 'people';
  await begin();
  t.match(pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'log-full' } });
  admission.now = 'block';
  pbx.ring({ args: { flow: 'test' } });
  await settle();
  t.match(pbx.actions.at(-1), { t: 'hangup', reason: 'congestion' });
});

test('12. the reply is made while the caller may still go on; nothing of it is logged or heard before the commit', async (t) => {
  const line = await listening((event) => (event.t === 'heard' ? [slotDay, say('a table it is'), listen] : []));
  await line.at(2000);
  gate(line, 'speech-start', 1950);
  await line.at(3400);
  gate(line, 'speech-end', 3300);
  await line.at(3500);
  t.ok(line.tts.spoken.includes('a table it is'), 'synthesised under the wait');
  t.equal(line.audit.of('caller.said').length + line.audit.of('slot.filled').length, 0);
  await line.at(6000);
  t.equal(line.tts.spoken.filter((text) => text === 'a table it is').length, 1, 'made once');
  t.equal(line.audit.of('turn.latency')[0]!.body.waterfall.speculation, 'hit');
  t.equal(line.audit.of('agent.said').filter((event) => event.content?.['text'] === 'a table it is').length, 1);
});

test('13. a caller who goes on after our start: silence, the turn is taken back, and comes back with all its words', async (t) => {
  const heard: string[] = [];
  const line = await listening(
    (event) => {
      if (event.t === 'heard') heard.push(event.text);
      return event.t === 'heard' ? [say(`you want ${event.text} is it so and not otherwise`), listen] : [];
    },
    [...spoken('a table', 32_000), ...spoken('on friday', 72_000)],
  );
  await line.at(2000);
  gate(line, 'speech-start', 2000);
  await line.at(2800);
  gate(line, 'speech-end', 2700);
  await line.at(3700);
  t.equal(line.audit.of('caller.said').length, 1);
  gate(line, 'speech-start', 3650);
  await line.at(3800);
  t.match(line.audit.of('turn.retracted')[0]?.body, { turn: 1 });
  gate(line, 'speech-end', 5300);
  await line.at(9000);
  const said = line.audit.of('caller.said');
  t.same(
    said.map((event) => [event.body.turn, event.content?.['text']]),
    [
      [1, 'a table'],
      [1, 'a table on friday'],
    ],
  );
  t.equal(line.audit.of('agent.said').at(-1)?.content?.['text'], 'you want a table on friday is it so and not otherwise');
});

test('14. the log, and the dialogue, have what we said up to the last word that was heard', async (t) => {
  const told: (string | undefined)[] = [];
  const line = await listening(
    (event) => {
      if (event.t === 'said') told.push(event.heard);
      return event.t === 'heard' ? [say('one two three four five six seven eight'), listen] : [];
    },
    [...spoken('hello', 32_000), ...spoken('stop it now', 64_000)],
  );
  await line.at(2000);
  gate(line, 'speech-start', 2000);
  await line.at(2500);
  gate(line, 'speech-end', 2400);
  await line.at(4060);
  gate(line, 'speech-start', 4000);
  await line.at(4800);
  const cut = line.audit.of('agent.said').at(-1)!;
  t.equal(cut.body.interrupted, true);
  const words = cut.content?.['text']?.split(' ') ?? [];
  t.equal(words.length, cut.body.heardWords);
  t.ok(words.length > 2 && words.length < 8 && 'one two three four five six seven eight'.startsWith(words.join(' ')), words.join(' '));
  t.equal(told.at(-1), words.join(' '));
});

const slotDay: DialogueEffect = { t: 'slot', slot: 'day', value: { value: '2026-11-27', spoken: 'friday' }, corrected: false };

test('15. whatever the caller does, a speculation that was thrown away leaves nothing behind', async (t) => {
  const talk = fc.array(fc.record({ voiceMs: fc.integer({ min: 100, max: 900 }), pauseMs: fc.integer({ min: 250, max: 1400 }) }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(talk, async (pieces) => {
      const line = await listening(
        (event) => (event.t === 'heard' ? [slotDay, say(`answer to ${event.text}`), listen] : []),
        spoken('one two three four five six seven eight nine ten eleven twelve', 32_000),
      );
      let ms = 2000;
      for (const { voiceMs, pauseMs } of pieces) {
        await line.at(ms);
        gate(line, 'speech-start', ms - 40);
        await line.at(ms + voiceMs);
        gate(line, 'speech-end', ms + voiceMs - 60);
        ms += voiceMs + pauseMs;
      }
      await line.at(ms + 4000);
      const committed = line.audit.of('caller.said').map((event) => `answer to ${event.content?.['text'] ?? ''}`);
      if (line.audit.of('slot.filled').length !== committed.length) throw new Error('an effect without its turn, or a turn without it');
      for (const said of line.audit.of('agent.said')) {
        const text = said.content?.['text'] ?? '';
        if (text.startsWith('answer') && !committed.some((whole) => whole.startsWith(text))) throw new Error('said without a turn');
      }
      const open = committed.length - line.audit.of('turn.retracted').length;
      const turns = new Set(line.audit.of('caller.said').map((event) => event.body.turn));
      if (turns.size !== open) throw new Error('a turn that is neither committed nor taken back exactly once');
    }),
    { numRuns: 40 },
  );
  t.end();
});

test('16. turn events are recorded without words, and replayed they give the same decisions', async (t) => {
  const mask = maskWords(turnWords('en'));
  t.equal(
    mask('my number is four two and um friday please call Mrs. Miller or miller'),
    'my number is oh oh and um monday please w1 w2. w3 or w3',
  );
  const folder = t.testdir();
  const line = await listening((event) => (event.t === 'heard' ? [say('fine'), listen] : []), spoken('i want a table', 32_000), {
    turnRecords: { folder, words: false },
  });
  await line.at(2000);
  gate(line, 'speech-start', 1950);
  await line.at(3400);
  gate(line, 'speech-end', 3300);
  await line.at(7000);
  line.pbx.callerHangsUp(line.id);
  await settle();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const [file] = readdirSync(folder);
  const text = readFileSync(join(folder, file ?? ''), 'utf8');
  t.notMatch(text, /table/);
  const [, ...steps] = text.trim().split('\n');
  const recorded = steps.map((step) => JSON.parse(step) as RecordedStep);
  const same = replayTurns(recorded, TURN_DEFAULTS);
  t.ok(same.decisions >= 2);
  t.strictSame(same.differences, []);
  const slower = replayTurns(recorded, { ...TURN_DEFAULTS, endpoint: 'fixed', waitMs: 1500 });
  t.ok(slower.differences.some((difference) => difference.before?.what === 'commit 1'));
});

test('17. words heard: by the marks of the voice, or by where their characters lie', (t) => {
  const marked = {
    text: 'A table, for four',
    lengthSamples: 8000,
    rateHz: 8000,
    marks: [
      { text: 'A', fromChar: 0, toChar: 1, fromSample: 0 },
      { text: 'table,', fromChar: 2, toChar: 8, fromSample: 1000 },
      { text: 'for', fromChar: 9, toChar: 12, fromSample: 4000 },
      { text: 'four', fromChar: 13, toChar: 17, fromSample: 5000 },
    ],
  };
  t.same(heardOf(marked, 4200), { text: 'A table,', words: 4, heardWords: 2 });
  t.same(heardOf(marked, 4100), { text: 'A', words: 4, heardWords: 1 }, 'the last packet was on its way');
  t.same(heardOf(marked, 8000), { text: 'A table, for four', words: 4, heardWords: 4 });
  t.same(heardOf(marked, 0), { text: '', words: 4, heardWords: 0 });
  t.equal(resumeSample(marked, 4500), 4000);
  t.equal(resumeSample(marked, 3999), 1000);
  const plain = { text: 'one two three four', lengthSamples: 18_000, rateHz: 8000 };
  t.same(heardOf(plain, 9000).text, 'one two');
  t.equal(questionSample({ ...plain, text: 'So far. Is it?', lengthSamples: 14_000 }), 8000);
  t.end();
});

test('18. an end-of-turn detector is asked at every pause, and shortens or lengthens the wait', async (t) => {
  const waitWith = async (probability: number | Error): Promise<number> => {
    const detector = {
      name: 'test',
      description: 'test',
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      ask: () => (typeof probability === 'number' ? Promise.resolve(probability) : Promise.reject(probability)),
    };
    const line = await listening((event) => (event.t === 'heard' ? [listen] : []), spoken('i want a table', 32_000), {}, { detector });
    await line.at(2000);
    gate(line, 'speech-start', 1950);
    await line.at(3400);
    gate(line, 'speech-end', 3350);
    await line.at(7000);
    line.pbx.callerHangsUp(line.id);
    await settle();
    t.equal(line.time.waiting, 0, 'no alarm left');
    return line.audit.of('caller.said')[0]!.body.waitMs;
  };
  const [sure, unsure, broken] = [await waitWith(0.95), await waitWith(0.05), await waitWith(new Error('no model'))];
  t.ok(sure < broken && broken < unsure, `${sure} < ${broken} < ${unsure}`);
});

test('21. hanging up while a reply is held for a turn that never comes frees it too', async (t) => {
  const line = await listening((event) => (event.t === 'heard' ? [say('never said'), listen] : []));
  await line.at(2000);
  gate(line, 'speech-start', 1950);
  await line.at(3400);
  gate(line, 'speech-end', 3300);
  await line.at(3500);
  t.ok(line.tts.spoken.includes('never said'));
  line.pbx.callerHangsUp(line.id);
  await settle();
  t.equal(line.audit.of('call.ended').length, 1);
  t.equal(line.audit.of('agent.said').filter((event) => event.content?.['text'] === 'never said').length, 0);
  t.equal(line.time.waiting, 0);
});

test('22. a late reply gets an opener, in no two turns in a row and never with the same words; then the reply follows', async (t) => {
  const time: { line: Awaited<ReturnType<typeof listening>> | null } = { line: null };
  const slow: NonNullable<Stages['think']> = (effects, { signal }) =>
    new Promise((resolve, reject) => {
      const wanted = effects.some((effect) => effect.t === 'say' && effect.text.startsWith('you said'));
      time.line?.time.after(wanted ? 3000 : 0, () => resolve(effects));
      if (time.line === null) resolve(effects);
      signal.addEventListener('abort', () => reject(new Error('given up')));
    });
  const line = await listening(
    (event) => (event.t === 'heard' ? [say(`you said ${event.text}`), listen] : []),
    [...spoken('i want a table', 32_000), ...spoken('on friday', 160_000), ...spoken('thank you', 288_000)],
    { turn: { ...TURN_DEFAULTS, openerMs: 300 }, fillers: { en: { opener: ['okay', 'right'], wait: [] } } },
    { think: slow },
  );
  time.line = line;
  for (const ms of [2000, 10_000, 18_000]) {
    await line.at(ms);
    gate(line, 'speech-start', ms);
    await line.at(ms + 1500);
    gate(line, 'speech-end', ms + 1400);
  }
  await line.at(26_000);
  const said = line.audit.of('agent.said').map((event) => event.content?.['text']);
  t.same(said.slice(1), ['okay', 'you said i want a table', 'you said on friday', 'right', 'you said thank you']);
  const waterfalls = line.audit.of('turn.latency').map(({ body }) => body.waterfall);
  t.same(
    waterfalls.map(({ bridgedMs }) => bridgedMs !== undefined),
    [true, false, true],
  );
  const [first] = waterfalls;
  t.ok(first !== undefined && (first.bridgedMs ?? 0) < (first.perceivedMs ?? 0) - 1000, 'the opener was heard long before the reply');
});

test('a language that the dialogue changes to: the recogniser, the voice and the log follow', async (t) => {
  const opened: string[] = [];
  const scripted = createScriptedStt({ says: () => spoken('auf deutsch bitte', 32_000) });
  const stt: SpeechToText = scripted;
  const open = stt.open.bind(stt);
  stt.open = (options) => {
    opened.push(options.language);
    return open(options);
  };
  const tts = createScriptedTts();
  const asked: [string, SpeechOptions][] = [];
  const synthesise = tts.synthesise.bind(tts);
  tts.synthesise = (text, options) => {
    asked.push([text, options]);
    return synthesise(text, options);
  };
  await scripted.start();
  await tts.start();
  const starts: DialogueEvent[] = [];
  const dialogue: Dialogue<unknown> = {
    flow: 'test',
    version: 'v1',
    language: 'en',
    fixedTexts: [],
    begin: () => 'en',
    step: (state, event) => {
      if (event.t === 'start') starts.push(event);
      if (event.t === 'start') return [state, [NOTICE, listen]];
      if (event.t === 'silence') throw new Error('the dialogue is broken');
      const german = [{ t: 'language' as const, language: 'de' }, say('guten tag', { language: 'de', voice: 'anna' }), listen];
      return event.t === 'heard' ? ['de', german] : [state, []];
    },
    slots: () => ({}),
    languageOf: String,
  };
  const made = await listening(
    () => [],
    [],
    { apologies: { en: 'sorry', de: 'leider' } },
    { stt, tts, flow: () => dialogue, budget: () => 3 },
  );
  t.match(starts[0], { facts: { to: /./, from: /./, wallMs: Number, budget: 3 }, atMs: Number });
  t.strictSame(opened, ['en']);
  await made.at(2000);
  gate(made, 'speech-start', 1950);
  await made.at(3400);
  gate(made, 'speech-end', 3300);
  await made.at(5000);
  t.strictSame(opened, ['en', 'de']);
  t.strictSame(
    made.audit.of('language.changed').map(({ body }) => body.language),
    ['de'],
  );
  t.match(asked.at(-1), ['guten tag', { language: 'de', voice: 'anna' }]);
  await made.at(6000);
  await made.at(20_000);
  t.match(asked.at(-1), ['leider', { language: 'de' }], 'last words in the language of the conversation');
});

test('23. for every voice and every place of a stop: whole words, in order, none that was not sent, none missing', (t) => {
  const voice = fc.array(fc.record({ word: fc.stringMatching(/^[a-z]{1,8}[.?]?$/), samples: fc.integer({ min: 200, max: 6000 }) }), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(voice, fc.double({ min: 0, max: 1.1, noNaN: true }), (words, share) => {
      let [chars, lengthSamples] = [0, 0];
      const marks = words.map(({ word, samples }) => {
        const mark = { text: word, fromChar: chars, toChar: chars + word.length, fromSample: lengthSamples };
        [chars, lengthSamples] = [mark.toChar + 1, lengthSamples + samples];
        return mark;
      });
      const speech = { text: words.map(({ word }) => word).join(' '), lengthSamples, rateHz: 8000, marks };
      const sent = Math.round(lengthSamples * share);
      const heard = heardOf(speech, sent);
      const ends = marks.map((_, i) => marks[i + 1]?.fromSample ?? lengthSamples);
      const whole = sent >= lengthSamples ? words.length : ends.filter((end) => end <= sent - 160).length;
      if (heard.heardWords !== whole) throw new Error(`${heard.heardWords} words, ${whole} were sent whole`);
      if (
        heard.text !==
        words
          .slice(0, whole)
          .map(({ word }) => word)
          .join(' ')
      )
        throw new Error('other words than were sent');
      const again = resumeSample(speech, sent);
      if (again > sent || !marks.some(({ fromSample }) => fromSample === again)) throw new Error('goes on elsewhere than at a word begun');
    }),
    { numRuns: 500 },
  );
  t.end();
});

test('24. whenever somebody breaks in, the dialogue and the log have the same words, those that were heard', async (t) => {
  const text = 'one two three four five six seven eight nine ten eleven twelve';
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 800, max: 2400 }), fc.integer({ min: 300, max: 1500 }), async (afterMs, voiceMs) => {
      const told: string[] = [];
      const line = await listening(
        (event) => {
          if (event.t === 'said' && event.interrupted) told.push(event.heard ?? '');
          return event.t === 'heard' && told.length === 0 ? [say(text), listen] : [];
        },
        [...spoken('hello', 32_000), ...spoken('stop it now please', 48_000)],
      );
      await line.at(2000);
      gate(line, 'speech-start', 2000);
      await line.at(2500);
      gate(line, 'speech-end', 2400);
      await line.at(3000 + afterMs);
      gate(line, 'speech-start', 3000 + afterMs - 40);
      await line.at(3000 + afterMs + voiceMs);
      gate(line, 'speech-end', 3000 + afterMs + voiceMs - 60);
      await line.at(12_000);
      const cut = line.audit.of('agent.said').filter(({ body }) => body.interrupted);
      if (told.join('|') !== cut.map(({ content }) => content?.['text'] ?? '').join('|')) throw new Error(`told ${told.join('|')}`);
      for (const heard of told) if (!text.startsWith(heard)) throw new Error(`never said: ${heard}`);
      line.pbx.callerHangsUp(line.id);
      await settle();
    }),
    { numRuns: 25 },
  );
  t.end();
});

test('22. the dialplan line of a trunk says how its audio is cleaned; other words change nothing', (t) => {
  t.same(cleaningOf({ flow: 'booking', noise: 'suppress', echo: 'cancel' }), { noise: 'suppress', echo: 'cancel' });
  t.same(cleaningOf({ noise: 'off', echo: 'maybe' }), { noise: 'off' });
  t.same(cleaningOf({}), {});
  t.end();
});

test('23. the recogniser is told what we said last', (t) => {
  const prompts: (string | undefined)[] = [];
  const asked = new Listener({
    stt: {
      decode: ({ prompt }) => {
        prompts.push(prompt);
        return new Promise(() => undefined);
      },
      close: () => undefined,
    },
    logger: silentLogger,
    hooks: { words: () => undefined, failed: () => undefined },
  });
  const decode = { t: 'decode', decode: 1, fromSample: 0, toSample: 16_000, kind: 'final' } as const;
  asked.decode(decode);
  asked.said('which day');
  asked.decode({ ...decode, decode: 2 });
  t.same(prompts, [undefined, 'which day']);
  t.end();
});

test('25. a caller hangs up in the middle of a text: the log has what was sent, and does not wait for an engine that is mute', async (t) => {
  const text = 'one two three four five six seven eight nine ten';
  for (const isMute of [false, true]) {
    const line = rig((event) => (event.t === 'start' ? [say(text), listen] : []));
    const id = await line.begin();
    await line.time.pass(1000);
    if (isMute) session(line.media).stop = () => undefined;
    line.pbx.callerHangsUp(id);
    await line.time.pass(500);
    const [said] = line.audit.of('agent.said');
    t.match(said?.body, { interrupted: true, words: 10 });
    const { heardWords = 0, sentMs = 0 } = said?.body ?? {};
    t.equal(heardWords > 0 && heardWords < 10 && sentMs > 500, !isMute, `${heardWords} words, ${sentMs} ms`);
    t.ok(text.startsWith(said?.content?.['text'] ?? 'no'));
    t.equal(line.audit.of('caller.interrupted').length, 0, 'a hang-up is no interruption');
    t.equal(line.audit.of('call.ended').length, 1);
    t.ok(session(line.media).closed);
  }
});
