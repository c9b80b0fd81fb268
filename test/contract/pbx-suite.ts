/** What every PBX driver must do, whichever PBX is behind it. Run against the fake here and against a real Asterisk in test/e2e. */
import type { Test } from 'tap';
import type { PbxCall, PbxCallId, PbxDriver, PbxEvent } from '../../src/contracts/index.ts';
import { until } from '../support/asterisk.ts';
import { EventLog } from '../support/pbx.ts';

export interface Caller {
  readonly flow: string;
  /** Pressed one second after the answer. */
  readonly key?: string;
  /** Hangs up so long after the answer; waits for the other side when left out. */
  readonly hangUpAfterMs?: number;
}

export interface PbxRig {
  readonly pbx: PbxDriver;
  /** A caller phones in and behaves as told. */
  call(caller: Caller): Promise<void>;
  /** A transfer target that answers, and one that the dialplan does not have. */
  readonly desk: { context: string; extension: string };
  readonly noDesk: { context: string; extension: string };
  /** Someone picks up at the desk, once. */
  answerDesk(): Promise<void>;
  /** Cuts the control line; the driver must come back by itself (or `restore` does it). */
  cut(): void;
  restore(): void;
  /** An RTP port of ours. */
  readonly port: number;
}

export async function pbxContract(t: Test, rig: PbxRig): Promise<void> {
  const { pbx } = rig;
  const log = new EventLog(pbx);
  const media = { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: rig.port } as const;
  const incoming = async (caller: Caller): Promise<PbxCall> => {
    const from = log.events.length;
    await rig.call(caller);
    return (await log.next('incoming', from)).call;
  };
  const endings = (id: PbxCallId): number => log.of(id).filter((event) => event.t === 'ended').length;

  await t.test('start: the link comes up, then a resync, in this order', async (t) => {
    await pbx.start();
    t.same(
      log.events.slice(0, 2).map((event) => event.t),
      ['link', 'resync'],
    );
    t.match(log.events[1]!, { calls: [] });
    t.ok(pbx.version.length > 0);
  });

  await t.test('a call: arguments, answer, media, a key, and the end exactly once when the caller hangs up', async (t) => {
    const call = await incoming({ flow: 'booking', key: '5', hangUpAfterMs: 2500 });
    t.match(call, { direction: 'inbound', args: { flow: 'booking' }, state: 'ringing' });
    t.ok(call.to.length > 0);
    await pbx.answer(call.id);
    const where = await pbx.openMedia(call.id, media);
    t.match(where, { remoteHost: '127.0.0.1', receive: 'ulaw', send: 'ulaw' });
    t.ok(where.remotePort > 0);
    await log.ended(call.id);
    t.same(
      log.of(call.id).map((event) => event.t),
      ['dtmf', 'ended'],
    );
    t.match(log.of(call.id)[0]!, { digit: '5' });
    t.match(log.of(call.id)[1]!, { reason: 'normal' });
    await t.rejects(pbx.answer(call.id), { code: 'PBX_NO_SUCH_CALL' });
    await t.rejects(pbx.openMedia(call.id, media), { code: 'PBX_NO_SUCH_CALL' });
    await pbx.hangup(call.id, 'normal');
    t.equal(endings(call.id), 1);
  });

  await t.test('hangup: idempotent, one end, unknown calls are success', async (t) => {
    const call = await incoming({ flow: 'booking' });
    await pbx.answer(call.id);
    await pbx.openMedia(call.id, media);
    await Promise.all([pbx.hangup(call.id, 'normal'), pbx.hangup(call.id, 'normal')]);
    await log.ended(call.id);
    await pbx.hangup(call.id, 'normal');
    await pbx.hangup('never-seen', 'admin');
    t.equal(endings(call.id), 1);
  });

  await t.test('openMedia again replaces the leg; then the dialplan goes on with variables', async (t) => {
    const call = await incoming({ flow: 'booking' });
    await pbx.answer(call.id);
    await pbx.openMedia(call.id, media);
    await pbx.openMedia(call.id, media);
    await pbx.leave(call.id, { PARLEY_OUTCOME: 'completed', PARLEY_SLOT_day: 'Tuesday' });
    await log.ended(call.id);
    t.equal(endings(call.id), 1);
    await t.rejects(pbx.leave(call.id, {}), { code: 'PBX_NO_SUCH_CALL' });
  });

  await t.test('transfer: a missing extension is refused and the call stays; a desk takes it', async (t) => {
    const call = await incoming({ flow: 'booking', hangUpAfterMs: 1500 });
    await pbx.answer(call.id);
    await pbx.openMedia(call.id, media);
    await t.rejects(pbx.transfer(call.id, rig.noDesk), { code: 'PBX_BAD_INPUT' });
    t.equal(endings(call.id), 0);
    await rig.answerDesk();
    await pbx.transfer(call.id, rig.desk, { PARLEY_OUTCOME: 'transferred', PARLEY_SUMMARY: 'booking: day Tuesday' });
    await log.ended(call.id);
    t.equal(endings(call.id), 1);
  });

  await t.test(
    'dial: a desk answers, nobody does, there is none, a name is bad; the listener of all calls hears of none of it',
    async (t) => {
      const from = log.events.length;
      const told: string[] = [];
      const { signal } = new AbortController();
      const options = { ringMs: 5000, signal, onEvent: (event: PbxEvent): unknown => told.push(event.t) };
      await rig.answerDesk();
      const id = (await pbx.dial(rig.desk, options)) ?? '';
      t.not(id, '');
      t.match(await pbx.openMedia(id, media), { remoteHost: '127.0.0.1', receive: 'ulaw' });
      await pbx.hangup(id, 'normal');
      await until('its end', () => told.includes('ended'));
      t.same(told, ['ended']);
      await t.rejects(pbx.openMedia(id, media), { code: 'PBX_NO_SUCH_CALL' });
      t.equal(await pbx.dial(rig.desk, { ...options, signal: AbortSignal.abort() }), null, 'taken back');
      t.equal(await pbx.dial(rig.desk, { ...options, ringMs: 1000 }), null, 'nobody answers');
      t.equal(await pbx.dial(rig.noDesk, { ...options, ringMs: 1000 }), null, 'there is none');
      await t.rejects(pbx.dial({ context: 'parley-desks', extension: '1&PJSIP/2' }, options), { code: 'PBX_BAD_INPUT' });
      t.same(log.events.slice(from), []);
      t.equal(await pbx.sweep(new Set()), 0, 'nothing is left over');
    },
  );

  await t.test('commands for a call that never was', async (t) => {
    await t.rejects(pbx.answer('never-seen'), { code: 'PBX_NO_SUCH_CALL' });
    await t.rejects(pbx.openMedia('never-seen', media), { code: 'PBX_NO_SUCH_CALL' });
    await t.rejects(pbx.transfer('never-seen', rig.desk), { code: 'PBX_NO_SUCH_CALL' });
    await t.rejects(pbx.leave('never-seen', {}), { code: 'PBX_NO_SUCH_CALL' });
  });

  await t.test('a cut of the control line: down, up, and a resync that still has the call', async (t) => {
    const call = await incoming({ flow: 'booking' });
    await pbx.answer(call.id);
    await pbx.openMedia(call.id, media);
    const from = log.events.length;
    rig.cut();
    await log.next('link', from);
    rig.restore();
    const { calls } = await log.next('resync', from);
    t.same(
      log.events.slice(from).map((event) => (event.t === 'link' ? event.state : event.t)),
      ['down', 'up', 'resync'],
    );
    t.match(calls, [{ id: call.id, args: { flow: 'booking' }, state: 'up' }]);
    t.equal(await pbx.sweep(new Set([call.id])), 0, 'the leg of a live call is kept');
    await pbx.hangup(call.id, 'normal');
    await log.ended(call.id);
    t.equal(endings(call.id), 1);
    t.equal(await pbx.sweep(new Set()), 0, 'nothing is left over');
  });

  await pbx.stop();
}
