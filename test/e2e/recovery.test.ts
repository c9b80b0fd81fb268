/** Calls outlive the process: killed with -9 in mid-call it goes on, and an upgrade drops nobody. Real Asterisk, real Postgres, real callers. */
import { createServer } from 'node:http';
import { readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { verifyAudit } from '../../src/audit/index.ts';
import { placeCall } from '../../src/cli/caller/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, leftovers, until } from '../support/asterisk.ts';
import { gatewayIn } from '../support/gateway.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { startRig } from '../support/service.ts';

const finished = { wait: 'agent-finished', timeoutMs: 60_000 } as const;
/** As long as a new start may take on a busy machine. */
const patient = { wait: 'agent-finished', quietMs: 12_000, timeoutMs: 90_000 } as const;
/** Nobody is asked whether he is still there while he waits for a start. */
const QUIET = 'turn: { silenceMs: 60000 }';
const BOOK = { say: 'i want to book a table for four on friday at seven' } as const;

test('calls outlive the gateway', { timeout: 420_000 }, async (t) => {
  const folder = await testFolder();
  const postgres = await startPostgres();
  const asterisk = await startPrivateAsterisk(await asteriskOptions(t));
  t.teardown(async () => {
    await asterisk.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  const sip = { sipHost: asterisk.sipHost, sipPort: asterisk.sipPort, extension: '700' };

  await t.test('1. killed in a call: the caller hears an apology, the conversation has its context, the log one end', async (t) => {
    const database = await postgres.database();
    const gateway = await gatewayIn(t, {
      folder: join(folder, 'killed'),
      asterisk,
      databaseUrl: database.url(),
      mediaPort: 27_200,
      more: `${QUIET}\ndata: { recording: { days: 30, basis: legitimateInterests } }\nprivacy: { recordings: "${join(folder, 'recordings')}" }`,
    });
    gateway.start();
    await gateway.up();
    let said = 0;
    let killed: Promise<void> = Promise.resolve();
    const kill = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await gateway.kill();
      gateway.start();
    };
    const report = await placeCall({
      ...sip,
      script: [finished, BOOK, patient, { say: 'yes that is right' }, finished, { say: 'no' }, { wait: 'hangup' }],
      onEvent: (event) => {
        if (event.t === 'said' && ++said === 1) killed = kill();
      },
    });
    await killed;
    t.ok(report.answered && report.finished, 'the call comes to its end');
    await gateway.up();
    t.same(await leftovers(asterisk), [], 'no channel and no bridge is left');
    t.equal(await gateway.terminate(), 0);
    // Its end ships what was still on its way.
    const events = await database.query<{ type: string; outcome: string | null; turns: number | null }>(
      `SELECT type, body::json->>'outcome' AS outcome, (body::json->>'turns')::int AS turns FROM audit.event
       WHERE type IN ('call.incoming', 'call.recovered', 'call.ended') ORDER BY ts_us`,
    );
    t.same(
      events.map(({ type }) => type),
      ['call.incoming', 'call.recovered', 'call.ended'],
    );
    t.equal(events[1]?.turns, 1, 'what was said before is known');
    t.equal(events[2]?.outcome, 'booked');
    const recordings = await database.query<{ type: string; recording: string }>(
      `SELECT type, body::json->>'recording' AS recording FROM audit.event
       WHERE type IN ('recording.started', 'recording.broken', 'recording.stopped') ORDER BY ts_us, seq`,
    );
    const [first, broken, second, stopped] = recordings;
    t.same(
      recordings.map(({ type }) => type),
      ['recording.started', 'recording.broken', 'recording.started', 'recording.stopped'],
      'the log says that the crash broke the recording',
    );
    t.ok(first?.recording === broken?.recording && second?.recording === stopped?.recording);
    t.equal((await verifyAudit({ connection: database.as('auditor') })).found, 0);
  });

  await t.test('2. an upgrade: the next gateway gets the new calls, the one before it ends its own', async (t) => {
    const database = await postgres.database();
    const place = { asterisk, databaseUrl: database.url(), more: QUIET };
    const old = await gatewayIn(t, { ...place, folder: join(folder, 'old'), mediaPort: 27_300, name: 'old', app: 'parley_old' });
    const next = await gatewayIn(t, { ...place, folder: join(folder, 'next'), mediaPort: 27_400, name: 'next', app: 'parley_next' });
    old.start();
    await old.up();
    let gone: Promise<number | null> = Promise.resolve(null);
    const second: ReturnType<typeof placeCall>[] = [];
    let said = 0;
    const upgrade = async (): Promise<void> => {
      next.start();
      await next.up();
      gone = old.terminate();
      second.push(placeCall({ ...sip, script: [finished, { hangup: true }] }));
    };
    let upgrading: Promise<void> = Promise.resolve();
    const first = await placeCall({
      ...sip,
      script: [finished, BOOK, patient, { say: 'yes that is right' }, finished, { say: 'no' }, { wait: 'hangup' }],
      onEvent: (event) => {
        if (event.t === 'said' && ++said === 1) upgrading = upgrade();
      },
    });
    await upgrading;
    t.ok(first.answered && first.finished, 'the call of the old one comes to its end');
    const [other] = await Promise.all(second);
    t.ok(other?.answered === true && other.finished, 'a call in between is taken');
    t.equal(await gone, 0);
    t.notMatch(
      await old.logged(),
      /recogniser (died|is back)|detector is (down|back)/,
      'the signal was for the gateway, not for its engines',
    );
    await next.terminate();
    const calls = await database.query<{ gateway: string; outcome: string }>(
      `SELECT s.writer AS gateway, e.body::json->>'outcome' AS outcome FROM audit.event e JOIN audit.stream s USING (stream_id)
       WHERE e.type = 'call.ended' ORDER BY s.writer`,
    );
    t.same(
      calls.map(({ gateway, outcome }) => [gateway.split('/')[0], outcome]),
      [
        ['next', 'caller-hangup'],
        ['old', 'booked'],
      ],
    );
  });

  await t.test("2a. nobody comes back: after its lease the call is the dialplan's, not silence", async (t) => {
    const database = await postgres.database();
    const place = { folder: join(folder, 'alone'), asterisk, databaseUrl: database.url(), mediaPort: 27_600 };
    const gateway = await gatewayIn(t, { ...place, leaseSeconds: 4 });
    gateway.start();
    await gateway.up();
    const fallbacks = async (): Promise<number> =>
      (await readFile(asterisk.logFile, 'utf8')).split("Playing 'please-try-call-later").length - 1;
    const before = await fallbacks();
    let killed: Promise<void> = Promise.resolve();
    const report = await placeCall({
      ...sip,
      // The lease is renewed: longer than it the call is up with its gateway.
      script: [finished, { pauseMs: 6000 }, { say: 'yes' }, { wait: 'hangup', timeoutMs: 60_000 }],
      onEvent: (event) => {
        if (event.t === 'said') killed = gateway.kill();
      },
    });
    await killed;
    t.ok(report.answered && report.finished, 'hung up by the dialplan');
    t.equal((await fallbacks()) - before, 1, 'by way of parley-fallback');
  });

  await t.test(
    '3. a shipped flow with a tool in a real call: asked for after the commit, answered by a real server, in the log',
    async (t) => {
      const asked: string[] = [];
      const shop = createServer((request, answer) => {
        asked.push(`${request.method} ${request.url}`);
        answer.setHeader('content-type', 'application/json').end(JSON.stringify({ status: 'sent', arrives: 'friday' }));
      });
      await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve));
      t.teardown(() => shop.close());
      const { port } = shop.address() as AddressInfo;
      const database = await postgres.database();
      const rig = await startRig({
        ...{ folder: join(folder, 'tool'), asterisk, databaseUrl: database.url(), mediaPort: 27_500 },
        more: `knowledge: { folders: { shop: { directory: "${join(import.meta.dirname, '../../config/knowledge/shop')}", language: en } } }
tools:
  http: { "127.0.0.1:${port}": { private: true } }
  ports:
    shop.order: { http: { method: GET, url: "http://127.0.0.1:${port}/orders/{number}" } }
    shop.bill: { http: { method: GET, url: "http://127.0.0.1:${port}/bills/{number}" } }`,
      });
      await until('the link to Asterisk', () => rig.service.runner.linkUp);
      const report = await rig.call([finished, { keys: '1' }, finished, { keys: '123456' }, finished, { say: 'no' }, { wait: 'hangup' }], {
        extension: 'flow_orders',
      });
      await until('the end of the call', () => rig.types().includes('call.ended'));
      await rig.stop();
      t.ok(report.finished, report.problem ?? '');
      t.match(asked, [/^GET \/orders\/123456(\?|$)/]);
      t.match(rig.of('tool.requested')[0], { body: { tool: 'find_order', effect: 'read' } });
      t.match(rig.of('tool.answered')[0], { body: { ok: true } });
      const said = rig.of('agent.said').map((event) => event.content?.['text']);
      t.ok(
        said.some((text) => text?.includes('It arrives on friday') === true),
        said.join(' | '),
      );
      t.notMatch(JSON.stringify(rig.events.map(({ body }) => body)), /123456/);
    },
  );
});
