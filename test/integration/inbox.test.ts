/** What callers left for people, in a real Postgres: kept encrypted, told of by an id, read with an entry in the log, gone with the person. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createAudit, eraseSubject, exportSubject, openInbox, verifyAudit } from '../../src/audit/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import type { InboxItem, InboxLine } from '../../src/contracts/index.ts';
import { silentLogger, systemClock } from '../../src/observability/index.ts';
import { auditOptions, createInbox, inboxActs } from '../../src/parts/index.ts';
import { createStore } from '../../src/store/index.ts';
import { until } from '../support/asterisk.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CANARY = 'Zanzibar';
const NEVER = new AbortController().signal;
const DAY_US = 86_400e6;

test('inbox', { timeout: 120_000 }, async (t) => {
  const folder = await testFolder();
  await mkdir(join(folder, 'spool'), { recursive: true });
  const postgres = await startPostgres();
  const database = await postgres.database();
  const store = createStore({ log: silentLogger, connectionString: database.url('gw_writer'), adminConnectionString: database.url() });
  const configured = await loadConfig(join(ROOT, 'config/parley.example.yaml'), { root: ROOT });
  const told = join(folder, 'told');
  const config: Config = {
    ...configured,
    audit: { ...configured.audit, spoolDirectory: join(folder, 'spool') },
    inbox: { notify: { t: 'command', command: ['sh', '-c', `cat >> '${told}'`] } },
  };
  const audit = createAudit({ ...auditOptions(config), store, clock: systemClock, log: silentLogger });
  await store.start();
  await audit.start();
  const desk = { audit, store, clock: systemClock, keysFolder: join(folder, 'spool/keys') };
  t.teardown(async () => {
    await audit.stop();
    await store.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  const inbox = await createInbox(config, desk, silentLogger);
  const { ports } = inbox;
  const acts = inboxActs(config, desk);
  const leave = (port: string, given: Record<string, string>, caller: string, key: string = randomUUID()): Promise<unknown> =>
    ports[port]!(given, key, NEVER, { callId: randomUUID(), caller });
  const list = async (all = false): Promise<readonly InboxLine[]> =>
    ((await acts['/v1/inbox/list']({ all })) as { items: readonly InboxLine[] }).items;
  const show = async (item?: string): Promise<readonly InboxItem[]> =>
    ((await acts['/v1/inbox/show'](item === undefined ? {} : { item })) as { items: readonly InboxItem[] }).items;
  const toldOf = async (): Promise<{ item: string; kind: string; why: string }[]> =>
    (await readFile(told, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { item: string; kind: string; why: string });

  await t.test('1. a message is kept; the list holds no word of it; showing it is in the log first', async (t) => {
    const words = { message: `${CANARY} is calling, my card is 4111 1111 1111 1111`, phone: '07700900123', mail: 'ann@example.com' };
    const answer = await leave('message.send', words, '+49 30 901820');
    t.match(answer, { done: true, reference: /^\d{6}$/ });
    const [line, ...others] = await list();
    t.equal(others.length, 0);
    t.match(line, { kind: 'message', due: null, doneUs: null, restricted: false, reference: (answer as { reference: string }).reference });
    t.notOk(JSON.stringify(line).includes(CANARY));
    t.equal((await database.query(`SELECT 1 FROM audit.event WHERE type = 'content.read'`)).length, 0, 'a list reads no content');
    const [item] = await show(line?.item.slice(0, 8));
    t.equal(item?.from, '+49 30 901820');
    t.equal(item?.fields['phone'], '07700900123', 'what he was asked for is kept as it is');
    t.equal(item?.fields['mail'], 'ann@example.com');
    t.match(item?.fields['message'], CANARY);
    t.notMatch(item?.fields['message'], '1111 1111', 'what privacy.maskDigits leaves out is left out here too');
    t.ok(await audit.shipped(10_000));
    const [read] = await database.query<{ body: string }>(`SELECT body FROM audit.event WHERE type = 'content.read'`);
    t.match(JSON.parse(read!.body), { purpose: 'inbox', payloads: 1 });
    const events = JSON.stringify(await database.query('SELECT body FROM audit.event'));
    t.notOk(events.includes(CANARY) || events.includes('900123') || events.includes('901820'));
    const payloads = await database.query<{ ct: Buffer }>('SELECT ct FROM vault.payload');
    t.notOk(payloads.some(({ ct }) => ct.toString('latin1').includes(CANARY)));
  });

  await t.test('2. who is told gets an id and a kind, after the log has it', async (t) => {
    await until('the notification', async () => (await toldOf()).length === 1);
    const [line] = await list();
    t.strictSame(await toldOf(), [{ item: line!.item, kind: 'message', why: 'received' }]);
    t.ok(await audit.shipped(10_000));
    const rows = await database.query<{ type: string }>(`SELECT type FROM audit.event WHERE subject_id = $1 ORDER BY ts_us`, [line!.item]);
    t.strictSame(
      rows.map(({ type }) => type),
      ['inbox.received', 'inbox.told'],
    );
  });

  await t.test('3. the same act twice is one item; a notification that fails loses nothing', async (t) => {
    const failing = await createInbox({ ...config, inbox: { notify: { t: 'command', command: ['false'] } } }, desk, silentLogger);
    const put = (): Promise<unknown> =>
      failing.ports['callback.request']!({ phone: '07700 1' }, 'one key', NEVER, { callId: randomUUID(), caller: '' });
    const [first, second] = await Promise.all([put(), put()]);
    t.strictSame(first, second);
    t.equal((await list()).filter(({ kind }) => kind === 'callback').length, 1);
  });

  await t.test('4. done is done once; it leaves the list; by whom is kept with it', async (t) => {
    const open = await list();
    const [callback] = open.filter(({ kind }) => kind === 'callback');
    t.match(await acts['/v1/inbox/done']({ item: callback!.reference, by: 'Ann', note: `rang ${CANARY}` }), { done: true });
    t.match(await acts['/v1/inbox/done']({ item: callback!.item }), { done: false });
    t.equal((await list()).length, open.length - 1);
    t.ok((await list(true)).find(({ item }) => item === callback!.item)?.doneUs);
    await t.rejects(acts['/v1/inbox/show']({ item: 'ffff0000' }), { code: 'INBOX_ITEM' });
    await t.rejects(acts['/v1/inbox/done']({}), { code: 'CONFIG_INVALID' });
    await t.rejects(acts['/v1/inbox/done']({ item: callback!.item, note: 'x'.repeat(2001) }), { code: 'CONFIG_INVALID' });
  });

  await t.test('5. a reminder is told of on the day before its day, once', async (t) => {
    const before = (await toldOf()).length;
    const tomorrow = new Date(Date.now() + 86_400_000);
    const day = `${tomorrow.getFullYear()}-${String(tomorrow.getMonth() + 1).padStart(2, '0')}-${String(tomorrow.getDate()).padStart(2, '0')}`;
    await leave('message.remind', { phone: '07700 2', day, time: '10:00' }, '+49 30 2');
    await leave('message.remind', { phone: '07700 3', day: '2099-01-01', time: '10:00' }, '+49 30 3');
    t.ok(await audit.shipped(10_000));
    await inbox.tellDue();
    t.ok(await audit.shipped(10_000));
    await inbox.tellDue();
    const news = (await toldOf()).slice(before);
    t.match(news, [{ kind: 'reminder', why: 'due' }]);
    t.equal(news.length, 1);
    t.equal((await show(news[0]?.item))[0]?.fields['phone'], '07700 2');
  });

  await t.test('6. a restricted number is listed and not shown', async (t) => {
    await database.query(
      `INSERT INTO vault.restriction (number_mac) SELECT number_mac FROM vault.subject_key WHERE number_mac IS NOT NULL`,
    );
    const [line] = (await list()).filter(({ kind }) => kind === 'message');
    t.equal(line?.restricted, true);
    await t.rejects(acts['/v1/inbox/show']({ item: line!.item }), { code: 'CONTENT_REFUSED' });
    t.equal((await show()).filter(({ restricted }) => restricted).length, 0);
    await database.query('DELETE FROM vault.restriction');
  });

  await t.test('7. an export holds it, an erasure takes it, its time ends it; the chain verifies', async (t) => {
    const { vcons } = await exportSubject(desk, '+4930901820');
    t.ok(JSON.stringify(vcons).includes(CANARY));
    t.equal((await eraseSubject(desk, '+4930901820', 'asked')).subjects, 1);
    t.equal((await list(true)).filter(({ kind }) => kind === 'message').length, 0);
    const due = await database.query<{ days: number }>(
      'SELECT extract(epoch FROM expires_at - now())::float8 / 86400 AS days FROM vault.subject_key',
    );
    t.ok(due.length > 0 && due.every(({ days }) => days > 29.9 && days < 30.1));
    const later = openInbox({
      ...desk,
      days: 30,
      clock: { ...systemClock, wallUs: () => systemClock.wallUs() + 31 * DAY_US, monoUs: () => 0 },
    });
    t.strictSame(await later.list(true), [], 'too old, whether it is deleted yet or not');
    t.equal((await verifyAudit({ connection: database.url() })).findings.length, 0);
  });

  await t.test('8. without data.inbox.days there is no inbox, and its ports are not there', async (t) => {
    const none = { ...config, data: { ...config.data, inbox: { days: 0, basis: null, purpose: '' } } };
    t.strictSame(Object.keys((await createInbox(none, desk, silentLogger)).ports), []);
    await t.rejects(async () => inboxActs(none, desk)['/v1/inbox/list']({}), { code: 'CONFIG_INVALID' });
  });
});
