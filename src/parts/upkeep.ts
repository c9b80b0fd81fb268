/** What the service does by the clock beside its calls: the heartbeat, the count of refused connections, and the end of what was kept long enough. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Audit, dropMonths, expireContent, retireKeys, sweepRecordings } from '../audit/index.ts';
import type { CallRunner } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { Clock, Logger } from '../contracts/index.ts';
import type { EgressGuard } from '../egress/index.ts';
import { asRole, type Store } from '../store/index.ts';
import { keysFolder, loginOf } from './log.ts';

export interface Upkeep {
  readonly config: Config;
  readonly audit: Audit;
  readonly store: Store;
  readonly runner: Pick<CallRunner, 'journal' | 'openCalls'>;
  readonly egress: EgressGuard;
  readonly clock: Clock;
  readonly logger: Logger;
}

const HEARTBEAT_MS = 10_000;
const RETENTION_MS = 3_600_000;

/** Goes on until the returned function is called. */
export function startUpkeep(parts: Upkeep): () => void {
  const beat = setInterval(() => heartbeat(parts), HEARTBEAT_MS);
  const retention = setInterval(() => {
    keepNoLonger(parts).catch((error: unknown) => {
      parts.logger.warn('data whose time is over is still there; tried again in an hour', {
        reason: error instanceof Error ? error.message : '',
      });
    });
  }, RETENTION_MS);
  return () => {
    clearInterval(beat);
    clearInterval(retention);
    sayRefusals(parts);
  };
}

function heartbeat({ runner, ...parts }: Upkeep): void {
  runner.journal.write({ type: 'gateway.heartbeat', body: { openCalls: runner.openCalls().length } });
  sayRefusals({ runner, ...parts });
}

function sayRefusals({ runner, egress }: Upkeep): void {
  for (const refusal of egress.take()) runner.journal.write({ type: 'egress.refused', body: refusal });
}

/** Everything whose time is over, by class. What fails is tried again; the rest goes on. Errors: the first one. */
export async function keepNoLonger(parts: Omit<Upkeep, 'runner' | 'egress'>): Promise<void> {
  const { config, audit, store, clock } = parts;
  const desk = { audit, store, clock };
  // The keys of a week go when the last thing under them is over.
  const { content, recording, memory } = config.data;
  const keyDays = Math.max(content.days, recording.days, memory.days);
  const done = await Promise.allSettled([
    expireContent(desk)
      .then(() => retireKeys(keysFolder(config), keyDays, clock.wallUs()))
      .then(() => sweepRecordings(store, config.privacy.recordings)),
    dropOldMonths(parts),
    sweepReplays(parts),
  ]);
  for (const each of done) if (each.status === 'rejected') throw each.reason;
}

/** Without a login that may drop months the chain stays whole; parley doctor and the record of processing say so. */
async function dropOldMonths({ config, audit, store, clock }: Omit<Upkeep, 'runner' | 'egress'>): Promise<void> {
  const connection = await loginOf(config, store, 'gw_retention');
  if (connection === null) return;
  const now = new Date(clock.wallUs() / 1000);
  const oldest = new Date(now.getTime() - config.data.metadata.days * 86_400_000);
  const keepMonths = (now.getUTCFullYear() - oldest.getUTCFullYear()) * 12 + now.getUTCMonth() - oldest.getUTCMonth();
  await dropMonths({ audit, store, clock }, keepMonths, (sql, values) => asRole(connection, sql, values));
}

/** Records of turns that are older than data.replay.days: the log says how many before they go. */
async function sweepReplays({ config, audit, clock }: Omit<Upkeep, 'runner' | 'egress'>): Promise<void> {
  const { directory } = config.replay;
  if (directory === null) return;
  const oldestMs = clock.wallUs() / 1000 - config.data.replay.days * 86_400_000;
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.turns.jsonl'));
  const old: string[] = [];
  for (const name of names) if ((await stat(join(directory, name))).mtimeMs < oldestMs) old.push(name);
  if (old.length === 0) return;
  await audit.append({ type: 'retention.swept', callId: null, body: { data: 'replay', removed: old.length } });
  for (const name of old) await rm(join(directory, name), { force: true });
}
