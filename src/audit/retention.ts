import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError, type Clock } from '../contracts/index.ts';
import { expiredSubjects, storedMonths, tailsOfMonth, type Store } from '../store/index.ts';
import type { Audit } from './log.ts';

export interface RetentionDesk {
  readonly audit: Audit;
  readonly store: Store;
  readonly clock: Clock;
}

const SHIP_LIMIT_MS = 60_000;
const DAY_US = 86_400_000_000;
/** Keeps an event's body small enough to read. */
const SUBJECTS_PER_EVENT = 500;
const STREAMS_PER_EVENT = 200;

/**
 * Deletes content whose time is over: the chain names the subjects first. Returns how many. Run it daily.
 * Errors: STORE_DOWN, SPOOL_FAILED.
 */
export async function expireContent(desk: RetentionDesk): Promise<number> {
  let total = 0;
  for (;;) {
    const nowUs = Math.round(desk.clock.wallUs());
    const subjects = await desk.store.use((client) => expiredSubjects(client, nowUs, SUBJECTS_PER_EVENT));
    if (subjects.length === 0) return total;
    await desk.audit.append({ type: 'retention.expired', callId: null, body: { throughUs: nowUs, subjects } });
    await shipAll(desk);
    await desk.store.eraseAnnounced();
    total += subjects.length;
    if (subjects.length < SUBJECTS_PER_EVENT) return total;
  }
}

/**
 * Destroys the KEKs of weeks whose content has expired everywhere: from then on no backup of that time can be read. A day longer
 * than the retention, so that a late run of expireContent still finds its keys. `needed`: ids that stay, whatever their age. Returns the ids.
 */
export async function retireKeys(
  keysFolder: string,
  retentionDays: number,
  nowUs: number,
  needed: readonly string[] = [],
): Promise<readonly string[]> {
  const retired: string[] = [];
  for (const name of await readdir(keysFolder)) {
    const week = /^kek-week-(\d+)\.key$/.exec(name)?.[1];
    if (week === undefined) continue;
    const overUs = (Number(week) + 1) * 7 * DAY_US + (retentionDays + 1) * DAY_US;
    if (overUs >= nowUs || needed.includes(`week-${week}`)) continue;
    await rm(join(keysFolder, name));
    retired.push(`week-${week}`);
  }
  return retired;
}

/**
 * Drops the months of the chain that lie more than `keepMonths` behind: the chain first says how each of their streams ended, so
 * that what follows still links. `as`: runs a statement as the login gw_retention. Returns the months.
 * Errors: STORE_DOWN, STORE_REFUSED, SPOOL_FAILED.
 */
export async function dropMonths(
  desk: RetentionDesk,
  keepMonths: number,
  as: (sql: string, values: readonly unknown[]) => Promise<unknown>,
): Promise<readonly string[]> {
  const now = new Date(desk.clock.wallUs() / 1000);
  const oldest = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - keepMonths, 1)).toISOString().slice(0, 10);
  const months = (await desk.store.use(storedMonths)).filter((month) => month < oldest);
  for (const month of months) {
    const tails = await desk.store.use((client) => tailsOfMonth(client, month));
    for (let at = 0; at < tails.length; at += STREAMS_PER_EVENT) {
      const streams = tails.slice(at, at + STREAMS_PER_EVENT);
      await desk.audit.append({ type: 'retention.dropped', callId: null, body: { month: month.slice(0, 7), streams } });
    }
    await shipAll(desk);
    await as('SELECT audit.drop_month($1)', [month]);
  }
  return months;
}

async function shipAll(desk: RetentionDesk): Promise<void> {
  if (await desk.audit.shipped(SHIP_LIMIT_MS)) return;
  throw new ParleyError('STORE_DOWN', `${desk.audit.backlog} events still wait for Postgres; nothing was deleted.`);
}
