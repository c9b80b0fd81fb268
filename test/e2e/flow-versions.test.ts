/** Flows change while a call runs them, in the whole service behind a real Asterisk: the call keeps its own, the next ones get the new. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { verifyAudit } from '../../src/audit/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, until } from '../support/asterisk.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { startRig } from '../support/service.ts';

const listen = { wait: 'agent-finished' } as const;

test('flows change while a call runs', { timeout: 300_000 }, async (t) => {
  const folder = await testFolder();
  const flows = join(folder, 'flows');
  await mkdir(flows);
  const file = join(flows, 'booking.yaml');
  await copyFile('config/flows/booking.yaml', file);
  const postgres = await startPostgres();
  const database = await postgres.database();
  const asterisk = await startPrivateAsterisk(await asteriskOptions(t, { desks: [] }));
  const home = join(folder, 'parley');
  const rig = await startRig({
    ...{ folder: home, asterisk, databaseUrl: database.url(), mediaPort: 27_200 },
    more: `flows: { directory: "${flows}", facts: config/facts }`,
  });
  t.teardown(async () => {
    await rig.stop();
    await asterisk.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  await until('the link to Asterisk', () => rig.service.runner.linkUp);
  const token = (await readFile(join(home, 'token'), 'utf8')).trim();
  const act = async (name: string, input: object = {}): Promise<number> => {
    const { status } = await fetch(`http://127.0.0.1:${rig.service.http.port}/v1/flows/${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
    return status;
  };
  const change = async (from: string, to: string): Promise<void> => writeFile(file, (await readFile(file, 'utf8')).replace(from, to));
  const said = (): string =>
    rig
      .of('agent.said')
      .map(({ content }) => content?.['text'])
      .join(' | ');
  const short = async (): Promise<string> => {
    rig.events.splice(0);
    const report = await rig.call([listen, { hangup: true }]);
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    return rig.of('call.incoming')[0]?.body.flowVersion ?? '';
  };

  t.equal(await act('activate', { flow: 'booking' }), 200);
  const first = await short();
  rig.events.splice(0);
  const changes: Promise<void>[] = [];
  const swap = async (): Promise<void> => {
    await change('Your table is booked.', 'It is done.');
    await change('How can I help you?', 'What is it?');
    t.equal(await act('reload'), 200);
    t.equal(await act('activate', { flow: 'booking' }), 200);
    // The version of the running call goes from the disk, too.
    await rm(join(flows, '.versions', 'booking', `${first}.json`));
    t.equal(await act('reload'), 200);
  };
  const book = { say: 'i want to book a table for four on friday at seven' } as const;
  const report = await rig.call([listen, book, listen, { say: 'yes that is right' }, listen, { hangup: true }], {
    onEvent: (event) => {
      if (event.t === 'saying' && changes.length === 0) changes.push(swap());
    },
  });
  await Promise.all(changes);
  await until('the end of the call', () => rig.types().includes('call.ended'));
  t.equal(report.problem, null);
  t.equal(rig.of('call.incoming')[0]?.body.flowVersion, first);
  t.match(said(), /How can I help you\?.*Is that right\?.*Your table is booked/, 'the running call goes on in its own words');
  t.notMatch(said(), /It is done/);
  t.match(
    rig.of('flow.changed').map(({ body }) => body.act),
    ['reload', 'activate', 'reload'],
    'each change is in the log',
  );

  const second = await short();
  t.not(second, first);
  t.match(said(), /What is it\?/, 'the next call has the new ones');

  await change('What is it?', 'Yes please?');
  t.equal(await act('reload'), 200);
  t.equal(await act('activate', { flow: 'booking', percent: 0.001 }), 200);
  t.equal(await short(), second, 'one call in a hundred thousand gets the new one');
  t.equal(await act('activate', { flow: 'booking', percent: 99.999 }), 200);
  const third = await short();
  t.ok(third !== second && third !== first, 'all but one in a hundred thousand do');
  t.equal(await act('rollback', { flow: 'booking' }), 200);
  t.equal(await short(), second, 'and back');

  await writeFile(file, 'flow: booking\nsteps: [');
  t.not(await act('reload'), 200);
  t.equal(await short(), second, 'what is broken changes nothing');
  await until('everything shipped', () => rig.service.audit.backlog === 0, 30_000);
  t.same((await verifyAudit({ connection: database.url() })).findings, []);
});
