/** One call through a real Asterisk into the whole service, and then a search for the caller in everything that is left of it. */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { exportRecordings } from '../../src/audit/index.ts';
import { systemClock } from '../../src/observability/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, until } from '../support/asterisk.ts';
import { startPostgres, testFolder, type TestDatabase } from '../support/postgres.ts';
import { startRig } from '../support/service.ts';

const listen = { wait: 'agent-finished' } as const;
const BOOK = { say: 'i want to book a table for four on friday at seven' } as const;
/** The number that calls, and what only this caller says. */
const NUMBER = '+4930901820';
const CANARIES = ['4930901820', 'table for four', 'book a table'];

test('privacy of a whole call', { timeout: 300_000 }, async (t) => {
  const folder = await testFolder();
  const postgres = await startPostgres();
  const options = await asteriskOptions(t, {});
  const asterisk = await startPrivateAsterisk(options);
  t.teardown(async () => {
    await asterisk.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });

  await t.test('GDPR 5(1), 25; section 201 StGB: a default call leaves no word, no number and no audio anywhere', async (t) => {
    const database = await postgres.database();
    const rig = await startRig({ folder: join(folder, 'default'), asterisk, databaseUrl: database.url(), mediaPort: 28_000 });
    t.teardown(() => rig.stop());
    await until('the link to Asterisk', () => rig.service.runner.linkUp);
    const audioFiles = new Set<string>();
    const watch = setInterval(() => openFiles().forEach((name) => audioFiles.add(name)), 50);
    const report = await rig.call([listen, BOOK, listen, { hangup: true }], { from: NUMBER });
    clearInterval(watch);
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.equal(rig.of('call.incoming')[0]!.content?.['from'], NUMBER, 'those who watch saw the number');
    t.equal(rig.of('caller.said')[0]!.content?.['text'], BOOK.say, 'and the words');
    await until('everything in Postgres', () => rig.service.audit.backlog === 0);
    t.same(
      [...audioFiles].filter((name) => !isOurs(name, folder)),
      [],
      'no file was open for writing during the call but the log and the database',
    );
    await rig.stop();
    t.same(await found(CANARIES, [join(folder, 'default')]), [], 'files of the service');
    t.same(await found(CANARIES, [options.runDir]), [], 'files of the PBX');
    t.same(await inDatabase(database), [], 'the database');
    t.same(await readdir(join(folder, 'default')).then((names) => names.filter((name) => /recording|wav|pcm/.test(name))), []);
  });

  await t.test('GDPR 7: with consent the call is recorded, and comes out for the number that called', async (t) => {
    const database = await postgres.database();
    const recordings = join(folder, 'recordings');
    const more = `data: { recording: { days: 30, basis: consent } }\nprivacy: { recordings: "${recordings}" }`;
    const rig = await startRig({ folder: join(folder, 'recorded'), asterisk, databaseUrl: database.url(), mediaPort: 28_200, more });
    t.teardown(() => rig.stop());
    await until('the link to Asterisk', () => rig.service.runner.linkUp);
    const report = await rig.call([listen, { keys: '1' }, listen, BOOK, listen, { hangup: true }], { from: NUMBER });
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    const order = rig.types();
    t.equal(rig.of('consent')[0]!.body.result, 'granted');
    t.equal(rig.of('consent')[0]!.body.how, 'keys');
    t.ok(order.indexOf('notice.completed') < order.indexOf('consent'), 'the notice before the question');
    t.ok(order.indexOf('consent') < order.indexOf('recording.started'), 'the consent before the recording');
    t.equal(rig.of('recording.stopped').length, 1);
    t.ok(order.indexOf('recording.stopped') < order.indexOf('call.ended'));
    const { audit, store } = rig.service;
    const desk = { audit, store, clock: systemClock, keysFolder: join(folder, 'recorded/spool/keys') };
    const [kept] = await exportRecordings(desk, recordings, NUMBER);
    t.equal(kept!.whole, true);
    t.ok(kept!.seconds > 5, `${kept!.seconds} s`);
    t.same(await found(CANARIES, [recordings, join(folder, 'recorded')]), [], 'nothing of it in the clear');
  });
});

/** Regular files that this process has open for writing. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd')
    .filter((fd) => Number(fd) > 2)
    .flatMap((fd) => {
      try {
        const name = readlinkSync(`/proc/self/fd/${fd}`);
        return name.startsWith('/') && !name.startsWith('/dev/') && !name.startsWith('/proc/') && isWritten(fd) ? [name] : [];
      } catch {
        return [];
      }
    });
}

function isWritten(fd: string): boolean {
  const flags = /flags:\s+0?(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & 3) !== 0;
}

/** The spool: encrypted, and searched for the canaries afterwards. */
const isOurs = (name: string, folder: string): boolean =>
  name.startsWith(join(folder, 'default/spool/')) || name.startsWith('/memfd:') || name.includes('/.tap/');

/** Files below these folders that hold one of the words. */
async function found(words: readonly string[], folders: readonly string[]): Promise<string[]> {
  const hits: string[] = [];
  for (const folder of folders) {
    for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
      const path = join(folder, name);
      const info = await stat(path).catch(() => null);
      if (info?.isFile() !== true) continue;
      const text = (await readFile(path)).toString('latin1');
      for (const word of words) if (text.includes(word)) hits.push(`${name}: ${word}`);
    }
  }
  return hits;
}

/** Everything in every table, as text. */
async function inDatabase(database: TestDatabase): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('audit', 'vault', 'ops')`,
  );
  const hits: string[] = [];
  for (const { name } of tables) {
    const rows = await database.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`);
    for (const { text } of rows) for (const word of CANARIES) if (text.includes(word)) hits.push(`${name}: ${word}`);
  }
  return hits;
}
