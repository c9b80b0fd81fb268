/** Real calls through a real Asterisk into the whole service: the conversation, and every fault that a call must survive. */
import { createSocket } from 'node:dgram';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { verifyAudit } from '../../src/audit/index.ts';
import { heardOf } from '../../src/call/ledger.ts';
import { answerCalls, findPrompts, inOrder, promptFrom } from '../../src/cli/caller/index.ts';
import { BOOKING } from '../../src/cli/conversation.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { createEspeak } from '../../src/tts/index.ts';
import { asteriskOptions, leftovers, until } from '../support/asterisk.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { childrenNamed, openDescriptors, startRig } from '../support/service.ts';

const listen = { wait: 'agent-finished' } as const;
const BOOK = { say: 'i want to book a table for four on friday at seven' } as const;

test('real calls', { timeout: 420_000 }, async (t) => {
  const folder = await testFolder();
  const postgres = await startPostgres();
  const database = await postgres.database();
  const desk = await answerCalls({ script: [{ say: 'hello' }, { wait: 'hangup' }] });
  const options = await asteriskOptions(t, { desks: [{ extension: '100', contact: `sip:100@${desk.host}:${desk.port}` }] });
  let asterisk = await startPrivateAsterisk(options);
  const rig = await startRig({ folder: join(folder, 'parley'), asterisk, databaseUrl: database.url(), mediaPort: 27_000 });
  t.teardown(async () => {
    await rig.stop();
    await asterisk.stop();
    await desk.close();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  await until('the link to Asterisk', () => rig.service.runner.linkUp);
  const fresh = (): void => void rig.events.splice(0);

  await t.test('1. a booking with a correction and a question: heard whole, understood, logged', async (t) => {
    const report = await rig.call(BOOKING.script);
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.finished, true, report.problem ?? 'the script came to its end');
    t.same(
      rig.of('caller.said').map((event) => event.content?.['text']),
      BOOKING.script.flatMap((step) => ('say' in step ? [step.say] : [])),
    );
    const tts = createEspeak({ logger: silentLogger, voices: { en: 'en-us' }, rateWpm: 160 });
    await tts.start();
    const said = rig.of('agent.said');
    const prompts = await Promise.all(
      said.map(async (event, i) => promptFrom(String(i), await tts.synthesise(event.content?.['text'] ?? '', { language: 'en' }))),
    );
    await tts.stop();
    const { verdicts, wholeAndInOrder } = inOrder(prompts, findPrompts(report.heard, prompts));
    t.ok(wholeAndInOrder, `heard: ${verdicts.map(({ found }) => (found?.complete === true ? 'whole' : 'not')).join(', ')}`);
    const peaks = verdicts.map(({ found }) => found?.peak ?? 0);
    t.ok(Math.min(...peaks) > 0.9, `correlations: ${peaks.map((peak) => peak.toFixed(3)).join(' ')}`);
    t.equal(rig.of('call.ended')[0]!.body.outcome, 'booked');
    const order = rig.types();
    t.ok(order.indexOf('notice.completed') < order.indexOf('caller.said'), 'the notice is complete before the first turn');
    t.same(await leftovers(asterisk), [], 'no channel and no bridge is left');
    t.equal(rig.service.egress.refused, 0, 'nothing wanted to leave this machine');
  });

  await t.test('2. a person is asked for: the desk gets the caller', async (t) => {
    fresh();
    const phone = desk.next();
    const report = await rig.call([listen, { say: 'i want to speak to a person' }, listen, { pauseMs: 1500 }, { hangup: true }]);
    t.equal((await phone).call, 1);
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.equal(rig.of('transfer.requested').length, 1);
    t.equal(rig.of('call.ended')[0]!.body.outcome, 'transferred');
  });

  await t.test('3. the recogniser is killed in mid-call: one apology, then the call goes on', async (t) => {
    fresh();
    let killed = 0;
    const report = await rig.call([listen, BOOK, listen, BOOK, listen, { hangup: true }], {
      onEvent: (event) => {
        if (event.t !== 'saying' || killed > 0) return;
        for (const pid of childrenNamed('parley-whisper')) {
          killed++;
          process.kill(pid, 'SIGKILL');
        }
      },
    });
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(killed, 1);
    t.equal(report.problem, null);
    const said = rig.of('caller.said');
    t.ok(said.length >= 1 && said.at(-1)?.content?.['text'] === BOOK.say, 'it hears again');
    t.ok(rig.of('agent.said').filter((event) => event.body.kind === 'apology').length <= 1, 'at most one apology');
    t.ok(
      rig.of('engine.state').some((event) => event.body.state === 'up'),
      'the restart is in the log',
    );
  });

  await t.test('4. Postgres goes away in mid-call: the call goes on, nothing is lost', async (t) => {
    fresh();
    const outage: Promise<void>[] = [];
    const report = await rig.call([listen, BOOK, listen, { say: 'yes that is right' }, listen, { hangup: true }], {
      onEvent: (event) => {
        if (event.t === 'saying' && outage.length === 0) outage.push(postgres.stop());
      },
    });
    await Promise.all(outage);
    t.equal(report.problem, null);
    t.equal(rig.of('caller.said').length, 2);
    await until('the backlog to grow', () => rig.service.audit.backlog > 0);
    await postgres.start();
    await until('everything shipped', () => rig.service.audit.backlog === 0, 30_000);
    const verified = await verifyAudit({ connection: database.url() });
    t.same(verified.findings, []);
    const [row] = await database.query<{ count: string }>(`SELECT count(*) FROM audit.event WHERE type = 'call.ended'`);
    t.equal(Number(row!.count), 4);
  });

  await t.test('5. what is not the PBX never reaches the recogniser', async (t) => {
    fresh();
    const junk = createSocket('udp4');
    await new Promise<void>((bound) => junk.bind(0, '127.0.0.1', bound));
    const rtp = Buffer.alloc(172, 0x10);
    rtp[0] = 0x80;
    rtp[1] = 0;
    const flood = setInterval(() => {
      for (let port = 27_000; port < 27_010; port++) junk.send(rtp, port, '127.0.0.1');
    }, 5);
    const report = await rig.call([listen, BOOK, listen, { hangup: true }]);
    clearInterval(flood);
    junk.close();
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.equal(rig.of('caller.said')[0]?.content?.['text'], BOOK.say);
  });

  await t.test('6. two callers at once: neither hears or becomes the other', async (t) => {
    fresh();
    const one = rig.call([listen, { say: 'i want to book a table for two on monday at six' }, listen, { hangup: true }]);
    const two = rig.call([listen, { say: 'what are your opening hours' }, listen, { hangup: true }], {
      voice: { name: 'en-gb', wordsPerMinute: 160, pitch: 40 },
    });
    await Promise.all([one, two]);
    await until('the end of both', () => rig.of('call.ended').length === 2);
    const byCall = new Map(rig.of('caller.said').map((event) => [event.callId, event.content?.['text']]));
    t.same([...byCall.values()].sort(), ['i want to book a table for two on monday at six', 'what are your opening hours']);
  });

  await t.test(
    '7. two callers at once: one breaks in, one goes on after our start; the log has what they heard, to one word',
    async (t) => {
      fresh();
      const breaksIn = rig.call([
        listen,
        BOOK,
        { interrupt: { afterMs: 1500, say: 'what are your opening hours' } },
        listen,
        { hangup: true },
      ]);
      const goesOn = rig.call(
        [
          listen,
          { say: 'i want to book a table' },
          { wait: 'agent-started' },
          { say: 'for two on monday at six' },
          listen,
          { hangup: true },
        ],
        { voice: { name: 'en-gb', wordsPerMinute: 160, pitch: 40 } },
      );
      const [report] = await Promise.all([breaksIn, goesOn]);
      await until('the end of both', () => rig.of('call.ended').length === 2);
      const cut = rig.of('agent.said').find((event) => event.body.interrupted && event.body.sentMs > 700);
      const call = cut?.callId;
      t.equal(
        rig.of('caller.interrupted').some((event) => event.callId === call),
        true,
      );
      const heard = rig.of('caller.said').filter((event) => event.callId === call);
      t.same(
        heard.map((event) => event.content?.['text']),
        [BOOK.say, 'what are your opening hours'],
      );
      const whole =
        rig.of('agent.speaking').find((event) => event.callId === call && event.body.prompt === cut?.body.prompt)?.content.text ?? '';
      const said = cut?.content?.['text'] ?? '';
      t.ok(said !== '' && whole.startsWith(said) && said.length < whole.length, `"${said}" of "${whole}"`);
      const tts = createEspeak({ logger: silentLogger, voices: { en: 'en-us' }, rateWpm: 160 });
      await tts.start();
      const clip = await tts.synthesise(whole, { language: 'en' });
      await tts.stop();
      // It may be said again later, whole.
      const [places = []] = findPrompts(report.heard, [promptFrom('cut', clip)]);
      const [found] = [...places].sort((one, other) => one.offsetMs - other.offsetMs);
      // What reached the caller, in words of the same rendering, against what the log says.
      const arrived = heardOf({ ...clip, text: whole, lengthSamples: clip.pcm.length }, ((found?.heardMs ?? 0) * clip.rateHz) / 1000);
      t.ok(
        Math.abs(arrived.heardWords - (cut?.body.heardWords ?? NaN)) <= 1,
        `${arrived.heardWords} arrived, ${cut?.body.heardWords} logged`,
      );

      const retracted = rig.of('turn.retracted').filter((event) => event.callId !== call);
      t.ok(retracted.length >= 1, 'the turn was taken back');
      const others = rig.of('caller.said').filter((event) => event.callId !== call);
      t.equal(others.at(-1)?.content?.['text'], 'i want to book a table for two on monday at six');
      t.equal(others.at(-1)?.body.turn, 1, 'one turn with all its words');
    },
  );

  await t.test('8. a hundred quick calls leave nothing behind', async (t) => {
    fresh();
    // The first ten fill caches and pools.
    const quick = (ms: number) => rig.call([{ pauseMs: ms }, { hangup: true }]);
    for (let i = 0; i < 10; i++) await quick(50);
    await until('ten ends', () => rig.of('call.ended').length === 10);
    const before = { descriptors: openDescriptors(), rss: process.memoryUsage().rss };
    for (let i = 0; i < 20; i++) await Promise.all([0, 1, 2, 3, 4].map((n) => quick((i * 37 + n * 61) % 700)));
    await until('all ends', () => rig.of('call.ended').length === 110, 30_000);
    t.equal(rig.of('call.incoming').length, 110);
    t.equal(rig.service.runner.openCalls().length, 0);
    await until('no channel and no bridge', async () => (await leftovers(asterisk)).length === 0);
    await until('descriptors as before', () => openDescriptors() <= before.descriptors + 4);
    t.ok(process.memoryUsage().rss - before.rss < 120 * 1024 * 1024, 'memory is flat');
  });

  await t.test('9. Asterisk dies in mid-call and comes back: the call is closed as lost, the next one is taken', async (t) => {
    fresh();
    const lost = rig.call([listen, { pauseMs: 20_000 }, { hangup: true }], { maxCallMs: 6000 });
    await until('an answered call', () => rig.types().includes('agent.said'));
    process.kill(asterisk.pid, 'SIGKILL');
    await asterisk.exited;
    await until('the link to be down', () => !rig.service.runner.linkUp);
    t.equal(rig.of('call.ended').length, 0, 'a lost link alone ends nothing');
    asterisk = await startPrivateAsterisk({ ...options, ariUser: asterisk.ariUser, ariPassword: asterisk.ariPassword });
    await until('the link to be up', () => rig.service.runner.linkUp, 20_000);
    await until('the lost call to be closed', () => rig.of('call.ended').length === 1);
    t.equal(rig.of('call.ended')[0]!.body.outcome, 'pbx.lost');
    await lost.catch(() => undefined);
    fresh();
    const report = await rig.call([listen, { say: 'goodbye' }, { wait: 'hangup' }]);
    t.equal(report.end, 'remote-bye');
    // The leg of a caller who was hung up goes a moment after him.
    await until('nothing is left', async () => (await leftovers(asterisk)).length === 0);
  });
});
