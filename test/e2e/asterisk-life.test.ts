/** The life of Asterisk itself: it is not there yet, it dies in a call, its parent dies. */
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { createAsterisk, startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, placeCall, rtpEar, silentLogger, testAsterisk, until } from '../support/asterisk.ts';
import { EventLog, connected } from '../support/pbx.ts';

test('Asterisk dies in the middle of a call and comes back', async (t) => {
  const options = { ...(await asteriskOptions(t)), ariPassword: 'the same after the restart' };
  const first = await startPrivateAsterisk(options);
  t.teardown(() => first.stop());
  const { pbx, log } = await connected(t, first);
  const ear = await rtpEar(t);
  const caller = await placeCall({ sipPort: first.sipPort, extension: '700', steps: [{ do: 'wait', ms: 30_000 }] });
  t.teardown(() => caller.kill());
  const { call } = await log.next('incoming');
  await pbx.answer(call.id);
  await pbx.openMedia(call.id, { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: ear.port });
  const from = log.events.length;
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  t.match(await log.next('link', from), { state: 'down' });
  const second = await startPrivateAsterisk(options);
  t.teardown(() => second.stop());
  t.match(await log.next('resync', from), { calls: [] });
  t.same(
    log.events.slice(from).map((event) => event.t),
    ['link', 'link', 'resync'],
    'the call is gone; closing it is up to whoever compares',
  );
  await pbx.hangup(call.id, 'normal');
  await t.rejects(pbx.answer(call.id), { code: 'PBX_NO_SUCH_CALL' });
  t.ok((pbx.counters()['cuts'] ?? 0) >= 1);
});

test('a private Asterisk dies with the program that started it, even when that is killed', async (t) => {
  const options = await asteriskOptions(t);
  const source = `
    import { startPrivateAsterisk } from ${JSON.stringify(new URL('../../src/telephony/index.ts', import.meta.url).href)};
    const asterisk = await startPrivateAsterisk(${JSON.stringify(options)});
    console.log(asterisk.pid);
    setInterval(() => undefined, 1000);`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => parent.kill('SIGKILL'));
  const pid = await new Promise<number>((told) => parent.stdout.once('data', (data: Buffer) => told(Number(data.toString()))));
  const alive = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  t.ok(alive());
  t.notMatch(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /password/i);
  t.equal(statSync(join(options.runDir, 'etc/ari.conf')).mode & 0o777, 0o600, 'only its user reads the password');
  parent.kill('SIGKILL');
  await until('dead', () => !alive());
  // The next one in its folder can say so; one that was stopped leaves nothing to say.
  const next = await testAsterisk(t, options);
  t.equal(next.before, 'gone');
  await next.stop();
  const third = await testAsterisk(t, options);
  t.equal(third.before, 'none');
  await third.stop();
});

test('a private Asterisk that outlived its program is ended by the next start in its folder, and another program with its number is not', async (t) => {
  const options = await asteriskOptions(t);
  const left = await testAsterisk(t, options);
  // Nobody stopped it: its mark is still there, and its ports are taken.
  const next = await testAsterisk(t, options);
  t.equal(next.before, 'ended');
  t.not(next.pid, left.pid);
  await left.exited;
  await next.stop();
  writeFileSync(join(options.runDir, 'running.pid'), `${process.pid}\n`);
  const third = await testAsterisk(t, options);
  t.equal(third.before, 'gone', 'a number that went to another program');
  await third.stop();
});

test('no Asterisk at all: start waits, says so once, and works when it comes', async (t) => {
  const options = { ...(await asteriskOptions(t)), ariPassword: 'known before' };
  const pbx = createAsterisk({
    url: `http://127.0.0.1:${options.ariPort}`,
    app: 'parley',
    user: 'parley',
    password: 'known before',
    logger: silentLogger,
    timing: { backoffMinMs: 20, backoffMaxMs: 100 },
  });
  const log = new EventLog(pbx);
  t.teardown(() => pbx.stop());
  const started = pbx.start();
  t.match(await log.next('link'), { state: 'down', why: /ECONNREFUSED/ });
  const asterisk = await testAsterisk(t, options);
  await started;
  t.equal(pbx.version, asterisk.version);
  await t.rejects(startPrivateAsterisk({ ...options, runDir: `${options.runDir}/2` }), { code: 'PORT_IN_USE' });
});
