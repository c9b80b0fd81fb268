/** Fills a database as a gateway does in a few days: calls with content, restarts, an erased caller, checkpoints, anchors. */
import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAudit, type Audit, type AuditOptions } from '../../src/audit/index.ts';
import { createStore } from '../../src/store/index.ts';
import { eventually, handClock, stepEvent, type HandClock } from './audit.ts';
import type { TestDatabase } from './postgres.ts';
import { keepingLogger } from './quiet-log.ts';

export interface Filled {
  /** The spool folder; anchors.txt and keys/ are in it. */
  readonly folder: string;
  readonly clock: HandClock;
  readonly calls: readonly string[];
}

export interface FillOptions {
  readonly boots: number;
  readonly callsPerBoot: number;
  readonly folder?: string;
  readonly clock?: HandClock;
  readonly audit?: Partial<AuditOptions>;
  /** Between two boots, and after each call. */
  readonly between?: (boot: number) => Promise<void>;
}

export const CANARY = { from: '+49 170 5550199', name: 'Zephyrine Canary' };

export async function logCall(audit: Audit, clock: HandClock): Promise<string> {
  const callId = randomUUID();
  await audit.append({
    type: 'call.incoming',
    callId,
    body: { pbxId: 'p1', flow: 'booking', flowVersion: 'f00d', to: '100' },
    content: CANARY,
  });
  for (let turn = 1; turn <= 3; turn++) {
    clock.pass(2100);
    await audit.append(stepEvent(`step ${String(turn)}`, callId));
    await audit.append({
      ...{ type: 'caller.said', callId, content: { text: `it is ${CANARY.name} speaking` } },
      body: { turn, words: 5, confidence: 0.9, fromSample: 0, toSample: 16000, waitMs: 400 },
    });
  }
  const body = { outcome: 'booked', reason: 'normal', durationMs: 6300, turns: 3, packetsReceived: 315, packetsSent: 315, dropped: 0 };
  await audit.append({ type: 'call.ended', callId, body });
  return callId;
}

export async function fill(database: TestDatabase, options: FillOptions): Promise<Filled> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'parley-fill-')));
  const clock = options.clock ?? handClock();
  const calls: string[] = [];
  const log = keepingLogger();
  for (let boot = 0; boot < options.boots; boot++) {
    const store = createStore({ connectionString: database.url('gw_writer'), log, retryMs: { first: 20, last: 100 } });
    await store.start();
    const audit = createAudit({
      ...{
        folder,
        gateway: 'gw1',
        store,
        clock,
        log,
        content: { retentionDays: 400 },
        reservedBytes: 4096,
        checkpointEvents: 5,
        ...options.audit,
      },
    });
    await audit.start();
    for (let call = 0; call < options.callsPerBoot; call++) calls.push(await logCall(audit, clock));
    await eventually(() => audit.backlog === 0);
    await options.between?.(boot);
    await eventually(() => audit.backlog === 0);
    await audit.stop();
    await store.stop();
    clock.pass(3_600_000);
  }
  return { folder, clock, calls };
}
