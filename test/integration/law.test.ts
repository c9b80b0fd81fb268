/** The law, article by article: what the log, the vault, the reports and the guard have to do with it. Against a real Postgres. */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createAudit, type Audit } from '../../src/audit/index.ts';
import { makeReport } from '../../src/cli/report.ts';
import { toJson, toMarkdown } from '../../src/cli/report/document.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { CANARY, logCall } from '../support/audit-fill.ts';
import { eventually, handClock, MORNING_US } from '../support/audit.ts';
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
  await writeFile(
    file,
    `audit: { spoolDirectory: "${spool}" }
store: { urlFile: "${folder}/url", auditorUrlFile: "${folder}/auditor", dpoUrlFile: "${folder}/dpo" }
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
  await eventually(() => first.audit.backlog === 0);
  const text = toMarkdown(await makeReport('consents', await configured(), {}));
  t.match(text, `wordingSha256 ${wordingSha256}`);
  t.match(text, /in 1 the notice was heard to its end/);
  t.notMatch(text, CANARY.name);
});

test('the last one turns out the light', async () => {
  await first.stop();
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});
