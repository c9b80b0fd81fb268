/** The law, article by article: what the log, the vault, the reports and the guard have to do with it. Against a real Postgres. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import {
  type Audit,
  consentsOfSubject,
  correctSubject,
  createAudit,
  eraseSubject,
  exportSubject,
  formatReport,
  holdSubject,
  openRestrictions,
  ownPublicKeys,
  replayErasures,
  restrictSubject,
  rotateSigner,
  subjectPage,
  verifyAudit,
} from '../../src/audit/index.ts';
import { makeReport } from '../../src/cli/report.ts';
import { toJson, toMarkdown } from '../../src/cli/report/document.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { keepNoLonger } from '../../src/parts/index.ts';
import { asRole, createStore, type Store } from '../../src/store/index.ts';
import { CANARY, logCall } from '../support/audit-fill.ts';
import { eventually, handClock, MORNING_US, stepEvent } from '../support/audit.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { keepingLogger } from '../support/quiet-log.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const folder = await testFolder();
const postgres = await startPostgres();
const database = await postgres.database();
const clock = handClock();
const log = keepingLogger();
await mkdir(join(folder, 'spool'), { recursive: true });
const spool = join(folder, 'spool');

async function configured(more = ''): Promise<Config> {
  const file = join(folder, `${randomUUID()}.yaml`);
  await writeFile(join(folder, 'url'), `${database.url('gw_writer')}\n`);
  await writeFile(join(folder, 'auditor'), `${database.url('auditor')}\n`);
  await writeFile(join(folder, 'dpo'), `${database.url('dpo')}\n`);
  await writeFile(join(folder, 'retention'), `${database.url('gw_retention')}\n`);
  await writeFile(
    file,
    `audit: { spoolDirectory: "${spool}" }
store: { urlFile: "${folder}/url", auditorUrlFile: "${folder}/auditor", dpoUrlFile: "${folder}/dpo", retentionUrlFile: "${folder}/retention" }
desks: { host: { context: parley-desks, extension: "100" } }
${more}`,
  );
  return loadConfig(file, { root: ROOT });
}

const STATED =
  'data: { controller: { name: "Example Ltd", contact: "privacy@example.org", dpo: "dpo@example.org", authority: "the authority" } }';

async function gateway(): Promise<{ audit: Audit; store: Store; stop(): Promise<void> }> {
  const store = createStore({ connectionString: database.url('gw_writer'), log, retryMs: { first: 20, last: 100 } });
  await store.start();
  const audit = createAudit({
    ...{ folder: spool, gateway: 'gw1', store, clock, log, content: { retentionDays: 400 }, reservedBytes: 4096 },
  });
  await audit.start();
  return {
    audit,
    store,
    stop: async () => {
      await audit.stop();
      await store.stop();
    },
  };
}

const first = await gateway();
const calls = [await logCall(first.audit, clock)];
clock.pass(60_000);
calls.push(await logCall(first.audit, clock));
await first.audit.append({ type: 'egress.refused', callId: null, body: { host: 'x.example', port: 443, transport: 'tcp', refused: 2 } });
await first.audit.append({ type: 'egress.refused', callId: null, body: { host: 'x.example', port: 443, transport: 'tcp', refused: 3 } });
await eventually(() => first.audit.backlog === 0);

test('GDPR 30: the record of processing comes from the live configuration, complete, and changes with it', async (t) => {
  const config = await configured(STATED);
  const record = await makeReport('ropa', config, { date: '2026-11-20' });
  t.strictSame(record.missing, []);
  const text = toMarkdown(record);
  for (const letter of ['(a)', '(b)', '(c), (f)', '(d)', '(e)', '(g)']) t.match(text, `## ${letter}`, `Art. 30(1)${letter}`);
  t.match(text, /Made 2026-11-20T00:00:00.000Z/);
  t.match(text, /\| controller \| Example Ltd \|/);
  t.match(text, /\| content \| words of caller and assistant, name, phone number \| no \|/);
  t.equal(text, toMarkdown(await makeReport('ropa', config, { date: '2026-11-20' })), 'the same bytes');
  t.strictSame(JSON.parse(toJson(record)), record);
  const kept = await configured(`${STATED.slice(0, -2)}, content: { days: 30, basis: contract, purpose: "to settle | quarrels" } }`);
  const other = toMarkdown(await makeReport('ropa', kept, { date: '2026-11-20' }));
  t.match(other, /30 days \| to settle \\\| quarrels \| contract/);
  t.strictSame((await makeReport('ropa', await configured(), {})).missing, [
    'data.controller.name',
    'data.controller.contact',
    'data.controller.dpo',
  ]);
  await t.rejects(makeReport('ropo', config, {}), { code: 'CONFIG_INVALID', message: /expected one of ropa/ });
  await t.rejects(makeReport('ropa', config, { from: 'yesterday' }), { code: 'CONFIG_INVALID', message: /--from yesterday is no date/ });
});

test('GDPR 28, 30(1)(d): whoever gets data of callers stands in the record by name, or is missing from it', async (t) => {
  const flows = join(folder, 'flows');
  await mkdir(flows);
  await writeFile(
    join(flows, 'orders.yaml'),
    `flow: orders
language: en
start: ask
slots: { order: { type: digits, min: 4, max: 6 } }
prompts: { order: Which order?, bye: Goodbye. }
tools:
  find: { description: Finds, effect: read, arguments: { order: {} }, http: { method: GET, url: 'https://crm.example/orders/{order}' } }
  note: { description: Notes, effect: write, arguments: { order: {}, caller: { context: caller } }, mcp: { server: shop, tool: note } }
steps:
  ask: { ask: order, prompt: order, next: find }
  find: { do: find, with: { order: '{order}' }, next: note, failed: over }
  note: { do: note, with: { order: '{order}' }, next: over, failed: over }
  over: { end: hangup, prompt: bye }
`,
  );
  await writeFile(join(folder, 'key'), 'k\n', { mode: 0o600 });
  const config = (crm: string, shop: string): Promise<Config> =>
    configured(`${STATED}
flows: { directory: "${flows}", default: orders }
stt: { engine: deepgram, keyFile: "${folder}/key", external: { processor: Deepgram Inc, legalBasis: contract under Art. 28 } }
tools: { http: { crm.example: { ${crm} }, unused.example: { private: true } }, mcp: { shop: { url: "https://shop.example/mcp"${shop} } } }`);
  const made = await makeReport('ropa', await config('processor: Example CRM Ltd', ', processor: Shop GmbH'), { date: '2026-11-20' });
  t.strictSame(made.missing, []);
  const text = toMarkdown(made);
  t.match(text, /\| Deepgram Inc \| deepgram[^|]*\| what callers say, as sound \| contract under Art\. 28 \| stt \|/);
  t.match(text, /\| Example CRM Ltd \| crm\.example \| orders\/find: order \|/);
  t.match(text, /\| Shop GmbH \| shop\.example \| orders\/note: caller, order \|/, 'the number of the caller among it');
  t.match(text, /\| own \(private network\) \| unused\.example \| nothing: no flow uses it \|/);
  t.match(
    toMarkdown(await makeReport('dpia', await config('processor: Example CRM Ltd', ', processor: Shop GmbH'), {})),
    /Example CRM Ltd/,
  );
  const unstated = await makeReport('ropa', await config('', ''), {});
  t.strictSame(unstated.missing, ['tools.http.crm.example.processor', 'tools.mcp.shop.processor'], 'whom nobody named is asked for');
});

test('GDPR 35: the impact assessment has every part of 35(7), measured figures, and no blanks', async (t) => {
  const made = await makeReport('dpia', await configured(STATED), { date: '2026-11-20' });
  const text = toMarkdown(made);
  t.strictSame(made.missing, []);
  for (const part of ['(a) The processing', '(b) Necessity', '(c) Risks', '(d) Measures']) t.match(text, part);
  t.match(text, /utterances understood \| 6 \|/);
  t.notMatch(text, /\| +\||undefined|not stated/, 'no blanks');
});

test('GDPR 33: a seeded incident names exactly the persons that it touched', async (t) => {
  const config = await configured(STATED);
  const truth = await database.query<{ call: string; subject: string; first: string; last: string }>(
    'SELECT call_id AS call, min(subject_id::text) AS subject, min(ts_us) AS first, max(ts_us) AS last FROM audit.event WHERE call_id IS NOT NULL GROUP BY 1 ORDER BY 3',
  );
  const [one, two] = truth;
  if (one === undefined || two === undefined) throw new Error('two calls were logged');
  const time = (us: string): string => new Date(Number(us) / 1000).toISOString();
  const touched = async (from: string, to: string) => {
    const { sections } = await makeReport('breach', config, { from: time(from), to: time(to) });
    return sections.find(({ title }) => title === 'Calls and persons')?.table?.rows.map((row) => [row[0], row[3], row[6]]);
  };
  t.strictSame(await touched(one.first, String(Number(one.last) + 1000)), [[one.call, one.subject, '4']], 'the first incident');
  t.strictSame(await touched(one.first, String(Number(two.last) + 1000)), [
    [one.call, one.subject, '4'],
    [two.call, two.subject, '4'],
  ]);
  t.strictSame(await touched(String(MORNING_US - 10_000_000), String(MORNING_US - 5_000_000)), [], 'nobody');
  const text = toMarkdown(await makeReport('breach', config, {}));
  t.notMatch(text, CANARY.name, 'no name');
  t.notMatch(text, /5550199/, 'no number');
});

test('GDPR 26, 28, 44: the egress report has the places of the configuration and the count of refused connections', async (t) => {
  const none = toMarkdown(await makeReport('egress', await configured(), { date: '2026-11-20' }));
  t.match(none, /Nothing: the configuration names no place outside this machine/);
  t.match(none, /\| x\.example \| 443 \| tcp \| 5 \|/);
  t.match(none, /5 connections were refused/);
  await writeFile(join(folder, 'ca.pem'), 'x\n');
  const some = await configured('');
  const text = toMarkdown(
    await makeReport(
      'egress',
      { ...some, audit: { ...some.audit, anchorSyslog: { host: 'logs.example', port: 6514, caFile: 'x', certFile: null, keyFile: null } } },
      {},
    ),
  );
  t.match(text, /\| logs\.example \| 6514 \| audit\.anchorSyslog \|/);
});

test('GDPR 7(1), 13: the report of consents names wording and result of each, and nobody', async (t) => {
  const wordingSha256 = 'ab'.repeat(32);
  const callId = calls[0] ?? null;
  const notice = { prompt: 'notice', language: 'en', wordingSha256 };
  await first.audit.append({ type: 'notice.completed', callId, body: { ...notice, sentMs: 3000, interrupted: false } });
  const asked = { how: 'voice', language: 'en', wordingVersion: '2026-11', wordingSha256: 'cd'.repeat(32), atSample: 90_000 } as const;
  await first.audit.append({ type: 'consent', callId, body: { purpose: 'recording', result: 'refused', ...asked } });
  await first.audit.append({ type: 'consent', callId, body: { purpose: 'memory', result: 'granted', ...asked } });
  await eventually(() => first.audit.backlog === 0);
  const text = toMarkdown(await makeReport('consents', await configured(), {}));
  t.match(text, `wordingSha256 ${wordingSha256}`);
  t.match(text, /in 1 the notice was heard to its end/);
  for (const line of ['purpose recording, result refused, how voice', 'purpose memory, result granted, how voice']) t.match(text, line);
  t.match(text, `wordingSha256 ${asked.wordingSha256}`);
  t.notMatch(text, CANARY.name);
});

const desk = () => ({ audit: first.audit, store: first.store, clock, keysFolder: join(spool, 'keys') });
const asDpo = (sql: string, values: readonly unknown[]) => asRole(database.as('dpo'), sql, values);
const types = async (): Promise<string[]> => {
  await first.audit.shipped(5000);
  return (await database.query<{ type: string }>('SELECT type FROM audit.event ORDER BY ts_us, seq')).map(({ type }) => type);
};
const PERSON = '0049 170 5550199';

test('GDPR 15, 20: everything that is kept, as vCon and as a page; what was said stays text', async (t) => {
  const callId = randomUUID();
  await first.audit.append({
    ...{ type: 'call.incoming', callId, content: CANARY },
    body: { pbxId: 'p9', flow: 'booking', flowVersion: 'f00d', to: '100' },
  });
  await first.audit.append({
    type: 'caller.said',
    callId,
    body: { turn: 4, words: 1, confidence: 1, fromSample: 0, toSample: 1, waitMs: 1 },
    content: { text: '<script>alert("x")</script>' },
  });
  const { vcons, request } = await exportSubject(desk(), PERSON);
  t.ok(vcons.length >= 2);
  const page = subjectPage(vcons, request, new Date(clock.wallUs() / 1000));
  t.match(page, `it is ${CANARY.name} speaking`);
  t.match(page, '&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;');
  t.notMatch(page, '<script');
  t.match(page, request);
  t.match(subjectPage([], request, new Date(0)), /Nothing is kept/);
});

test('GDPR 16: a correction stands beside the original; the chain shows both', async (t) => {
  const before = await exportSubject(desk(), PERSON);
  const { request } = await correctSubject(desk(), PERSON, 'the name is Zephyrine Kanarie');
  const rows = await database.query<{ subject: string; body: string }>(
    `SELECT e.subject_id AS subject, e.body FROM audit.event e JOIN vault.payload p USING (stream_id, seq) WHERE e.type = 'subject.corrected'`,
  );
  t.equal(rows.length, 1, 'the text is ciphertext in the vault');
  t.strictSame(JSON.parse(rows[0]?.body ?? ''), { request });
  const { vcons } = await exportSubject(desk(), PERSON);
  const text = JSON.stringify(vcons);
  t.match(text, 'Zephyrine Kanarie', 'the correction');
  t.match(text, CANARY.name, 'and the original');
  t.equal(vcons.length, before.vcons.length, 'no new subject was made');
  t.match(subjectPage(vcons, request, new Date(0)), /Your corrections[\s\S]*Kanarie/);
  const other = await correctSubject(desk(), PERSON, 'of the first call', calls[0]);
  t.ok(other.request);
  await t.rejects(correctSubject(desk(), '+1 555 0000', 'x'), { code: 'CONFIG_INVALID', message: /nothing to correct/ });
  await t.rejects(correctSubject(desk(), PERSON, 'x', randomUUID()), { code: 'CONFIG_INVALID' });
  t.ok((await verifyAudit({ connection: database.as('auditor') })).ok);
});

test('GDPR 18, 21: who does not want the machine goes to people, also when Postgres is away', async (t) => {
  const restrictions = await openRestrictions({ folder: spool, keysFolder: join(spool, 'keys'), store: first.store, log });
  t.notOk(restrictions.has(PERSON));
  const { certificate } = await restrictSubject(desk(), PERSON, true, asDpo);
  t.match(certificate, /^parley\.audit\/restriction gw1\/[\s\S]*restricted yes\n\n— parley\.audit /);
  await restrictions.refresh();
  t.ok(restrictions.has('+49 170 555 01 99'), 'however it is written');
  t.notOk(restrictions.has('+49 170 555 01 98'));
  t.notOk(restrictions.has('anonymous'));
  const away = { state: 'down' as const, use: () => Promise.reject(new Error('away')), onState: () => undefined };
  const started = await openRestrictions({ folder: spool, keysFolder: join(spool, 'keys'), store: away, log });
  t.ok(started.has(PERSON), 'a gateway that starts without Postgres knows it');
  t.notMatch(await readFile(join(spool, 'restricted'), 'utf8'), /5550199/, 'no number in the file');
  t.ok((await types()).includes('subject.restricted'));
  await restrictSubject(desk(), PERSON, false, asDpo);
  await restrictions.refresh();
  t.notOk(restrictions.has(PERSON), 'taken back');
  await t.rejects(restrictSubject(desk(), 'nobody', true, asDpo), { code: 'CONFIG_INVALID' });
});

test('GDPR 7(1): what a person was told and agreed to, by number; the look-up is an entry', async (t) => {
  const { events, request } = await consentsOfSubject(desk(), PERSON);
  t.match(events, [
    { type: 'notice.completed', callId: calls[0] },
    { type: 'consent', body: /"purpose":"recording","result":"refused"/ },
    { type: 'consent', body: /"purpose":"memory","result":"granted"/ },
  ]);
  await first.audit.shipped(5000);
  const read = await database.query(`SELECT 1 FROM audit.event WHERE type = 'content.read' AND body LIKE $1`, [`%${request}%`]);
  t.equal(read.length, 1);
});

test('HIPAA 164.312(b): no reading of content without an entry', async (t) => {
  const readings = async (): Promise<number> =>
    (await types()).filter((type) => type === 'subject.exported' || type === 'content.read').length;
  const before = await readings();
  for (let n = 0; n < 10; n++) await (n % 2 === 0 ? exportSubject(desk(), PERSON) : consentsOfSubject(desk(), PERSON));
  t.equal(await readings(), before + 10);
  for (const role of ['auditor', 'dpo', 'gw_retention']) {
    await t.rejects(database.query('SELECT ct FROM vault.payload LIMIT 1', [], role), /permission denied/, `${role} cannot read around it`);
  }
});

test('GDPR 5(1)(e): what the gateway keeps no longer goes by itself, and the log says so first', async (t) => {
  const turns = join(folder, 'turns');
  await mkdir(turns);
  const config = await configured(`replay: { directory: "${turns}" }\ndata: { replay: { days: 3, basis: legitimateInterests } }`);
  const old = new Date(clock.wallUs() / 1000 - 4 * 86_400_000);
  for (const name of ['old.turns.jsonl', 'new.turns.jsonl', 'old.other']) await writeFile(join(turns, name), '');
  for (const name of ['old.turns.jsonl', 'old.other']) await utimes(join(turns, name), old, old);
  const fresh = new Date(clock.wallUs() / 1000);
  await utimes(join(turns, 'new.turns.jsonl'), fresh, fresh);
  await keepNoLonger({ config: { ...config, audit: { ...config.audit, spoolDirectory: spool } }, desk: desk() });
  t.strictSame((await readdir(turns)).sort(), ['new.turns.jsonl', 'old.other'], 'only records of turns, only old ones');
  await first.audit.shipped(5000);
  const said = await database.query<{ body: string }>(`SELECT body FROM audit.event WHERE type = 'retention.swept'`);
  t.strictSame(
    said.map(({ body }) => JSON.parse(body) as unknown),
    [{ data: 'replay', removed: 1 }],
  );
});

test('GDPR 17, 17(3): a hold stops the erasure; then nothing is left, and a restored backup does not bring it back', async (t) => {
  await holdSubject(desk(), PERSON, { held: true, reference: 'file 7' }, asDpo);
  const held = await eraseSubject(desk(), PERSON, 'request');
  t.ok(held.held > 0 && held.held === held.subjects);
  await holdSubject(desk(), PERSON, { held: false }, asDpo);
  await eraseSubject(desk(), PERSON, 'request');
  const OTHER = '+49 30 7654321';
  const callId = randomUUID();
  const body = { pbxId: 'p10', flow: 'booking', flowVersion: 'f00d', to: '100' };
  await first.audit.append({ type: 'call.incoming', callId, body, content: { from: OTHER } });
  await first.stop();
  const backup = await postgres.database(database);
  const second = await gateway();
  const later = { ...desk(), audit: second.audit, store: second.store };
  const { certificate } = await eraseSubject(later, OTHER, 'request');
  t.match(certificate, /^parley\.audit\/erasure [\s\S]*held 0\n/);
  const left = async (from: typeof database): Promise<number> => (await from.query('SELECT 1 FROM vault.payload')).length;
  t.equal(await left(database), 0);
  await second.stop();

  // The database is lost; the backup takes its place, and the spool was lost with it: only the keys folder is left.
  t.ok((await left(backup)) > 0, 'in the backup the person is still there');
  const store = createStore({ connectionString: backup.url('gw_writer'), log, retryMs: { first: 20, last: 100 } });
  await store.start();
  const fresh = join(folder, 'fresh');
  await mkdir(fresh);
  const audit = createAudit({
    ...{ folder: fresh, gateway: 'gw1', store, clock, log, reservedBytes: 4096 },
    keysFolder: join(spool, 'keys'),
  });
  await audit.start();
  t.ok((await replayErasures({ audit, store, clock, keysFolder: join(spool, 'keys') })) > 0);
  t.equal(await left(backup), 0, 'nobody was resurrected');
  t.equal(await replayErasures({ audit, store, clock, keysFolder: join(spool, 'keys') }), 0, 'once');
  await audit.stop();
  await store.stop();
  const report = await verifyAudit({ connection: backup.as('auditor') });
  t.ok(report.ok, formatReport(report));
});

test('GDPR 32: a new signing key is signed for by the old one; what was signed before stays good', async (t) => {
  const own = await postgres.database();
  const place = join(folder, 'rotating');
  const keys = join(place, 'keys');
  const live = async (step: string, body?: { old: string; new: string }): Promise<void> => {
    const store = createStore({ connectionString: own.url('gw_writer'), log });
    await store.start();
    const audit = createAudit({ folder: place, gateway: 'gw1', store, clock, log, reservedBytes: 4096 });
    await audit.start();
    await audit.append(body === undefined ? stepEvent(step) : { type: 'key.rotated', callId: null, body });
    await audit.shipped(10_000);
    await audit.stop();
    await store.stop();
  };
  await live('one');
  const first = await readFile(join(keys, 'signing.pub.pem'), 'utf8');
  await writeFile(join(folder, 'first.pem'), first);
  const firstPrivate = await readFile(join(keys, 'signing.key'), 'utf8');
  const rotation = await rotateSigner(keys, 0, (body) => live('', body));
  await live('two');
  const again = await rotateSigner(keys, 0, (body) => live('', body));
  await live('three');
  const check = (publicKeys: readonly string[]) =>
    verifyAudit({ connection: own.as('auditor'), anchors: [join(place, 'anchors.txt')], publicKeys });
  const notes = [again, rotation].map(({ new: name }) => join(keys, `rotation-${name}.note`));
  t.ok((await check([join(folder, 'first.pem'), ...notes])).ok, 'the first key and the notes are enough, in any order');
  t.ok((await check(await ownPublicKeys(keys))).ok, 'the gateway itself keeps its old public keys');
  t.notOk((await check([join(folder, 'first.pem')])).ok, "without the notes the later streams are a stranger's");
  await t.rejects(check([join(keys, 'signing.pub.pem'), notes[1] ?? '']), {
    code: 'CONFIG_INVALID',
    message: /not signed by a key that was given/,
  });
  t.not(await readFile(join(keys, 'signing.key'), 'utf8'), firstPrivate, 'the old private key is gone');
});

test('the last one turns out the light', async () => {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});
