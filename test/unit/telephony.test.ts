/** The parts of telephony that decide and never ask: arguments, names, causes, messages, the table of calls. */
import fc from 'fast-check';
import { test } from 'tap';
import type { HangupReason } from '../../src/contracts/index.ts';
import { buildRequest, decodeMessage, encodeRequest } from '../../src/telephony/asterisk/ari-wire.ts';
import type { AriChannel, AriEvent } from '../../src/telephony/asterisk/ari-types.ts';
import { CallTable } from '../../src/telephony/asterisk/call-table.ts';
import { callOf, parseArgs, stasisArgs } from '../../src/telephony/asterisk/calls.ts';
import { q850Of, reasonOf } from '../../src/telephony/asterisk/causes.ts';
import { checkContext, checkExtension, checkHostPort, checkVariable, cleanValue, legNames } from '../../src/telephony/asterisk/names.ts';
import { parseAriUrl } from '../../src/telephony/asterisk/options.ts';
import { checkMediaFormat, createAsterisk } from '../../src/telephony/index.ts';
import { silentLogger } from '../support/asterisk.ts';

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

/** Events of Asterisk about a few channels, in any order, now and then a reconnect. */
const storm = fc.array(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({
        type: fc.constantFrom(
          'StasisStart',
          'StasisEnd',
          'ChannelDestroyed',
          'ChannelHangupRequest',
          'ChannelDtmfReceived',
          'ChannelHold',
          'ChannelUnhold',
          'ChannelStateChange',
          'ChannelVarset',
        ),
        id: fc.constantFrom('a', 'b', 'c'),
        cause: fc.oneof(fc.integer(), fc.constant(undefined), fc.string()),
      }),
    },
    { weight: 1, arbitrary: fc.record({ has: fc.subarray(['a', 'b', 'c']), early: fc.subarray(['a', 'b', 'c']) }) },
  ),
  { maxLength: 60 },
);

test('any order of events: incoming first and once, ended last and once, nothing of a call that is not ours', (t) => {
  const channelOf = (id: string) =>
    ({ id, state: 'Up', dialplan: { app_name: 'Stasis', app_data: 'parley,flow=x' } }) as unknown as AriChannel;
  const eventOf = (type: string, id: string, cause?: unknown) =>
    ({ type, args: ['flow=x'], digit: '1', cause, channel: channelOf(id) }) as unknown as AriEvent;
  fc.assert(
    fc.property(storm, (steps) => {
      const table = new CallTable('parley');
      const ours = new Set<string>();
      const take = (type: string, id: string, cause?: unknown): void => {
        const { tell, over } = table.take(eventOf(type, id, cause), channelOf(id));
        if (tell?.t === 'incoming') {
          if (ours.has(id)) throw new Error('incoming twice');
          ours.add(id);
        } else if (tell !== undefined) {
          if (!ours.has(id)) throw new Error(`${tell.t} of a call that is not ours`);
          if (tell.t === 'ended') ours.delete(id);
        }
        if ((over !== undefined) !== (tell?.t === 'ended')) throw new Error('over and ended are one thing');
      };
      for (const step of steps) {
        if ('type' in step) take(step.type, step.id, step.cause);
        else {
          const early = step.early.map((id) => eventOf('StasisStart', id));
          const calls = table.resync(step.has.map(channelOf), () => false, early);
          for (const { id } of calls)
            if (!ours.has(id) && step.early.includes(id)) throw new Error('told twice: in the resync and as incoming');
          ours.clear();
          for (const { id } of calls) ours.add(id);
          for (const id of step.early) take('StasisStart', id);
        }
      }
      return [...table.ids()].sort().join() === [...ours].sort().join();
    }),
  );
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
    t.throws(() => checkMediaFormat(format), { ...invalid, message: /use ulaw, alaw, slin or g722/ });
  for (const format of ['opus', 'slin48', '']) t.throws(() => checkMediaFormat(format, 'receive'), invalid);
  t.equal(checkMediaFormat('slin16', 'receive'), 'slin16', 'wideband from Asterisk');
  t.equal(checkMediaFormat('g722', 'send'), 'g722');
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
