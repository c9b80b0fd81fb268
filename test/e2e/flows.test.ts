/**
 * Shipped flows with their tools, by the shipped dialplan, through a real Asterisk: an appointment lands in a real calendar, and what is said
 * when no desk answers lands in the inbox.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { verifyAudit } from '../../src/audit/index.ts';
import { ask } from '../../src/cli/live.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { InboxItem, InboxLine } from '../../src/contracts/index.ts';
import { CalDav } from '../../src/integrations/index.ts';
import { readOrCreateToken } from '../../src/parts/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, leftovers, until } from '../support/asterisk.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { startRadicale } from '../support/radicale.ts';
import { startRig } from '../support/service.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const ZONE = 'Europe/Berlin';
const CALLER = '0301234567';
const listen = { wait: 'agent-finished' } as const;

test('shipped flows in real calls', { timeout: 240_000 }, async (t) => {
  const folder = await testFolder();
  const [postgres, server] = await Promise.all([startPostgres(), startRadicale()]);
  const database = await postgres.database();
  const numbers = join(ROOT, 'dialplan/asterisk/numbers_parley.conf');
  const extraDialplan = `#include "${numbers}"\n[parley-test](+)\ninclude => parley-numbers\n`;
  // No desk is there at all: whoever wants a person gets nobody.
  const asterisk = await startPrivateAsterisk(await asteriskOptions(t, { extraDialplan }));
  const parley = join(folder, 'parley');
  const password = join(folder, 'calendar-password');
  await writeFile(password, server.password, { mode: 0o600 });
  const more = `tools: { calendar: { url: "${server.url}", user: ${server.user}, passwordFile: "${password}", zone: ${ZONE} } }`;
  const rig = await startRig({ folder: parley, asterisk, databaseUrl: database.url(), mediaPort: 27_400, more });
  t.teardown(async () => {
    await rig.stop();
    await asterisk.stop();
    await Promise.all([postgres.close(), server.stop()]);
    await rm(folder, { recursive: true, force: true });
  });
  await until('the link to Asterisk', () => rig.service.runner.linkUp);
  const fresh = (): void => void rig.events.splice(0);
  const calendar = new CalDav({ ...server, zone: ZONE });
  const { http } = await loadConfig(join(parley, 'parley.yaml'));
  const gateway = { host: http.host, port: http.port, token: await readOrCreateToken(http.tokenFile) };
  const act = async (name: string, input: Record<string, string> = {}): Promise<unknown> =>
    (await ask(gateway, `/v1/inbox/${name}`, input)).body;

  await t.test('1. an appointment is booked by voice: it is in the calendar, under the number that called', async (t) => {
    const report = await rig.call(
      [
        listen,
        { say: 'i want to book an appointment on monday' },
        listen,
        { say: 'monday at ten in the morning' },
        listen,
        { say: 'yes that is right' },
        listen,
        { say: 'no thank you' },
        { wait: 'hangup' },
      ],
      { extension: '5550110', from: CALLER },
    );
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.equal(rig.of('call.ended')[0]?.body.outcome, 'booked');
    t.strictSame(
      rig.of('tool.answered').map(({ body }) => [body.tool, body.ok]),
      [
        ['is_free', true],
        ['book', true],
      ],
    );
    const found = await calendar.next(CALLER, Date.now(), AbortSignal.timeout(5000));
    t.equal(found?.time, '10:00');
    t.equal(new Date(`${found?.day}T12:00:00Z`).getUTCDay(), 1, 'a Monday');
    t.equal(rig.service.egress.refused, 0);
  });

  await t.test('2. the same number cancels it, by keys', async (t) => {
    fresh();
    const report = await rig.call([listen, { keys: '3' }, listen, { keys: '1' }, { wait: 'hangup' }], {
      extension: '5550110',
      from: CALLER,
    });
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.equal(rig.of('call.ended')[0]?.body.outcome, 'cancelled');
    t.equal(await calendar.next(CALLER, Date.now(), AbortSignal.timeout(5000)), null);
  });

  await t.test('3. no desk answers: the dialplan comes back, and a message is in the inbox until somebody has dealt with it', async (t) => {
    fresh();
    const report = await rig.call(
      [
        listen,
        { say: 'i want to speak to a person' },
        listen, // transferring
        listen, // what may I write down
        { say: 'i have a question about my bill' },
        listen,
        { keys: '1' },
        { wait: 'hangup' },
      ],
      { extension: '5550110', from: CALLER, maxCallMs: 90_000 },
    );
    await until('the end of both', () => rig.of('call.ended').length === 2);
    t.equal(report.problem, null);
    t.strictSame(
      rig.of('call.ended').map(({ body }) => body.outcome),
      ['transferred', 'message'],
    );
    const { items } = (await act('list')) as { items: readonly InboxLine[] };
    t.match(items, [{ kind: 'message', doneUs: null }]);
    const [line] = items;
    const shown = (await act('show', { item: line?.item ?? '' })) as { items: readonly InboxItem[] };
    t.match(shown.items, [{ from: CALLER, fields: { message: 'i have a question about my bill', desk: '100' } }]);
    t.match(await act('done', { item: line?.item ?? '', by: 'Ann' }), { done: true });
    t.strictSame(await act('list'), { items: [] });
    t.ok(await rig.service.audit.shipped(10_000));
    t.same((await verifyAudit({ connection: database.url() })).findings, []);
    const bodies = JSON.stringify(await database.query('SELECT body FROM audit.event'));
    t.notOk(bodies.includes(CALLER) || bodies.includes('my bill'), 'the chain holds no number and no word');
    t.same(await leftovers(asterisk), [], 'no channel and no bridge is left');
  });
});
