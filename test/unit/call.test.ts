/** The pipeline with every stage but turn/ faked: what is asked of the stages, in which order, and that nothing is left behind. */
import { test } from 'tap';
import { CallRunner } from '../../src/call/index.ts';
import { type Dialogue, type DialogueEffect, type DialogueEvent, ParleyError } from '../../src/contracts/index.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { createScriptedStt, spoken } from '../../src/stt/index.ts';
import { createFakePbx } from '../../src/telephony/index.ts';
import { createScriptedTts } from '../../src/tts/index.ts';
import { TURN_DEFAULTS } from '../../src/turn/index.ts';
import { FakeMediaEngine, type FakeMediaSession } from '../support/fake-media.ts';
import { MemoryAudit, settle, VirtualTime } from '../support/virtual-time.ts';

type Answer = (event: DialogueEvent) => readonly DialogueEffect[];

const say = (text: string, more: Partial<Extract<DialogueEffect, { t: 'say' }>> = {}): DialogueEffect => ({
  t: 'say',
  text,
  prompt: 'p',
  kind: 'statement',
  interruptible: true,
  ...more,
});
const listen: DialogueEffect = { t: 'listen', expect: { kind: 'free' } };
const NOTICE = say('hello machine', { kind: 'notice', interruptible: false, prompt: 'greeting' });

function dialogue(answer: Answer): Dialogue<unknown> {
  return {
    flow: 'test',
    version: 'v1',
    language: 'en',
    fixedTexts: [],
    begin: () => null,
    step: (_state, event) => [null, answer(event)],
    slots: () => ({ day: { value: '2026-11-27', spoken: 'friday' } }),
  };
}

function rig(answer: Answer, says = spoken('i want a table', 32_000)) {
  const time = new VirtualTime();
  const pbx = createFakePbx({ remote: { host: '127.0.0.1', port: 5000 } });
  const media = new FakeMediaEngine(time);
  const stt = createScriptedStt({ says: () => says });
  const tts = createScriptedTts();
  const audit = new MemoryAudit();
  const admission: { now: 'continue' | 'people' | 'block' } = { now: 'continue' };
  const runner = new CallRunner(
    {
      pbx,
      media,
      stt,
      tts,
      audit,
      clock: time,
      timers: time,
      logger: silentLogger,
      flow: (name) => (name === 'missing' ? undefined : dialogue(answer)),
      admit: () => admission.now,
      desk: (name) => (name === 'sales' ? { context: 'parley-desks', extension: '100' } : undefined),
    },
    { receive: 'ulaw', send: 'ulaw', turn: TURN_DEFAULTS, drainMs: 1000 },
  );
  time.every10Ms((ms) => {
    for (const session of media.sessions) if (!session.closed) session.play(ms);
  });
  const begin = async (args: Record<string, string> = { flow: 'test' }): Promise<string> => {
    await pbx.start();
    await stt.start();
    await tts.start();
    await settle();
    const id = pbx.ring({ args });
    await settle();
    return id;
  };
  return { time, pbx, media, stt, tts, audit, runner, begin, admission };
}

const session = (media: FakeMediaEngine): FakeMediaSession => media.sessions[0]!;
const doneTo = (pbx: ReturnType<typeof createFakePbx>): string[] =>
  pbx.actions.map((action) => action.t).filter((name) => name !== 'sweep');

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
