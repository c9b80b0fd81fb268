/** What the service does by the clock beside its calls: the heartbeat, the count of refused connections, and the end of what was kept long enough. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dropMonths, expireContent, replayErasures, type Restrictions, retireKeys, type SubjectDesk } from '../audit/index.ts';
import type { CallRunner } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { Logger } from '../contracts/index.ts';
import type { EgressGuard } from '../egress/index.ts';
import { asRole, neededKeks } from '../store/index.ts';
import type { InboxParts } from './inbox.ts';
import { shelveRestricted, sweepErased } from './kept-files.ts';
import { keysFolder, loginOf } from './log.ts';

export interface Upkeep {
  readonly config: Config;
  readonly desk: SubjectDesk;
  readonly runner: Pick<CallRunner, 'journal' | 'openCalls'>;
  readonly egress: EgressGuard;
  readonly restrictions: Restrictions;
  readonly inbox: Pick<InboxParts, 'tellDue'>;
  readonly logger: Logger;
}

type Kept = Pick<Upkeep, 'config' | 'desk'>;

const HEARTBEAT_MS = 10_000;
const RETENTION_MS = 3_600_000;
const FIRST_MS = 5000;

/** Goes on until the returned function is called. */
export function startUpkeep(parts: Upkeep): () => void {
  const beat = setInterval(() => heartbeat(parts), HEARTBEAT_MS);
  const tidy = (): void => {
    parts.inbox.tellDue().catch(() => parts.logger.warn('the items of the inbox that are due are not known; tried again in an hour'));
    keepNoLonger(parts).catch((error: unknown) => {
      parts.logger.warn('data whose time is over is still there; tried again in an hour', {
        reason: error instanceof Error ? error.message : '',
      });
    });
  };
  const retention = setInterval(tidy, RETENTION_MS);
  // Soon after the start, too: Postgres may be a restored backup in which erased people are back.
  const first = setTimeout(tidy, FIRST_MS);
  return () => {
    clearInterval(beat);
    clearInterval(retention);
    clearTimeout(first);
    sayRefusals(parts);
  };
}

function heartbeat(parts: Upkeep): void {
  const { runner, restrictions } = parts;
  runner.journal.write({ type: 'gateway.heartbeat', body: { openCalls: runner.openCalls().length } });
  sayRefusals(parts);
  void restrictions.refresh();
}

function sayRefusals({ runner, egress }: Upkeep): void {
  for (const refusal of egress.take()) runner.journal.write({ type: 'egress.refused', body: refusal });
}

/** Everything whose time is over, by class. What fails is tried again; the rest goes on. Errors: the first one. */
export async function keepNoLonger(parts: Kept): Promise<void> {
  const { config, desk } = parts;
  // The keys of a week go when the last thing under them is over.
  const { content, recording, memory, inbox, review } = config.data;
  const keyDays = Math.max(content.days, recording.days, memory.days, inbox.days, review.days);
  const done = await Promise.allSettled([
    expireContent(desk)
      .then(() => desk.store.use(neededKeks))
      .then((needed) => retireKeys(keysFolder(config), keyDays, desk.clock.wallUs(), needed))
      .then(() => replayErasures(desk))
      .then(() => sweepErased(config, desk.store))
      .then(() => shelveRestricted(config, desk.store)),
    dropOldMonths(parts),
    sweepReplays(parts),
  ]);
  for (const each of done) if (each.status === 'rejected') throw each.reason;
}

/** Without a login that may drop months the chain stays whole; parley doctor and the record of processing say so. */
async function dropOldMonths({ config, desk }: Kept): Promise<void> {
  const connection = await loginOf(config, desk.store, 'gw_retention');
  if (connection === null) return;
  const now = new Date(desk.clock.wallUs() / 1000);
  const oldest = new Date(now.getTime() - config.data.metadata.days * 86_400_000);
  const keepMonths = (now.getUTCFullYear() - oldest.getUTCFullYear()) * 12 + now.getUTCMonth() - oldest.getUTCMonth();
  await dropMonths(desk, keepMonths, (sql, values) => asRole(connection, sql, values));
}

/** Records of turns that are older than data.replay.days: the log says how many before they go. */
async function sweepReplays({ config, desk }: Kept): Promise<void> {
  const { directory } = config.replay;
  if (directory === null) return;
  const oldestMs = desk.clock.wallUs() / 1000 - config.data.replay.days * 86_400_000;
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.turns.jsonl'));
  const old: string[] = [];
  for (const name of names) if ((await stat(join(directory, name))).mtimeMs < oldestMs) old.push(name);
  if (old.length === 0) return;
  await desk.audit.append({ type: 'retention.swept', callId: null, body: { data: 'replay', removed: old.length } });
  for (const name of old) await rm(join(directory, name), { force: true });
}
