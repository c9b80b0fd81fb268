/** The configuration: the shipped example, then every mistake that an admin can make. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { type Config, configJsonSchema, type JsonSchema, loadConfig, readSecret } from '../../src/config/index.ts';
import { nearestWord, ProblemsError } from '../../src/contracts/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLE = join(ROOT, 'config', 'parley.example.yaml');
const folder = await mkdtemp(join(tmpdir(), 'parley-config-'));
await mkdir(join(folder, 'flows'));
await writeFile(join(folder, 'flows', 'booking.yaml'), 'flow: booking\n');
await writeFile(join(folder, 'model.bin'), 'model');
await mkdir(join(folder, 'models', 'vad'), { recursive: true });
await writeFile(join(folder, 'models', 'vad', 'silero-vad-v6.onnx'), 'model');
await writeFile(join(folder, 'secret'), 'hush\n');
await writeFile(join(folder, 'key'), 'hush\n', { mode: 0o600 });
await writeFile(join(folder, 'open-key'), 'hush\n', { mode: 0o600 });
await chmod(join(folder, 'open-key'), 0o644);

test('the example is valid and says every default', async (t) => {
  const example = await loadConfig(EXAMPLE, { root: ROOT });
  const empty = join(folder, 'empty.yaml');
  await writeFile(empty, '# nothing\n');
  const defaults = await loadConfig(empty, { root: ROOT });
  t.strictSame({ ...example, file: '', desks: {} }, { ...defaults, file: '' });
  t.strictSame(example.desks, { host: { context: 'parley-desks', extension: '100', names: [] } });
});

test('the example names every key, each with a comment', async (t) => {
  const lines = (await readFile(EXAMPLE, 'utf8')).split('\n');
  const leaves = leafKeys('', configJsonSchema()).filter((key) => !key.startsWith('desks.') && !key.endsWith('.NAME'));
  t.ok(leaves.length > 40);
  for (const key of leaves) {
    const name = key.split('.').at(-1) ?? '';
    t.ok(
      lines.some((line) => new RegExp(`^\\s*(# )?${name}:`).test(line)),
      key,
    );
  }
  for (const section of Object.keys(configJsonSchema().properties ?? {})) {
    const at = lines.indexOf(`${section}:`);
    t.match(lines[at - 1] ?? '', /^# ./, `${section} has a comment above it`);
  }
});

test('inbox: who is told, and what is wrong about it', async (t) => {
  t.strictSame((await load('inbox: { notify: { command: [tell, desk] } }')).inbox, { notify: { t: 'command', command: ['tell', 'desk'] } });
  t.match(await load('tools: { http: { chat.example: } }\ninbox: { notify: { url: "https://chat.example/hook" } }'), {
    inbox: { notify: { t: 'url', url: 'https://chat.example/hook' } },
  });
  t.match(await load('data: { inbox: { days: 0 } }'), { data: { inbox: { days: 0 } }, inbox: { notify: null } });
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['inbox: { notify: {} }', /inbox\.notify: .*either command or url/],
    ['inbox: { notify: { command: [a], url: "https://a.example/" } }', /either command or url/],
    ['inbox: { notify: { url: "https://chat.example/hook" } }', /inbox\.notify\.url: .*expected its host \(chat\.example\) in tools\.http/],
    ['inbox: { notify: { url: "https://me:secret@chat.example/hook" } }', /has a user or a password in it/],
    ['data: { inbox: { days: 5, basis: wish } }', /data\.inbox\.basis/],
  ];
  for (const [yaml, expected] of wrong) await t.rejects(load(yaml), { message: expected });
});

test('tools: hosts, servers and ports as the program wants them; mistakes have their place', async (t) => {
  const { tools } = await load(`
tools:
  http:
    crm.example:8443: { private: true, processor: Example CRM Ltd, headers: { Authorization: secret } }
    api.example:
  openapi: { crm: { file: crm.yaml, url: "https://crm.example:8443/v1" } }
  mcp: { shop: { command: [node, shop.js] }, web: { url: "https://mcp.example/mcp" } }
  ports: { shop.order: { http: { method: GET, url: "https://api.example/orders/{order}" } }, shop.bill: { mcp: { server: shop, tool: bill } } }
  calendar: { url: "https://dav.example/c/", user: parley, passwordFile: secret, zone: Europe/Berlin }
`);
  t.strictSame(tools.http, {
    'crm.example:8443': { private: true, headerFiles: { authorization: join(folder, 'secret') } },
    'api.example': { private: false, headerFiles: {} },
  });
  t.strictSame(tools.openapi, { crm: { file: join(folder, 'crm.yaml'), url: 'https://crm.example:8443/v1' } });
  t.match(tools.mcp, { shop: { t: 'stdio', command: 'node', args: ['shop.js'] }, web: { t: 'http', url: 'https://mcp.example/mcp' } });
  t.match(tools.ports['shop.order'], { t: 'http', method: 'GET', url: 'https://api.example/orders/{order}' });
  t.match(tools.ports['shop.bill'], { t: 'mcp', server: 'shop', tool: 'bill' });
  t.equal(tools.calendar?.passwordFile, join(folder, 'secret'));
  t.strictSame(tools.processors, { 'http.crm.example:8443': 'Example CRM Ltd' }, 'who runs them, where it is stated');
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['tools: { http: { "https://crm.example": {} } }', /expected a host/],
    [
      'tools: { openapi: { crm: { file: a.yaml, url: "https://crm.example/v1" } } }',
      /\.yaml:\d+: tools\.openapi\.crm\.url: .*expected its host \(crm\.example\) in tools\.http/,
    ],
    ['tools: { http: { crm.example: }, openapi: { crm: { file: a.yaml, url: "https://crm.example/?a=b" } } }', /query or a fragment/],
    ['tools: { mcp: { shop: {} } }', /either command or url/],
    ['tools: { mcp: { shop: { url: "https://user:word@mcp.example/" } } }', /keys of their own/],
    ['tools: { ports: { shop: { mcp: { server: a, tool: b } } } }', /name of a port/],
    ['tools: { ports: { shop.order: {} } }', /either http or mcp/],
    ['tools: { calendar: { url: "https://d.example/c", user: a, passwordFile: secret, zone: Europe/Berlin } }', /slash at its end/],
    ['tools: { calendar: { url: "https://d.example/c/", user: a, passwordFile: secret, zone: Berlin } }', /time zone/],
  ];
  for (const [text, expected] of wrong) await t.rejects(load(text), expected, text);
});

test('a whole configuration: paths are absolute, choices are made, nothing can be changed', async (t) => {
  const config = await load(`
pbx: { passwordFile: secret, url: "https://pbx.example:8089/ari" }
media: { ports: "20000-20199", maxCalls: 50, codec: alaw }
desks: { sales: { context: internal, extension: "100" } }
store: { urlFile: secret }
audit: { spoolMaxMb: 16, anchorFile: anchors }
gateway: { name: gw-1, drainSeconds: 5 }
`);
  t.strictSame(config.pbx.private, false, 'a password file means a PBX of the site');
  t.equal(config.pbx.passwordFile, join(folder, 'secret'));
  t.strictSame(config.media.ports, { min: 20000, max: 20199 });
  t.strictSame(config.store, {
    ...{ kind: 'url', urlFile: join(folder, 'secret'), auditorUrlFile: null, dpoUrlFile: null, retentionUrlFile: null },
  });
  t.strictSame(config.desks['sales'], { context: 'internal', extension: '100', names: [] });
  t.equal(config.audit.spoolMaxBytes, 16 * 1024 * 1024);
  t.equal(config.audit.anchorFile, join(folder, 'anchors'));
  t.equal(config.gateway.drainMs, 5000);
  t.throws(() => Object.assign(config.media, { maxCalls: 1 }), TypeError);
  t.throws(() => Object.assign(config.media.ports, { min: 1 }), TypeError);
  t.equal((await load('')).pbx.private, true);
});

for (const [what, yaml, expected] of [
  ['an unknown key', 'turn:\n  wait_ms: 5', ['2: turn.wait_ms: is not a known key; did you mean waitMs?']],
  ['an unknown section', 'modia: {}', ['1: modia: is not a known key; did you mean media?']],
  ['a wrong type', 'media:\n  maxCalls: many', ['2: media.maxCalls: is "many", expected a whole number, 1 to 10000']],
  ['a number as text', 'http: { port: "8787" }', ['1: http.port: is "8787", expected a port, 1 to 65535']],
  ['a section that is none', 'media: 5', ['1: media: is 5, expected a map of keys']],
  ['a file that is a list', '- a\n- b', [': is a list, expected a map of keys']],
  ['a port out of range', 'http:\n  port: 70000', ['2: http.port: is 70000, expected a port, 1 to 65535']],
  [
    'a port range that is none',
    'media: { ports: 30000 }',
    ['1: media.ports: is 30000, expected a port range in quotes, as in "30000-30999"'],
  ],
  [
    'a port range upside down',
    'media: { ports: "3000-2000" }',
    ['1: media.ports: is "3000-2000", expected a port range from 1024 to 65535 in quotes, as in "30000-30999"'],
  ],
  [
    'fewer ports than calls',
    'media: { ports: "3000-3009" }',
    ['1: media.ports: has 10 ports, expected two for each of media.maxCalls (100): RTP and RTCP'],
  ],
  [
    'a port for each call, none for its RTCP',
    'media: { ports: "3000-3009", maxCalls: 10 }',
    ['1: media.ports: has 10 ports, expected two for each of media.maxCalls (10): RTP and RTCP'],
  ],
  [
    'thresholds of the voice detector that cross',
    'vad: { start: 0.4, stop: 0.5 }',
    ['1: vad.stop: is above vad.start, expected at most that'],
  ],
  [
    'a value that is not offered',
    'media: { codec: ulow }',
    ['1: media.codec: is "ulow", expected one of ulaw, alaw, slin, g722, slin16; did you mean ulaw?'],
  ],
  [
    'a filler of a language that is none',
    'turn: { fillers: { english: { opener: [a] } } }',
    ['1: turn.fillers.english: is a key that does not fit, expected a language code of two letters, as in "en"'],
  ],
  [
    'a filler without a text',
    'turn: { fillers: { en: { wait: [""] } } }',
    ['1: turn.fillers.en.wait.0: is "", expected a text of 1 to 200 characters'],
  ],
  [
    'a word list with marks and capitals',
    'turn: { words: { en: { holds: ["Hang on!"] } } }',
    ['1: turn.words.en.holds.0: is "Hang on!", expected words in small letters with single spaces and no marks, at most 60 characters'],
  ],
  [
    'a word list that is none',
    'turn: { words: { en: { hold: [a] } } }',
    ['1: turn.words.en.hold: is not a known key; did you mean holds?'],
  ],
  [
    'an end-of-turn model that is not there',
    'turn: { detector: { model: gone.onnx } }',
    ['1: turn.detector.model: names <folder>/gone.onnx, which does not exist'],
  ],
  ['a wait that is too long', 'turn: { waitMs: 99999 }', ['1: turn.waitMs: is 99999, expected milliseconds, 100 to 5000']],
  [
    'a desk without an extension',
    'desks:\n  host: { context: a }',
    ['2: desks.host.extension: is missing, expected an extension in quotes, as in "200"'],
  ],
  [
    'an extension without quotes',
    'desks: { host: { context: a, extension: 200 } }',
    ['1: desks.host.extension: is 200, expected an extension in quotes, as in "200"'],
  ],
  [
    'two stores',
    'store: { urlFile: secret, embedded: {} }',
    ['1: store.embedded: is given beside store.urlFile, expected only one of them'],
  ],
  [
    'no password for a PBX of the site',
    'pbx: { private: false }',
    ['1: pbx.passwordFile: is missing, expected it for a PBX that Parley does not start itself'],
  ],
  ['a URL that is none', 'pbx: { url: pbx }', ['1: pbx.url: is "pbx", expected a URL, as in "http://127.0.0.1:8088"']],
  [
    'a password in the file',
    'pbx:\n  password: hush',
    ['2: pbx.password: is a secret or holds one, which this file must not: put it into a file of its own and name it in passwordFile'],
  ],
  [
    'a database URL in the file',
    'store: { url: "postgres://u:hush@h/d" }',
    ['1: store.url: is a secret or holds one, which this file must not: put it into a file of its own and name it in urlFile'],
  ],
  [
    'a password in a URL',
    'pbx: { url: "http://u:hush@h" }',
    ['1: pbx.url: has a user or a password in it, expected them in pbx.user and pbx.passwordFile'],
  ],
  ['a missing secret file', 'pbx: { passwordFile: nowhere }', ['1: pbx.passwordFile: names <folder>/nowhere, which does not exist']],
  ['a missing flow folder', 'flows: { directory: nowhere }', ['1: flows.directory: names <folder>/nowhere, which does not exist']],
  ['a flow folder that is a file', 'flows:\n  directory: secret', ['2: flows.directory: names <folder>/secret, expected a folder']],
  [
    'a missing default flow',
    'flows: { default: reception }',
    ['1: flows.default: names <folder>/flows/reception.yaml, which does not exist'],
  ],
  [
    'GDPR 5(1)(b), 6: content that is kept without a legal basis',
    'data:\n  content:\n    days: 30',
    [
      '2: data.content.basis: is missing, expected the legal basis on which this is kept for 30 days: one of consent, contract, legalObligation, vitalInterests, publicTask, legitimateInterests',
    ],
  ],
  ['a class without a time', 'data:\n  recording: { basis: consent }', ['2: data.recording.days: is missing, expected days, 0 to 36500']],
  [
    'a basis that the law does not know',
    'data: { memory: { days: 5, basis: consnt } }',
    [
      '1: data.memory.basis: is "consnt", expected one of consent, contract, legalObligation, vitalInterests, publicTask, legitimateInterests; did you mean consent?',
    ],
  ],
  [
    'a chain that is not kept',
    'data: { metadata: { days: 0, basis: contract } }',
    ['1: data.metadata.days: is 0, expected days, 31 to 36500'],
  ],
  [
    'a chain that is kept shorter than its profile asks',
    'data: { profile: uwg, metadata: { days: 400, basis: legalObligation } }',
    ['1: data.metadata.days: is 400, expected at least 1827 with the profile uwg'],
  ],
  [
    'GDPR 9: a class that Parley does not have',
    'data:\n  emotion: { days: 5 }',
    [
      '2: data.emotion: is not a known key, expected one of profile, controller, metadata, content, recording, memory, inbox, replay, review, cost',
    ],
  ],
  [
    'a collector without a certificate of its authority',
    'audit: { anchorSyslog: { host: logs } }',
    ['1: audit.anchorSyslog.caFile: is missing, expected text'],
  ],
  [
    'half a client certificate',
    'audit: { anchorSyslog: { host: logs, caFile: secret, certFile: secret } }',
    ['1: audit.anchorSyslog: has one of certFile and keyFile, expected both or none'],
  ],
  [
    'a login of a database that is not ours',
    'store: { dpoUrlFile: secret }',
    ['1: store.dpoUrlFile: is given without store.urlFile: the embedded Postgres needs none'],
  ],
  ['a missing voice model', 'vad:\n  model: gone.onnx', ['2: vad.model: names <folder>/gone.onnx, which does not exist']],
  ['a missing model', 'stt: { model: nowhere.bin }', ['1: stt.model: names <folder>/nowhere.bin, which does not exist']],
  [
    'an engine outside without a processor',
    'stt:\n  engine: deepgram\n  keyFile: key',
    ['2: stt.engine: is deepgram, which is outside this site: expected external with processor and legalBasis beside it'],
  ],
  [
    'an address outside without a processor',
    'llm:\n  engine: openai\n  model: m\n  url: https://203.0.113.7/v1',
    ['4: llm.url: is not on a private network: expected external with processor and legalBasis beside it, or a local engine'],
  ],
  [
    'a second engine outside without a processor',
    'stt:\n  model: model.bin\n  then:\n    - engine: whisper-server\n      url: http://8.8.8.8:8080',
    ['5: stt.then.0.url: is not on a private network: expected external with processor and legalBasis beside it, or a local engine'],
  ],
  [
    'a name that stands for an address outside',
    'tts:\n  engine: piper-http\n  url: http://voices.example:5000',
    ['3: tts.url: is not on a private network: expected external with processor and legalBasis beside it, or a local engine'],
  ],
  [
    'half a processor',
    'tts: { engine: elevenlabs, keyFile: key, voices: { en: x }, external: { processor: Example } }',
    ['1: tts.external.legalBasis: is missing, expected text'],
  ],
  [
    'an engine outside in clear',
    'llm: { engine: openai, model: m, url: "http://203.0.113.7/v1", external: { processor: Example, legalBasis: contract } }',
    ['1: llm.url: is refused: the engine outside this site is reached by https: 203.0.113.7 would get everything in clear'],
  ],
  [
    'a key that others may read',
    'llm: { engine: openai, model: m, url: "http://127.0.0.1:1/v1", keyFile: open-key }',
    ['1: llm.keyFile: names <folder>/open-key, which others may read (mode 0644), expected mode 0600'],
  ],
  [
    'a key of an engine in the file',
    'stt:\n  engine: whisper-server\n  apiKey: hush',
    ['3: stt.apiKey: is a secret or holds one, which this file must not: put it into a file of its own and name it in keyFile'],
  ],
  [
    'a key of another engine',
    'tts: { region: eu-central-1 }',
    ['1: tts.region: is not a key of the engine espeak, expected one of voice, voices, rateWpm'],
  ],
  [
    'what an engine needs',
    'stt: { engine: openai, url: "http://127.0.0.1:1" }',
    ['1: stt.model: is missing, expected it for the engine openai'],
  ],
  ['a piper without a voice', 'tts: { engine: piper }', ['1: tts.model: is missing, expected the .onnx file of a Piper voice, or models']],
  [
    'a voice of piper that is not there',
    'tts: { engine: piper, models: { alba: { file: nowhere.onnx, languages: [en] } } }',
    ['1: tts.models.alba.file: names <folder>/nowhere.onnx, which does not exist'],
  ],
  [
    'an engine that does not exist',
    'stt: { engine: wisper }',
    ['1: stt.engine: is "wisper", expected one of whisper, whisper-server, openai, deepgram, google'],
  ],
  [
    'a limit below the other',
    'capacity: { sttQueue: { degradeMs: 500, peopleMs: 100 } }',
    ['1: capacity.sttQueue: has a peopleMs below its degradeMs'],
  ],
  [
    'everything at once',
    'log: { level: loud }\nmedia:\n  maxCalls: 0\n  prots: x',
    [
      '1: log.level: is "loud", expected one of debug, info, warn, error',
      '3: media.maxCalls: is 0, expected a whole number, 1 to 10000',
      '4: media.prots: is not a known key; did you mean ports?',
    ],
  ],
] as const) {
  test(`${what} is one line that names its place`, async (t) => {
    const lines = await problemsOf(yaml);
    t.strictSame(lines, expected);
    t.notOk(lines.join().includes('hush'), 'no secret is shown');
    await t.rejects(load(yaml), { code: 'CONFIG_INVALID' });
  });
}

test('engines: chains, names, budgets, prices; everything that is outside is named', async (t) => {
  const { stt, tts, llm, capacity } = await load(`
stt:
  model: model.bin
  then:
    - { engine: whisper-server, url: "http://gpu.internal:8080" }
    - engine: deepgram
      keyFile: key
      external: { processor: Example, legalBasis: contract }
      price: { currency: EUR, perAudioMinute: 0.004 }
    - { engine: whisper, model: model.bin, timeoutMs: 700 }
tts: { engine: piper, models: { alba: { file: model.bin, languages: [en, en-GB], speaker: 3 } }, then: [{ engine: espeak, rate: 1.1 }] }
llm:
  engine: ollama
  model: big
  hedgeMs: 300
  then: [{ engine: ollama, model: small, thrifty: true }, { engine: ollama, name: tiny, model: tiny }]
  named: { careful: { engine: openai, model: m, url: "http://127.0.0.1:9/v1", price: { currency: EUR } } }
media: { maxCalls: 50 }
`);
  t.match(stt.engines, [
    { name: 'whisper', model: join(folder, 'model.bin'), timeoutMs: 2500, external: null },
    { name: 'whisper-server', timeoutMs: 2500 },
    {
      name: 'deepgram',
      url: 'https://api.deepgram.com',
      keyFile: join(folder, 'key'),
      external: { processor: 'Example' },
      price: { perAudioMinute: 0.004 },
    },
    { name: 'whisper-2', timeoutMs: 700 },
  ]);
  t.match(tts.engines, [
    { name: 'piper', models: { alba: { file: join(folder, 'model.bin'), speaker: 3 } }, timeoutMs: 1500 },
    { name: 'espeak', rate: 1.1, timeoutMs: 5000 },
  ]);
  t.match(llm, {
    hedgeMs: 300,
    engines: [
      { name: 'ollama', timeoutMs: 1500 },
      { name: 'ollama-2', thrifty: true, timeoutMs: 1500 },
      { name: 'tiny', timeoutMs: 4000 },
    ],
    named: [{ name: 'careful', engine: 'openai', timeoutMs: 1500, price: { currency: 'EUR' } }],
  });
  t.match(capacity, { peopleCalls: 50, degradeCalls: 40 });
  t.same((await load('')).llm.engines, []);
});

test('GDPR 25, UWG 7a, 45 CFR 164.316: what is kept by default, and how long by profile', async (t) => {
  const { data } = await load('');
  t.match(data.metadata, { days: 400, basis: 'legitimateInterests' });
  for (const name of ['content', 'recording', 'memory'] as const) t.match(data[name], { days: 0, basis: null }, `${name} is not kept`);
  t.match((await load('data: { profile: uwg }')).data.metadata, { days: 1827, basis: 'legalObligation' });
  t.match((await load('data: { profile: hipaa }')).data.metadata, { days: 2192 });
  const kept = await load('data: { content: { days: 30, basis: contract, purpose: "to settle quarrels" }, controller: { name: "A Ltd" } }');
  t.strictSame(kept.data.content, { days: 30, basis: 'contract', purpose: 'to settle quarrels' });
  t.equal(kept.audit.contentDays, 30);
  t.strictSame(kept.data.controller, { name: 'A Ltd', contact: null, dpo: null, authority: null });
});

test('broken YAML names its line, without an excerpt', async (t) => {
  await t.rejects(load('pbx:\n  user: [hush\nlog: {}\n'), {
    code: 'CONFIG_SYNTAX',
    message: /^c\.yaml:\d+: is not valid YAML: (?!.*hush)/,
  });
  await t.rejects(load('log: {}\nlog: {}\n'), { code: 'CONFIG_SYNTAX', message: /^c\.yaml:2: is not valid YAML: Map keys must be unique/ });
});

test('approvals: desks that are there, the time of each, a folder of the operator', async (t) => {
  const desks = 'desks: { office: { context: parley-desks, extension: "100" } }\n';
  const kept = 'data: { review: { days: 7, basis: legitimateInterests } }';
  const { approvals } = await load(
    `${desks}approvals: { desks: [office], timeoutSeconds: 12, language: de, reviewFolder: review }\n${kept}`,
  );
  t.strictSame(approvals, { desks: ['office'], timeoutMs: 12_000, language: 'de', reviewFolder: join(folder, 'review') });
  await t.rejects(load(`${desks}approvals:\n  desks: [office, nobody]`), {
    message: /^c\.yaml:3: approvals\.desks\.1: is nobody, expected the name of a desk/,
  });
  await t.rejects(load(`${desks}approvals:\n  reviewFolder: review`), {
    message: /^c\.yaml:3: approvals\.reviewFolder: is given, expected the days and legal basis of these words in data\.review/,
  });
  await t.rejects(load('approvals: { timeoutSeconds: 60 }'), { message: /expected seconds, 5 to 45/ });
  await t.rejects(load('approvals: { desks: ["PJSIP/1&SIP/2"] }'), { message: /expected the name of a desk/ });
});

test('a missing file says what to do', async (t) => {
  await t.rejects(loadConfig(join(folder, 'none.yaml')), {
    code: 'CONFIG_MISSING',
    message: /none\.yaml: does not exist, expected a copy of config\/parley\.example\.yaml$/,
  });
  await t.rejects(loadConfig(folder), { code: 'CONFIG_MISSING', message: /cannot be read \(EISDIR\)$/ });
});

test('a huge file is refused unread', async (t) => {
  await t.rejects(load(`# ${'x'.repeat(1_000_001)}`), { code: 'CONFIG_INVALID', message: /expected at most 1000000$/ });
});

test('secrets come from files of one line; messages never hold them', async (t) => {
  t.equal(await readSecret(join(folder, 'secret')), 'hush');
  await writeFile(join(folder, 'two-lines'), 'hush\nhush\n');
  await t.rejects(readSecret(join(folder, 'two-lines')), {
    code: 'CONFIG_INVALID',
    message: /two-lines: has more than one line, expected the secret and nothing else$/,
  });
  await t.rejects(readSecret(join(folder, 'nowhere')), { code: 'CONFIG_INVALID', message: /cannot be read \(ENOENT\)$/ });
});

test('the schema describes every key', (t) => {
  const undescribed = (path: string, schema: JsonSchema): string[] => [
    ...(path !== '' && schema.description === undefined && !path.endsWith('NAME') ? [path] : []),
    ...children(path, schema).flatMap(([inner, value]) => undescribed(inner, value)),
  ];
  t.strictSame(undescribed('', configJsonSchema()), []);
  t.end();
});

test('a suggestion is near or there is none', (t) => {
  t.equal(nearestWord('prots', ['host', 'ports']), 'ports');
  t.equal(nearestWord('barge_in_ms', ['bargeInMs', 'waitMs']), 'bargeInMs');
  t.equal(nearestWord('colour', ['host', 'ports']), undefined);
  t.end();
});

test('clean up', async (t) => {
  await rm(folder, { recursive: true });
  t.end();
});

/** Loads a text in the folder of this test; flows and model are there unless the text names others. */
async function load(yaml: string): Promise<Config> {
  const file = join(folder, 'c.yaml');
  const parts = [/^flows:/m.test(yaml) ? '' : '\nflows: { directory: flows }', /^stt:/m.test(yaml) ? '' : '\nstt: { model: model.bin }'];
  await writeFile(
    file,
    /^-/.test(yaml)
      ? yaml
      : yaml.replace('flows: {', 'flows: { directory: flows,').replace('directory: flows, directory:', 'directory:') + parts.join(''),
  );
  const resolve = (name: string): Promise<string[]> => Promise.resolve(name.endsWith('.example') ? ['203.0.113.9'] : ['10.0.0.9']);
  return loadConfig(file, { root: folder, resolve }).catch((error: unknown) => {
    if (error instanceof ProblemsError) error.message = error.message.replaceAll(`${folder}/c.yaml`, 'c.yaml');
    throw error;
  });
}

async function problemsOf(yaml: string): Promise<readonly string[]> {
  try {
    await load(yaml);
    return [];
  } catch (error) {
    if (!(error instanceof ProblemsError)) throw error;
    return error.message.split('\n').map((line) =>
      line
        .replaceAll(folder, '<folder>')
        .replace(/^c\.yaml:?/, '')
        .replace(/^(?=\s)/, ':'),
    );
  }
}

function leafKeys(path: string, schema: JsonSchema): string[] {
  const inner = children(path, schema);
  return inner.length === 0 ? [path] : inner.flatMap(([key, value]) => leafKeys(key, value));
}

function children(path: string, schema: JsonSchema): [string, JsonSchema][] {
  const dot = path === '' ? '' : `${path}.`;
  const named = Object.entries(schema.properties ?? {}).map(([key, value]): [string, JsonSchema] => [`${dot}${key}`, value]);
  return typeof schema.additionalProperties === 'object' ? [...named, [`${dot}NAME`, schema.additionalProperties]] : named;
}
