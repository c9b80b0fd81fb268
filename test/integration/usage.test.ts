/** What calls used and how they came out, from the chain alone: the views that parley report cost and outcome read. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'tap';
import { createAudit } from '../../src/audit/index.ts';
import type { Config } from '../../src/config/index.ts';
import type { CallEvent } from '../../src/contracts/index.ts';
import { createBudget } from '../../src/parts/index.ts';
import { createStore, feesIn, withReportReader } from '../../src/store/index.ts';
import { handClock } from '../support/audit.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { keepingLogger } from '../support/quiet-log.ts';

const postgres = await startPostgres();

test('usage and outcome of calls, by flow', async (t) => {
  const database = await postgres.database();
  const log = keepingLogger();
  const clock = handClock();
  const store = createStore({ connectionString: database.url('gw_writer'), adminConnectionString: database.url(), log });
  await store.start();
  const audit = createAudit({ folder: join(await testFolder(), 'spool'), gateway: 'gw1', store, clock, log, reservedBytes: 4096 });
  await audit.start();
  type Part = CallEvent extends infer E ? (E extends CallEvent ? Omit<E, 'callId'> : never) : never;
  const call = async (flow: string, ...parts: readonly Part[]): Promise<void> => {
    const callId = randomUUID();
    const begin: Part = { type: 'call.incoming', body: { pbxId: callId, flow, flowVersion: 'v1', to: '700' } };
    for (const part of [begin, ...parts]) {
      clock.pass(1000);
      await audit.append({ ...part, callId });
    }
  };
  const ended = (outcome: string, durationMs = 60_000): Part => ({
    type: 'call.ended',
    body: { outcome, reason: '', durationMs, turns: 2, packetsReceived: 1, packetsSent: 1, dropped: 0 },
  });
  const step = (name: string, reason: string): Part => ({ type: 'step.entered', body: { step: name, reason } });
  const transfer: Part = { type: 'transfer.requested', body: { desk: 'host' } };
  const tool = (ok: boolean, cost: number): Part => ({
    type: 'tool.answered',
    body: { id: 'e1', tool: 'find', ok, reason: ok ? null : 'timeout', mayHaveHappened: ok, ms: 5, cost },
  });
  await call(
    'orders',
    {
      type: 'caller.said',
      body: { turn: 1, words: 3, confidence: 1, fromSample: 0, toSample: 1, waitMs: 1, engines: [{ engine: 'whisper', tookMs: 1500 }] },
    },
    {
      type: 'agent.said',
      body: {
        ...{ prompt: 'p', kind: 'answer', wordingSha256: 'x', sentMs: 1, interrupted: false },
        engines: [
          { engine: 'polly', tookMs: 200, cost: { amount: 0.25, currency: 'EUR' } },
          { engine: 'polly', tookMs: 300 },
        ],
      },
    },
    {
      type: 'engine.used',
      body: { kind: 'llm', outcome: 'done', use: { engine: 'ollama', tookMs: 900, promptTokens: 100, completionTokens: 20 } },
    },
    {
      type: 'model.answered',
      body: { id: 'e2', ms: 900, answered: true, tokens: 120, calls: 0, model: null, engine: 'ollama', cost: null },
    },
    tool(true, 0.01),
    tool(false, 0.01),
    ended('informed', 90_000),
  );
  await call('orders', step('person', 'misses'), transfer, ended('transferred', 30_000));
  await call(
    'orders',
    step('person', 'asked'),
    transfer,
    { type: 'transfer.failed', body: { desk: 'host', code: 'PBX_FAILED' } },
    ended('no-person'),
  );
  await call('orders', ended('caller-hangup'));
  await call('booking', ended('booked'));
  await call('booking');
  t.ok(await audit.shipped(10_000));

  await withReportReader(database.as('auditor'), async (reader) => {
    const span = await reader.span();
    if (span === null) throw new Error('the log has entries');
    const usage = await reader.usage(span, null);
    t.strictSame(
      usage.map((one) => [one.flow, one.calls]),
      [
        ['booking', 2],
        ['orders', 4],
      ],
    );
    t.match(usage[1], { telephonyMs: 240_000, sttMs: 1500, ttsMs: 500, llmMs: 900, engineTokens: 120, thoughtTokens: 120 });
    t.match(usage[1], { toolCalls: 2, toolFailures: 1, engineFees: 0.25, toolFees: 0.02 });
    t.strictSame(
      (await reader.usage(span, 'booking')).map((one) => one.flow),
      ['booking'],
    );
    t.strictSame(await reader.usage({ fromUs: span.toUs, toUs: span.toUs + 1 }, null), []);
    const found = (await reader.outcomes(span, null)).map((one) => [
      one.flow,
      one.disposition,
      one.outcome,
      one.escalation,
      one.desk,
      one.calls,
    ]);
    t.strictSame(
      found.sort((a, b) => String(a).localeCompare(String(b), 'en')),
      [
        ['booking', 'open', '', '', '', 1],
        ['booking', 'resolved', 'booked', '', '', 1],
        ['orders', 'abandoned', 'caller-hangup', '', '', 1],
        ['orders', 'escalated', 'transferred', 'misses', 'host', 1],
        ['orders', 'failed', 'no-person', '', '', 1],
        ['orders', 'resolved', 'informed', '', '', 1],
      ],
    );
  });
  await audit.stop();
  const nowUs = clock.wallUs();
  const fees = (fromUs: number, toUs: number): Promise<number> => store.use((client) => feesIn(client, { fromUs, toUs }));
  t.equal(await fees(0, nowUs + 1), 0.27, 'the fees of the report');
  t.equal(await fees(nowUs + 1, nowUs + 2), 0);

  // An hour later, and what this gateway spends from then on.
  const warnings: string[] = [];
  const later = { us: nowUs + 3_600_000_000, wallUs: () => later.us };
  const logger = { ...log, warn: (text: string) => void warnings.push(text) };
  const config = { budget: { perDay: 1, perMonth: 20 } } as Config;
  const budget = createBudget(config, store, { clock: later, logger });
  const cents = (amount: number | null | undefined): number => Math.round((amount ?? -1) * 100);
  const spend = (cost: number): void => budget?.note({ atUs: later.us, event: { callId: randomUUID(), ...tool(true, cost) } });
  await budget?.refresh();
  t.equal(cents(budget?.left()), 73);
  spend(0.5);
  t.equal(cents(budget?.left()), 23);
  await budget?.refresh();
  t.equal(cents(budget?.left()), 23, 'not yet in the log: it stays');
  spend(0.5);
  t.equal(budget?.left(), 0, 'never less than nothing');
  later.us += 86_400_000_000;
  t.equal(budget?.left(), 1, 'a new day');
  await store.stop();
  await budget?.refresh();
  t.strictSame(warnings.length, 1);
  t.equal(budget?.left(), 1);
  t.equal(createBudget({ budget: { perDay: null, perMonth: null } } as Config, store, { clock: later, logger }), null);
});

test('the database goes', async () => {
  await postgres.close();
});
