/** A person's rights over HTTP, against a real Postgres: export, erasure, and that nobody without the token gets either. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createAudit } from '../../src/audit/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startHttp } from '../../src/http/index.ts';
import { silentLogger, systemClock } from '../../src/observability/index.ts';
import { subjectActs } from '../../src/parts/index.ts';
import { createStore } from '../../src/store/index.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';

const CALL = '00000000-0000-4000-8000-000000000001';
const NUMBER = '+49 30 901820';

test('the rights of a person', async (t) => {
  const folder = await testFolder();
  const postgres = await startPostgres();
  const database = await postgres.database();
  const store = createStore({ log: silentLogger, connectionString: database.url('gw_writer'), adminConnectionString: database.url() });
  const audit = createAudit({
    folder: join(folder, 'spool'),
    gateway: 'test',
    store,
    clock: systemClock,
    log: silentLogger,
    content: { retentionDays: 30 },
  });
  await store.start();
  await audit.start();
  const runner = { linkUp: true, openCalls: () => [], watch: () => () => undefined };
  const config = await loadConfig(join(import.meta.dirname, '../../config/parley.example.yaml'), {
    root: join(import.meta.dirname, '../..'),
  });
  const acts = subjectActs(
    { ...config, privacy: { ...config.privacy, recordings: join(folder, 'recordings') } },
    { audit, store, clock: systemClock, keysFolder: join(folder, 'spool/keys') },
    null,
  );
  const http = await startHttp({ host: '127.0.0.1', port: 0, token: 'secret', runner, logger: silentLogger, acts, health: () => ({}) });
  t.teardown(async () => {
    await http.close();
    await audit.stop();
    await store.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  const post = async (path: string, body: string, token = 'secret'): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`http://127.0.0.1:${http.port}${path}`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  await audit.append({
    type: 'call.incoming',
    callId: CALL,
    body: { pbxId: '1', flow: 'f', flowVersion: 'v', to: '700' },
    content: { from: NUMBER },
  });
  await audit.append({
    type: 'caller.said',
    callId: CALL,
    body: { turn: 1, words: 2, confidence: 1, fromSample: 0, toSample: 1, waitMs: 1 },
    content: { text: 'a secret word' },
  });

  await t.test('1. without the token, without a number, with rubbish: refused', async (t) => {
    t.equal((await post('/v1/subjects/export', JSON.stringify({ number: NUMBER }), 'wrong')).status, 401);
    t.equal((await post('/v1/subjects/export', '{}')).status, 400);
    t.equal((await post('/v1/subjects/export', 'rubbish')).status, 400);
    t.equal((await post('/v1/subjects/export', JSON.stringify({ number: 'x'.repeat(100_000) }))).status, 400);
    t.equal((await post('/v1/subjects/burn', '{}')).status, 404);
    t.equal((await post('/constructor', '{}')).status, 404);
  });

  await t.test('2. the export holds what was said, and the log says that it was read', async (t) => {
    const { status, body } = await post('/v1/subjects/export', JSON.stringify({ number: '0049 30 90 18 20' }));
    t.equal(status, 200);
    t.match(JSON.stringify(body), /a secret word/);
    t.ok(await audit.shipped(5000));
    const rows = await database.query(`SELECT 1 FROM audit.event WHERE type = 'subject.exported'`);
    t.equal(rows.length, 1);
  });

  await t.test('3. after the erasure nothing is left, and the certificate is signed', async (t) => {
    const { status, body } = await post('/v1/subjects/erase', JSON.stringify({ number: NUMBER, reason: 'asked by letter' }));
    t.equal(status, 200);
    t.match(body['certificate'], /^parley\.audit\/erasure[\s\S]*— /);
    const again = await post('/v1/subjects/export', JSON.stringify({ number: NUMBER }));
    t.notMatch(JSON.stringify(again.body), /a secret word/);
    t.equal((await database.query('SELECT 1 FROM vault.payload')).length, 0);
  });
});
