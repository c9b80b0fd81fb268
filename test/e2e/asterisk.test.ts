/** The Asterisk driver against a real Asterisk and real SIP callers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import type { Test } from 'tap';
import type { PbxCallId } from '../../src/contracts/index.ts';
import type { PrivateAsterisk } from '../../src/telephony/index.ts';
import { pbxContract } from '../contract/pbx-suite.ts';
import { answerCalls, freeUdpPort, leftovers, placeCall, rtpEar, testAsterisk, until, wireTo } from '../support/asterisk.ts';
import type { CallerStep } from '../support/asterisk.ts';
import type { SippRun } from '../support/sipp.ts';
import { EventLog, connected, driver } from '../support/pbx.ts';

const EXTRA = [
  '[parley-test](+)',
  // What an admin writes after the Stasis line: go on with what the flow found out.
  'exten => after,1,Stasis(parley,flow=booking,branch=berlin mitte,odd,to=4930123)',
  ' same => n,Log(NOTICE,went on: ${STASISSTATUS} ${PARLEY_OUTCOME} ${PARLEY_SLOT_day})',
  ' same => n,Hangup(17)',
  'exten => twice,1,Stasis(parley,flow=first)',
  ' same => n,Stasis(parley,flow=second)',
  ' same => n,Hangup()',
].join('\n');

/** A tone in mu-law, for callers that are heard. */
function toneFile(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-tone-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tone.ulaw');
  writeFileSync(file, Buffer.from(Array.from({ length: 8000 }, (_, n) => (n % 16 < 8 ? 0x90 : 0x10))));
  return file;
}

const nothingLeft = (asterisk: PrivateAsterisk) => async (): Promise<boolean> => (await leftovers(asterisk)).length === 0;

test('one Asterisk', async (t) => {
  const deskPort = await freeUdpPort();
  const asterisk = await testAsterisk(t, { extraDialplan: EXTRA, desks: [{ extension: '100', contact: `sip:100@127.0.0.1:${deskPort}` }] });
  t.comment(`Asterisk ${asterisk.version}`);

  await t.test('the contract', async (t) => {
    const wire = await wireTo(t, asterisk.ariUrl);
    const ear = await rtpEar(t);
    let phone: SippRun | undefined;
    await pbxContract(t, {
      pbx: driver(asterisk, { url: wire.url }),
      call: async ({ flow, key, hangUpAfterMs }) => {
        const press: CallerStep[] =
          key === undefined
            ? []
            : [
                { do: 'wait', ms: 1000 },
                { do: 'key', digit: key },
              ];
        const end: CallerStep[] =
          hangUpAfterMs === undefined ? [{ do: 'expect-bye', withinMs: 20_000 }] : [{ do: 'wait', ms: hangUpAfterMs }, { do: 'bye' }];
        await placeCall({ sipPort: asterisk.sipPort, extension: `flow_${flow}`, steps: [...press, ...end] });
      },
      desk: { context: 'parley-desks', extension: '100' },
      noDesk: { context: 'parley-desks', extension: '999' },
      answerDesk: async () => {
        // The one before has the port until its call is over.
        await phone?.finished;
        phone = await answerCalls(deskPort);
      },
      cut: () => wire.cut(),
      restore: () => undefined,
      port: ear.port,
    });
    await until('nothing left', nothingLeft(asterisk));
  });

  await t.test('the caller is heard in the format that was asked for', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    for (const [codec, payload] of [
      ['ulaw', 0],
      ['alaw', 8],
      ['slin', 10],
    ] as const) {
      const ear = await rtpEar(t);
      const from = log.events.length;
      const caller = await placeCall({
        sipPort: asterisk.sipPort,
        extension: '700',
        steps: [{ do: 'play', file: toneFile(t) }, { do: 'wait', ms: 800 }, { do: 'bye' }],
      });
      const { call } = await log.next('incoming', from);
      await pbx.answer(call.id);
      const where = await pbx.openMedia(call.id, { receive: codec, send: codec, localHost: '127.0.0.1', localPort: ear.port });
      t.match(where, { receive: codec, send: codec });
      await until(`RTP of ${codec}`, () => (ear.packets.get(payload) ?? 0) > 10);
      t.same([...ear.packets.keys()], [payload]);
      t.equal((await caller.finished).code, 0);
      await log.ended(call.id);
    }
    await until('nothing left', nothingLeft(asterisk));
  });

  await t.test('arguments of the dialplan line; leave: the dialplan goes on with outcome and slots', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    const from = log.events.length;
    const caller = await placeCall({
      sipPort: asterisk.sipPort,
      extension: 'after',
      from: 'anna',
      steps: [{ do: 'expect-bye', withinMs: 10_000 }],
    });
    const { call } = await log.next('incoming', from);
    t.same(call.args, { flow: 'booking', branch: 'berlin mitte', to: '4930123' });
    t.match(call, { to: '4930123', from: { number: 'anna', name: 'Caller' } });
    t.equal(pbx.counters()['ignoredArgs'], 1, 'an argument without = is counted');
    await pbx.answer(call.id);
    await pbx.leave(call.id, { PARLEY_OUTCOME: 'booked', PARLEY_SLOT_day: 'next Tue,\nsday & "100%" ${EXTEN}' });
    t.equal((await caller.finished).code, 0, 'hung up by the dialplan');
    await log.ended(call.id);
    t.match(
      readFileSync(asterisk.logFile, 'utf8'),
      /went on: SUCCESS booked next Tue, sday & "100%" \$\{EXTEN\}/,
      'as it was, on one line, not evaluated',
    );
    await t.rejects(pbx.leave(call.id, { 'PARLEY OUTCOME': 'x' }), { code: 'PBX_NO_SUCH_CALL' });
  });

  await t.test('keys by RFC 4733 and by SIP INFO, hold and resume, in the order of the caller', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    // sipp sends RFC 4733 through a raw socket, which only root may open.
    const byRtp: CallerStep[] =
      process.getuid?.() === 0
        ? [
            { do: 'rtp-keys', digits: '12#' },
            { do: 'wait', ms: 2000 },
          ]
        : [];
    const caller = await placeCall({
      sipPort: asterisk.sipPort,
      extension: '700',
      steps: [
        { do: 'wait', ms: 500 },
        ...byRtp,
        { do: 'key', digit: '5', durationMs: 160 },
        { do: 'wait', ms: 300 },
        { do: 'hold' },
        { do: 'wait', ms: 300 },
        { do: 'resume' },
        { do: 'wait', ms: 300 },
        { do: 'bye' },
      ],
    });
    const { call } = await log.next('incoming');
    await pbx.answer(call.id);
    await log.ended(call.id);
    t.equal((await caller.finished).code, 0);
    const digits = log.of(call.id).flatMap((event) => (event.t === 'dtmf' ? [event.digit] : []));
    t.same(digits, [...(byRtp.length === 0 ? [] : ['1', '2', '#']), '5'], 'each key once');
    t.same(
      log
        .of(call.id)
        .map((event) => event.t)
        .filter((type) => type !== 'dtmf'),
      ['held', 'resumed', 'ended'],
    );
  });

  await t.test('a second Stasis line of the same channel is a second call with the same id', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    const ear = await rtpEar(t);
    const from = log.events.length;
    await placeCall({ sipPort: asterisk.sipPort, extension: 'twice', steps: [{ do: 'expect-bye', withinMs: 10_000 }] });
    const { call } = await log.next('incoming', from);
    await pbx.answer(call.id);
    const want = { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: ear.port } as const;
    await pbx.openMedia(call.id, want);
    await pbx.leave(call.id, {});
    await until('the second call', () => log.events.filter((event) => event.t === 'incoming').length === 2);
    await pbx.openMedia(call.id, want);
    t.same(
      log.of(call.id).map((event) => event.t),
      ['ended'],
    );
    t.same(
      log.events.flatMap((event) => (event.t === 'incoming' ? [event.call.args['flow']] : [])),
      ['first', 'second'],
    );
    await pbx.hangup(call.id, 'normal');
    await until('nothing left', nothingLeft(asterisk));
  });

  await t.test('bad names never reach Asterisk', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    const from = log.events.length;
    await placeCall({ sipPort: asterisk.sipPort, extension: '700', steps: [{ do: 'expect-bye', withinMs: 10_000 }] });
    const { call } = await log.next('incoming', from);
    await pbx.answer(call.id);
    const bad = { code: 'PBX_BAD_INPUT' };
    await t.rejects(pbx.transfer(call.id, { context: 'parley-desks', extension: '100,1&PJSIP/900' }), bad);
    await t.rejects(pbx.transfer(call.id, { context: 'a b', extension: '100' }), bad);
    await t.rejects(pbx.leave(call.id, { 'CHANNEL(hangup_handler_push)': 'x' }), bad);
    await t.rejects(pbx.leave(call.id, { PARLEY_SLOT_x: 'y'.repeat(2000) }), bad);
    const want = { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: 4000 } as const;
    await t.rejects(pbx.openMedia(call.id, { ...want, localHost: 'evil.example' }), bad);
    await t.rejects(pbx.openMedia(call.id, { ...want, localPort: 0 }), bad);
    await pbx.hangup(call.id, 'normal');
    await log.ended(call.id);
    await until('nothing left', nothingLeft(asterisk));
  });

  await t.test('hangup reasons arrive at the caller as SIP says them', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    const from = log.events.length;
    const caller = await placeCall({ sipPort: asterisk.sipPort, extension: '700', steps: [], refused: true });
    const { call } = await log.next('incoming', from);
    await pbx.hangup(call.id, 'busy');
    t.equal((await caller.finished).code, 0, 'refused before the answer');
    await log.ended(call.id);
  });

  await t.test('twenty quick calls, hanging up in every state, leave no channel and no bridge', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    const ear = await rtpEar(t);
    const seen = new Set<PbxCallId>();
    const from = log.events.length;
    const caller = await placeCall({
      sipPort: asterisk.sipPort,
      extension: '700',
      calls: 20,
      perSecond: 20,
      steps: [{ do: 'wait', ms: 20 }, { do: 'bye' }],
    });
    const working: Promise<void>[] = [];
    const serve = async (id: PbxCallId): Promise<void> => {
      try {
        await pbx.answer(id);
        await pbx.openMedia(id, { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: ear.port });
      } catch (error) {
        t.match(error, { code: 'PBX_NO_SUCH_CALL' }, 'the only thing that may happen to a call that was hung up');
      }
    };
    const ended = (): number => log.events.slice(from).filter((event) => event.t === 'ended').length;
    await until('twenty ends', () => {
      for (const event of log.events.slice(from)) {
        if (event.t !== 'incoming' || seen.has(event.call.id)) continue;
        seen.add(event.call.id);
        working.push(serve(event.call.id));
      }
      return ended() >= 20;
    });
    await Promise.all(working);
    await caller.finished;
    await until('nothing left', nothingLeft(asterisk));
    t.equal(seen.size, 20);
    t.equal(ended(), 20, 'each call ended once');
  });

  await t.test('orphans of an earlier life are swept at start, foreign channels are not', async (t) => {
    const authorization = `Basic ${Buffer.from(`${asterisk.ariUser}:${asterisk.ariPassword}`).toString('base64')}`;
    const post = async (path: string): Promise<number> =>
      (await fetch(`${asterisk.ariUrl}/ari/${path}`, { method: 'POST', headers: { authorization } })).status;
    const first = await connected(t, asterisk);
    const media = 'channels/externalMedia?app=parley&external_host=127.0.0.1:4000&format=ulaw&channelId=';
    t.equal(await post(`${media}parley-media-00000000-dead.1`), 200);
    t.equal(await post(`${media}somebody-elses`), 200);
    t.equal(await post('bridges?type=mixing&bridgeId=parley-bridge-00000000-dead.1'), 200);
    await first.pbx.stop();
    const second = await connected(t, asterisk);
    await until('swept', async () => (await leftovers(asterisk)).join() === 'somebody-elses');
    t.equal(second.pbx.counters()['swept'], 2);
    await fetch(`${asterisk.ariUrl}/ari/channels/somebody-elses`, { method: 'DELETE', headers: { authorization } });
    await until('nothing left', nothingLeft(asterisk));
  });

  await t.test('a gateway that died: the next one finds its call in the resync and can end it', async (t) => {
    const first = await connected(t, asterisk);
    const ear = await rtpEar(t);
    await placeCall({ sipPort: asterisk.sipPort, extension: '700', steps: [{ do: 'expect-bye', withinMs: 20_000 }] });
    const { call } = await first.log.next('incoming');
    await first.pbx.answer(call.id);
    await first.pbx.openMedia(call.id, { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: ear.port });
    await first.pbx.stop();
    const second = await connected(t, asterisk);
    t.match(await second.log.next('resync'), { calls: [{ id: call.id, args: { flow: 'booking' }, to: '700', state: 'up' }] });
    // The driver sweeps at every connect; whichever sweep came first, only the caller is there after this one.
    await second.pbx.sweep(new Set());
    await until('its old leg and bridge are gone', async () => (await leftovers(asterisk)).join() === call.id);
    await second.pbx.openMedia(call.id, { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: ear.port });
    await second.pbx.hangup(call.id, 'normal');
    await second.log.ended(call.id);
    await until('nothing left', nothingLeft(asterisk));
  });

  await t.test('a frozen line is noticed, and the driver comes back', async (t) => {
    const wire = await wireTo(t, asterisk.ariUrl);
    const { pbx, log } = await connected(t, asterisk, { url: wire.url, timing: { pingMs: 200, silentMs: 700 } });
    const from = log.events.length;
    wire.freeze();
    const down = await log.next('link', from);
    t.match(down, { state: 'down', why: /no sign of life/ });
    await t.rejects(pbx.answer('x'), { code: 'PBX_NO_SUCH_CALL' });
    await t.rejects(pbx.hangup('x', 'normal'), { code: 'PBX_LINK_DOWN', retryable: true });
    wire.thaw();
    await log.next('resync', from);
  });

  await t.test('a second gateway takes the name: the first says so and does not fight', async (t) => {
    const first = await connected(t, asterisk);
    const second = await connected(t, asterisk);
    t.match(await first.log.next('link', 2), { state: 'down', why: /another program/ });
    await placeCall({ sipPort: asterisk.sipPort, extension: '700', steps: [{ do: 'wait', ms: 50 }, { do: 'bye' }] });
    const { call } = await second.log.next('incoming');
    await second.pbx.answer(call.id);
    await second.log.ended(call.id);
    t.equal(first.pbx.counters()['replaced'], 1);
  });

  await t.test('a wrong password: said at once, and tried again for ever', async (t) => {
    const pbx = driver(asterisk, { password: 'wrong', timing: { backoffMinMs: 20, backoffMaxMs: 50 } });
    const log = new EventLog(pbx);
    t.teardown(() => pbx.stop());
    await t.rejects(pbx.start(), { code: 'PBX_AUTH', message: /password/ });
    await until('tried again', () => (pbx.counters()['authFailures'] ?? 0) >= 3);
    t.equal(log.events.length, 1, 'one event for one state, however often it is tried');
    t.match(log.events[0]!, { t: 'link', state: 'down', why: /password/ });
  });

  await t.test('parley-after: a trouble of ours goes to the fallback, an outcome of the flow goes on', async (t) => {
    const { pbx, log } = await connected(t, asterisk);
    const played = (): number => readFileSync(asterisk.logFile, 'utf8').split("Playing 'please-try-call-later").length - 1;
    for (const [outcome, fallback] of [
      ['booked', 0],
      ['failed', 1],
      ['failed-to-agree', 0],
      ['gateway-restarted', 1],
    ] as const) {
      const before = played();
      const from = log.events.length;
      const caller = await placeCall({ sipPort: asterisk.sipPort, extension: '700', steps: [{ do: 'expect-bye', withinMs: 20_000 }] });
      const { call } = await log.next('incoming', from);
      await pbx.answer(call.id);
      await pbx.leave(call.id, { PARLEY_OUTCOME: outcome });
      t.equal((await caller.finished).code, 0);
      t.equal(played() - before, fallback, outcome);
    }
  });

  await t.test('nobody at home: the dialplan goes to its fallback', async (t) => {
    const caller = await placeCall({ sipPort: asterisk.sipPort, extension: '700', steps: [{ do: 'expect-bye', withinMs: 20_000 }] });
    t.equal((await caller.finished).code, 0, 'answered by the message of parley-fallback, then hung up');
    t.match(readFileSync(asterisk.logFile, 'utf8'), /Playing 'please-try-call-later/);
  });
});
