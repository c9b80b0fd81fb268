import fc from 'fast-check';
import { test } from 'tap';
import { ParleyError } from '../../src/contracts/index.ts';
import { decode, encode, silenceByte, throughLine, type Law } from '../../src/cli/caller/g711.ts';
import { rms, voicedRange } from '../../src/cli/caller/level.ts';
import { findPrompt, findPrompts, inOrder, type Prompt } from '../../src/cli/caller/match.ts';
import { heardWindows, sentAtMs, turnsOf } from '../../src/cli/caller/measure.ts';
import { layOut } from '../../src/cli/caller/recording.ts';
import { resample } from '../../src/cli/caller/resample.ts';
import { formatRtp, keySlots, parseRtp } from '../../src/cli/caller/rtp-packet.ts';
import type { LoggedPacket } from '../../src/cli/caller/rtp.ts';
import { readScript } from '../../src/cli/caller/script-read.ts';
import {
  advance,
  beginScript,
  describeStep,
  linesOf,
  type Script,
  type ScriptEffect,
  type ScriptEvent,
} from '../../src/cli/caller/script.ts';
import { readSdp, writeSdp } from '../../src/cli/caller/sdp.ts';
import { answerChallenge } from '../../src/cli/caller/sip-auth.ts';
import {
  address,
  cseq,
  formatSip,
  header,
  headers,
  hostOf,
  isRequest,
  MAX_DATAGRAM,
  parseSip,
  tagOf,
  topVia,
  type SipRequest,
} from '../../src/cli/caller/sip-message.ts';
import { lineFrom, readWav } from '../../src/cli/caller/voice.ts';

const LAWS: readonly Law[] = ['ulaw', 'alaw'];
const codeOf = (error: unknown): string => (error instanceof ParleyError ? error.code : `not ours: ${String(error)}`);
const codeThrownBy = (act: () => unknown): string => {
  try {
    act();
    return 'nothing';
  } catch (error) {
    return codeOf(error);
  }
};
const tone = (hz: number, rateHz: number, ms: number, peak = 16_000): Int16Array =>
  Int16Array.from({ length: (rateHz * ms) / 1000 }, (_, i) => Math.round(peak * Math.sin((2 * Math.PI * hz * i) / rateHz)));

test('G.711: known values, and every code survives a round trip', (t) => {
  t.same([...encode('ulaw', Int16Array.of(0, 32767, -32768, 8))], [0xff, 0x80, 0x00, 0xfe]);
  t.same([...encode('alaw', Int16Array.of(0, 32767, -32768, -1))], [0xd5, 0xaa, 0x2a, 0x55]);
  t.same([...decode('ulaw', Uint8Array.of(0x00, 0x80, 0xff, 0x7f))], [-32124, 32124, 0, 0]);
  t.same([...decode('alaw', Uint8Array.of(0x2a, 0xaa, 0xd5, 0x55))], [-32256, 32256, 8, -8]);
  for (const law of LAWS) {
    const codes = Uint8Array.from({ length: 256 }, (_, code) => code).filter((code) => !(law === 'ulaw' && code === 0x7f));
    t.same(encode(law, decode(law, codes)), codes, `${law}: minus zero apart, every code comes back`);
    t.ok(Math.abs(decode(law, Uint8Array.of(silenceByte(law)))[0] ?? 99) <= 8, `${law}: silence is silent`);
  }
  const line = throughLine(tone(440, 8000, 100));
  t.ok(rms(line) > 11_000 && rms(line) < 11_600, 'a line changes shape, not level');
  t.end();
});

test('resampling keeps the telephone band and removes what would fold into it', (t) => {
  const middle = (pcm: Float64Array): Int16Array => Int16Array.from(pcm.subarray(800, pcm.length - 800));
  const level = (hz: number): number => rms(middle(resample(tone(hz, 22_050, 500), 22_050, 8000))) / (16_000 / Math.SQRT2);
  t.ok(Math.abs(level(300) - 1) < 0.01);
  t.ok(Math.abs(level(3000) - 1) < 0.02);
  t.ok(level(4500) < 0.001, '4.5 kHz is 60 dB down');
  t.ok(level(6000) < 0.001);
  t.equal(resample(tone(300, 22_050, 1000), 22_050, 8000).length, 8000);
  t.same(resample(Int16Array.of(1, 2, 3), 8000, 8000), Float64Array.of(1, 2, 3));
  t.end();
});

test('the first and last voiced sample of a clip are exact', (t) => {
  const clip = new Int16Array(8000);
  clip.fill(5000, 1003, 4000);
  t.same(voicedRange(clip), { first: 1003, last: 3999 });
  t.equal(voicedRange(new Int16Array(8000)), null);
  t.equal(voicedRange(new Int16Array(8000).fill(150)), null, 'below -45 dBov');
  t.equal(voicedRange(new Int16Array(0)), null);
  const speech = new Int16Array(22_050);
  speech.set(tone(500, 22_050, 400), 6000);
  const line = lineFrom('x', { pcm: speech, rateHz: 22_050 });
  t.ok(Math.abs(line.pcm.length - 3200 - 320) < 20, 'trimmed to the speech and 20 ms on each side');
  t.ok(Math.abs(line.firstVoiced - 160) <= 1);
  t.ok(Math.abs(line.pcm.reduce((most, s) => Math.max(most, Math.abs(s)), 0) - 16_384) < 40, 'peak at half of full scale');
  t.equal(
    codeThrownBy(() => lineFrom('x', { pcm: new Int16Array(4000), rateHz: 8000 })),
    'CALLER_FAILED',
  );
  t.end();
});

test('a WAV of a stream is read although its lengths are not true; anything else is refused', (t) => {
  const wav = Buffer.from('524946460000ff7f57415645666d742010000000010001002256000044ac000002001000646174610000ff7f0100ff7f0080', 'hex');
  t.same(readWav(wav), { pcm: Int16Array.of(1, 32767, -32768), rateHz: 22_050, channels: 1 });
  t.equal(
    codeThrownBy(() => readWav(wav.subarray(0, 30))),
    'CALLER_FAILED',
  );
  t.equal(
    codeThrownBy(() => readWav(Buffer.from('OggS'))),
    'CALLER_FAILED',
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(43), (noise, keep) => {
      t.match(
        codeThrownBy(() => readWav(Buffer.concat([wav.subarray(0, keep), noise]))),
        /^(nothing|CALLER_FAILED)$/,
      );
    }),
    { numRuns: 300 },
  );
  t.end();
});

const INVITE = [
  'INVITE sip:700@127.0.0.1:5060 SIP/2.0',
  'v: SIP/2.0/UDP 10.0.0.1:5080;branch=z9hG4bKa1;rport, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKa2',
  'f: "Anna, \\"the\\" boss" <sip:100@10.0.0.1;x=1>;tag=77',
  'To:',
  '  sip:700@127.0.0.1',
  'i: abc@10.0.0.1',
  'CSeq: 7 INVITE',
  'm: <sip:100@10.0.0.1:5080>',
  'Record-Route: <sip:p1;lr>,<sip:p2,x;lr>',
  'Content-Length: 4',
  '',
  'v=0\n-- trailing bytes of another world',
].join('\r\n');

test('SIP: compact names, folded lines, lists in quotes, a body cut at its length', (t) => {
  const message = parseSip(Buffer.from(INVITE)) as SipRequest;
  t.ok(isRequest(message));
  t.same([message.method, message.uri, message.body], ['INVITE', 'sip:700@127.0.0.1:5060', 'v=0\n']);
  t.same(headers(message, 'via').length, 2);
  t.same(topVia(message), { branch: 'z9hG4bKa1', sentBy: '10.0.0.1:5080' });
  t.equal(tagOf(header(message, 'from')), '77');
  t.same(address(header(message, 'to') ?? '').uri, 'sip:700@127.0.0.1');
  t.same(headers(message, 'record-route'), ['<sip:p1;lr>', '<sip:p2,x;lr>']);
  t.same(cseq(message), { number: 7, method: 'INVITE' });
  t.same(hostOf('sip:100@[::1]:5080;transport=udp'), { host: '::1', port: 5080, user: '100' });
  t.same(hostOf('sip:pbx.example'), { host: 'pbx.example', port: 5060, user: '' });
  t.equal(hostOf('tel:+49301234'), undefined);
  t.equal(hostOf('sip:a@h:99999'), undefined);
  t.equal(parseSip(Buffer.from('\r\n\r\n')), null, 'a keep-alive is no message');
  t.end();
});

test('SIP: foreign bytes are refused with a reason, never with a crash', (t) => {
  const bad: readonly (readonly [string, string])[] = [
    ['no end of headers', INVITE.slice(0, 120)],
    ['bad first line', INVITE.replace('SIP/2.0', 'HTTP/1.1')],
    ['status out of range', INVITE.replace(/^.*/, 'SIP/2.0 999 Odd')],
    ['no call-id', INVITE.replace('i: abc@10.0.0.1\r\n', '')],
    ['no via', INVITE.replace(/v: .*\r\n/, '')],
    ['cseq without a number', INVITE.replace('7 INVITE', 'seven INVITE')],
    ['cseq too large', INVITE.replace('7 INVITE', '4294967296 INVITE')],
    ['a line that is no header', INVITE.replace('CSeq: 7', 'CSeq 7')],
    ['body shorter than said', INVITE.replace('Length: 4', 'Length: 4000')],
    ['length that is no number', INVITE.replace('Length: 4', 'Length: -4')],
    ['too many lines', INVITE.replace('CSeq', 'X: y\r\n'.repeat(200) + 'CSeq')],
    ['a line without end', INVITE.replace('CSeq', `X: ${'y'.repeat(5000)}\r\nCSeq`)],
    ['too large', INVITE + 'z'.repeat(MAX_DATAGRAM)],
  ];
  for (const [name, text] of bad)
    t.equal(
      codeThrownBy(() => parseSip(Buffer.from(text))),
      'SIP_MALFORMED',
      name,
    );
  const survives = (bytes: Uint8Array): boolean => /^(nothing|SIP_MALFORMED)$/.test(codeThrownBy(() => parseSip(bytes)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), survives));
  // Mutants of a good message reach deeper than noise.
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(INVITE.length - 1), fc.nat(255)), { maxLength: 12 }), (changes) => {
      const bytes = Buffer.from(INVITE);
      for (const [at, value] of changes) bytes[at] = value;
      return survives(bytes);
    }),
    { numRuns: 1000 },
  );
  t.end();
});

test('SIP: what is formatted is parsed to the same, and no value can start a line of its own', (t) => {
  const value = fc.string({ minLength: 1, maxLength: 40 }).map((text) => text.trim()).filter((text) => text !== ''); // prettier-ignore
  fc.assert(
    fc.property(value, fc.string({ maxLength: 200 }), (odd, body) => {
      const request: SipRequest = {
        method: 'OPTIONS',
        uri: 'sip:h',
        lines: [['via', 'SIP/2.0/UDP h;branch=z9hG4bK1'], ['from', '<sip:a@h>;tag=1'], ['to', '<sip:b@h>'], ['call-id', 'c'], ['cseq', '1 OPTIONS'], ['x-note', odd]], // prettier-ignore
        body,
      };
      const back = parseSip(formatSip(request));
      return back !== null && isRequest(back) && back.body === body && header(back, 'x-note') === odd;
    }),
  );
  const injected = formatSip({ status: 200, reason: 'OK', lines: [['x-note', 'a\r\nEvil: yes']], body: '' });
  t.notMatch(injected.toString(), /^Evil/m);
  t.end();
});

test('digest: the examples of RFC 2617 and RFC 7616', (t) => {
  const request = { method: 'GET', uri: '/dir/index.html' };
  const md5 = answerChallenge(
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    request,
    { user: 'Mufasa', password: 'Circle Of Life' },
    '0a4f113b',
  );
  t.match(md5, 'response="6629fae49393a05397450978507c4ef1"');
  t.match(md5, 'opaque="5ccc069c403ebaf9f0171e9517f40e41"');
  const sha = answerChallenge(
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="x"',
    request,
    { user: 'Mufasa', password: 'Circle of Life' },
    'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  );
  t.match(sha, 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"');
  t.equal(answerChallenge('Basic realm="x"', request, { user: 'a', password: 'b' }), undefined);
  t.equal(answerChallenge('Digest realm="x", nonce="1", algorithm=SHA-512', request, { user: 'a', password: 'b' }), undefined);
  t.end();
});

test('SDP: our offer reads back, hold and old hold are seen, what we cannot take is refused', (t) => {
  const offer = writeSdp({ host: '127.0.0.1', port: 4000, laws: ['alaw', 'ulaw'], keysType: 96, version: 1, direction: 'sendrecv' });
  t.same(readSdp(offer, ['ulaw', 'alaw']), { host: '127.0.0.1', port: 4000, law: 'alaw', keysType: 96, sends: true, listens: true });
  t.match(readSdp(offer.replace('sendrecv', 'sendonly'), LAWS), { sends: true, listens: false });
  t.match(readSdp(offer.replace('c=IN IP4 127.0.0.1', 'c=IN IP4 0.0.0.0'), LAWS), { listens: false });
  t.equal(readSdp(offer.replace(/a=rtpmap:96.*\r\n/, ''), LAWS).keysType, undefined);
  for (const [from, to] of [
    ['m=audio 4000', 'm=audio 0'],
    ['m=audio', 'm=video'],
    ['RTP/AVP 8 0 96', 'RTP/AVP 9 96'],
    ['RTP/AVP', 'RTP/SAVP'],
    ['IP4 127.0.0.1\r\nt', 'IP4 pbx.example\r\nt'],
  ] as const)
    // prettier-ignore
    t.equal(codeThrownBy(() => readSdp(offer.replace(from, to), LAWS)), 'CALLER_FAILED', to);
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => /^(nothing|CALLER_FAILED)$/.test(codeThrownBy(() => readSdp(text, LAWS)))),
  );
  t.end();
});

test('RTP: round trip, extension, padding, and bytes that are none', (t) => {
  const packet = {
    payloadType: 101,
    marker: true,
    sequence: 65_535,
    timestamp: 0xffff_ff00,
    ssrc: 0xdead_beef,
    payload: Uint8Array.of(1, 2, 3),
  };
  const bytes = formatRtp(packet);
  t.same({ ...parseRtp(bytes), payload: [...(parseRtp(bytes)?.payload ?? [])] }, { ...packet, payload: [1, 2, 3] });
  const extended = Buffer.concat([bytes.subarray(0, 12), Buffer.from([0, 0, 0, 1, 9, 9, 9, 9]), bytes.subarray(12)]);
  extended[0] = 0x90;
  t.same([...(parseRtp(extended)?.payload ?? [])], [1, 2, 3]);
  const padded = Buffer.concat([bytes, Buffer.from([0, 2])]);
  padded[0] = 0xa0;
  t.same([...(parseRtp(padded)?.payload ?? [])], [1, 2, 3]);
  padded[padded.length - 1] = 200;
  t.equal(parseRtp(padded), null, 'more padding than packet');
  t.equal(parseRtp(Buffer.from('not RTP at all')), null);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
      const read = parseRtp(noise);
      return read === null || read.payload.byteOffset + read.payload.length <= noise.byteOffset + noise.length;
    }),
  );
  t.end();
});

test('a key press: marker first, growing duration, end sent three times (RFC 4733)', (t) => {
  const slots = keySlots('#', 100);
  t.equal(slots.length, 5);
  t.same(slots.map(({ marker }) => marker), [true, false, false, false, false]); // prettier-ignore
  t.same(slots.map(({ copies }) => copies), [1, 1, 1, 1, 3]); // prettier-ignore
  t.same([...(slots[0]?.payload ?? [])], [11, 10, 0, 160]);
  t.same([...(slots[4]?.payload ?? [])], [11, 0x8a, 3, 32]);
  t.end();
});

/** Packets of 20 ms that all hold the same sample value; `jitterMs` is added to the arrival. */
const packets = (
  count: number,
  from: Partial<{ atMs: number; timestamp: number; ssrc: number; value: number; sequence: number }> = {},
  jitterMs: (i: number) => number = () => 0,
): LoggedPacket[] =>
  Array.from({ length: count }, (_, i) => ({
    atMs: (from.atMs ?? 1000) + 20 * i + jitterMs(i),
    sequence: ((from.sequence ?? 0) + i) & 0xffff,
    timestamp: ((from.timestamp ?? 0) + 160 * i) >>> 0,
    ssrc: from.ssrc ?? 1,
    pcm: new Int16Array(160).fill(from.value ?? 1000),
  }));

test('recording: packets lie where their timestamps say', (t) => {
  const plain = layOut(packets(10), 900);
  t.equal(plain.length, 800 + 1600);
  t.same([plain[799], plain[800], plain[2399]], [0, 1000, 1000]);
  t.same(
    layOut(
      packets(10, {}, (i) => (i === 0 ? 60 : i === 5 ? 0 : (i * 7) % 13)),
      900,
    ),
    plain,
    'late and uneven arrival leaves no trace',
  );
  t.same(layOut(packets(10, { timestamp: 0xffff_ff00 }), 900), plain, 'timestamps wrap');
  t.same(layOut(packets(10).reverse(), 900).length, plain.length, 'order of arrival does not matter');
  const stall = layOut(
    packets(40, {}, (i) => (i >= 10 && i < 20 ? 20 * (20 - i) + 200 : 0)),
    1000,
  );
  t.same([stall.length, stall.every((sample) => sample === 1000)], [6400, true], 'a stall of the receiver tears nothing');
  t.end();
});

test('recording: gaps stay gaps; a new source or a jump of timestamps is anchored anew', (t) => {
  const lost = layOut(packets(10).filter((_, i) => i !== 4), 1000); // prettier-ignore
  t.same([lost[639], lost[640], lost[799], lost[800]], [1000, 0, 0, 1000]);
  const moved = layOut([...packets(10), ...packets(10, { atMs: 1500, timestamp: 77, ssrc: 2, value: 2000 })], 1000);
  t.same([moved[1599], moved[1600], moved[3999], moved[4000]], [1000, 0, 0, 2000]);
  const ahead = layOut([...packets(10), ...packets(20, { atMs: 1200, timestamp: 99_000, value: 2000 })], 1000);
  t.same([ahead[1599], ahead[1600], ahead.length], [1000, 2000, 4800], 'a jump ahead');
  const stood = layOut([...packets(10), ...packets(20, { atMs: 3200, timestamp: 1600, value: 2000 })], 1000);
  t.same([stood[1599], stood[1600], stood[17_599], stood[17_600]], [1000, 0, 0, 2000], 'timestamps that stood still in a pause');
  t.equal(layOut([], 0).length, 0);
  t.end();
});

test('latency: from the send time of the last voiced sample to the receive time of the first one after it', (t) => {
  const silence = (list: LoggedPacket[]): LoggedPacket[] => list.map((packet) => ({ ...packet, pcm: new Int16Array(160) }));
  const sent = packets(50, { atMs: 1000 });
  t.equal(sentAtMs(sent, 2, 0), 1040);
  t.equal(sentAtMs(sent, 2, 165), 1060 + 5 / 8);
  t.equal(sentAtMs(sent, -1, 0), null, 'never left');
  t.equal(sentAtMs(sent, 49, 200), null, 'cut off by the end of the call');
  const reply = packets(20, { atMs: 2313 });
  const first = reply[0]!;
  first.pcm.fill(0, 0, 100);
  const heard = heardWindows([...silence(packets(60, { atMs: 1007 })), ...reply]);
  t.equal(heard[0]?.firstMs, 2313 + 100 / 8);
  const recording = { spoken: layOut(sent, 0), heard: layOut(reply, 0) };
  const [turn] = turnsOf([{ text: 'hello', step: 0, startMs: 1000, endMs: 2000 }], heard, recording);
  t.match(turn, { replyAtMs: 2325.5, perceivedMs: 325.5, overlapMs: 0, stoppedAfterMs: null });
  t.ok(Math.abs((turn?.perceivedByRecordingMs ?? 0) - 325.5) < 1, 'the recording says the same');
  const [cut] = turnsOf([{ text: 'a', step: 0, startMs: 1000, endMs: 2000 }, { text: 'b', step: 1, startMs: 2100, endMs: 2200 }], heard, recording); // prettier-ignore
  t.equal(cut?.perceivedByRecordingMs, null);
  t.equal(cut?.replyAtMs, null, 'the next turn came first');
  t.end();
});

const NO_RECORDING = { spoken: new Int16Array(0), heard: new Int16Array(0) };

test('barge-in: when the agent fell silent, and that its tail is no reply', (t) => {
  const agent = heardWindows([...packets(50, { atMs: 1000 }), ...packets(20, { atMs: 3000 })]);
  const [turn] = turnsOf([{ text: 'stop', step: 0, startMs: 1500, endMs: 2500 }], agent, NO_RECORDING);
  t.ok(Math.abs((turn?.stoppedAfterMs ?? 0) - 500) < 1);
  t.equal(turn?.overlapMs, 500);
  t.equal(turn?.perceivedMs, 500);
  const [deaf] = turnsOf([{ text: 'stop', step: 0, startMs: 1200, endMs: 1800 }], agent, NO_RECORDING);
  t.equal(deaf?.stoppedAfterMs, null, 'it talked on over the whole of our turn');
  t.equal(deaf?.replyAtMs, 3000, 'going on is no reply');
  t.end();
});

/** Runs a script against an agent that is a function of time; what we say takes 500 ms. */
function play(
  script: Script,
  agentTalks: (ms: number) => boolean,
  untilMs = 120_000,
): { effects: { atMs: number; effect: ScriptEffect }[]; over: boolean } {
  const effects: { atMs: number; effect: ScriptEffect }[] = [];
  let state = beginScript(script);
  let busyUntil = -1;
  const feed = (event: ScriptEvent): void => {
    const next = advance(state, event);
    state = next.state;
    for (const effect of next.effects) {
      effects.push({ atMs: event.atMs, effect });
      if (effect.t === 'say' || effect.t === 'press') busyUntil = event.atMs + 500;
    }
  };
  feed({ t: 'begin', atMs: 0 });
  for (let atMs = 20; atMs < untilMs && state.phase !== 'over'; atMs += 20) {
    feed({ t: 'heard', atMs, voiced: agentTalks(atMs), durationMs: 20 });
    if (busyUntil >= 0 && atMs >= busyUntil) {
      busyUntil = -1;
      feed({ t: 'spoken', atMs });
    } else feed({ t: 'tick', atMs });
  }
  return { effects, over: state.phase === 'over' };
}

test('script: waits for the agent to finish, speaks, and waits for something new', (t) => {
  const script: Script = [{ wait: 'agent-finished', quietMs: 600 }, { say: 'one' }, { wait: 'agent-finished', quietMs: 600 }, { say: 'two' }, { pauseMs: 300 }, { hangup: true }]; // prettier-ignore
  const { effects } = play(script, (ms) => (ms >= 500 && ms < 2000) || (ms >= 4000 && ms < 5000));
  t.same(effects.map(({ effect }) => effect.t), ['say', 'say', 'hangup']); // prettier-ignore
  t.equal(effects[0]?.atMs, 2600);
  t.equal(effects[1]?.atMs, 5600, 'the greeting was used up: the second wait heard the second talk');
  t.equal(effects[2]?.atMs, 5600 + 500 + 300);
  t.end();
});

test('script: interrupts so long after the agent began; a click is no talk; a pause inside a sentence is no end', (t) => {
  const { effects } = play([{ interrupt: { afterMs: 800, say: 'no' } }], (ms) => ms === 200 || (ms >= 1000 && ms < 4000));
  t.ok(Math.abs((effects[0]?.atMs ?? 0) - 1800) <= 800, 'never before the talk is 100 ms long');
  t.match(effects[0]?.effect, { t: 'say', text: 'no', step: 0 });
  const paused = play([{ wait: 'agent-finished', quietMs: 700 }], (ms) => (ms >= 100 && ms < 900) || (ms >= 1400 && ms < 2000));
  t.equal(paused.effects[0]?.atMs, 2700);
  const started = play([{ wait: 'agent-started' }, { keys: '1#' }], (ms) => ms >= 1000);
  t.match(started.effects[0], { atMs: 1080, effect: { t: 'press', keys: '1#', step: 1 } });
  t.end();
});

test('script: a wait in vain ends in a timeout that names its step, and nothing comes after it', (t) => {
  const { effects } = play([{ say: 'hello' }, { wait: 'agent-finished', timeoutMs: 2000 }, { say: 'never' }], () => false);
  t.same(effects.at(-1), { atMs: 2500, effect: { t: 'timeout', step: 1 } });
  t.equal(describeStep([{ say: 'private words' }], 0), 'step 1 (say)', 'never the words');
  t.equal(describeStep([], 0), 'step 1 (end of script)');
  const done = advance({ ...beginScript([]), phase: 'over' }, { t: 'tick', atMs: 1 });
  t.same(done.effects, []);
  t.same(play([{ wait: 'hangup', timeoutMs: 1000 }], () => true).effects.at(-1)?.effect, { t: 'timeout', step: 0 });
  t.end();
});

test('script: whatever the agent does, every script ends, in order, and says each line at most once', (t) => {
  const step: fc.Arbitrary<Script[number]> = fc.oneof(
    fc.record({ wait: fc.constantFrom('agent-finished', 'agent-started', 'hangup'), timeoutMs: fc.integer({ min: 0, max: 3000 }) }),
    fc.record({ say: fc.constantFrom('a', 'b') }),
    fc.record({ keys: fc.constantFrom('1', '22#') }),
    fc.record({ interrupt: fc.record({ afterMs: fc.nat(900), say: fc.constant('c') }), timeoutMs: fc.nat(2000) }),
    fc.record({ pauseMs: fc.nat(1500) }),
    fc.constant({ hangup: true as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 12 }), (script, spans) => {
      const edges = spans.map((_, i) => spans.slice(0, i + 1).reduce((sum, span) => sum + span, 0));
      const { effects, over } = play(script, (ms) => edges.filter((edge) => edge <= ms).length % 2 === 1);
      const steps = effects.flatMap(({ effect }) => ('step' in effect ? [effect.step] : []));
      const ends = effects.filter(({ effect }) => effect.t === 'hangup' || effect.t === 'timeout').length;
      return over && ends === 1 && steps.every((value, i) => i === 0 || value > (steps[i - 1] ?? -1));
    }),
    { numRuns: 150 },
  );
  t.end();
});

test('script from data: every mistake names its step', (t) => {
  const good = [{ wait: 'agent-finished', quietMs: 500, timeoutMs: 9000 }, { say: 'yes' }, { keys: '12a#' }, { interrupt: { afterMs: 300, say: 'no' } }, { pauseMs: 1 }, { wait: 'hangup' }, { hangup: true }]; // prettier-ignore
  t.same(readScript(good)[2], { keys: '12A#' });
  t.same(linesOf(readScript(good)), ['yes', 'no']);
  const bad: readonly (readonly [unknown, RegExp])[] = [
    ['text', /list of steps/],
    [[1], /step 1 is no mapping/],
    [[{ say: 'a' }, {}], /step 2 is none of/],
    [[{ say: '' }], /step 1: say/],
    [[{ say: 'a', loud: true }], /does not know "loud"/],
    [[{ wait: 'godot' }], /wait must be one of/],
    [[{ wait: 'hangup', quietMs: 3 }], /quietMs belongs/],
    [[{ wait: 'hangup', timeoutMs: -3 }], /timeoutMs/],
    [[{ pauseMs: '3' }], /pauseMs/],
    [[{ pauseMs: Number.NaN }], /pauseMs/],
    [[{ keys: '12x' }], /keys may hold/],
    [[{ interrupt: 'now' }], /interrupt is no mapping/],
    [[{ interrupt: { say: 'x' } }], /interrupt.afterMs/],
    [Array.from({ length: 1001 }, () => ({ hangup: true })), /at most 1000/],
  ];
  for (const [data, message] of bad) t.throws(() => readScript(data), { code: 'CALLER_SCRIPT', message });
  t.end();
});

/** Speech-like noise that is different for every seed: band-limited, in syllables with gaps. */
function babble(seed: number, ms: number): Int16Array {
  let x = seed * 2_654_435_761;
  const random = (): number => {
    x = (Math.imul(x ^ (x >>> 15), 2_246_822_519) + 374_761_393) >>> 0;
    return x / 0x1_0000_0000 - 0.5;
  };
  const raw = Int16Array.from({ length: ms * 16 }, () => Math.round(random() * 40_000));
  const low = resample(resampleToInt(raw, 16_000, 2400), 2400, 8000);
  return Int16Array.from(low.subarray(0, ms * 8), (sample, i) => Math.round(sample * (i % 2400 < 1900 ? 1 : 0.01)));
}
function resampleToInt(pcm: Int16Array, fromHz: number, toHz: number): Int16Array {
  return Int16Array.from(resample(pcm, fromHz, toHz), (sample) => Math.round(sample));
}
const prompts: readonly Prompt[] = [1, 2, 3, 4].map((seed) => ({ id: `p${seed}`, pcm: babble(seed, 900 + 500 * seed) }));
const recording = (parts: readonly (readonly [atMs: number, pcm: Int16Array, gain?: number])[], lengthMs = 20_000): Int16Array => {
  const heard = new Int16Array(lengthMs * 8);
  for (const [atMs, pcm, gain = 1] of parts)
    heard.set(
      Int16Array.from(pcm, (sample) => Math.round(sample * gain)),
      Math.round(atMs * 8),
    );
  return throughLine(heard);
};
const [p1, p2, p3, p4] = prompts as [Prompt, Prompt, Prompt, Prompt];

test('prompts are found where they are, at any level, through a line, and told from each other', (t) => {
  const heard = recording([[1000.25, p1.pcm, 0.1], [4000, p2.pcm], [8000, p3.pcm, 0.5]]); // prettier-ignore
  const found = findPrompts(heard, prompts);
  t.same(found.map((places) => places.length), [1, 1, 1, 0]); // prettier-ignore
  t.ok(Math.abs((found[0]?.[0]?.offsetMs ?? 0) - 1000.25) < 0.2);
  for (const places of found.slice(0, 3)) t.match(places[0], { complete: true, missing: [] });
  for (const places of found.slice(0, 3)) t.ok((places[0]?.peak ?? 0) > 0.97);
  t.equal(inOrder([p1, p2, p3], found).wholeAndInOrder, true);
  t.equal(inOrder([p1, p3, p2], [found[0]!, found[2]!, found[1]!]).wholeAndInOrder, false);
  t.equal(inOrder(prompts, found).verdicts[3]?.found, null);
  t.end();
});

test('a prompt by another resampler, half a sample late, is whole all the same', (t) => {
  const other = Int16Array.from(p2.pcm, (sample, i) => Math.round((sample + (p2.pcm[i + 1] ?? 0)) / 2));
  t.match(findPrompt(recording([[3000, other]]), p2), { complete: true });
  t.end();
});

/** A steady vowel: one period later it is nearly the same. Its pitch wanders by a few percent, its loudness in syllables. */
function vowel(ms: number): Int16Array {
  let phase = 0;
  return Int16Array.from({ length: ms * 8 }, (_, i) => {
    phase += (112 * (1 + 0.03 * Math.sin(i / 9000))) / 8000;
    const harmonics = [1, 2, 3, 4, 5, 6, 7, 8].reduce((sum, n) => sum + Math.cos(2 * Math.PI * n * phase), 0);
    return Math.round(1500 * harmonics * (i % 2000 < 1700 ? 1 : 0.02));
  });
}

test('a steady voice is found at its own period, wherever it falls between the coarse samples', (t) => {
  const prompt: Prompt = { id: 'vowel', pcm: vowel(3000) };
  for (let late = 0; late < 8; late++) {
    const found = findPrompt(recording([[2000 + late / 8, prompt.pcm]]), prompt);
    t.ok(Math.abs((found?.offsetMs ?? 0) - 2000 - late / 8) < 0.1, `${late} samples: ${found?.offsetMs}`);
    t.ok((found?.peak ?? 0) > 0.99);
  }
  t.end();
});

test('a cut prompt is reported as cut, to 60 ms', (t) => {
  for (const cutMs of [700, 1300, 2000]) {
    const found = findPrompt(recording([[2000, p4.pcm.subarray(0, cutMs * 8)], [2600 + cutMs, p1.pcm]]), p4); // prettier-ignore
    t.equal(found?.complete, false);
    const lastVoiced = (voicedRange(p4.pcm.subarray(0, cutMs * 8))?.last ?? 0) / 8;
    t.ok(Math.abs((found?.heardMs ?? 0) - lastVoiced) < 60, `cut at ${cutMs}: heard ${String(found?.heardMs)}`);
    t.ok(Math.abs((found?.endMs ?? 0) - 2000 - lastVoiced) < 60);
  }
  t.end();
});

test('a prompt without its middle, or its beginning, has a hole there', (t) => {
  const holed = p4.pcm.slice();
  holed.fill(0, 8000, 8000 + 4800);
  const hole = findPrompt(recording([[2000, holed]]), p4);
  t.match(hole, { complete: false, missing: [{}] });
  t.ok(Math.abs((hole?.missing[0]?.fromMs ?? 0) - 1000) <= 220 && Math.abs((hole?.missing[0]?.toMs ?? 0) - 1600) <= 220);
  const headless = findPrompt(recording([[2000, p4.pcm.subarray(9600)]]), p4);
  t.equal(headless?.complete, false);
  t.ok(Math.abs((headless?.offsetMs ?? 0) - (2000 - 1200)) < 1);
  t.ok((headless?.heardMs ?? 99) < 60, 'nothing was heard from the beginning on');
  t.end();
});

test('a silent slot that slipped in moves the rest: whole, with its slip told', (t) => {
  const slipped = new Int16Array(p4.pcm.length + 160);
  slipped.set(p4.pcm.subarray(0, 12_000));
  slipped.set(p4.pcm.subarray(12_000), 12_160);
  const found = findPrompt(recording([[2000, slipped]]), p4);
  t.ok(Math.abs((found?.slipMs ?? 0) - 20) < 1, String(found?.slipMs));
  t.match(found, { complete: true, missing: [] });
  t.end();
});

test('a repeated prompt is found twice; nothing is found in silence, noise, or nothing', (t) => {
  const twice = findPrompts(recording([[1000, p1.pcm], [6000, p1.pcm]]), [p1])[0] ?? []; // prettier-ignore
  t.same(twice.map((place) => Math.round(place.offsetMs)), [1000, 6000]); // prettier-ignore
  t.equal(findPrompt(new Int16Array(80_000), p1), null);
  t.equal(findPrompt(babble(99, 10_000), p1), null);
  t.equal(findPrompt(new Int16Array(0), p1), null);
  t.equal(findPrompt(recording([[1000, p1.pcm]]), { id: 'empty', pcm: new Int16Array(800) }), null);
  t.end();
});
