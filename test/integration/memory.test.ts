/** What is remembered of a caller, from one call to the next, in a real Postgres: kept by consent and time, gone with the person. */
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { createAudit, eraseSubject, exportSubject, openMemory, verifyAudit } from '../../src/audit/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { CallMemory, FinishedCall, Recalled } from '../../src/contracts/index.ts';
import { createDialogue, parseFlow } from '../../src/dialogue/index.ts';
import { silentLogger, systemClock } from '../../src/observability/index.ts';
import { auditOptions, callMemory } from '../../src/parts/index.ts';
import { createStore } from '../../src/store/index.ts';
import { rig } from '../support/call-rig.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CANARY = 'Zanzibar';
const FLOW = `flow: visits
language: en
start: add
contact: { visits: 0, city: '', remember_me: false }
prompts:
  hello: { en: 'This is visit {contact.visits}, from {contact.city}.' }
steps:
  add: { set: { contact.visits: contact.visits + 1, contact.city: '"${CANARY}"', contact.remember_me: 'true' }, next: greet }
  greet: { say: hello, next: over }
  over: { end: hangup, prompt: hello, outcome: counted }
`;

test('memory', { timeout: 120_000 }, async (t) => {
  const folder = await testFolder();
  await mkdir(join(folder, 'spool'), { recursive: true });
  const postgres = await startPostgres();
  const database = await postgres.database();
  const store = createStore({ log: silentLogger, connectionString: database.url('gw_writer'), adminConnectionString: database.url() });
  const configured = await loadConfig(join(ROOT, 'config/parley.example.yaml'), { root: ROOT });
  const given = { ...configured, audit: { ...configured.audit, spoolDirectory: join(folder, 'spool') } };
  const memoryRule = { days: 30, basis: 'legitimateInterests' as const, purpose: 'to know a caller again' };
  const config = { ...given, data: { ...given.data, memory: memoryRule } };
  // Nothing else of what is said is kept.
  const audit = createAudit({ ...auditOptions(config), content: 'discard', store, clock: systemClock, log: silentLogger });
  await store.start();
  await audit.start();
  const desk = { audit, store, clock: systemClock, keysFolder: join(folder, 'spool/keys') };
  t.teardown(async () => {
    await audit.stop();
    await store.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  const kept = async (): Promise<number> => {
    t.ok(await audit.shipped(10_000));
    const [row] = await database.query<{ n: string }>(`SELECT count(*) AS n FROM audit.event WHERE type = 'memory.kept'`);
    return Number(row?.n);
  };
  const keys = async (): Promise<number> =>
    Number((await database.query<{ n: string }>('SELECT count(*) AS n FROM vault.subject_key'))[0]?.n);

  /** One whole call; what the caller heard. */
  const call = async (number: string, memory?: CallMemory): Promise<string> => {
    const dialogue = createDialogue(parseFlow(FLOW, 'visits.yaml'), { today: '2026-11-20' });
    const line = rig(() => [], undefined, {}, { audit, flow: () => dialogue, ...(memory === undefined ? {} : { memory }) });
    const said: string[] = [];
    const over = { now: false };
    line.runner.watch(({ event }) => {
      if (event.type === 'agent.speaking') said.push(event.content.text);
      if (event.type === 'call.ended') over.now = true;
    });
    await line.pbx.start();
    await line.stt.start();
    await line.tts.start();
    line.pbx.ring({ args: { flow: 'visits' }, from: { name: '', number } });
    for (let n = 0; n < 1000 && !over.now; n++) {
      await sleep(10);
      // What Postgres is asked for at the start is not hurried; the talking is.
      await line.time.pass(n < 40 ? 10 : 200);
    }
    t.ok(over.now);
    await audit.shipped(1000);
    return said[0] ?? '';
  };
  const finished = (more: Partial<FinishedCall>): FinishedCall => ({
    ...{ callId: randomUUID(), number: '+49 170 1', outcome: 'done', summary: 'a line', values: {}, slots: {}, agreedBefore: undefined },
    ...more,
  });
  const { memory } = await callMemory(config, desk);
  t.ok(memory);
  if (memory === undefined) return;

  await t.test('1. without data.memory.days, or without a basis, there is none, and nothing is kept', async (t) => {
    t.strictSame(await callMemory(given, desk), {});
    t.strictSame(await callMemory({ ...given, data: { ...given.data, memory: { ...memoryRule, basis: null } } }, desk), {});
    t.match(await call('+49 30 1'), 'This is visit 1');
    t.equal(await kept(), 0);
    t.equal(await keys(), 0);
  });

  await t.test('2. the second call knows the first, however the number is written; another caller is another', async (t) => {
    t.match(await call('+49 30 901820', memory), 'This is visit 1');
    t.match(await call('0049 30 901820', memory), `This is visit 2, from ${CANARY}`);
    t.match(await call('+49 30 901821', memory), 'This is visit 1');
    const recalled = await memory.recall({ callId: randomUUID(), number: '+4930901820' });
    t.match(recalled?.history, { calls: 2, lastOutcome: 'counted', daysSince: 0 });
    t.equal(recalled?.contact['summary'], 'visits (counted)');
  });

  await t.test('3. reading is in the log before; words and numbers are only in the vault, until data.memory.days', async (t) => {
    await audit.shipped(10_000);
    const reads = await database.query<{ body: string; call_id: string | null }>(
      `SELECT body, call_id FROM audit.event WHERE type = 'content.read'`,
    );
    t.equal(reads.length, 2);
    t.ok(reads.every(({ call_id, body }) => call_id !== null && /"purpose":"memory"/.test(body)));
    const events = JSON.stringify(await database.query('SELECT body FROM audit.event'));
    t.notOk(events.includes(CANARY) || events.includes('901820'));
    const payloads = await database.query<{ ct: Buffer }>('SELECT ct FROM vault.payload');
    t.notOk(payloads.some(({ ct }) => ct.toString('latin1').includes(CANARY)));
    const due = await database.query<{ days: number }>(
      'SELECT extract(epoch FROM expires_at - now())::float8 / 86400 AS days FROM vault.subject_key',
    );
    t.ok(due.every(({ days }) => days > 29.9 && days < 30.1));
    const later = await openMemory({
      ...desk,
      clock: { ...systemClock, wallUs: () => systemClock.wallUs() + 31 * 86_400e6, monoUs: () => systemClock.monoUs() },
      days: 30,
      basis: 'contract',
    });
    t.equal(await later.recall({ callId: randomUUID(), number: '+4930901820' }), null, 'too old, whether it is deleted yet or not');
    t.equal((await verifyAudit({ connection: database.url() })).findings.length, 0);
  });

  await t.test('4. an export holds it; after erasure the caller is unknown', async (t) => {
    const { vcons } = await exportSubject(desk, '+4930901820');
    t.equal(vcons.length, 2);
    t.ok(JSON.stringify(vcons).includes(CANARY));
    t.equal((await eraseSubject(desk, '+4930901820', 'asked')).subjects, 2);
    t.equal(await memory.recall({ callId: randomUUID(), number: '+4930901820' }), null);
    t.match(await call('+4930901820', memory), 'This is visit 1');
    t.equal((await verifyAudit({ connection: database.url() })).findings.length, 0);
  });

  await t.test('5. a restricted number is not recalled', async (t) => {
    const number = '+49 30 901821';
    t.not(await memory.recall({ callId: randomUUID(), number }), null);
    await database.query('INSERT INTO vault.restriction (number_mac) SELECT number_mac FROM vault.subject_key');
    t.equal(await memory.recall({ callId: randomUUID(), number }), null);
    await database.query('DELETE FROM vault.restriction');
  });

  await t.test('6. by consent: nothing before a yes, kept with a yes of now or earlier, forgotten with a no', async (t) => {
    const asking = await openMemory({ ...desk, days: 30, basis: 'consent' });
    const about = { callId: randomUUID(), number: '+49 170 1' };
    const recalledOf = async (of: CallMemory): Promise<Recalled> => {
      await kept();
      const recalled = await of.recall(about);
      if (recalled === null) throw new Error('nothing is remembered');
      return recalled;
    };
    const before = await kept();
    await asking.keep(finished({ values: { city: CANARY } }));
    t.equal(await kept(), before);
    await asking.keep(finished({ values: { city: CANARY, remember_me: 'true' }, slots: { day: '2026-11-27' } }));
    t.match((await recalledOf(asking)).contact, { city: CANARY, last_day: '2026-11-27' });
    await asking.keep(finished({ values: { city: 'Ulm' }, agreedBefore: 'true' }));
    await kept();
    t.equal(await kept(), before + 2);
    t.match((await asking.recall(about))?.contact, { city: 'Ulm', remember_me: 'true', summary: 'a line' });
    const agreed = await database.query<{ body: string }>(
      `SELECT body FROM audit.event WHERE type = 'memory.kept' ORDER BY ts_us DESC LIMIT 2`,
    );
    t.strictSame(
      agreed.map(({ body }) => (JSON.parse(body) as { agreed: string }).agreed),
      ['earlier', 'now'],
    );
    await asking.keep(finished({ values: { remember_me: 'false' }, agreedBefore: 'true' }));
    t.equal(await kept(), before + 2);
    t.equal(await asking.recall(about), null);
    const [left] = await database.query<{ n: string }>(
      `SELECT count(*) AS n FROM audit.event e JOIN vault.payload p USING (stream_id, seq) WHERE e.body LIKE '%"basis":"consent"%'`,
    );
    t.equal(Number(left?.n), 0, 'the words are gone');
    t.equal((await verifyAudit({ connection: database.url() })).findings.length, 0);
  });

  await t.test('7. what cannot be remembered: no number, a database that is away', async (t) => {
    const before = await kept();
    await memory.keep(finished({ number: 'anonymous' }));
    t.equal(await memory.recall({ callId: randomUUID(), number: 'anonymous' }), null);
    t.equal(await kept(), before);
    await postgres.stop();
    t.match(await call('+49 30 901821', memory), 'This is visit 1', 'the call goes on without');
    await postgres.start();
  });
});
