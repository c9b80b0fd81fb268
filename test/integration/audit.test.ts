import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createAudit, formatReport, verifyAudit, type FindingKind, type VerifyReport } from '../../src/audit/index.ts';
import { createStore } from '../../src/store/index.ts';
import { eventually, handClock, stepEvent } from '../support/audit.ts';
import { CANARY, fill, logCall, type Filled } from '../support/audit-fill.ts';
import { startPostgres, testFolder, type TestDatabase } from '../support/postgres.ts';
import { keepingLogger } from '../support/quiet-log.ts';

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
  t.ok(report.anchors >= 6);
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

test('every class of tampering is found, as superuser with triggers off', async (t) => {
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
  await writeFile(path, text.replace(/\n\d+\n/, '\n6\n'));
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

test('canary: with content discarded no name and no number is in the database, the spool or the operational log', async (t) => {
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
  for (const secret of ['5550199', '0170', 'Zephyrine', 'Canary', createHash('sha256').update(CANARY.from).digest('hex')]) {
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

test('the last one turns out the light', async () => {
  await postgres.close();
});
