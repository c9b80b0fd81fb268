import { test } from 'tap';
import { ParleyError } from '../../src/contracts/index.ts';
import { createFakePbx } from '../../src/telephony/index.ts';
import type { FakePbx } from '../../src/telephony/index.ts';
import { EventLog } from '../support/pbx.ts';
import { pbxContract } from './pbx-suite.ts';
import type { Caller } from './pbx-suite.ts';

/** A caller of the fake PBX: does what a phone does, once it was answered. */
function phone(pbx: FakePbx, caller: Caller): void {
  const before = pbx.actions.length;
  const id = pbx.ring({ args: { flow: caller.flow } });
  const answered = setInterval(() => {
    if (!pbx.actions.slice(before).some((action) => action.t === 'openMedia')) return;
    clearInterval(answered);
    if (caller.key !== undefined) pbx.press(id, caller.key);
    if (caller.hangUpAfterMs !== undefined && caller.key !== undefined) pbx.callerHangsUp(id);
  }, 1);
  answered.unref();
}

test('the contract, with the fake', async (t) => {
  let answers = false;
  const remote = { host: '127.0.0.1', port: 40000 };
  const pbx = createFakePbx({ remote, extensions: ['parley-desks/100'], answers: () => answers && !(answers = false) });
  await pbxContract(t, {
    pbx,
    call: (caller) => {
      phone(pbx, caller);
      return Promise.resolve();
    },
    desk: { context: 'parley-desks', extension: '100' },
    noDesk: { context: 'parley-desks', extension: '999' },
    answerDesk: () => Promise.resolve(void (answers = true)),
    cut: () => pbx.linkDown(),
    restore: () => pbx.linkUp(),
    port: 40002,
  });
});

test('the fake: scripted failures, a down link, a call lost while it is down', async (t) => {
  const pbx = createFakePbx();
  const log = new EventLog(pbx);
  await pbx.start();
  const id = pbx.ring();
  pbx.failNext('answer', new ParleyError('PBX_TIMEOUT', 'as told'));
  await t.rejects(pbx.answer(id), { code: 'PBX_TIMEOUT' });
  await pbx.answer(id);
  await pbx.openMedia(id, { receive: 'alaw', send: 'ulaw', localHost: '127.0.0.1', localPort: 4000 });
  t.same([...pbx.legs], [id]);
  pbx.linkDown();
  await t.rejects(pbx.hangup(id, 'normal'), { code: 'PBX_LINK_DOWN' });
  pbx.lose(id);
  pbx.linkUp();
  t.match(await log.next('resync', 3), { calls: [] });
  t.equal(await pbx.sweep(new Set()), 1, 'its media leg is an orphan');
  t.same(
    pbx.actions.map((action) => action.t),
    ['answer', 'openMedia', 'sweep'],
  );
});
