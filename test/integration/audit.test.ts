import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import { test } from 'tap';
import {
  createAudit,
  dropMonths,
  eraseSubject,
  expireContent,
  exportSubject,
  formatReport,
  holdSubject,
  readAsteriskCdr,
  reconcileCalls,
  retireKeys,
  verifyAudit,
  verifyDump,
  type Audit,
  type AuditOptions,
  type FindingKind,
  type SubjectDesk,
  type VerifyReport,
} from '../../src/audit/index.ts';
import { readPublicKey } from '../../src/audit/keys.ts';
import { noteSignedBy } from '../../src/audit/note.ts';
import { ParleyError } from '../../src/contracts/index.ts';
import { asRole, createStore, type Store } from '../../src/store/index.ts';
import { eventually, handClock, stepEvent, type HandClock } from '../support/audit.ts';
import { CANARY, fill, logCall, type Filled } from '../support/audit-fill.ts';
import { startPostgres, testFolder, type TestDatabase } from '../support/postgres.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { seeded } from '../support/seeded.ts';
import { startPair } from '../support/standby.ts';

const postgres = await startPostgres();
const RETRY = { first: 20, last: 100 };

function verify(database: TestDatabase, folder: string, more: { anchors?: string[] } = {}): Promise<VerifyReport> {
  return verifyAudit({
    connection: database.as('auditor'),
    anchors: [join(folder, 'anchors.txt')],
    publicKeys: [join(folder, 'keys/signing.vkey')],
    ...more,
  });
}

const broken = async (database: TestDatabase): Promise<string[]> =>
  (await database.query<{ problem: string }>('SELECT problem FROM audit.broken ORDER BY problem', [], 'auditor')).map((row) => row.problem);

test('a gateway over several boots: all there, in order, sealed, and nothing is found', async (t) => {
  const database = await postgres.database();
  const { folder } = await fill(database, { boots: 3, callsPerBoot: 2 });
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
  t.match(report, { streams: 3, events: 3 * 2 * 8, payloads: 3 * 2 * 4, notes: [] });
  t.ok(report.anchors >= 3, 'the end of each boot at least');
  t.same(await broken(database), []);
  t.match(formatReport(report), /OK: nothing was changed/);
  const calls = await database.query('SELECT turns, outcome, endings FROM ops.call', [], 'auditor');
  t.same(
    calls,
    Array.from({ length: 6 }, () => ({ turns: '3', outcome: 'booked', endings: '1' })),
  );
  const blind = await verifyAudit({ connection: database.as('gw_writer') });
  t.ok(blind.ok);
  t.equal(blind.notes.length, 3, 'what could not be checked is said');
  await t.rejects(verifyAudit({ connection: database.as('auditor'), publicKeys: ['/nowhere'] }), { code: 'CONFIG_INVALID' });
  await t.rejects(verifyAudit({ connection: 'postgresql://127.0.0.1:1/x' }), { code: 'STORE_DOWN' });
});

test('Postgres down at start and in mid-call: the call goes on, the chain is shipped later, nothing is lost', async (t) => {
  const database = await postgres.database();
  await postgres.stop();
  const folder = await testFolder();
  const clock = handClock();
  const log = keepingLogger();
  const store = createStore({ connectionString: database.url('gw_writer'), log, retryMs: RETRY });
  await store.start();
  const audit = createAudit({
    folder,
    gateway: 'gw1',
    store,
    clock,
    log,
    content: { retentionDays: 30 },
    reservedBytes: 4096,
    segmentBytes: 8192,
    keepShippedBytes: 0,
  });
  await audit.start();
  await logCall(audit, clock);
  t.equal(audit.backlog, 8);
  t.ok(audit.healthy);
  await postgres.start();
  await eventually(() => audit.backlog === 0);
  const callId = randomUUID();
  let seen = 0;
  for (let n = 0; n < 300; n++) {
    if (n === 50) await postgres.stop();
    if (n === 200) await postgres.start();
    await audit.append({ ...stepEvent(String(n), callId), content: { text: CANARY.name } });
    clock.pass(20);
    seen = Math.max(seen, audit.backlog);
  }
  t.ok(seen >= 150, `${String(seen)} events waited`);
  await eventually(() => audit.backlog === 0);
  await audit.stop();
  await store.stop();
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
  t.equal(report.events, 308);
  t.same(await broken(database), []);
});

test('a database that fails over to an older copy of itself is filled up again', async (t) => {
  const database = await postgres.database();
  const folder = await testFolder();
  const clock = handClock();
  const log = keepingLogger();
  const open = (): ReturnType<typeof createStore> => createStore({ connectionString: database.url('gw_writer'), log, retryMs: RETRY });
  const store = open();
  await store.start();
  const audit = createAudit({
    folder,
    gateway: 'gw1',
    store,
    clock,
    log,
    content: { retentionDays: 30 },
    reservedBytes: 4096,
    segmentBytes: 4096,
  });
  await audit.start();
  for (let n = 0; n < 4; n++) await logCall(audit, clock);
  await eventually(() => audit.backlog === 0);
  await database.query(
    `SET session_replication_role = replica; DELETE FROM audit.event WHERE seq > 10; DELETE FROM vault.payload WHERE seq > 10`,
  );
  await postgres.stop();
  await eventually(() => store.state === 'down');
  await postgres.start();
  await eventually(() => store.state === 'up');
  await logCall(audit, clock);
  await eventually(() => audit.backlog === 0);
  await audit.stop();
  await store.stop();
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
  t.equal(report.events, 40);
});

test('fail-over: the primary is lost with what its replica had not got; the replica is promoted, and nothing is missing', async (t) => {
  const pair = await startPair();
  const folder = await testFolder();
  const clock = handClock();
  const log = keepingLogger();
  const store = createStore({ connectionString: pair.url('gw_writer'), log, retryMs: RETRY });
  const audit = createAudit({ folder, gateway: 'gw1', store, clock, log, content: { retentionDays: 30 }, reservedBytes: 4096 });
  t.teardown(() => pair.close());
  await store.start();
  t.equal(store.state, 'up', store.why);
  await audit.start();
  const events = async (): Promise<number> => {
    const client = new pg.Client(pair.as('auditor'));
    await client.connect();
    const { rows } = await client.query<{ n: string }>('SELECT count(*) AS n FROM audit.event');
    await client.end();
    return Number(rows[0]?.n);
  };
  await logCall(audit, clock);
  await eventually(() => audit.backlog === 0);
  await pair.caughtUp();
  await pair.lag();
  for (let n = 0; n < 3; n++) await logCall(audit, clock);
  await eventually(() => audit.backlog === 0);
  const before = await events();
  await pair.failOver();
  t.ok((await events()) < before, 'the new primary lacks what was committed last');
  await logCall(audit, clock);
  await eventually(async () => audit.backlog === 0 && (await events()) > before);
  await audit.stop();
  await store.stop();
  const report = await verifyAudit({
    ...{ connection: pair.as('auditor'), anchors: [join(folder, 'anchors.txt')], publicKeys: [join(folder, 'keys/signing.vkey')] },
  });
  t.ok(report.ok, formatReport(report));
  t.equal(report.events, (before / 4) * 5);
});

test('another event in our place is a fork: said loudly, never passed over', async (t) => {
  const database = await postgres.database();
  const folder = await testFolder();
  const clock = handClock();
  const log = keepingLogger();
  const store = createStore({ connectionString: database.url('gw_writer'), log, retryMs: RETRY });
  await store.start();
  const audit = createAudit({ folder, gateway: 'gw1', store, clock, log, reservedBytes: 4096 });
  await audit.start();
  await audit.append(stepEvent('one'));
  await eventually(() => audit.backlog === 0);
  await database.query(
    `INSERT INTO audit.event (day, stream_id, seq, ts_us, mono_us, type, body, hash)
     SELECT day, stream_id, 2, ts_us, mono_us, 'forged', '{}', audit.row_hash(hash, stream_id, 2, ts_us, mono_us, NULL, NULL, 'forged', '{}', NULL) FROM audit.event WHERE seq = 1`,
    [],
    'gw_writer',
  );
  await audit.append(stepEvent('two'));
  await eventually(() => !audit.healthy);
  t.ok(log.lines.some((line) => line.level === 'error' && line.fields['code'] === 'CHAIN_FORK'));
  await audit.append(stepEvent('three'));
  t.equal(audit.backlog, 2, 'and the truth stays in the spool');
  await audit.stop(100);
  await store.stop();
});

// Tampering as a superuser with every trigger off. `sql`: what the view audit.broken must show, where SQL can.
interface Tampering {
  readonly name: string;
  readonly statements: string;
  readonly kinds: readonly FindingKind[];
  readonly sql: RegExp | null;
}
const FIRST = `(SELECT stream_id FROM audit.stream WHERE ordinal = 1)`;
const LAST = `(SELECT stream_id FROM audit.stream ORDER BY ordinal DESC LIMIT 1)`;
/** Recomputes every hash of a stream from an event on, as a thorough forger would. */
const REHASH = (stream: string, from: number): string => `
  DO $$ DECLARE r record; prev bytea; BEGIN
    SELECT hash INTO prev FROM audit.event WHERE stream_id = ${stream} AND seq = ${String(from)} - 1;
    FOR r IN SELECT * FROM audit.event WHERE stream_id = ${stream} AND seq >= ${String(from)} ORDER BY seq LOOP
      prev := audit.row_hash(prev, r.stream_id, r.seq, r.ts_us, r.mono_us, r.call_id, r.subject_id, r.type, r.body, r.payload_sha256);
      UPDATE audit.event SET hash = prev WHERE stream_id = r.stream_id AND seq = r.seq;
    END LOOP; END $$;`;
const COLUMNS = 'ts_us, mono_us, call_id, subject_id, type, body, payload_sha256, hash';

const TAMPERINGS: readonly Tampering[] = [
  {
    name: '1 edit a body',
    statements: `UPDATE audit.event SET body = '{}' WHERE stream_id = ${FIRST} AND seq = 5`,
    kinds: ['hash-mismatch'],
    sql: /hash mismatch/,
  },
  {
    name: '2 edit and recompute its own hash',
    statements: `UPDATE audit.event e SET body = '{}', hash = audit.row_hash(p.hash, e.stream_id, e.seq, e.ts_us, e.mono_us, e.call_id, e.subject_id, e.type, '{}', e.payload_sha256)
      FROM audit.event p WHERE e.stream_id = ${FIRST} AND e.seq = 6 AND p.stream_id = e.stream_id AND p.seq = 5`,
    kinds: ['hash-mismatch'],
    sql: /hash mismatch/,
  },
  { name: '3 delete a row', statements: `DELETE FROM audit.event WHERE stream_id = ${FIRST} AND seq = 7`, kinds: ['gap'], sql: /gap/ },
  {
    name: '4 delete and renumber',
    statements: `DELETE FROM audit.event WHERE stream_id = ${FIRST} AND seq = 7; UPDATE audit.event SET seq = seq - 1 WHERE stream_id = ${FIRST} AND seq > 7`,
    kinds: ['hash-mismatch', 'pin-differs'],
    sql: /hash mismatch[^]*pinned/,
  },
  {
    name: '5 swap two rows',
    statements: `UPDATE audit.event SET seq = CASE seq WHEN 3 THEN 1000004 ELSE 1000003 END WHERE stream_id = ${FIRST} AND seq IN (3, 4);
      UPDATE audit.event SET seq = seq - 1000000 WHERE seq > 1000000`,
    kinds: ['hash-mismatch'],
    sql: /hash mismatch/,
  },
  {
    name: '6 cut the tail',
    statements: `DELETE FROM audit.event WHERE stream_id = ${FIRST} AND seq > 11`,
    kinds: ['pin-differs', 'anchor-missing', 'checkpoint-missing'],
    sql: /pinned/,
  },
  {
    name: '6b cut the tail of the newest stream, with its checkpoints',
    statements: `DELETE FROM audit.event WHERE stream_id = ${LAST} AND seq > 11; DELETE FROM audit.checkpoint WHERE stream_id = ${LAST} AND seq > 11`,
    kinds: ['anchor-missing'],
    sql: null,
  },
  {
    name: '7 backdate with good hashes',
    statements: `UPDATE audit.event SET ts_us = ts_us - 86400000000 WHERE stream_id = ${LAST} AND seq = 9; ${REHASH(LAST, 9)}`,
    kinds: ['clock-jump', 'anchor-differs'],
    sql: /wall clock jump/,
  },
  {
    name: '8 forge a row at the end, well linked',
    statements: `INSERT INTO audit.event (day, stream_id, seq, ${COLUMNS})
      SELECT day, stream_id, seq + 1, ts_us, mono_us, NULL, NULL, 'forged', '{}', NULL, audit.row_hash(hash, stream_id, seq + 1, ts_us, mono_us, NULL, NULL, 'forged', '{}', NULL)
        FROM audit.event WHERE stream_id = ${FIRST} ORDER BY seq DESC LIMIT 1`,
    kinds: ['pin-differs'],
    sql: /pinned/,
  },
  {
    name: '9 rewrite to the end with good hashes',
    statements: `UPDATE audit.event SET body = '{}' WHERE stream_id = ${FIRST} AND seq = 5; ${REHASH(FIRST, 5)}`,
    kinds: ['pin-differs', 'anchor-differs', 'checkpoint-differs'],
    sql: /pinned/,
  },
  {
    name: '9b rewrite the newest stream and the checkpoints in the database',
    statements: `UPDATE audit.event SET body = '{}' WHERE stream_id = ${LAST} AND seq = 5; ${REHASH(LAST, 5)} DELETE FROM audit.checkpoint WHERE stream_id = ${LAST}`,
    kinds: ['anchor-differs'],
    sql: null,
  },
  {
    name: '10 drop a stream with its register row',
    statements: `DELETE FROM audit.event WHERE stream_id = (SELECT stream_id FROM audit.stream WHERE ordinal = 2); DELETE FROM audit.stream WHERE ordinal = 2`,
    kinds: ['stream-missing', 'anchor-missing'],
    sql: /stream missing/,
  },
  {
    name: '10b drop the newest stream with all that names it',
    statements: `DELETE FROM audit.checkpoint WHERE stream_id = ${LAST}; DELETE FROM audit.event WHERE stream_id = ${LAST}; DELETE FROM audit.stream WHERE stream_id = ${LAST}`,
    kinds: ['anchor-missing'],
    sql: null,
  },
  {
    name: '11 change a payload',
    statements: `UPDATE vault.payload SET ct = ct || '\\x00' WHERE stream_id = ${LAST} AND seq = 3`,
    kinds: ['payload-changed'],
    sql: /payload was changed/,
  },
  {
    name: '12 delete a payload quietly',
    statements: `DELETE FROM vault.payload WHERE stream_id = ${LAST} AND seq = 3`,
    kinds: ['payload-missing'],
    sql: /payload missing/,
  },
  {
    name: 'day: move a stream to another month',
    statements: `SELECT audit.add_month('2026-12-01'); UPDATE audit.event SET day = day + 31 WHERE stream_id = ${FIRST}`,
    kinds: ['wrong-day'],
    sql: /another day/,
  },
  {
    name: 'day: move a stream with its register row',
    statements: `SELECT audit.add_month('2026-12-01'); UPDATE audit.event SET day = day + 31 WHERE stream_id = ${FIRST}; UPDATE audit.stream SET day = day + 31 WHERE ordinal = 1`,
    kinds: ['register-changed'],
    sql: /register row was changed/,
  },
  {
    name: 'register: another writer',
    statements: `UPDATE audit.stream SET writer = 'gw9' WHERE ordinal = 1`,
    kinds: ['register-changed'],
    sql: /register row was changed/,
  },
  {
    name: 'register: a whole forged stream',
    statements: `INSERT INTO audit.stream (stream_id, writer, ordinal, day, prev_last_seq, prev_last_hash, genesis, sig)
      SELECT s.id, s.writer, s.ordinal + 1, s.day, t.seq, t.hash, audit.genesis(s.writer, s.ordinal + 1, s.id, s.day, t.seq, t.hash), s.sig
        FROM (SELECT *, 'aaaaaaaa-0000-4000-8000-000000000000'::uuid AS id FROM audit.stream ORDER BY ordinal DESC LIMIT 1) s,
             (SELECT seq, hash FROM audit.event WHERE stream_id = ${LAST} ORDER BY seq DESC LIMIT 1) t`,
    kinds: ['register-signature'],
    sql: null,
  },
  {
    name: 'checkpoint: a note of somebody else',
    statements: `UPDATE audit.checkpoint SET note = replace(note, 'time 1', 'time 2') WHERE stream_id = ${LAST}`,
    kinds: ['checkpoint-signature'],
    sql: null,
  },
  {
    name: 'checkpoint: another hash',
    statements: `UPDATE audit.checkpoint SET hash = sha256('x') WHERE stream_id = ${LAST}`,
    kinds: ['checkpoint-changed', 'checkpoint-differs'],
    sql: /checkpointed event has another hash/,
  },
];

test('GDPR 5(2), 32: every class of tampering is found, as superuser with triggers off', async (t) => {
  const database = await postgres.database();
  const { folder } = await fill(database, { boots: 3, callsPerBoot: 2 });
  const clean = await verify(database, folder);
  t.ok(clean.ok, formatReport(clean));
  const tables = ['audit.event', 'audit.stream', 'audit.checkpoint', 'vault.payload'];
  const saved = (table: string): string => `public.saved_${table.replace('.', '_')}`;
  await database.query(tables.map((table) => `CREATE TABLE ${saved(table)} AS TABLE ${table}`).join('; '));
  const restore = tables.map((table) => `DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM ${saved(table)}`).join('; ');
  for (const { name, statements, kinds, sql } of TAMPERINGS) {
    await database.query(`SET session_replication_role = replica; ${restore}; ${statements}`);
    const report = await verify(database, folder);
    const found = new Set(report.findings.map((f) => f.kind));
    t.same(
      kinds.filter((kind) => !found.has(kind)),
      [],
      `${name}: ${[...found].join(', ')}`,
    );
    t.ok(
      report.findings.every((f) => f.streamId !== null),
      'with its place',
    );
    const problems = (await broken(database)).join('\n');
    if (sql === null) t.equal(problems, '', `${name}: SQL alone cannot see it`);
    else t.match(problems, sql, name);
  }
});

test('anchors that were tampered with are findings themselves', async (t) => {
  const database = await postgres.database();
  const { folder } = await fill(database, { boots: 1, callsPerBoot: 2 });
  const text = await readFile(join(folder, 'anchors.txt'), 'utf8');
  const path = join(folder, 'anchors-bad.txt');
  await writeFile(path, text.replace(/\n\d+\n/, '\n9999\n'));
  t.same(
    (await verify(database, folder, { anchors: [path] })).findings.map((f) => f.kind),
    ['anchor-signature'],
  );
  await writeFile(path, `${text}scribble\n`);
  t.same(
    (await verify(database, folder, { anchors: [path] })).findings.map((f) => f.kind),
    ['anchor-unreadable'],
  );
});

test('erasure leaves the chain whole; a later loss is not excused by it', async (t) => {
  const database = await postgres.database();
  const subjects = (): Promise<{ subject_id: string }[]> => database.query('SELECT DISTINCT subject_id FROM vault.subject_key ORDER BY 1');
  const erased: string[] = [];
  const filled: Filled = await fill(database, { boots: 1, callsPerBoot: 3 });
  const [victim = { subject_id: '' }, other = { subject_id: '' }] = await subjects();
  const log = keepingLogger();
  const store = createStore({ connectionString: database.url('gw_writer'), log, retryMs: RETRY });
  await store.start();
  const { folder, clock } = filled;
  const audit = createAudit({ folder, gateway: 'gw1', store, clock, log, content: { retentionDays: 400 }, reservedBytes: 4096 });
  await audit.start();
  await t.rejects(database.query('SELECT vault.erase_subject($1)', [victim.subject_id], 'dpo'), /not announced/, 'never in silence');
  await audit.append({
    type: 'subject.erased',
    callId: null,
    subjectId: victim.subject_id,
    body: { request: 'r1', reason: 'request', throughUs: clock.wallUs() },
  });
  await eventually(async () => (await subjects()).length === 2);
  erased.push(victim.subject_id);
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
  t.same(await broken(database), []);
  await database.query(`INSERT INTO vault.legal_hold (subject_id, reference) VALUES ($1, 'case 17')`, [other.subject_id]);
  await audit.append({
    type: 'subject.erased',
    callId: null,
    subjectId: other.subject_id,
    body: { request: 'r2', reason: 'request', throughUs: clock.wallUs() - 7_200_000_000 },
  });
  await eventually(() => audit.backlog === 0);
  t.equal((await subjects()).length, 2, 'a legal hold keeps it');
  await t.rejects(database.query('SELECT vault.erase_subject($1)', [other.subject_id], 'dpo'), /legal hold/);
  await database.query('DELETE FROM vault.legal_hold');
  t.equal((await database.query<{ n: string }>('SELECT vault.erase_subject($1) AS n', [other.subject_id], 'dpo'))[0]?.n, '4');
  // That event names an earlier time than the payloads: it excuses none of them.
  t.same(new Set((await verify(database, folder)).findings.map((f) => f.kind)), new Set(['payload-missing']));
  await audit.stop();
  await store.stop();
});

test('GDPR 5(1)(c), 25: canary: with content discarded no name and no number is in the database, the spool or the operational log', async (t) => {
  const database = await postgres.database();
  const { folder } = await fill(database, { boots: 1, callsPerBoot: 2, audit: { content: 'discard' } });
  const tables = await database.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('audit', 'vault', 'ops', 'parley')`,
  );
  let dump = '';
  for (const { name } of tables) dump += JSON.stringify(await database.query(`SELECT x::text FROM ${name} x`));
  t.ok(dump.includes('booking'), 'the dump is one');
  const names = (await readdir(folder)).filter((name) => name !== 'keys');
  const files = Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name))))).toString('latin1');
  for (const secret of ['5550199', 'Zephyrine', 'Canary', createHash('sha256').update(CANARY.from).digest('hex')]) {
    t.notOk(dump.includes(secret), `dump: ${secret.slice(0, 8)}`);
    t.notOk(files.includes(secret), `files: ${secret.slice(0, 8)}`);
  }
});

test('a gateway that cannot reach Postgres at its end loses nothing: the next start ships it', async (t) => {
  const database = await postgres.database();
  const folder = await testFolder();
  const clock = handClock();
  const log = keepingLogger();
  await postgres.stop();
  const first = createStore({ connectionString: database.url('gw_writer'), log, retryMs: RETRY });
  await first.start();
  const audit = createAudit({ folder, gateway: 'gw1', store: first, clock, log, reservedBytes: 4096 });
  await audit.start();
  await logCall(audit, clock);
  await audit.stop();
  t.equal(first.state, 'down', 'an end does not wait for a dead database');
  await first.stop();
  await postgres.start();
  await fill(database, { boots: 1, callsPerBoot: 1, folder, clock, audit: { content: 'discard' } });
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
  t.match(report, { streams: 2, events: 16 });
});

interface Office extends SubjectDesk {
  readonly audit: Audit;
  readonly store: Store;
  readonly clock: HandClock;
  readonly close: () => Promise<void>;
}

async function office(database: TestDatabase, folder: string, clock: HandClock, more: Partial<AuditOptions> = {}): Promise<Office> {
  const log = keepingLogger();
  const store = createStore({ connectionString: database.url('gw_writer'), log, retryMs: RETRY });
  await store.start();
  const audit = createAudit({ folder, gateway: 'gw1', store, clock, log, content: { retentionDays: 30 }, reservedBytes: 4096, ...more });
  await audit.start();
  const close = async (): Promise<void> => {
    await audit.stop();
    await store.stop();
  };
  return { audit, store, clock, keysFolder: join(folder, 'keys'), close };
}

test('GDPR 15, 17, 20: export as vCon, legal hold, erasure with a certificate, and nothing left', async (t) => {
  const database = await postgres.database();
  const { folder, clock } = await fill(database, { boots: 2, callsPerBoot: 2, audit: { content: { retentionDays: 30 } } });
  const desk = await office(database, folder, clock);
  const dpo = (sql: string, values: readonly unknown[]): Promise<unknown> => asRole(database.as('dpo'), sql, values);
  await t.rejects(eraseSubject(desk, 'no digits', 'request'), { code: 'CONFIG_INVALID' });

  const nobody = await exportSubject(desk, '+49 30 999999');
  t.same(nobody.vcons, []);
  const { vcons } = await exportSubject(desk, '0049-170-5550199');
  t.equal(vcons.length, 4);
  const [first] = vcons;
  t.match(first, { vcon: '0.4.0', parties: [{ tel: 'tel:+491705550199', name: CANARY.name, type: 'person' }, { type: 'bot' }] });
  t.match(first?.uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab]/);
  const words = Array.from({ length: 3 }, () => `it is ${CANARY.name} speaking`);
  t.same(
    first?.dialog.map((d) => d.body),
    words,
  );
  t.equal((first?.attachments[0]?.body as unknown[]).length, 8, 'every event of the call');
  await desk.audit.shipped(10_000);
  t.equal((await database.query(`SELECT FROM audit.event WHERE type = 'subject.exported'`)).length, 2, 'reading is an event');

  await holdSubject(desk, CANARY.from, { held: true, reference: 'case 17' }, dpo);
  t.match(await eraseSubject(desk, CANARY.from, 'request'), { subjects: 4, held: 4 });
  t.equal((await exportSubject(desk, CANARY.from)).vcons.length, 4, 'a hold keeps what it holds');
  await holdSubject(desk, CANARY.from, { held: false }, dpo);
  const erasure = await eraseSubject(desk, CANARY.from, 'request');
  t.match(erasure, { subjects: 4, held: 0 });
  t.ok(noteSignedBy(erasure.certificate, await readPublicKey(join(folder, 'keys/signing.vkey'))));
  t.notMatch(erasure.certificate, /5550199|Canary/);
  t.same((await exportSubject(desk, CANARY.from)).vcons, []);
  t.same(await database.query('SELECT FROM vault.payload'), []);
  t.same(await database.query('SELECT FROM vault.subject_key'), []);

  await desk.audit.append(stepEvent('after'));
  await eventually(() => desk.audit.backlog === 0);
  await desk.audit.append(stepEvent('and once more'));
  await eventually(async () => (await readdir(folder)).filter((name) => name.endsWith('.spool')).length <= 2);
  t.pass('the segments that held the erased are gone');
  await desk.close();
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
  t.same(await broken(database), []);
});

test('GDPR 17: a caller who is erased while he talks gets a new subject; a restored backup does not bring anybody back', async (t) => {
  const database = await postgres.database();
  const folder = await testFolder();
  const clock = handClock();
  const desk = await office(database, folder, clock);
  const callId = randomUUID();
  const say = (text: string): Promise<void> =>
    desk.audit.append({
      ...{ type: 'caller.said', callId, content: { text, from: CANARY.from } },
      body: { turn: 1, words: 1, confidence: 1, fromSample: 0, toSample: 1, waitMs: 1 },
    });
  const said = async (at: Office): Promise<unknown> => (await exportSubject(at, CANARY.from)).vcons.map((v) => v.dialog.map((d) => d.body));
  await say('before');
  await eventually(() => desk.audit.backlog === 0);
  await database.query(
    'CREATE TABLE public.backup_key AS TABLE vault.subject_key; CREATE TABLE public.backup_payload AS TABLE vault.payload',
  );
  await eraseSubject(desk, CANARY.from, 'request');
  clock.pass(1000);
  await say('after');
  t.same(await said(desk), [['after']]);
  await database.query(
    'INSERT INTO vault.subject_key SELECT * FROM public.backup_key; INSERT INTO vault.payload SELECT * FROM public.backup_payload',
  );
  await desk.close();
  const again = await office(database, folder, clock);
  await eventually(async () => (await database.query('SELECT FROM vault.payload')).length === 1);
  t.same(await said(again), [['after']], 'erased again at the start');
  await again.close();
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
});

test('GDPR 5(1)(e): content expires, its keys are destroyed, old months go, and the chain still verifies', async (t) => {
  const database = await postgres.database();
  const day = 86_400_000;
  const folder = await testFolder();
  const clock = handClock((Date.now() - 100 * day) * 1000);
  for (let boot = 0; boot < 4; boot++) {
    await fill(database, { boots: 1, callsPerBoot: 1, folder, clock, audit: { content: { retentionDays: 30 } } });
    clock.pass(20 * day);
  }
  clock.pass(20 * day - 5 * 3_600_000);
  const desk = await office(database, folder, clock);
  t.equal(await expireContent(desk), 4);
  t.equal(await expireContent(desk), 0);
  t.same(await database.query('SELECT FROM vault.payload'), []);
  t.ok((await verify(database, folder)).ok);
  t.ok((await retireKeys(join(folder, 'keys'), 30, clock.wallUs())).length >= 2, 'keys of weeks that are over are destroyed');

  const retention = (sql: string, values: readonly unknown[]): Promise<unknown> => asRole(database.as('gw_retention'), sql, values);
  const [oldest] = await database.query<{ day: string }>('SELECT min(day)::text AS day FROM audit.event');
  await t.rejects(retention('SELECT audit.drop_month($1)', [oldest?.day]), /not announced/, 'never in silence');
  await t.rejects(retention('SELECT audit.drop_month($1)', [new Date().toISOString().slice(0, 10)]), /has not ended/);
  t.ok((await dropMonths(desk, 2, retention)).length >= 1);
  t.ok((await dropMonths(desk, 1, retention)).length >= 1);
  await desk.close();
  const report = await verify(database, folder);
  t.ok(report.ok, formatReport(report));
  t.same(await broken(database), []);
  t.equal(report.streams, 5, 'the register stays');

  // The same loss without an announcement is a finding.
  await database.query(`SET session_replication_role = replica; DELETE FROM audit.event WHERE type = 'retention.dropped'`);
  t.notOk((await verify(database, folder)).ok);
});

test('class 13: the PBX knows a call that the chain does not', async (t) => {
  const database = await postgres.database();
  const folder = await testFolder();
  const desk = await office(database, folder, handClock());
  const log = (pbxId: string, endings: number): Promise<void>[] => {
    const callId = randomUUID();
    const body = { outcome: 'x', reason: 'normal', durationMs: 1, turns: 0, packetsReceived: 0, packetsSent: 0, dropped: 0 };
    return [
      desk.audit.append({ type: 'call.incoming', callId, body: { pbxId, flow: 'f', flowVersion: 'v', to: '1' } }),
      ...Array.from({ length: endings }, () => desk.audit.append({ type: 'call.ended', callId, body })),
    ];
  };
  await Promise.all([...log('1700000000.1', 1), ...log('1700000000.2', 0), ...log('1700000000.3', 2)]);
  t.ok(await desk.audit.shipped(10_000));
  const path = join(folder, 'Master.csv');
  const record = (id: string, app: string, data: string, userField = ''): string =>
    `"","100","600","in","""A, B"" <100>","PJSIP/a-1","","${app}","${data}","2026-11-20 09:00:00","","2026-11-20 09:01:00",60,60,"ANSWERED","DOCUMENTATION","${id}","${userField}"\n`;
  const ours = ['1700000000.1', '1700000000.2', '1700000000.3', '1700000000.4'].map((id) => record(id, 'Stasis', 'parley,flow=booking'));
  const others = [
    record('1700000000.5', 'Hangup', '', 'parley'),
    record('1700000000.6', 'Dial', 'PJSIP/b'),
    record('1700000000.7', 'Stasis', 'other'),
  ];
  await writeFile(path, [...ours, ...others].join(''));
  const result = await reconcileCalls(desk.store, await readAsteriskCdr(path));
  t.match(result, { records: 5, matched: 1 });
  const kinds = result.findings.map((f) => f.kind);
  t.same(kinds, ['call-unended', 'call-ended-twice', 'call-unlogged', 'call-unlogged']);
  await writeFile(path, record('', 'Stasis', 'parley'));
  await t.rejects(readAsteriskCdr(path), { code: 'CONFIG_INVALID', message: /loguniqueid/ });
  await t.rejects(readAsteriskCdr('/nowhere'), { code: 'CONFIG_INVALID' });
  await desk.close();
});

test('a dump is verified without a database', async (t) => {
  const database = await postgres.database();
  const { folder } = await fill(database, { boots: 2, callsPerBoot: 2 });
  const options = { anchors: [join(folder, 'anchors.txt')], publicKeys: [join(folder, 'keys/signing.pub.pem')] };
  const path = join(folder, 'dump.sql');
  const kinds = async (): Promise<unknown> => (await verifyDump({ dump: path, ...options })).findings.map((f) => f.kind);
  const dump = await plainDump(database);
  await writeFile(path, dump);
  const report = await verifyDump({ dump: path, ...options });
  t.ok(report.ok, formatReport(report));
  t.match(report, { streams: 2, events: 32, payloads: 16, notes: [] });
  await writeFile(path, gzipSync(dump));
  t.same(await kinds(), [], 'gzipped');
  await writeFile(path, dump.replace('"step 2"', '"step 9"'));
  t.same(await kinds(), ['hash-mismatch']);
  const rows = dump.split('\n');
  const start = rows.findIndex((line) => line.startsWith('COPY audit.event'));
  const end = rows.indexOf('\\.', start);
  await writeFile(path, [...rows.slice(0, start + 1), ...rows.slice(start + 1, end).reverse(), ...rows.slice(end)].join('\n'));
  t.same(await kinds(), [], 'rows in any order');
  await writeFile(path, rows.slice(0, end).join('\n'));
  await t.rejects(verifyDump({ dump: path }), { code: 'CONFIG_INVALID', message: /not complete/ });
  await writeFile(path, 'PGDMP....');
  await t.rejects(verifyDump({ dump: path }), { code: 'CONFIG_INVALID', message: /pg_restore/ });
  await writeFile(path, 'SELECT 1;\n');
  await t.rejects(verifyDump({ dump: path }), { code: 'CONFIG_INVALID', message: /audit\.stream/ });
  await t.rejects(verifyDump({ dump: join(folder, 'none') }), { code: 'CONFIG_INVALID' });
});

test('a dump that is cut off or garbled anywhere: a clear word or a finding, never a clean bill and never a fault of ours', async (t) => {
  const database = await postgres.database();
  const { folder } = await fill(database, { boots: 2, callsPerBoot: 1 });
  const options = { anchors: [join(folder, 'anchors.txt')], publicKeys: [join(folder, 'keys/signing.pub.pem')] };
  const path = join(folder, 'dump.sql');
  const dump = Buffer.from(await plainDump(database));
  const packed = gzipSync(dump);
  const random = seeded(9);
  const outcome = async (bytes: Buffer): Promise<string> => {
    await writeFile(path, bytes);
    return verifyDump({ dump: path, ...options }).then(
      (report) => (report.ok ? 'ok' : 'findings'),
      (error: unknown) => (error instanceof ParleyError && error.code === 'CONFIG_INVALID' ? 'said' : `fault: ${String(error)}`),
    );
  };
  const at = (length: number): number => Math.floor(random.next() * length);
  const wrong: string[] = [];
  const note = (what: string, result: string, allowed: readonly string[]): unknown =>
    allowed.includes(result) || wrong.push(`${what}: ${result}`);
  for (let n = 0; n < 60; n++) {
    const end = at(dump.length - 5);
    note(`cut at ${String(end)}`, await outcome(dump.subarray(0, end)), ['said', 'findings']);
    const packedEnd = at(packed.length - 1);
    note(`packed, cut at ${String(packedEnd)}`, await outcome(packed.subarray(0, packedEnd)), ['said', 'findings']);
    const garbled = Buffer.from(dump);
    const from = at(dump.length);
    for (let i = from; i < Math.min(dump.length, from + 20); i++) garbled[i] = at(256);
    // Twenty bytes of a comment may be anything.
    note(`garbled at ${String(from)}`, await outcome(garbled), ['said', 'findings', 'ok']);
    const packedGarbled = Buffer.from(packed);
    packedGarbled[at(packed.length)] = at(256);
    note('packed, garbled', await outcome(packedGarbled), ['said', 'findings', 'ok']);
  }
  t.same(wrong, []);
});

/** What pg_dump writes of the data, table by table: the embedded server comes without that program. */
async function plainDump(database: TestDatabase): Promise<string> {
  let text = '--\n-- PostgreSQL database dump\n--\n\n';
  for (const table of ['audit.checkpoint', 'audit.event_2026_11', 'audit.stream', 'vault.payload', 'vault.subject_key']) {
    const columns = await database.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
      [table],
    );
    const names = columns.map(({ name }) => name);
    const rows = await database.query<Record<string, string | null>>(
      `SELECT ${names.map((name) => `${name}::text`).join(', ')} FROM ${table}`,
    );
    text += `COPY ${table} (${names.join(', ')}) FROM stdin;\n`;
    for (const row of rows) text += `${names.map((name) => copyText(row[name] ?? null)).join('\t')}\n`;
    text += '\\.\n\n';
  }
  return `${text}--\n-- PostgreSQL database dump complete\n--\n`;
}

function copyText(value: string | null): string {
  if (value === null) return '\\N';
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

test('the last one turns out the light', async () => {
  await postgres.close();
});
