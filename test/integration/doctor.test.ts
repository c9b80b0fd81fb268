/** parley doctor: every bad configuration of the twelve is found where it stands, a good one is left in peace, engines are measured. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { doctor, type DoctorOptions } from '../../src/cli/doctor.ts';
import type { ChatDelta, LanguageModel } from '../../src/contracts/index.ts';
import { startCloud } from '../support/cloud-fakes.ts';

function folder(t: Test, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'parley-doctor-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text, { mode: 0o600 });
  }
  return root;
}

async function run(options: Partial<DoctorOptions>): Promise<{ exit: number; lines: string[] }> {
  const lines: string[] = [];
  const exit = await doctor({
    config: 'config/parley.example.yaml',
    measure: false,
    engines: { tables: [] },
    print: (line) => lines.push(line),
    ...options,
  });
  return { exit, lines };
}

const GOOD: Readonly<Record<string, string>> = {
  'ari.conf':
    '[general]\nenabled = yes\nallowed_origins = https://console.example\n[parley]\ntype = user\npassword_format = crypt\npassword = $6$x\n',
  'http.conf': '[general]\nenabled = yes\nbindaddr = 127.0.0.1\n;bindaddr = 0.0.0.0\n',
  'pjsip.conf': '[100]\ntype = endpoint\n;[anonymous]\n;type = endpoint\n',
  'asterisk.conf': '[options]\nlive_dangerously = no ; yes would be bad\n',
  'rtp.conf': '[general]\nstrictrtp = yes\n',
  'extensions.conf': [
    '[desks]',
    'exten => _1XX,1,Dial(PJSIP/${EXTEN},25)',
    '[out]',
    'exten => _0.,1,GotoIf($[${DB_EXISTS(allowed/${EXTEN})}]?ok)',
    ' same => n,Hangup()',
    ' same => n(ok),Dial(PJSIP/${EXTEN}@trunk)',
    'exten => 0301234567,1,Dial(PJSIP/${EXTEN}@trunk)',
  ].join('\n'),
  'event_socket.conf.xml':
    '<configuration><settings>\n<param name="listen-ip" value="127.0.0.1"/>\n<param name="password" value="mine"/>\n</settings></configuration>',
  VERSION: 'Asterisk 22.5.2\n',
};

test('a PBX as it should be: nothing is found', async (t) => {
  const { exit, lines } = await run({ asterisk: folder(t, GOOD) });
  t.same(lines, ['all twelve checks: nothing found']);
  t.equal(exit, 0);
});

test('the files that come with Parley pass', async (t) => {
  const { lines } = await run({ asterisk: 'dialplan/asterisk' });
  t.same(lines, ['all twelve checks: nothing found']);
});

/** Check, file, line of the finding, and the file as it should not be. */
const BAD: readonly (readonly [check: number, file: string, line: number, text: string])[] = [
  [
    1,
    'autoload_configs/event_socket.conf.xml',
    2,
    '<settings>\n<param name="password" value="ClueCon"/>\n<param name="listen-ip" value="127.0.0.1"/>\n</settings>',
  ],
  [
    2,
    'autoload_configs/event_socket.conf.xml',
    3,
    '<!-- listen-ip\n -->\n<param name="listen-ip" value="::"/>\n<param name="password" value="mine"/>',
  ],
  [2, 'event_socket.conf.xml', 1, '<param name="listen-ip" value="0.0.0.0"/>\n<param name="password" value="mine"/>'],
  [3, 'http.conf', 4, '; the web server\n[general]\nenabled=yes\nbindaddr=0.0.0.0\n'],
  [3, 'http.conf', 3, '[general]\nenabled=yes\nbindaddr=::\ntlsenable=yes\n'],
  [4, 'ari.conf', 3, '[general]\nenabled = yes\nallowed_origins = https://a.example, *\n'],
  [5, 'ari.conf', 5, '[general]\nenabled = yes\n[parley]\ntype = user\npassword_format = plain\npassword = secret-word\n'],
  [5, 'ari.conf', 3, '[parley]\ntype = user\npassword = secret-word\n'],
  [6, 'pjsip.conf', 3, '[guests](!)\ntype = endpoint\n[anonymous](guests)\ncontext = public\n'],
  [7, 'asterisk.conf', 4, ';--\nlive_dangerously = no\n--;[options]\nlive_dangerously = yes\n'],
  [8, 'extensions.conf', 2, '[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)\n'],
  [
    8,
    'extensions.conf',
    3,
    '[out]\nexten => _9011Z.,1,NoOp()\n same => n,Dial(PJSIP/${EXTEN:1}@trunk)\nexten => _00Z!,1,Dial(PJSIP/${EXTEN}@trunk)\n',
  ],
  [8, 'extensions.conf', 2, '[out]\nexten => _0[2-9]XXXXXXXX,1,Dial(SIP/trunk/${EXTEN},30)\n'],
  [9, 'rtp.conf', 3, '[general]\nrtpstart = 10000\nstrictrtp = no\n'],
  [10, 'VERSION', 1, 'Asterisk 20.15.1\n'],
  [10, 'VERSION', 1, '18.26.4\n'],
];

for (const [check, file, line, text] of BAD) {
  test(`check ${check}: ${file} ${JSON.stringify(text.slice(0, 40))}`, async (t) => {
    const base = Object.fromEntries(Object.entries(GOOD).filter(([name]) => !file.endsWith(name)));
    const root = folder(t, { ...base, [file]: text });
    const { exit, lines } = await run({ asterisk: root });
    t.equal(exit, 1);
    const places = lines.filter((each) => each.endsWith(`(check ${check})`));
    t.ok(
      places.some((each) => each.startsWith(`${join(root, file)}:${line}: `)),
      places.join('\n'),
    );
    t.ok(places.length >= 1);
    t.ok(
      lines.every((each) => each.endsWith(`(check ${check})`) || each.startsWith('all twelve')),
      'nothing else is found',
    );
    t.notMatch(lines.join('\n'), /secret-word/, 'a secret is never shown');
  });
}

test('what is included is read, where it stands; nothing outside the folder is', async (t) => {
  const root = folder(t, {
    'etc/http.conf': '#include "http.d/*.conf"\n#include "../outside.conf"\n',
    'etc/http.d/a.conf': '[general]\nenabled=yes\n',
    'etc/http.d/b.conf': '[general](+)\nbindaddr=10.0.0.5\n',
    'outside.conf': '[general]\nenabled=yes\nbindaddr=0.0.0.0\n',
    'etc/ari.conf': '#include ari.conf\n[general]\nallowed_origins=*\n',
  });
  const { lines } = await run({ asterisk: join(root, 'etc') });
  t.match(lines[0], `${join(root, 'etc/http.d/b.conf')}:2: `);
  t.match(lines.join('\n'), /ari\.conf:3: .*\(check 4\)/, 'a file that includes itself ends');
  t.notMatch(lines.join('\n'), /outside/);
});

test('a version that was asked for by the command line', async (t) => {
  const { lines } = await run({ asterisk: folder(t, {}), pbxVersion: 'Asterisk 22.5.1' });
  t.match(lines[0], /^asterisk -V: Asterisk 22\.5\.1 has known holes: use 22\.5\.2/);
  t.equal((await run({ asterisk: folder(t, {}), pbxVersion: 'Asterisk 23.1.0' })).exit, 0);
  t.match((await run({ asterisk: folder(t, {}), pbxVersion: 'Asterisk 21.9.0' })).lines[0], /no security fixes/);
});

test('check 11: secrets in the configuration, secrets that others may read, a plain ARI far away', async (t) => {
  const inline = folder(t, { 'parley.yaml': '# ours\npbx:\n  password: secret-word\n' });
  const found = await run({ config: join(inline, 'parley.yaml') });
  t.equal(found.exit, 1);
  t.match(found.lines[0], `${join(inline, 'parley.yaml')}:3: pbx.password is a secret`);
  t.notMatch(found.lines.join('\n'), /secret-word/);
  const loose = folder(t, { password: 'x\n' });
  writeFileSync(join(loose, 'parley.yaml'), `pbx:\n  url: http://192.0.2.7:8088\n  passwordFile: ${join(loose, 'password')}\n`);
  chmodSync(join(loose, 'password'), 0o644);
  const second = await run({ config: join(loose, 'parley.yaml') });
  t.match(second.lines[0], `${join(loose, 'password')}: others on this machine may read this secret`);
  t.match(second.lines[1], /pbx\.url sends the ARI password in clear/);
  t.equal(second.exit, 1);
});

test('check 12: an engine that is open to the network is found and asked who it is', async (t) => {
  const cloud = await startCloud((request, response) => {
    const pages: Record<string, string> = { '/': 'Ollama is running', '/voices': '{"en":{"num_symbols":256}}' };
    response.writeHead(200).end(pages[request.path] ?? '');
  });
  t.teardown(() => cloud.stop());
  const port = Number(new URL(cloud.origin).port);
  const row = (address: string, state = '0A'): string =>
    `   0: ${address}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} 00000000:00000000\n`;
  const head = '  sl  local_address rem_address   st tx_queue rx_queue\n';
  const search = async (table: string, engine: string): Promise<{ exit: number; lines: string[] }> => {
    const file = join(folder(t, { tcp: head + table }), 'tcp');
    return run({ engines: { tables: [file], ports: { [engine]: port } } });
  };
  const open = await search(row('00000000'), 'Ollama');
  t.match(open.lines[0], /tcp:2: Ollama on port \d+ is open to the network/);
  t.equal(open.exit, 1);
  t.match((await search(row('0'.repeat(32)), "Piper's HTTP server")).lines[0], /Piper's HTTP server/);
  t.equal((await search(row('0100007F'), 'Ollama')).exit, 0, 'on loopback it is well');
  t.equal((await search(row('00000000000000000000000001000000'), 'Ollama')).exit, 0, 'on ::1 too');
  t.equal((await search(row('00000000', '01'), 'Ollama')).exit, 0, 'a connection is no listener');
  t.equal((await search(row('00000000'), 'vLLM or another OpenAI-compatible server')).exit, 0, 'another program on that port');
});

test('the engines are measured, each with its budget', async (t) => {
  const languageModel: LanguageModel = {
    name: 'fake',
    description: 'fake model',
    external: null,
    start: () => Promise.resolve(),
    chat: async function* (): AsyncGenerator<ChatDelta> {
      yield await Promise.resolve({ t: 'text' as const, text: 'Good' });
    },
    warm: () => Promise.resolve(),
    release: () => undefined,
    stop: () => Promise.resolve(),
  };
  const vadProbe = { calls: 8, ms: 2000 };
  const { lines } = await run({ measure: true, ramp: { calls: [1, 2], rounds: 1, mostMs: 5000 }, vadProbe, languageModel });
  const text = lines.join('\n');
  t.match(text, /^tts: .+\n {2}load \d+ ms, first audio p95 \d+ ms, real-time factor [\d.]+; (keeps|BREAKS)/m);
  t.match(
    text,
    /^vad: Silero VAD: silero-vad-v6\.onnx \(sha256 1a153a22f450\)\n {2}load \d+ ms, \d+ calls per core with 8 at once, \d of 8 openings left/m,
  );
  t.match(text, /^stt: .+\n {2}load \d+ ms, tail decode p95 \d+ ms, real-time factor [\d.]+; (keeps|BREAKS)/m);
  t.match(text, /^llm: fake model\n {2}load \d+ ms, first token p95 \d+ ms; keeps 400 ms up to at least 2 calls at once/m);
});

test('an engine that does not start is said, with exit 1', async (t) => {
  const root = folder(t, { 'model.bin': 'no model', 'parley.yaml': '' });
  writeFileSync(join(root, 'parley.yaml'), `stt:\n  model: ${join(root, 'model.bin')}\n`);
  const { exit, lines } = await run({ config: join(root, 'parley.yaml'), measure: true, ramp: { calls: [1], rounds: 1, mostMs: 1000 } });
  t.equal(exit, 1);
  t.match(lines.join('\n'), /^stt whisper: STT_MODEL: /m);
});

test('a detector without a model says so; one whose model is no model does not start', async (t) => {
  const root = folder(t, { 'gate.yaml': 'vad: { engine: gate }\n', 'bad.onnx': 'no model' });
  writeFileSync(join(root, 'bad.yaml'), `vad: { model: ${join(root, 'bad.onnx')} }\n`);
  const short = { measure: true, ramp: { calls: [1], rounds: 1, mostMs: 1000 }, vadProbe: { calls: 2, ms: 100 } };
  const gate = await run({ config: join(root, 'gate.yaml'), ...short });
  t.match(gate.lines.join('\n'), /^vad: talk gate alone \(energy\), no model\n {2}load \d+ ms, no model runs, energy alone decides$/m);
  const brief = await run({ ...short });
  t.match(brief.lines.join('\n'), /^vad: Silero VAD: .*\n {2}load \d+ ms, too short to measure with 2 at once/m);
  const bad = await run({ config: join(root, 'bad.yaml'), ...short });
  t.equal(bad.exit, 1);
  t.match(bad.lines.join('\n'), /^vad: VAD_MODEL: /m);
});
