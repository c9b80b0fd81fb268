/** The driver and its ARI client against a small ARI of our own, so that every failure can be had at will. */
import { test } from 'tap';
import type { Test } from 'tap';
import type { PbxDriver } from '../../src/contracts/index.ts';
import type { AsteriskTiming } from '../../src/telephony/asterisk/options.ts';
import { createAsterisk } from '../../src/telephony/index.ts';
import { silentLogger, until } from '../support/asterisk.ts';
import { mockAri } from '../support/mock-ari.ts';
import type { MockAri } from '../support/mock-ari.ts';
import { EventLog } from '../support/pbx.ts';

const QUICK: AsteriskTiming = {
  backoffMinMs: 5,
  backoffMaxMs: 20,
  pingMs: 1000,
  silentMs: 2000,
  requestMs: 200,
  probeMs: 100,
  replacedMs: 50,
};

function driverFor(t: Test, mock: MockAri, password = 'right', leaseSeconds = 0): { pbx: PbxDriver; log: EventLog } {
  const { url } = mock;
  const pbx = createAsterisk({ url, app: 'parley', user: 'parley', password, leaseSeconds, logger: silentLogger, timing: QUICK });
  t.teardown(() => pbx.stop());
  return { pbx, log: new EventLog(pbx) };
}

const start = (id: string, args: string[] = ['flow=x']) => ({
  type: 'StasisStart',
  args,
  channel: { id, state: 'Ring', caller: {}, dialplan: { exten: '7' } },
});
const MEDIA = { receive: 'ulaw', send: 'ulaw', localHost: '127.0.0.1', localPort: 4000 } as const;

test('unknown events, garbage and half events are counted; the line stays up', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  for (const message of [
    { type: 'NotInvented' },
    'no json',
    '{"type":',
    { type: 'StasisStart', args: ['flow=x'] },
    { type: 'StasisEnd', channel: 7 },
  ])
    mock.send(message);
  mock.send({ type: 'StasisStart', args: 'none', channel: { id: 'c1' } });
  mock.send({ type: 'ChannelDtmfReceived', digit: '55', channel: { id: 'c1' } });
  mock.send({ type: 'ChannelDtmfReceived', digit: '#', channel: { id: 'c1' } });
  mock.send({ type: 'ChannelDtmfReceived', digit: '1', channel: { id: 'a stranger' } });
  mock.send({ type: 'RESTResponse', request_id: '4711', status_code: 200 });
  mock.send(start('c1'));
  mock.send({ type: 'ChannelHangupRequest', cause: 'boom', channel: { id: 'c1' } });
  mock.send({ type: 'StasisEnd', channel: { id: 'c1' } });
  mock.send({ type: 'StasisEnd', channel: { id: 'c1' } });
  await log.next('ended');
  t.same(log.events.slice(2), [
    { t: 'incoming', call: { id: 'c1', direction: 'inbound', from: { number: '', name: '' }, to: '', args: {}, state: 'ringing' } },
    { t: 'dtmf', id: 'c1', digit: '#', durationMs: 0 },
    { t: 'ended', id: 'c1', reason: 'normal', q850: 0 },
  ]);
  t.match(pbx.counters(), { unknownEvents: 1, garbage: 2, badEvents: 3, strayReplies: 1, duplicateStarts: 1 });
  t.equal(mock.connections, 1);
});

test('a listener that throws neither cuts the line nor hides later events', async (t) => {
  const mock = await mockAri(t);
  const { pbx } = driverFor(t, mock);
  const seen: string[] = [];
  pbx.onEvent((event) => {
    seen.push(event.t);
    if (event.t === 'incoming') throw new Error('a fault of the listener');
  });
  await pbx.start();
  mock.send(start('c1'));
  mock.send({ type: 'StasisEnd', channel: { id: 'c1' } });
  await until('both', () => seen.length === 4);
  t.same(seen, ['link', 'resync', 'incoming', 'ended']);
  t.equal(pbx.counters()['listenerFailures'], 1);
});

test('the password goes in a header, never in a URL; requests go over the events socket', async (t) => {
  const mock = await mockAri(t);
  const { pbx } = driverFor(t, mock);
  await pbx.start();
  await pbx.hangup('c1', 'busy');
  t.notOk(
    mock.urls.some((url) => /right|api_key|parley:/.test(url)),
    mock.urls.join(' '),
  );
  t.ok(mock.requests.every((request) => request.via === 'socket'));
  t.ok(mock.requests.some((request) => request.method === 'DELETE' && request.uri === '/channels/c1?reason_code=17'));
});

test('an older Asterisk: requests go over HTTP', async (t) => {
  const mock = await mockAri(t);
  mock.old = true;
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  mock.send(start('c1'));
  await log.next('incoming');
  await pbx.answer('c1');
  mock.answer = () => ({ status: 404, body: { message: 'Channel not found' } });
  await t.rejects(pbx.answer('c1'), { code: 'PBX_NO_SUCH_CALL' });
  await pbx.hangup('c1', 'normal');
  mock.answer = () => undefined;
  await t.rejects(pbx.answer('c1'), { code: 'PBX_TIMEOUT', retryable: true });
  t.ok(mock.requests.every((request) => request.via === 'http'));
  mock.answer = () => undefined;
  const waiting = pbx.answer('c1');
  mock.drop();
  await t.rejects(waiting, { code: 'PBX_LINK_DOWN' });
});

test('no answer in time; a late answer is a stray; an error is named', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  mock.send(start('c1'));
  await log.next('incoming');
  const usual = mock.answer;
  mock.answer = () => undefined;
  await t.rejects(pbx.answer('c1'), { code: 'PBX_TIMEOUT', message: /POST \/channels\/c1\/answer/ });
  mock.answer = () => ({ status: 500, body: { message: 'Allocation failed' } });
  await t.rejects(pbx.answer('c1'), { code: 'PBX_FAILED', message: /500.*Allocation failed/ });
  mock.answer = () => ({ status: 409, body: {} });
  await t.rejects(pbx.answer('c1'), { code: 'PBX_BAD_STATE' });
  mock.answer = (method, path) => (path.endsWith('/variable') ? { status: 500, body: { message: 'no' } } : usual(method, path));
  await t.rejects(
    pbx.leave('c1', { PARLEY_SLOT_name: 'Anna Secret' }),
    { code: 'PBX_FAILED', message: 'Asterisk answered 500 to POST /channels/c1/variable: no' },
    'values stay out of errors',
  );
  t.equal(pbx.counters()['timeouts'], 1);
});

test('a dropped line: waiting requests fail at once, the driver comes back and asks what is left', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  mock.send(start('c1'));
  mock.send(start('c2'));
  await until('two calls', () => log.events.length === 4);
  const usual = mock.answer;
  mock.answer = () => undefined;
  const waiting = pbx.answer('c1');
  mock.drop();
  await t.rejects(waiting, { code: 'PBX_LINK_DOWN', retryable: true });
  mock.answer = (method, path) =>
    path === '/channels' && method === 'GET'
      ? {
          status: 200,
          body: [
            { id: 'c2', state: 'Up', dialplan: { app_name: 'Stasis', app_data: 'parley,flow=x' } },
            { id: 'c9', dialplan: { app_name: 'Dial', app_data: '' } },
            'nonsense',
          ],
        }
      : usual(method, path);
  const { calls } = await log.next('resync', 4);
  t.match(calls, [{ id: 'c2', state: 'up', args: { flow: 'x' } }]);
  t.equal(calls.length, 1);
  await t.rejects(pbx.answer('c1'), { code: 'PBX_NO_SUCH_CALL' });
  await pbx.answer('c2');
  mock.send({ type: 'StasisEnd', channel: { id: 'c2' } });
  await log.ended('c2');
  t.same(log.of('c1').length, 0, 'no end is made up for a call that is gone: that is for whoever compares');
});

test('a call that arrives while the line is being resynced is incoming, once', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  const usual = mock.answer;
  mock.answer = (method, path) => {
    if (path !== '/channels' || method !== 'GET') return usual(method, path);
    mock.send(start('c1'));
    return { status: 200, body: [{ id: 'c1', state: 'Ring', dialplan: { app_name: 'Stasis', app_data: 'parley,flow=x' } }] };
  };
  await pbx.start();
  await log.next('incoming');
  t.same(
    log.events.map((event) => event.t),
    ['link', 'resync', 'incoming'],
  );
  t.match(log.events[1]!, { calls: [] });
});

test('a wrong password: start fails, the driver keeps trying, and is up when it is put right', async (t) => {
  const mock = await mockAri(t);
  mock.password = 'another';
  const { pbx, log } = driverFor(t, mock);
  await t.rejects(pbx.start(), { code: 'PBX_AUTH' });
  await until('several attempts', () => (pbx.counters()['authFailures'] ?? 0) > 2);
  mock.password = 'right';
  await log.next('resync');
  t.same(
    log.events.map((event) => (event.t === 'link' ? event.state : event.t)),
    ['down', 'up', 'resync'],
  );
});

test('openMedia: waits for the leg itself, and leaves nothing behind when it fails', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  mock.send(start('c1'));
  await log.next('incoming');
  const usual = mock.answer;
  const leg = (): string =>
    decodeURIComponent(/channelId=([^&]*)/.exec(mock.requests.findLast((it) => it.uri.includes('externalMedia'))?.uri ?? '')?.[1] ?? '');
  const created = { status: 200, body: { id: 'x', channelvars: { UNICASTRTP_LOCAL_ADDRESS: '127.0.0.1', UNICASTRTP_LOCAL_PORT: '4002' } } };
  const answerLeg = (method: string, path: string) => (path === '/channels/externalMedia' ? created : usual(method, path));

  // Its StasisStart never comes.
  mock.answer = answerLeg;
  await t.rejects(pbx.openMedia('c1', MEDIA), { code: 'PBX_TIMEOUT' });
  t.ok(mock.requests.some((it) => it.method === 'DELETE' && it.uri === `/channels/${leg()}`));
  t.notOk(
    mock.requests.some((it) => it.uri.includes('addChannel')),
    'nothing is joined before that',
  );

  // It comes late: after the answer.
  const opened = pbx.openMedia('c1', MEDIA);
  await until('asked for', () => mock.requests.filter((it) => it.uri.includes('externalMedia')).length === 2);
  await new Promise((later) => setTimeout(later, 50));
  t.notOk(mock.requests.some((it) => it.uri.includes('addChannel')));
  mock.send({ type: 'StasisStart', args: [], channel: { id: leg() } });
  t.same(await opened, { remoteHost: '127.0.0.1', remotePort: 4002, receive: 'ulaw', send: 'ulaw' });
  const join = mock.requests.find((it) => it.uri.includes('addChannel'))?.uri ?? '';
  t.match(decodeURIComponent(join), `channel=c1,${leg()}`);

  // Somebody else ends it.
  mock.send({ type: 'ChannelDestroyed', cause: 16, channel: { id: leg() } });
  await until('noticed', () => pbx.counters()['mediaLegsLost'] === 1);

  // Asterisk does not say where it listens.
  mock.answer = (method, path) => {
    if (path !== '/channels/externalMedia') return usual(method, path);
    mock.send({ type: 'StasisStart', args: [], channel: { id: leg() } });
    return { status: 200, body: { id: 'x' } };
  };
  await t.rejects(pbx.openMedia('c1', MEDIA), { code: 'PBX_FAILED', message: /where it listens/ });

  // It dies while it is set up, and then the caller hangs up while it is set up.
  mock.answer = answerLeg;
  for (const [event, code] of [
    [() => ({ type: 'ChannelDestroyed', channel: { id: leg() } }), 'PBX_FAILED'],
    [() => ({ type: 'StasisEnd', channel: { id: 'c1' } }), 'PBX_NO_SUCH_CALL'],
  ] as const) {
    const before = mock.requests.length;
    const failing = pbx.openMedia('c1', MEDIA);
    await until('asked for', () => mock.requests.slice(before).some((it) => it.uri.includes('externalMedia')));
    mock.send(event());
    await t.rejects(failing, { code });
    t.ok(mock.requests.slice(before).some((it) => it.method === 'DELETE' && it.uri === `/channels/${leg()}`));
  }
  t.equal(log.of('c1').filter((event) => event.t === 'ended').length, 1);
});

test('the line breaks while a leg is being set up: openMedia fails at once', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  mock.send(start('c1'));
  await log.next('incoming');
  const failing = pbx.openMedia('c1', MEDIA);
  await until('asked for', () => mock.requests.some((it) => it.uri.includes('externalMedia')));
  mock.drop();
  await t.rejects(failing, { code: 'PBX_LINK_DOWN' });
});

test('transfer: an extension that the dialplan does not have', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  mock.send(start('c1'));
  await log.next('incoming');
  const usual = mock.answer;
  let exists: { status: number; body?: unknown } = { status: 200, body: { value: '0' } };
  mock.answer = (method, path) => (path.endsWith('/variable') ? exists : usual(method, path));
  await t.rejects(pbx.transfer('c1', { context: 'parley-desks', extension: '100' }), {
    code: 'PBX_BAD_INPUT',
    message: /no extension '100'/,
  });
  t.notOk(mock.requests.some((it) => it.uri.includes('/continue')));
  exists = { status: 404, body: { message: 'Provided variable was not found' } };
  await pbx.transfer('c1', { context: 'parley-desks', extension: '100' });
  t.ok(
    mock.requests.some((it) => it.uri === '/channels/c1/continue?context=parley-desks&extension=100&priority=1'),
    'without func_dialplan it is tried',
  );
  const from = log.events.length;
  mock.send(start('c2'));
  await log.next('incoming', from);
  mock.answer = (method, path) => (method === 'GET' && path.endsWith('/variable') ? exists : usual(method, path));
  await pbx.transfer('c2', { context: 'parley-desks', extension: '100' }, { PARLEY_SUMMARY: 'booking:\nday Friday' });
  const uris = mock.requests.map(({ uri }) => uri).filter((uri) => uri.startsWith('/channels/c2/'));
  const variable = uris.findIndex((uri) =>
    /^\/channels\/c2\/variable\?variable=PARLEY_SUMMARY&value=booking%3A(%20|\+)day(%20|\+)Friday$/.test(uri),
  );
  t.ok(variable >= 0 && variable < uris.findIndex((uri) => uri.includes('/continue')), 'what goes along is there before the caller is');
});

test('dial: one endpoint of the dialplan; busy, a lost line, and an answer that nobody waits for any more', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock);
  await pbx.start();
  const from = log.events.length;
  const asked = (): string[] => mock.requests.filter((it) => it.method === 'POST' && it.uri.startsWith('/channels?')).map((it) => it.uri);
  const idOf = (uri = ''): string => /channelId=([\w-]+)/.exec(uri)?.[1] ?? '';
  const { signal } = new AbortController();
  const dial = (stop = signal) =>
    pbx.dial({ context: 'parley-desks', extension: '100' }, { ringMs: 1500, signal: stop, onEvent: () => undefined });
  const busy = dial();
  await until('the request', () => asked().length === 1);
  t.match(asked()[0], /endpoint=Local%2F100%40parley-desks%2Fn&app=parley&.*timeout=2/);
  mock.send({ type: 'ChannelDestroyed', cause: 17, channel: { id: idOf(asked()[0]), state: 'Ring' } });
  t.equal(await busy, null);

  const stop = new AbortController();
  const withdrawn = dial(stop.signal);
  await until('the request', () => asked().length === 2);
  const id = idOf(asked()[1]);
  stop.abort();
  t.equal(await withdrawn, null);
  const ends = (): number => mock.requests.filter((it) => it.method === 'DELETE' && it.uri === `/channels/${id}`).length;
  t.equal(ends(), 1);
  mock.send({ type: 'StasisStart', args: [], channel: { id, state: 'Up' } });
  await until('the late answer to be hung up', () => ends() === 2);

  t.same(log.events.slice(from), [], 'the listener of all calls heard nothing');

  const cut = dial();
  await until('the request', () => asked().length === 3);
  mock.drop();
  await t.rejects(cut, { code: 'PBX_LINK_DOWN' });
});

test('stop while Asterisk is away: start is told, and nothing is left running', async (t) => {
  const pbx = createAsterisk({ url: 'http://127.0.0.1:9', app: 'parley', user: 'u', password: 'p', logger: silentLogger, timing: QUICK });
  const started = pbx.start();
  await until('one failure', () => (pbx.counters()['connectFailures'] ?? 0) > 0);
  await pbx.stop();
  await t.rejects(started, { code: 'PBX_LINK_DOWN' });
  const failures = pbx.counters()['connectFailures'];
  await new Promise((later) => setTimeout(later, 60));
  t.equal(pbx.counters()['connectFailures'], failures);
});

/** What the timeouts of a channel were set to, and when it was sent back into the dialplan. */
const leasesOf = (mock: MockAri, id: string): string[] =>
  mock.requests.flatMap(({ uri }) => {
    const seconds = new RegExp(`^/channels/${id}/variable\\?variable=TIMEOUT(?:%28|\\()absolute(?:%29|\\))&value=(\\d+)$`).exec(uri)?.[1];
    if (seconds !== undefined) return [seconds];
    return uri.startsWith(`/channels/${id}/continue`) ? ['continue'] : [];
  });

test('a lease: set at once, renewed while we are there, taken away before the call goes on without us', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock, 'right', 1);
  await pbx.start();
  mock.send(start('c1'));
  mock.send(start('c2'));
  await log.next('incoming');
  await until('renewed', () => leasesOf(mock, 'c1').length >= 3 && leasesOf(mock, 'c2').length >= 3);
  t.same([...new Set(leasesOf(mock, 'c1'))], ['1']);
  await pbx.leave('c1', { PARLEY_OUTCOME: 'x' });
  t.same(leasesOf(mock, 'c1').slice(-2), ['0', 'continue'], 'whoever has the call now is not cut off');
  const renewals = leasesOf(mock, 'c2').length;
  await until('the other one is renewed', () => leasesOf(mock, 'c2').length >= renewals + 2);
  t.equal(leasesOf(mock, 'c1').at(-1), 'continue', 'and this one never again');
  mock.send({ type: 'StasisEnd', channel: { id: 'c1' } });
  mock.send(start('c1'));
  await until('it came back', () => leasesOf(mock, 'c1').at(-1) === '1');
});

test('a lease: a call that could not go on is ours again; what is up after a reconnect has one', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock, 'right', 1);
  await pbx.start();
  mock.send(start('c1'));
  await log.next('incoming');
  const usual = mock.answer;
  mock.answer = (method, path) => (path.endsWith('/continue') ? { status: 500, body: { message: 'no' } } : usual(method, path));
  await t.rejects(pbx.leave('c1', {}), { code: 'PBX_FAILED' });
  const at = leasesOf(mock, 'c1').length;
  await until('renewed again', () => leasesOf(mock, 'c1').length >= at + 2);
  t.equal(leasesOf(mock, 'c1').at(-1), '1');
  const stasis = { id: 'c9', state: 'Up', caller: {}, dialplan: { exten: '7', app_name: 'Stasis', app_data: 'parley,flow=x' } };
  mock.answer = (method, path) => (path === '/channels' ? { status: 200, body: [stasis] } : usual(method, path));
  mock.drop();
  await until('found again', () => leasesOf(mock, 'c9').length >= 2);
});

test('a lease: an Asterisk without func_timeout has none, and calls go on as ever', async (t) => {
  const mock = await mockAri(t);
  const { pbx, log } = driverFor(t, mock, 'right', 1);
  const usual = mock.answer;
  mock.answer = (method, path) =>
    path.endsWith('/variable') ? { status: 500, body: { message: 'no such function' } } : usual(method, path);
  await pbx.start();
  mock.send(start('c1'));
  await log.next('incoming');
  await until('refused', () => (pbx.counters()['leasesRefused'] ?? 0) >= 2);
  await pbx.leave('c1', {});
  t.equal(leasesOf(mock, 'c1').at(-1), 'continue');
  t.notOk(leasesOf(mock, 'c1').includes('0'));
});
