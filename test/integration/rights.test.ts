/** What a person may ask for, wherever something of him lies: in the database, in files, in memory. Against a real Postgres. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createAudit, formatReport, openMemory, type VCon, verifyAudit } from '../../src/audit/index.ts';
import { makeReport } from '../../src/cli/report.ts';
import { toMarkdown } from '../../src/cli/report/document.ts';
import { loadConfig } from '../../src/config/index.ts';
import { auditOptions, createCorrections, keepNoLonger, subjectActs } from '../../src/parts/index.ts';
import { createStore } from '../../src/store/index.ts';
import { CANARY, logCall } from '../support/audit-fill.ts';
import { handClock } from '../support/audit.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { keepingLogger } from '../support/quiet-log.ts';

const folder = await testFolder();
const postgres = await startPostgres();
const database = await postgres.database();
// The database looks at its own clock before anything is deleted because its time is over.
const clock = handClock((Date.now() - 120 * 86_400_000) * 1000);
const log = keepingLogger();
const at = (name: string): string => join(folder, name);

for (const login of ['gw_writer', 'auditor', 'dpo', 'gw_retention']) await writeFile(at(login), `${database.url(login)}\n`);
await writeFile(
  at('parley.yaml'),
  `audit: { spoolDirectory: "${at('spool')}" }
store: { urlFile: "${at('gw_writer')}", auditorUrlFile: "${at('auditor')}", dpoUrlFile: "${at('dpo')}", retentionUrlFile: "${at('gw_retention')}" }
desks: { host: { context: parley-desks, extension: "100" } }
approvals: { reviewFolder: "${at('review')}" }
replay: { directory: "${at('turns')}" }
privacy: { recordings: "${at('recordings')}" }
data:
  content: { days: 30, basis: contract }
  memory: { days: 30, basis: contract }
  review: { days: 30, basis: legitimateInterests }
  replay: { days: 400, basis: legitimateInterests }
`,
);
const config = await loadConfig(at('parley.yaml'), { root: join(import.meta.dirname, '..', '..') });
const store = createStore({ connectionString: database.url('gw_writer'), adminConnectionString: database.url(), log });
const audit = createAudit({ ...auditOptions(config), store, clock, log, reservedBytes: 4096 });
await store.start();
await audit.start();
const desk = { audit, store, clock, keysFolder: at('spool/keys') };
const acts = subjectActs(config, desk, null);
const number = CANARY.from;

const entries = async (type: string): Promise<Record<string, unknown>[]> => {
  await audit.shipped(10_000);
  const rows = await database.query<{ body: string }>('SELECT body FROM audit.event WHERE type = $1 ORDER BY ts_us, seq', [type]);
  return rows.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
};
const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** What a call leaves in files: its record of turns, what a crash would leave of it, a colleague's correction. */
async function leaveFiles(callId: string, from: string): Promise<readonly string[]> {
  await mkdir(at('turns'), { recursive: true });
  await mkdir(at('spool/open'), { recursive: true });
  const turns = join(at('turns'), `${callId}.turns.jsonl`);
  const open = join(at('spool/open'), `${callId}.call`);
  await writeFile(turns, `it is ${CANARY.name} speaking\n`);
  await writeFile(open, 'sealed');
  const watchers: ((event: never) => void)[] = [];
  const runner = { watch: (tell: (event: never) => void) => (watchers.push(tell), () => undefined), openCalls: () => [] };
  const take = createCorrections(config, { runner, audit, clock, logger: log });
  const tell = (event: unknown): void => watchers.forEach((watcher) => watcher({ atUs: 0, event } as never));
  tell({ type: 'call.incoming', callId, body: {}, content: { from } });
  tell({ type: 'caller.said', callId, body: {}, content: { text: `it is ${CANARY.name} speaking` } });
  const about = { callId, id: 'a1', tool: 'refund', summary: 'a refund', decision: 'denied', correction: 'not after 30 days' } as const;
  const names = await take({ ...about, flow: 'x', askedAtMs: 0, timeoutMs: 0 } as unknown as Parameters<typeof take>[0]);
  await audit.shipped(10_000);
  return [turns, open, ...(names ?? []).map((name) => join(at('review'), name))];
}

test('GDPR 18: what is restricted is kept and not read: refused with a code, and in the log', async (t) => {
  const callId = await logCall(audit, clock);
  const memory = await openMemory({ ...desk, days: 30, basis: 'contract' });
  await memory.keep({ callId, number, outcome: 'done', summary: 'one line', values: {}, slots: {}, agreedBefore: undefined });
  const files = await leaveFiles(callId, number);
  const [, , ...reviewed] = files;
  t.equal(reviewed.length, 2);
  t.ok(await acts['/v1/subjects/export']({ number, for: 'work' }), 'before: work may read it');
  t.ok(await acts['/v1/content/read']({ call: callId }));

  await acts['/v1/subjects/restrict']({ number });
  const refused = { code: 'CONTENT_REFUSED', message: /restricted \(GDPR 18\)/ };
  await t.rejects(acts['/v1/subjects/export']({ number, for: 'work' }), refused);
  await t.rejects(acts['/v1/content/read']({ call: callId }), refused, 'the words in turn records (parley replay)');
  t.equal(await memory.recall({ callId: randomUUID(), number }), null, 'no call is told what was remembered');
  t.strictSame(
    (await entries('content.refused')).map(({ purpose, why }) => [purpose, why]),
    [
      ['export', 'restricted'],
      ['replay', 'restricted'],
      ['memory', 'restricted'],
    ],
  );
  for (const path of reviewed) t.notOk(await isThere(path), 'no author finds the suggestions');
  t.equal((await readdir(join(at('review'), 'restricted'))).length, 2, 'which are put aside, not lost');

  t.match(JSON.stringify(await acts['/v1/subjects/export']({ number })), CANARY.name, 'the person still gets it all');
  t.match(JSON.stringify(await acts['/v1/subjects/export']({ number, for: 'claims', reference: 'file 12' })), CANARY.name, '18(2)');
  await t.rejects(acts['/v1/subjects/export']({ number, for: 'claims' }), { code: 'CONFIG_INVALID', message: /reference/ });
  await t.rejects(acts['/v1/subjects/export']({ number, for: 'fun' }), { code: 'CONFIG_INVALID', message: /person, claims or work/ });
  await t.rejects(acts['/v1/content/read']({ call: '../../x' }), { code: 'CONFIG_INVALID' });
  t.strictSame(
    (await entries('subject.exported')).map(({ for: reader, reference }) => [reader, reference]),
    [
      ['work', undefined],
      ['person', undefined],
      ['claims', 'file 12'],
    ],
  );
  t.ok(await acts['/v1/subjects/correct']({ number, correction: 'Zephyrine Kanarie' }), '16 holds as before');
  const breach = toMarkdown(await makeReport('breach', config, {}));
  t.notMatch(breach, CANARY.name, 'reports have no content to refuse');

  clock.pass(60 * 86_400_000);
  await keepNoLonger({ config, desk });
  const [late = ''] = (await leaveFiles(callId, number)).slice(2);
  await keepNoLonger({ config, desk });
  t.notOk(await isThere(late), 'what a call under way still left is put aside within the hour');
  t.match(JSON.stringify(await acts['/v1/subjects/export']({ number })), CANARY.name, '18(1)(b), (c): its time is over, and it is kept');

  await acts['/v1/subjects/restrict']({ number, lift: true });
  t.ok(await acts['/v1/subjects/export']({ number, for: 'work' }), 'lifted by the data protection officer');
  for (const path of reviewed) t.ok(await isThere(path), 'the suggestions are back');
  await keepNoLonger({ config, desk });
  t.notMatch(JSON.stringify(await acts['/v1/subjects/export']({ number })), CANARY.name, 'and then its time is over');
  for (const path of files) t.notOk(await isThere(path), 'with the files');
});

test('GDPR 17: erasure reaches every file that holds words of the person, and nobody else', async (t) => {
  const other = '+49 30 7654321';
  const callId = await logCall(audit, clock);
  const mine = await leaveFiles(callId, number);
  const otherCall = randomUUID();
  const body = { pbxId: 'p9', flow: 'booking', flowVersion: 'f00d', to: '100' };
  await audit.append({ type: 'call.incoming', callId: otherCall, body, content: { from: other } });
  const theirs = await leaveFiles(otherCall, other);
  await writeFile(join(at('review'), `notes-${callId}.md`), 'not ours');
  for (const path of [...mine, ...theirs]) t.ok(await isThere(path));

  await acts['/v1/subjects/hold']({ number, reference: 'file 9' });
  await acts['/v1/subjects/erase']({ number, reason: 'letter of today' });
  for (const path of mine) t.ok(await isThere(path), '17(3): a hold keeps the files as well');
  await acts['/v1/subjects/hold']({ number, lift: true });

  await acts['/v1/subjects/erase']({ number, reason: 'letter of today' });
  for (const path of mine) t.notOk(await isThere(path));
  for (const path of theirs) t.ok(await isThere(path), 'somebody else');
  t.ok(await isThere(join(at('review'), `notes-${callId}.md`)), "the operator's own file");
  t.notMatch(JSON.stringify(await acts['/v1/subjects/export']({ number })), CANARY.name);
  await t.rejects(acts['/v1/content/read']({ call: callId }), { code: 'CONTENT_REFUSED', message: /erased/ }, 'a copy is not read either');
  const report = await verifyAudit({ connection: database.as('auditor') });
  t.ok(report.ok, formatReport(report));
});

test('AI Act 50(2): an export says to machines which of it a machine has said', async (t) => {
  const from = '+49 40 5551';
  const callId = randomUUID();
  const body = { pbxId: 'p10', flow: 'booking', flowVersion: 'f00d', to: '100' };
  await audit.append({ type: 'call.incoming', callId, body, content: { from } });
  const said = { prompt: 'hello', kind: 'statement', wordingSha256: '', sentMs: 900, interrupted: false };
  await audit.append({ type: 'agent.said', callId, body: said, content: { text: 'Hello.' } });
  const heard = { turn: 1, words: 1, confidence: 1, fromSample: 0, toSample: 1, waitMs: 1 };
  await audit.append({ type: 'caller.said', callId, body: heard, content: { text: 'hi' } });
  await audit.append({ type: 'agent.said', callId, body: said, content: { text: 'Goodbye.' } });
  const { vcons } = (await acts['/v1/subjects/export']({ number: from })) as { vcons: readonly VCon[] };
  const mark = vcons[0]?.attachments.find(({ purpose }) => purpose === 'synthetic speech');
  t.match(mark?.body, { synthetic: true, party: 1, dialogs: [0, 2], note: /generated by AI/ });
  t.match(vcons[0]?.parties[1], { type: 'bot' });
  t.match(
    toMarkdown(await makeReport('dpia', config, {})),
    /marking of synthetic speech \|.*no mark within the sound/,
    'as the report says it',
  );
});

test('GDPR 5(1)(e): a correction from a caller without a number goes when its time is over', async (t) => {
  const callId = randomUUID();
  const [, , ...reviewed] = await leaveFiles(callId, '');
  for (const path of reviewed) t.ok(await isThere(path));
  clock.pass(32 * 86_400_000);
  await keepNoLonger({ config, desk });
  for (const path of reviewed) t.notOk(await isThere(path));
});

test('the last one turns out the light', async () => {
  await audit.stop();
  await store.stop();
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});
