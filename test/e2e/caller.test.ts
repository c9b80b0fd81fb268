/**
 * The synthetic caller against itself, against a PBX that misbehaves, and against a real Asterisk. What it judges by must be right before it may
 * judge Parley.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import {
  answerCalls,
  DEFAULT_VOICE,
  findPrompt,
  findPrompts,
  placeCall,
  promptFrom,
  renderLine,
  type CallReport,
  type Prompt,
  type Script,
} from '../../src/cli/caller/index.ts';
import { formatRtp, parseRtp } from '../../src/cli/caller/rtp-packet.ts';
import { readSdp, writeSdp } from '../../src/cli/caller/sdp.ts';
import { cseq, formatSip, header, isRequest, parseSip, type SipMessage, type SipRequest } from '../../src/cli/caller/sip-message.ts';
import { readWav } from '../../src/cli/caller/voice.ts';
import { testAsterisk, until } from '../support/asterisk.ts';

const HOST = '127.0.0.1';
const DESK_VOICE = { name: 'en-gb', wordsPerMinute: 170, pitch: 40 };
const BOOK = 'book a table for two on friday at seven';
const THANKS = 'yes please thank you';

type Answered = Extract<CallReport, { answered: true }>;
function answered(report: CallReport): Answered {
  if (!report.answered) throw new Error(`not answered: ${report.status} ${report.reason}`);
  return report;
}
const OWN_VOICE = DEFAULT_VOICE;
async function promptOf(text: string, voice = DESK_VOICE): Promise<Prompt> {
  const line = await renderLine(text, voice);
  return promptFrom(text, { pcm: line.pcm, rateHz: 8000 });
}

test('two phones talk, take turns, and each heard the other whole', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-caller-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const desk = await answerCalls({
    script: [{ say: 'hello which day' }, { wait: 'agent-finished', quietMs: 500 }, { say: 'thank you goodbye' }, { wait: 'hangup' }],
    voice: DESK_VOICE,
    ringMs: 100,
  });
  t.teardown(() => desk.close());
  const seen: string[] = [];
  const report = answered(
    await placeCall({
      sipHost: HOST,
      sipPort: desk.port,
      extension: '100',
      from: '4930123',
      script: [{ wait: 'agent-finished', quietMs: 400 }, { say: BOOK }, { wait: 'agent-finished', quietMs: 400 }, { hangup: true }],
      recordTo: join(folder, 'call.wav'),
      headers: [['X-Note', 'from the test']],
      onEvent: (event) => seen.push(event.t),
    }),
  );
  const other = await desk.next();
  t.match(report, { end: 'local-bye', finished: true, problem: null });
  t.match(other, { from: '4930123', problem: null, conversation: { end: 'remote-bye', finished: true } });
  t.equal(other.headers.find(([name]) => name === 'x-note')?.[1], 'from the test');
  t.same(seen.filter((kind) => kind !== 'agent-stopped' && kind !== 'ended'), ['ringing', 'answered', 'agent-started', 'saying', 'said', 'agent-started']); // prettier-ignore
  const hello = findPrompt(report.heard, await promptOf('hello which day'));
  const goodbye = findPrompt(report.heard, await promptOf('thank you goodbye'));
  t.equal(hello!.complete && goodbye!.complete && hello!.endMs < goodbye!.offsetMs, true, 'both prompts whole and in order');
  const book = findPrompt(other.conversation?.heard ?? new Int16Array(0), await promptOf(BOOK, OWN_VOICE));
  t.equal(book?.complete, true);
  const turn = report.turns[0]!;
  t.equal(turn.said, BOOK);
  t.ok(turn.perceivedMs! > 450, 'the desk waits half a second of quiet, so no reply can come sooner');
  t.ok(turn.perceivedByRecordingMs! > 450);
  const said = findPrompt(report.spoken, await promptOf(BOOK, OWN_VOICE))!;
  const gapMs = goodbye!.offsetMs - said.endMs;
  t.ok(Math.abs(gapMs - turn.perceivedByRecordingMs!) < 40, 'the latency is the gap between the two in the recording');
  const wav = readWav(readFileSync(join(folder, 'call.wav')));
  t.match(wav, { rateHz: 8000, channels: 2 });
  t.same(wav.pcm.filter((_, i) => i % 2 === 1).subarray(0, report.heard.length), report.heard, 'right channel: what was heard');
  t.same(report.rtp.lost, 0);
});

test('prompts that differ in one word are told apart', async (t) => {
  const table = (what: string): string => `that is a table for ${what} is that right`;
  const texts = ['two on friday at seven', 'three on friday at seven', 'two on monday at seven', 'two on friday at nine'].map(table);
  const prompts = await Promise.all(texts.map((text) => promptOf(text)));
  for (const [index, prompt] of prompts.entries()) {
    const heard = new Int16Array(8000 * 8);
    heard.set(prompt.pcm, 8000);
    const whole = findPrompts(heard, prompts).map((places) => places.some((place) => place.complete));
    t.same(whole, prompts.map((_, other) => other === index)); // prettier-ignore
  }
});

test('talking into the agent is measured: overlap, and no reply from one that talks on', async (t) => {
  const desk = await answerCalls({
    script: [{ say: 'we are open from nine to five on monday tuesday wednesday thursday and friday' }, { wait: 'hangup' }],
    voice: DESK_VOICE,
  });
  t.teardown(() => desk.close());
  const report = answered(
    await placeCall({
      sipHost: HOST,
      sipPort: desk.port,
      extension: '100',
      script: [{ interrupt: { afterMs: 600, say: 'no' } }, { wait: 'agent-finished' }],
    }),
  );
  const turn = report.turns[0];
  t.ok((turn?.overlapMs ?? 0) > 100);
  t.match(turn, { said: 'no', stoppedAfterMs: null, replyAtMs: null });
});

test('refused, unanswered, unreachable, out of patience: each is told apart', async (t) => {
  const busy = await answerCalls({ script: [], refuse: { status: 486, reason: 'Busy Here' } });
  const slow = await answerCalls({ script: [], ringMs: 20_000 });
  const mute = await answerCalls({ script: [{ wait: 'hangup' }] });
  t.teardown(() => Promise.all([busy, slow, mute].map((desk) => desk.close())));
  const call = { sipHost: HOST, extension: '100', script: [{ wait: 'agent-finished', timeoutMs: 300 }] satisfies Script };
  t.match(await placeCall({ ...call, sipPort: busy.port }), { answered: false, end: 'refused', status: 486 });
  t.match(await placeCall({ ...call, sipPort: slow.port, patienceMs: 300 }), { answered: false, end: 'no-answer', status: 487 });
  t.match(await slow.next(), { conversation: null });
  t.match(await placeCall({ ...call, sipPort: mute.port }), {
    end: 'script-timeout',
    finished: false,
    problem: 'step 1 (wait for agent-finished)',
  });
  t.match(await placeCall({ ...call, sipPort: mute.port, script: [{ pauseMs: 9000 }], maxCallMs: 300 }), {
    end: 'aborted',
    finished: false,
  });
  const silent = createSocket('udp4');
  await new Promise<void>((bound) => silent.bind(0, HOST, bound));
  t.teardown(() => silent.close());
  await t.rejects(placeCall({ ...call, sipPort: silent.address().port, patienceMs: 300 }), {
    code: 'CALLER_FAILED',
    message: /nobody answers/,
  });
  await t.rejects(placeCall({ ...call, sipPort: 5060, extension: 'a> SIP/2.0\r\nEvil' }), { code: 'CALLER_FAILED' });
  await t.rejects(placeCall({ ...call, sipPort: 5060, localHost: '192.0.2.1' }), { code: 'CALLER_FAILED', message: /cannot bind/ });
  await t.rejects(renderLine('hello', { name: 'zz-none', wordsPerMinute: 170, pitch: 50 }), { code: 'CALLER_FAILED' });
});

/** A PBX made of datagrams: the test says what it answers. */
class RawPbx {
  readonly socket: Socket = createSocket('udp4');
  readonly got: SipMessage[] = [];
  #from: RemoteInfo | undefined;
  onRequest: (request: SipRequest) => void = () => undefined;

  static async open(): Promise<RawPbx> {
    const pbx = new RawPbx();
    await new Promise<void>((bound) => pbx.socket.bind(0, HOST, bound));
    pbx.socket.on('message', (bytes, from) => {
      const message = parseSip(bytes);
      if (message === null) return;
      pbx.#from = from;
      pbx.got.push(message);
      if (isRequest(message)) pbx.onRequest(message);
    });
    return pbx;
  }
  get port(): number {
    return this.socket.address().port;
  }
  answer(request: SipRequest, status: number, extra: SipRequest['lines'] = [], body = ''): void {
    const lines = request.lines.filter(([name]) => ['via', 'from', 'call-id', 'cseq'].includes(name));
    const to = header(request, 'to') ?? '';
    this.raw(formatSip({ status, reason: 'X', lines: [...lines, ['to', to.includes('tag=') ? to : `${to};tag=pbx`], ...extra], body }));
  }
  /** A request inside the dialog that `invite` made. */
  ask(invite: SipRequest, method: string, number: number, body = ''): void {
    const lines: SipRequest['lines'] = [['via', `SIP/2.0/UDP ${HOST}:${this.port};branch=z9hG4bK${method}${number}`], ['from', `${header(invite, 'to') ?? ''};tag=pbx`], ['to', header(invite, 'from') ?? ''], ['call-id', header(invite, 'call-id') ?? ''], ['cseq', `${number} ${method}`]]; // prettier-ignore
    this.raw(formatSip({ method, uri: 'sip:caller', lines, body }));
  }
  raw(bytes: Uint8Array): void {
    if (this.#from !== undefined) this.socket.send(bytes, this.#from.port, this.#from.address);
  }
  count(what: string | number): number {
    return this.got.filter((message) => (isRequest(message) ? message.method : message.status) === what).length;
  }
}

test('a PBX that loses, repeats, asks for a password, holds, and sends rubbish', async (t) => {
  const pbx = await RawPbx.open();
  const media = createSocket('udp4');
  await new Promise<void>((bound) => media.bind(0, HOST, bound));
  t.teardown(() => {
    pbx.socket.close();
    media.close();
  });
  const sdp = (direction: 'sendrecv' | 'sendonly'): string =>
    writeSdp({ host: HOST, port: media.address().port, laws: ['ulaw'], keysType: 96, version: 1, direction });
  const contact = ['contact', `<sip:pbx@${HOST}:${pbx.port}>`] as const;
  let accepted: SipRequest | undefined;
  let seenInvites = 0;
  pbx.onRequest = (request) => {
    if (request.method === 'INVITE') {
      seenInvites++;
      if (seenInvites === 1) return; // lost
      if (header(request, 'authorization') === undefined) return pbx.answer(request, 401, [['www-authenticate', 'Digest realm="pbx", nonce="n1", algorithm=MD5']]); // prettier-ignore
      accepted = request;
      pbx.raw(Buffer.from('rubbish\r\n\r\n'));
      for (let i = 0; i < 3; i++) pbx.answer(request, 200, [contact, ['content-type', 'application/sdp']], sdp('sendrecv'));
    } else if (request.method !== 'ACK') pbx.answer(request, 200);
  };
  const types = new Map<number, number>();
  const stray = createSocket('udp4');
  t.teardown(() => stray.close());
  media.on('message', (bytes, from) => {
    const packet = parseRtp(bytes);
    if (packet === null) return;
    types.set(packet.payloadType, (types.get(packet.payloadType) ?? 0) + 1);
    const back = { ...packet, marker: false, payload: new Uint8Array(160).fill(0x20) };
    stray.send(formatRtp(back), from.port, HOST);
    media.send('no RTP', from.port, HOST);
    if (packet.payloadType !== 0) return;
    media.send(formatRtp({ ...back, payload: new Uint8Array(160).fill(0xff) }), from.port, HOST);
    media.send(formatRtp({ ...back, payload: new Uint8Array(160).fill(0xff) }), from.port, HOST); // twice
    media.send(formatRtp({ ...back, payloadType: 13, ssrc: 7 }), from.port, HOST);
  });
  const running = placeCall({ sipHost: HOST, sipPort: pbx.port, extension: '1', credentials: { user: 'u', password: 'p' }, script: [{ pauseMs: 400 }, { keys: '5' }, { wait: 'hangup' }], laws: ['ulaw', 'alaw'] }); // prettier-ignore
  await until('three ACKs for three 200', () => pbx.count('ACK') >= 4);
  await until('the key', () => (types.get(96) ?? 0) >= 8);
  const invite = accepted!;
  pbx.ask(invite, 'OPTIONS', 10);
  pbx.ask(invite, 'REFER', 11);
  pbx.ask(invite, 'INVITE', 12, sdp('sendonly'));
  pbx.ask(invite, 'INVITE', 13, 'v=0 nonsense');
  pbx.ask(invite, 'INFO', 9);
  await until('all answered', () => pbx.count(200) >= 2 && pbx.count(405) === 1 && pbx.count(488) >= 1 && pbx.count(500) === 1);
  const hold = pbx.got.find((message) => !isRequest(message) && message.status === 200 && cseq(message).number === 12);
  t.match(hold?.body, /a=recvonly/, 'a hold is mirrored');
  t.match(readSdp(hold?.body ?? '', ['ulaw']), { law: 'ulaw' });
  await until('silence on hold', async () => {
    const before = types.get(0);
    await new Promise((later) => setTimeout(later, 100));
    return types.get(0) === before;
  });
  pbx.ask(invite, 'BYE', 20);
  pbx.ask(invite, 'BYE', 20);
  const report = answered(await running);
  t.match(report, { end: 'remote-bye', finished: true });
  t.equal(header(invite, 'authorization')?.includes('username="u"'), true);
  t.ok(
    report.rtp.strays > 10 && report.rtp.malformed > 10 && report.rtp.duplicates > 10 && report.rtp.otherTypes > 10,
    `foreign packets are counted: ${JSON.stringify(report.rtp)}`,
  );
  t.equal(report.firstHeardMs, null, 'and unheard');
});

test('a desk registers with a password, and takes itself away again', async (t) => {
  const pbx = await RawPbx.open();
  t.teardown(() => pbx.socket.close());
  pbx.onRequest = (request) => {
    if (header(request, 'authorization') === undefined)
      pbx.answer(request, 401, [['www-authenticate', 'Digest realm="pbx", qop="auth", nonce="n1"']]);
    else pbx.answer(request, 200);
  };
  const register = { host: HOST, port: pbx.port, credentials: { user: '100', password: 'secret' } };
  const desk = await answerCalls({ script: [], register });
  await desk.close();
  const expiries = pbx.got.filter((message) => header(message, 'authorization') !== undefined).map((message) => header(message, 'expires'));
  t.same(expiries, ['300', '0']);
  t.notMatch(Buffer.concat(pbx.got.filter(isRequest).map(formatSip)).toString(), /secret/);
  pbx.onRequest = (request) => pbx.answer(request, 403);
  await t.rejects(answerCalls({ script: [], register }), { code: 'CALLER_FAILED', message: /403/ });
});

test('through a real Asterisk', async (t) => {
  const desk = await answerCalls({
    script: [{ wait: 'agent-finished', quietMs: 400 }, { say: THANKS }, { wait: 'hangup' }],
    voice: DESK_VOICE,
    ringMs: 200,
    laws: ['alaw', 'ulaw'],
  });
  t.teardown(() => desk.close());
  const asterisk = await testAsterisk(t, {
    desks: [{ extension: '100', contact: `sip:100@${HOST}:${desk.port}` }],
    extraDialplan: '[parley-test]\nexten => 101,1,Dial(PJSIP/100,10)\n',
  });
  const call = { sipHost: asterisk.sipHost, sipPort: asterisk.sipPort };

  await t.test('echo: own voice comes back whole', async (t) => {
    const report = answered(await placeCall({ ...call, extension: '799', script: [{ pauseMs: 300 }, { say: BOOK }, { pauseMs: 500 }] }));
    const line = await promptOf(BOOK, OWN_VOICE);
    const [said, heard] = [findPrompt(report.spoken, line), findPrompt(report.heard, line)];
    t.match([said, heard], [{ complete: true }, { complete: true }]);
    t.ok((heard?.peak ?? 0) >= 0.97, `correlation ${String(heard?.peak)}`);
    t.ok((heard?.offsetMs ?? 0) >= (said?.offsetMs ?? 0), 'not before it was said');
    t.comment(
      `round trip ${((heard?.offsetMs ?? 0) - (said?.offsetMs ?? 0)).toFixed(2)} ms, worst send ${report.rtp.maxLateSendMs.toFixed(1)} ms late`,
    );
    t.match(report, { end: 'local-bye', finished: true, rtp: { lost: 0, strays: 0, malformed: 0 } });
  });

  await t.test('echo in A-law, and keys: # leaves the echo, Asterisk hangs up', async (t) => {
    const report = answered(await placeCall({ ...call, extension: '799', laws: ['alaw'], keysType: 96, script: [{ say: 'hello' }, { pauseMs: 300 }, { keys: '1#' }, { wait: 'hangup' }] })); // prettier-ignore
    t.match(report, { end: 'remote-bye', finished: true, rtp: { lost: 0 } });
    t.match(findPrompt(report.heard, await promptOf('hello', OWN_VOICE)), { complete: true });
  });

  await t.test('a desk phone behind it: both hear each other', async (t) => {
    const report = answered(await placeCall({ ...call, extension: '101', from: '4930999', script: [{ say: BOOK }, { wait: 'agent-finished', quietMs: 400 }, { hangup: true }] })); // prettier-ignore
    const other = await desk.next();
    t.match(findPrompt(report.heard, await promptOf(THANKS)), { complete: true });
    const book = await promptOf(BOOK, OWN_VOICE);
    t.match(findPrompt(other.conversation?.heard ?? new Int16Array(0), book), { complete: true });
    t.match(other, { from: '4930999', conversation: { end: 'remote-bye', finished: true } });
  });

  await t.test('an extension that does not exist is refused', async (t) => {
    t.match(await placeCall({ ...call, extension: '9', script: [] }), { answered: false, end: 'refused', status: 404 });
  });
});
