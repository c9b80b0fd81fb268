import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { test } from 'tap';
import { ParleyError } from '../../src/contracts/index.ts';
import { findDrift } from '../../src/store/catalogue.ts';
import { createStore, startEmbedded, type Store } from '../../src/store/index.ts';
import { migrate, readMigrations } from '../../src/store/migrate.ts';
import { scramVerifier } from '../../src/store/secrets.ts';
import { eventually } from '../support/audit.ts';
import { startPostgres, testFolder, type TestDatabase } from '../support/postgres.ts';
import { keepingLogger } from '../support/quiet-log.ts';

const postgres = await startPostgres();

const FAST = { fsync: 'off', shared_buffers: '16MB' };
const RETRY = { first: 20, last: 100 };
const asRoot = process.getuid?.() === 0;

async function connected<T>(database: TestDatabase, role: string | undefined, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(database.as(role));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test('migrations', async (t) => {
  const database = await postgres.database();
  await connected(database, undefined, async (client) => {
    t.same(await migrate(client), [], 'nothing is left to do');
    t.same(await findDrift(client), { missing: [], extra: [] }, 'catalogue.txt is what the migrations make');
    const folder = pathToFileURL(`${await mkdtemp(join(tmpdir(), 'parley-sql-'))}/`);
    for (const { name, sql } of await readMigrations()) await writeFile(new URL(name, folder), sql);
    await writeFile(new URL('900_broken.sql', folder), 'CREATE TABLE audit.half (id int); SELECT nonsense');
    await t.rejects(migrate(client, folder), { code: 'STORE_REFUSED', message: /900_broken\.sql/ });
    t.same((await client.query(`SELECT to_regclass('audit.half') AS half`)).rows, [{ half: null }], 'a failed file leaves nothing');
    await writeFile(new URL('900_broken.sql', folder), 'CREATE TABLE audit.half (id int)');
    t.same(await migrate(client, folder), ['900_broken.sql']);
    await t.rejects(migrate(client), { code: 'STORE_DRIFT', message: /900/ }, 'an older program and a newer database');
    await writeFile(new URL('900_broken.sql', folder), '-- changed');
    await t.rejects(migrate(client, folder), { code: 'STORE_DRIFT', message: /was changed after it ran/ });
  });
  await postgres.stop();
  await postgres.start();
  const fresh = await postgres.database();
  await fresh.query(
    'DROP SCHEMA audit CASCADE; DROP SCHEMA vault CASCADE; DROP SCHEMA ops CASCADE; DROP SCHEMA knowledge CASCADE; DROP SCHEMA parley CASCADE',
  );
  const both = await Promise.all([1, 2].map(() => connected(fresh, undefined, (client) => migrate(client))));
  t.same(both.map((names) => names.length).sort(), [0, (await readMigrations()).length], 'two at once: one does it');
});

test('drift: what an admin changed by hand is named, and nothing is shipped meanwhile', async (t) => {
  const changes: [string, RegExp][] = [
    ['ALTER TABLE audit.event DISABLE TRIGGER refuse_change', /trigger audit\.event .* refuse_change/],
    ['DROP TRIGGER check_links ON audit.event', /trigger audit\.event .* check_links/],
    ['DROP INDEX audit.event_stream_seq', /index .*event_stream_seq/],
    ['CREATE OR REPLACE VIEW audit.broken AS SELECT * FROM audit.broken_link', /view audit\.broken /],
    [
      `CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'`,
      /function audit\.refuse_change/,
    ],
    ['ALTER TABLE audit.stream DROP CONSTRAINT stream_writer_ordinal_key', /constraint audit\.stream UNIQUE/],
  ];
  for (const [sql, expected] of changes) {
    const database = await postgres.database();
    await database.query(sql);
    const drift = await connected(database, 'gw_writer', findDrift);
    t.match(drift.missing.join('\n'), expected);
    const store = createStore({ connectionString: database.url('gw_writer'), log: keepingLogger(), retryMs: RETRY });
    await store.start();
    t.match(store.why, /The schema differs/);
    await store.stop();
  }
  const granted = await postgres.database();
  await granted.query(`GRANT DELETE ON audit.event TO gw_writer; SELECT audit.add_month(current_date)`);
  await granted.query(`GRANT SELECT ON audit.event_${new Date().toISOString().slice(0, 7).replace('-', '_')} TO PUBLIC`);
  t.match(
    (await connected(granted, 'auditor', findDrift)).extra.join('\n'),
    /right audit\.event gw_writer DELETE\nright audit\.event_\d{4}_\d\d PUBLIC SELECT/,
  );
});

// Every statement on every object for every login, made from the live catalogue: what is not listed here as allowed is refused.
test('GDPR 32, HIPAA 164.312(a): rights: the whole matrix', async (t) => {
  const database = await postgres.database();
  await database.query('SELECT audit.add_month(current_date)');
  const relations = await database.query<{ name: string; kind: string; first: string }>(`
    SELECT c.oid::regclass::text AS name, c.relkind AS kind, (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = 1) AS first
      FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('audit', 'vault', 'ops', 'knowledge', 'parley') AND c.relkind IN ('r', 'p', 'v')`);
  const functions = await database.query<{ name: string; call: string }>(`
    SELECT p.oid::regprocedure::text AS name, p.oid::regproc::text || '(' || (SELECT coalesce(string_agg('NULL::' || format_type(a, NULL), ', '), '') FROM unnest(p.proargtypes) a) || ')' AS call
      FROM pg_proc p WHERE p.pronamespace::regnamespace::text IN ('audit', 'vault', 'ops', 'knowledge') AND p.prorettype <> 'trigger'::regtype`);
  const allowed = new Set<string>();
  const allow = (role: string, verbs: string, names: string): void => {
    for (const verb of verbs.split(' ')) for (const name of names.split(' ')) allowed.add(`${role} ${verb} ${name}`);
  };
  allow('gw_writer', 'SELECT INSERT', 'audit.stream audit.event audit.checkpoint vault.subject_key vault.payload');
  allow('gw_writer', 'SELECT', 'ops.call ops.turn audit.dropped audit.expired vault.held vault.restriction');
  allow('auditor', 'SELECT', 'audit.stream audit.event audit.checkpoint audit.dropped audit.expired audit.broken ops.call ops.turn');
  allow('auditor', 'SELECT', 'audit.broken_link audit.broken_stream audit.broken_checkpoint audit.broken_payload');
  for (const role of ['gw_writer', 'auditor'])
    allow(role, 'SELECT', 'ops.call_usage ops.call_outcome knowledge.document knowledge.passage');
  // Knowledge is the operator's own documents, indexed again at will: the one place where the gateway deletes (and who may delete may lock).
  allow('gw_writer', 'INSERT DELETE LOCK', 'knowledge.document knowledge.passage');
  allow('gw_writer', 'SELECT', 'knowledge.term');
  for (const role of ['gw_writer', 'auditor', 'dpo', 'gw_retention']) allow(role, 'SELECT', 'parley.migration');
  const may = (role: string, ...names: string[]): void => names.forEach((name) => allowed.add(`${role} EXECUTE ${name}`));
  may('gw_writer', 'vault.erase_announced()', 'vault.expire_announced()', 'audit.genesis(text,bigint,uuid,date,bigint,bytea)');
  may('gw_writer', 'audit.row_hash(bytea,uuid,bigint,bigint,bigint,uuid,uuid,text,text,bytea)');
  may('gw_writer', 'knowledge.count_terms(text)');
  may('gw_writer', 'knowledge.find(text,text,tsquery,tsquery[],double precision[],double precision,date,integer)');
  may('auditor', 'audit.payload_hashes()', 'audit.genesis(text,bigint,uuid,date,bigint,bytea)');
  may('auditor', 'audit.row_hash(bytea,uuid,bigint,bigint,bigint,uuid,uuid,text,text,bytea)');
  may(
    'dpo',
    'vault.erase_announced()',
    'vault.expire_announced()',
    'vault.erase_subject(uuid)',
    'vault.hold_subject(uuid,text)',
    'vault.release_subject(uuid)',
    'vault.restrict_number(bytea)',
    'vault.unrestrict_number(bytea)',
  );
  may('gw_retention', 'audit.drop_month(date)');

  let refused = 0;
  for (const role of ['gw_writer', 'auditor', 'dpo', 'gw_retention']) {
    const wrong: string[] = [];
    await connected(database, role, async (client) => {
      const attempt = async (key: string, sql: string): Promise<void> => {
        // 42501 = insufficient privilege, 55000 = a view that takes no rows; anything else means that the right was there.
        const code = await client.query(`BEGIN; ${sql}; ROLLBACK`).then(
          () => '',
          (error: unknown) => (error as pg.DatabaseError).code ?? '',
        );
        await client.query('ROLLBACK');
        const no = code === '42501' || code === '55000';
        if (no) refused += 1;
        if (no === allowed.has(key)) wrong.push(`${key}: ${code === '' ? 'ran' : code}`);
      };
      for (const { name, kind, first } of relations) {
        await attempt(`${role} SELECT ${name}`, `SELECT * FROM ${name} LIMIT 0`);
        await attempt(
          `${role} INSERT ${name}`,
          `INSERT INTO ${name} SELECT * FROM ${name} LIMIT 0`.replace(/SELECT \* FROM \S+/, 'DEFAULT VALUES').replace(' LIMIT 0', ''),
        );
        await attempt(`${role} UPDATE ${name}`, `UPDATE ${name} SET ${first} = NULL WHERE false`);
        await attempt(`${role} DELETE ${name}`, `DELETE FROM ${name} WHERE false`);
        if (kind !== 'v') {
          await attempt(`${role} TRUNCATE ${name}`, `TRUNCATE ${name}`);
          await attempt(`${role} ALTER ${name}`, `ALTER TABLE ${name} DISABLE TRIGGER ALL`);
          await attempt(`${role} LOCK ${name}`, `LOCK ${name} IN ACCESS EXCLUSIVE MODE`);
        }
        await attempt(`${role} DROP ${name}`, `DROP ${kind === 'v' ? 'VIEW' : 'TABLE'} ${name} CASCADE`);
      }
      for (const { name, call } of functions) await attempt(`${role} EXECUTE ${name}`, `SELECT ${call}`);
      for (const sql of [
        'CREATE TABLE audit.mine ()',
        'CREATE TABLE vault.mine ()',
        'SET ROLE audit_owner',
        'SET session_replication_role = replica',
      ])
        await attempt(`${role} ${sql}`, sql);
    });
    t.same(wrong, [], role);
  }
  t.ok(refused > 400, `${String(refused)} statements refused`);
});

test('the chain refuses what does not link, also from the writer and from a superuser', async (t) => {
  const database = await postgres.database();
  const stream = `'0d0c9f3a-5b1e-4c6e-9a44-7a1f0c2b3d4e'`;
  const zero = `decode(repeat('00', 32), 'hex')`;
  const open = (genesis: string): string =>
    `INSERT INTO audit.stream (stream_id, writer, ordinal, day, prev_last_seq, prev_last_hash, genesis, sig)
     VALUES (${stream}, 'gw', 1, current_date, 0, ${zero}, ${genesis}, decode(repeat('00', 64), 'hex'))`;
  const event = (
    seq: number,
    prev: string,
    hash = `audit.row_hash(${prev}, ${stream}, ${String(seq)}, 1, 1, NULL, NULL, 't', '{}', NULL)`,
  ): string =>
    `INSERT INTO audit.event (day, stream_id, seq, ts_us, mono_us, type, body, hash) VALUES (current_date, ${stream}, ${String(seq)}, 1, 1, 't', '{}', ${hash})`;
  await t.rejects(database.query(open(zero), [], 'gw_writer'), /genesis/);
  await database.query(open(`audit.genesis('gw', 1, ${stream}, current_date, 0, ${zero})`), [], 'gw_writer');
  await t.rejects(database.query(event(1, zero, zero), [], 'gw_writer'), /does not link/);
  await t.rejects(database.query(event(2, zero), [], 'gw_writer'), /does not link/, 'not before its predecessor');
  const genesis = `(SELECT genesis FROM audit.stream)`;
  await database.query(event(1, genesis), [], 'gw_writer');
  await database.query(event(2, `(SELECT hash FROM audit.event WHERE seq = 1)`), [], 'gw_writer');
  for (const sql of [
    'UPDATE audit.event SET body = $$x$$',
    'DELETE FROM audit.event',
    'TRUNCATE audit.event',
    'UPDATE audit.stream SET writer = $$x$$',
    'TRUNCATE audit.stream',
    'DELETE FROM audit.stream',
  ]) {
    await t.rejects(database.query(sql), /append-only/, `superuser: ${sql}`);
  }
  const partition =
    (
      await database.query<{ name: string }>(
        `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.event'::regclass`,
      )
    )[0]?.name ?? '';
  await t.rejects(database.query(`TRUNCATE ${partition}`), /append-only/);
  await t.rejects(database.query(`DELETE FROM ${partition}`), /append-only/);
  await t.rejects(
    database.query(
      `INSERT INTO audit.stream SELECT '00000000-0000-0000-0000-000000000000', 'x', 1, current_date, 0, prev_last_hash, genesis, sig FROM audit.stream`,
    ),
    /violates check|genesis/,
  );
  t.same(await database.query('SELECT * FROM audit.broken', [], 'auditor'), []);
});

test('a store whose Postgres is away starts down, says why, and comes up by itself; again after an outage', async (t) => {
  const database = await postgres.database();
  await postgres.stop();
  const log = keepingLogger();
  const store = createStore({ connectionString: database.url('gw_writer'), log, retryMs: RETRY });
  const states: string[] = [];
  store.onState((state) => states.push(state));
  await store.start();
  t.equal(store.state, 'down');
  t.not(store.why, '');
  await t.rejects(store.insertAudit({ streams: [], events: [], subjectKeys: [], payloads: [] }), { code: 'STORE_DOWN', retryable: true });
  await postgres.start();
  await eventually(() => store.state === 'up');
  await postgres.stop();
  await eventually(() => store.state === 'down');
  await postgres.start();
  await eventually(() => store.state === 'up');
  t.same(states, ['up', 'down', 'up']);
  await t.rejects(
    store.use((client) => client.query('SELECT 1 FROM no_such_table')),
    { code: 'STORE_REFUSED', retryable: false },
  );
  t.equal(store.state, 'up', 'a refused statement is no outage');
  t.same((await store.use((client) => client.query<{ who: string }>('SELECT current_user AS who'))).rows, [{ who: 'gw_writer' }]);
  await store.stop();
  t.equal(store.state, 'down');
  for (const bad of ['postgresql://gw_writer:wrong@127.0.0.1:1/x', 'postgresql://nobody.invalid/x', 'not a url']) {
    const lost = createStore({ connectionString: bad, log, retryMs: RETRY });
    await lost.start();
    t.equal(lost.state, 'down', bad);
    await lost.stop();
  }
  t.notOk(JSON.stringify(log.lines).includes('for-tests-only'), 'no password in the log');
});

test('the embedded server: private, passworded, restarted when it dies, stopped with us', async (t) => {
  const folder = await testFolder();
  const dataDir = join(folder, 'pg');
  const store: Store = createStore({ embedded: { dataDir, settings: FAST }, log: keepingLogger(), retryMs: RETRY });
  await store.start();
  t.equal(store.state, 'up', store.why);
  for (const name of await readdir(join(dataDir, 'secrets')))
    t.equal((await stat(join(dataDir, 'secrets', name))).mode & 0o777, 0o600, name);
  const config = await store.connectionFor('auditor');
  const client = new pg.Client(config ?? {});
  await client.connect();
  t.same((await client.query('SHOW listen_addresses')).rows, [{ listen_addresses: '' }], 'no port is open');
  t.same((await client.query(`SELECT count(*)::int AS n FROM audit.event`)).rows, [{ n: 0 }]);
  await client.end();
  const nobody = new pg.Client({ ...config, password: 'wrong' });
  await t.rejects(nobody.connect(), /password/);
  const pid = Number((await readFile(join(dataDir, 'data/postmaster.pid'), 'utf8')).split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  await eventually(() => store.state === 'down');
  await eventually(() => store.state === 'up');
  t.pass('killed with SIGKILL: started again over the stale pid file');
  await store.stop();
  await t.rejects(readFile(join(dataDir, 'data/postmaster.pid')), { code: 'ENOENT' });
  await rm(folder, { recursive: true, force: true });
});

async function ownerProcess(dataDir: string, more: SpawnOptions = {}): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/postgres-owner.ts', dataDir], {
    ...more,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  let ended = false;
  child.once('close', () => (ended = true));
  await eventually(() => said.includes('\n') || ended, 60_000);
  return { child, said };
}

test('a server of a live process is joined, one of a killed process is taken over', async (t) => {
  const folder = await testFolder();
  const dataDir = join(folder, 'pg');
  const { child, said } = await ownerProcess(dataDir);
  t.match(said, /^owner true/);
  const guest = await startEmbedded({ dataDir, settings: FAST });
  t.equal(guest.owner, false);
  await guest.stop();
  const still = new pg.Client({
    host: guest.host,
    port: guest.port,
    user: 'postgres',
    database: 'postgres',
    password: await guest.password('postgres'),
  });
  await still.connect();
  still.on('error', () => undefined);
  child.kill('SIGKILL');
  await new Promise((done) => child.once('close', done));
  const heir = await startEmbedded({ dataDir, settings: FAST });
  t.equal(heir.owner, true);
  await heir.stop();
  await still.end().catch(() => undefined);
  // A pid file that names a process of somebody else's: pids are used again after a reboot.
  await writeFile(join(dataDir, 'data/postmaster.pid'), `${String(process.pid)}\n${dataDir}/data\n0\n5432\n\n\n0\nready\n`);
  const again = await startEmbedded({ dataDir, settings: FAST });
  t.equal(again.owner, true);
  await again.stop();
  await rm(folder, { recursive: true, force: true });
});

test(
  'as root, below a folder that others may not enter: the cluster moves to where its user can work',
  { skip: asRoot ? false : 'not root' },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-locked-'));
    t.equal((await stat(folder)).mode & 0o777, 0o700);
    const server = await startEmbedded({ dataDir: join(folder, 'pg'), settings: FAST });
    const moved = (await readFile(join(folder, 'pg/moved-to'), 'utf8')).trim();
    t.match(moved, /^\/var\/lib\/parley\/postgres-/);
    t.match(server.host, moved);
    await server.stop();
    await rm(moved, { recursive: true });
    await rm(folder, { recursive: true });
  },
);

test('as an ordinary user', { skip: asRoot ? false : 'we are one' }, async (t) => {
  const folder = await testFolder();
  const home = join(folder, 'home');
  await mkdir(home);
  await chown(home, 65534, 65534);
  const { child, said } = await ownerProcess(join(home, 'pg'), {
    uid: 65534,
    gid: 65534,
    env: { ...process.env, HOME: home, TMPDIR: home },
  });
  t.match(said, /^owner true/);
  child.kill('SIGTERM');
  await new Promise((done) => child.once('close', done));
  await rm(folder, { recursive: true, force: true });
});

test('a path too long for a socket; initdb that cannot work', async (t) => {
  const folder = await testFolder();
  const long = join(folder, 'x'.repeat(80));
  const server = await startEmbedded({ dataDir: long, settings: FAST });
  t.ok(server.host.length < 90);
  await server.stop();
  await t.rejects(stat(server.host), { code: 'ENOENT' }, 'and leaves nothing behind');
  await rm(long, { recursive: true, force: true });
  const taken = join(folder, 'taken');
  await mkdir(join(taken, 'data'), { recursive: true });
  await writeFile(join(taken, 'data', 'not-ours'), 'something of somebody');
  await chmod(taken, 0o711);
  await t.rejects(startEmbedded({ dataDir: taken }), { code: 'STORE_DOWN', message: /initdb/ });
  t.equal(await readFile(join(taken, 'data', 'not-ours'), 'utf8'), 'something of somebody', 'what is there is left alone');
  await t.rejects(startEmbedded({ dataDir: join(folder, 'settings'), settings: { no_such_setting: '1' } }), ParleyError);
  await rm(folder, { recursive: true, force: true });
});

// The verifier of RFC 7677, section 3: user "user", password "pencil".
test('passwords are sent as SCRAM verifiers', (t) => {
  t.equal(
    scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')),
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
  t.end();
});

test('the last one turns out the light', async () => {
  await postgres.close();
});
