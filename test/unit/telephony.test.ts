import fc from 'fast-check';
import { test } from 'tap';
import type { Test } from 'tap';
import type { HangupReason, PbxDriver } from '../../src/contracts/index.ts';
import { buildRequest, decodeMessage, encodeRequest } from '../../src/telephony/asterisk/ari-wire.ts';
import { callOf, parseArgs, stasisArgs } from '../../src/telephony/asterisk/calls.ts';
import { q850Of, reasonOf } from '../../src/telephony/asterisk/causes.ts';
import { checkContext, checkExtension, checkHostPort, checkVariable, cleanValue, legNames } from '../../src/telephony/asterisk/names.ts';
import { parseAriUrl } from '../../src/telephony/asterisk/options.ts';
import type { AsteriskTiming } from '../../src/telephony/asterisk/options.ts';
import { checkMediaFormat, createAsterisk } from '../../src/telephony/index.ts';

import { silentLogger, until } from '../support/asterisk.ts';
import { mockAri } from '../support/mock-ari.ts';
import type { MockAri } from '../support/mock-ari.ts';
import { EventLog } from '../support/pbx.ts';

// ---- pure parts ----

test('arguments of a Stasis line', (t) => {
  t.same(parseArgs(['flow=booking', ' branch = berlin mitte ', 'note=a=b', 'empty=']), {
    args: { flow: 'booking', branch: 'berlin mitte', note: 'a=b', empty: '' },
    ignored: 0,
  });
  t.same(parseArgs(['booking', '=x', '1a=x', 'flow=one', 'flow=two', `long=${'x'.repeat(513)}`, '']), {
    args: { flow: 'one' },
    ignored: 5,
  });
  t.equal(parseArgs(Array.from({ length: 40 }, (_, n) => `a${n}=x`)).ignored, 8, 'thirty-two are read');
  t.same(parseArgs(['__proto__=x', 'constructor=y']).args['constructor'], 'y');
  fc.assert(
    fc.property(fc.array(fc.string()), (list) => {
      const { args, ignored } = parseArgs(list);
      return Object.keys(args).length + ignored <= list.length;
    }),
  );
  t.end();
});

test('a channel as a call', (t) => {
  const decoded = decodeMessage(
    JSON.stringify({
      type: 'StasisStart',
      args: [],
      channel: {
        id: '1.2',
        state: 'Ring',
        caller: { number: '+49\n30', name: 'x'.repeat(300) },
        dialplan: { exten: '700', app_name: 'Stasis', app_data: 'parley,flow=booking,x=y' },
      },
    }),
  );
  if (decoded.t !== 'event' || decoded.event.type !== 'StasisStart') throw new Error('not read');
  const { channel } = decoded.event;
  const call = callOf(channel, { flow: 'booking' });
  t.match(call, { id: '1.2', to: '700', state: 'ringing', direction: 'inbound' });
  t.equal(call.from.number, '+49 30', 'no control character of a caller gets in');
  t.equal(call.from.name.length, 128);
  t.equal(callOf(channel, { to: '4930' }).to, '4930');
  t.same(stasisArgs(channel, 'parley'), ['flow=booking', 'x=y']);
  t.equal(stasisArgs(channel, 'other'), undefined);
  t.equal(callOf({ id: 'x' } as typeof channel, {}).to, '', 'a channel with nothing but an id is still a call');
  t.equal(stasisArgs({ id: 'x' } as typeof channel, 'parley'), undefined);
  t.end();
});

test('what comes in on the events socket: anything, and never an exception', (t) => {
  t.match(decodeMessage('{"type":"StasisEnd","channel":{"id":"1"}}'), { t: 'event' });
  t.same(decodeMessage('{"type":"FutureEvent"}'), { t: 'unknown-event' });
  for (const text of ['', '{', 'null', '[]', '7', '{"type":7}', '{"type":"RESTResponse"}'])
    t.same(decodeMessage(text), { t: 'garbage' }, text);
  t.match(
    decodeMessage(
      '{"type":"RESTResponse","request_id":"7","status_code":200,"reason_phrase":"OK","message_body":"{\\"ping\\":\\"pong\\"}"}',
    ),
    {
      t: 'reply',
      requestId: '7',
      reply: { status: 200, body: { ping: 'pong' } },
    },
  );
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof decodeMessage(text).t === 'string'));
  t.end();
});

test('requests: nothing in a value can change the request', (t) => {
  t.same(
    buildRequest(
      'POST /channels/{channelId}/continue',
      { channelId: 'a/b?c' },
      { context: 'x&y=z', extension: 'ä 1', priority: 1, label: undefined },
    ),
    {
      method: 'POST',
      target: '/channels/a%2Fb%3Fc/continue?context=x%26y%3Dz&extension=%C3%A4%201&priority=1',
    },
  );
  t.match(JSON.parse(encodeRequest('9', { method: 'GET', target: '/channels' })) as object, {
    type: 'RESTRequest',
    request_id: '9',
    uri: 'channels',
  });
  t.end();
});

test('names that go to Asterisk', (t) => {
  for (const good of ['parley-desks', 'a', 'from_trunk.1']) t.equal(checkContext(good), good);
  for (const bad of ['', 'a b', 'a,b', 'a/b', '-a', 'x'.repeat(80), 'a\n'])
    t.throws(() => checkContext(bad), { code: 'PBX_BAD_INPUT' }, bad);
  for (const good of ['100', '+4930123', '*97', 's']) t.equal(checkExtension(good), good);
  for (const bad of ['', '100,1', '100&PJSIP/1', '1 0', '++1', '${X}', 'x'.repeat(80)])
    t.throws(() => checkExtension(bad), { code: 'PBX_BAD_INPUT' }, bad);
  for (const good of ['PARLEY_SLOT_day', '__X']) checkVariable(good, '');
  for (const bad of ['', 'A B', 'CHANNEL(x)', '1A', 'x'.repeat(65)]) t.throws(() => checkVariable(bad, ''), { code: 'PBX_BAD_INPUT' }, bad);
  t.equal(cleanValue('a\r\nb\u0000c '), 'a b c');
  t.equal(checkHostPort('127.0.0.1', 4000), '127.0.0.1:4000');
  t.equal(checkHostPort('::1', 4000), '[::1]:4000');
  for (const [host, port] of [
    ['example.org', 4000],
    ['127.0.0.1', 0],
    ['127.0.0.1', 65536],
    ['127.0.0.1', 1.5],
  ] as const) {
    t.throws(() => checkHostPort(host, port), { code: 'PBX_BAD_INPUT' });
  }
  t.end();
});

test('ids of media legs name their call and their application', (t) => {
  const ours = legNames('parley');
  const theirs = legNames('parley2');
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (callId) => {
      const ids = ours.make(callId, '0123abcd');
      return (
        ours.callOf(ids.mediaId) === callId &&
        ours.callOf(ids.bridgeId) === callId &&
        ours.isMedia(ids.mediaId) &&
        !ours.isMedia(ids.bridgeId)
      );
    }),
  );
  t.equal(theirs.callOf(ours.make('1.2', '0123abcd').mediaId), undefined);
  for (const foreign of ['media-1', 'parley-media-1.2', '1763.4', 'parley-media-0123abcd-'])
    t.equal(ours.callOf(foreign), undefined, foreign);
  t.end();
});

test('causes: every reason has a number, every number a reason', (t) => {
  const reasons: HangupReason[] = [
    'normal',
    'busy',
    'no-answer',
    'rejected',
    'cancelled',
    'unallocated',
    'congestion',
    'out-of-order',
    'network',
    'media-timeout',
    'admin',
    'unknown',
  ];
  for (const reason of reasons) t.ok(q850Of(reason) >= 1 && q850Of(reason) <= 127, reason);
  for (const reason of ['normal', 'busy', 'no-answer', 'rejected', 'unallocated', 'congestion', 'out-of-order', 'network'] as const)
    t.equal(reasonOf(q850Of(reason)), reason);
  t.equal(reasonOf(0), 'normal');
  t.equal(reasonOf(99), 'unknown');
  t.end();
});

test('configuration that cannot work is refused before anything is connected', (t) => {
  const invalid = { code: 'CONFIG_INVALID' };
  for (const format of ['slin16', 'opus', 'g729', ''])
    t.throws(() => checkMediaFormat(format), { ...invalid, message: /use ulaw, alaw or slin/ });
  t.equal(checkMediaFormat('alaw'), 'alaw');
  t.equal(parseAriUrl('http://127.0.0.1:8088/'), 'http://127.0.0.1:8088');
  t.equal(parseAriUrl('https://pbx/asterisk/ari/'), 'https://pbx/asterisk');
  for (const url of ['127.0.0.1:8088', 'ws://x', 'http://me:secret@x', 'http://x?api_key=a:b', 'http://x#y']) {
    t.throws(() => parseAriUrl(url), invalid, url);
  }
  const options = { url: 'http://127.0.0.1:1', app: 'a b', user: 'u', password: 'p', logger: silentLogger };
  t.throws(() => createAsterisk(options), { ...invalid, message: /application name/ });
  t.throws(() => createAsterisk({ ...options, app: 'a', url: 'http://me:secret@x' }), {
    message: 'The URL of ARI must not hold a user or a password: use the keys for them.',
  });
  t.end();
});

// ---- the client against a small ARI of our own ----

const QUICK: AsteriskTiming = {
  backoffMinMs: 5,
  backoffMaxMs: 20,
  pingMs: 1000,
  silentMs: 2000,
  requestMs: 200,
  probeMs: 100,
  replacedMs: 50,
};

function driverFor(t: Test, mock: MockAri, password = 'right'): { pbx: PbxDriver; log: EventLog } {
  const pbx = createAsterisk({ url: mock.url, app: 'parley', user: 'parley', password, logger: silentLogger, timing: QUICK });
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
