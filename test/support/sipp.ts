/**
 * SIP callers and SIP phones made of sipp. A scenario is a list of steps, rendered to sipp's XML in a temporary folder.
 * sipp sends RTP but never reads it: for what the caller hears, use a caller of our own.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type CallerStep =
  | { readonly do: 'wait'; readonly ms: number }
  /** Plays a headerless 8 kHz mu-law file; -1 = for ever. */
  | { readonly do: 'play'; readonly file: string; readonly loops?: number }
  /** One key as SIP INFO (needs no privileges; RFC 4733 from sipp needs raw sockets). */
  | { readonly do: 'key'; readonly digit: string; readonly durationMs?: number }
  /** Keys as RFC 4733 events, root only. */
  | { readonly do: 'rtp-keys'; readonly digits: string }
  | { readonly do: 'hold' | 'resume' }
  /** The caller hangs up. */
  | { readonly do: 'bye' }
  /** The other side must hang up within this time. */
  | { readonly do: 'expect-bye'; readonly withinMs: number };

export interface SippRun {
  readonly pid: number;
  /** Settles when sipp is over: 0 = every call went as written. */
  readonly finished: Promise<{ code: number; output: string }>;
  /** Ends sipp at once, without a BYE: a phone that loses its network. */
  kill(): void;
}

export interface CallOptions {
  readonly sipPort: number;
  readonly extension: string;
  readonly steps: readonly CallerStep[];
  /** How many calls, and how many of them are started per second. */
  readonly calls?: number;
  readonly perSecond?: number;
  readonly from?: string;
  /** Payload types of the offer, in order: 0 = PCMU, 8 = PCMA. */
  readonly payloads?: readonly (0 | 8)[];
  /** True when the INVITE is expected to be refused. */
  readonly refused?: boolean;
}

const HOST = '127.0.0.1';
/** Debian's sip-tester. */
const PROGRAM = 'sipp';

/** An UDP port on loopback that is free now, and even, as RTP likes it. */
export async function freeUdpPort(): Promise<number> {
  for (;;) {
    const socket = createSocket('udp4');
    await new Promise<void>((bound) => socket.bind(0, HOST, bound));
    const { port } = socket.address();
    await new Promise<void>((closed) => socket.close(closed));
    if (port % 2 === 0) return port;
  }
}

export async function placeCall(options: CallOptions): Promise<SippRun> {
  const calls = String(options.calls ?? 1);
  return sipp(callerXml(options), [
    `${HOST}:${options.sipPort}`,
    ...['-s', options.extension, '-m', calls, '-l', calls, '-r', String(options.perSecond ?? 10)],
  ]);
}

/** A phone at `port` that rings, answers, and waits for the BYE. */
export async function answerCalls(port: number, options: { calls?: number; ringMs?: number } = {}): Promise<SippRun> {
  return sipp(deskXml(options.ringMs ?? 200), ['-m', String(options.calls ?? 1)], port);
}

async function sipp(xml: string, args: readonly string[], port?: number): Promise<SippRun> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-sipp-'));
  const file = join(folder, 'scenario.xml');
  writeFileSync(file, xml);
  const ports = ['-i', HOST, '-mi', HOST, '-p', String(port ?? (await freeUdpPort())), '-mp', String(await freeUdpPort())];
  const child = spawn(PROGRAM, [...args, '-sf', file, ...ports, '-nostdin', '-timeout', '100s', '-timeout_error'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TERM: 'dumb' },
  });
  let output = '';
  const keep = (data: Buffer): void => void (output = (output + data.toString('latin1')).slice(-20_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const finished = new Promise<{ code: number; output: string }>((resolve) => {
    child.once('error', (error) => resolve({ code: 127, output: error.message }));
    child.once('close', (code, signal) => {
      rmSync(folder, { recursive: true, force: true });
      resolve({ code: code ?? (signal === null ? 1 : 137), output });
    });
  });
  return { pid: child.pid ?? 0, finished, kill: () => void child.kill('SIGKILL') };
}

const message = (lines: readonly string[], body: readonly string[] = []): string =>
  `<![CDATA[\n\n${[...lines, ...(body.length === 0 ? ['Content-Length: 0', '', ''] : ['Content-Length: [len]', '', ...body, ''])].join('\n')}\n]]>`;

function request(method: string, cseq: number, body: readonly string[] = [], type = 'application/sdp'): string {
  return message(
    [
      `${method} [next_url] SIP/2.0`,
      'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
      '[last_From]',
      '[last_To]',
      '[routes]',
      'Call-ID: [call_id]',
      `CSeq: ${cseq} ${method}`,
      'Contact: <sip:caller@[local_ip]:[local_port]>',
      'Max-Forwards: 70',
      ...(body.length === 0 ? [] : [`Content-Type: ${type}`]),
    ],
    body,
  );
}

/** sipp sends its own keys as payload type 96 whatever the offer says, so 96 is what is offered. */
function offer(version: number, direction: string, payloads: readonly number[], streams: boolean): string[] {
  return [
    'v=0',
    `o=caller 1 ${version} IN IP4 [local_ip]`,
    's=-',
    'c=IN IP4 [media_ip]',
    't=0 0',
    `m=audio [${streams ? 'rtpstream_audio_port' : 'media_port'}] RTP/AVP ${payloads.join(' ')} 96`,
    'a=rtpmap:96 telephone-event/8000',
    'a=fmtp:96 0-15',
    'a=ptime:20',
    `a=${direction}`,
  ];
}

function callerXml(options: CallOptions): string {
  const payloads = options.payloads ?? [0];
  const streams = options.steps.some((step) => step.do === 'play');
  let cseq = 1;
  const reinvite = (direction: string): string => {
    cseq++;
    return [
      `<send retrans="500">${request('INVITE', cseq, offer(cseq, direction, payloads, streams))}</send>`,
      '<recv response="100" optional="true"/><recv response="200" rrs="true"/>',
      `<send>${request('ACK', cseq)}</send>`,
    ].join('\n');
  };
  const one = (step: CallerStep): string => {
    switch (step.do) {
      case 'wait':
        return `<pause milliseconds="${step.ms}"/>`;
      case 'play':
        return `<nop><action><exec rtp_stream="${step.file},${step.loops ?? -1},0,PCMU/8000"/></action></nop>`;
      case 'rtp-keys':
        return `<nop><action><exec play_dtmf="${step.digits}"/></action></nop>`;
      case 'key':
        cseq++;
        return `<send retrans="500">${request('INFO', cseq, [`Signal=${step.digit}`, `Duration=${step.durationMs ?? 160}`], 'application/dtmf-relay')}</send><recv response="200"/>`;
      case 'hold':
        return reinvite('sendonly');
      case 'resume':
        return reinvite('sendrecv');
      case 'bye':
        cseq++;
        return `<send retrans="500">${request('BYE', cseq)}</send><recv response="200"/>`;
      case 'expect-bye':
        return `<recv request="BYE" timeout="${step.withinMs}"/><send>${reply('200 OK')}</send>`;
    }
  };
  const invite = message(
    [
      'INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0',
      'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
      `From: "Caller" <sip:${options.from ?? '+4930[call_number]'}@[local_ip]:[local_port]>;tag=[pid]c[call_number]`,
      'To: <sip:[service]@[remote_ip]:[remote_port]>',
      'Call-ID: [call_id]',
      'CSeq: 1 INVITE',
      'Contact: <sip:caller@[local_ip]:[local_port]>',
      'Max-Forwards: 70',
      'Content-Type: application/sdp',
    ],
    offer(1, 'sendrecv', payloads, streams),
  );
  const early = ['100', '180', '183'].map((code) => `<recv response="${code}" optional="true"/>`).join('');
  const answered = [`<recv response="200" rrs="true"/>`, `<send>${request('ACK', 1)}</send>`, ...options.steps.map(one)];
  const refused = [...['486', '480', '603', '404', '503'].map((code) => `<recv response="${code}" optional="true" next="1"/>`)];
  const rest = options.refused === true ? [...refused, `<recv response="500"/><label id="1"/><send>${request('ACK', 1)}</send>`] : answered;
  return scenario([`<send retrans="500">${invite}</send>`, early, ...rest]);
}

function reply(status: string, body: readonly string[] = [], tag = ''): string {
  return message(
    [
      `SIP/2.0 ${status}`,
      '[last_Via:]',
      '[last_From:]',
      `[last_To:]${tag}`,
      '[last_Call-ID:]',
      '[last_CSeq:]',
      'Contact: <sip:[local_ip]:[local_port]>',
      ...(body.length === 0 ? [] : ['Content-Type: application/sdp']),
    ],
    body,
  );
}

function deskXml(ringMs: number): string {
  const tag = ';tag=[pid]a[call_number]';
  const answer = [
    'v=0',
    'o=desk 1 1 IN IP4 [local_ip]',
    's=-',
    'c=IN IP4 [media_ip]',
    't=0 0',
    'm=audio [media_port] RTP/AVP 0',
    'a=ptime:20',
  ];
  return scenario([
    '<recv request="INVITE" crlf="true"/>',
    `<send>${reply('180 Ringing', [], tag)}</send>`,
    `<pause milliseconds="${ringMs}"/>`,
    `<send retrans="500">${reply('200 OK', answer, tag)}</send>`,
    '<recv request="ACK"/><recv request="BYE" timeout="60000"/>',
    `<send>${reply('200 OK')}</send>`,
  ]);
}

function scenario(parts: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="parley">\n${parts.join('\n')}\n</scenario>\n`;
}
