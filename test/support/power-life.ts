/** A gateway that only logs, on a disk whose power goes: one life of it, and what every cut in that life would have left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAudit, formatReport, verifySpool } from '../../src/audit/index.ts';
import { memoryStore, realClock, stepEvent } from './audit.ts';
import { type Change, Disk, readJournal, saidBy } from './power-cut.ts';
import { keepingLogger } from './quiet-log.ts';

const WRITER = join(import.meta.dirname, 'audit-writer.ts');

export interface PowerLife {
  readonly changes: readonly Change[];
  /** Makes of the first `end` changes a folder as a power cut may leave it then; of a disk that `lies` about syncs too. */
  cut(end: number, to: string, random: () => number, options?: { readonly lies: boolean }): Promise<void>;
  /** Acknowledged in it. */
  readonly acked: readonly number[];
}

/** Numbers on whole lines: the last one may be cut off. */
export const ackedIn = (said: string): readonly number[] => {
  const lines = said.split('\n').slice(0, -1);
  return lines.filter((line) => /^\d+$/.test(line)).map(Number);
};

/** Runs the writer on `folder` for so long after its first acknowledgement, or after its start, and ends it with kill -9. */
export async function powerLife(options: {
  readonly library: string;
  readonly folder: string;
  readonly journal: string;
  /** Number of the first event. */
  readonly first: number;
  /** Without one there is no Postgres. */
  readonly url?: string;
  readonly kill: { readonly afterMs: number; readonly from: 'start' | 'first' };
}): Promise<PowerLife> {
  const { library, folder, journal, first, url, kill } = options;
  const disk = await Disk.of(folder);
  await rm(journal, { force: true });
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, folder, ...(url === undefined ? [] : [url])], {
    env: { ...process.env, FIRST: String(first), LD_PRELOAD: library, POWER_CUT_FOLDER: folder, POWER_CUT_JOURNAL: journal },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const heard = { bytes: 0 };
  child.stdout.on('data', (data: Buffer) => (heard.bytes += data.length));
  const closed = once(child, 'close');
  while (kill.from === 'first' && heard.bytes === 0 && child.exitCode === null) await sleep(5);
  await sleep(kill.afterMs);
  child.kill('SIGKILL');
  await closed;
  const changes = await readJournal(journal);
  const cut = async (end: number, to: string, random: () => number, { lies } = { lies: false }): Promise<void> => {
    const then = disk.copy();
    for (const change of changes.slice(0, end)) if (!lies || change.op !== 'S' || !change.path.endsWith('.spool')) then.apply(change);
    await then.cut(folder, to, random);
  };
  return { changes, cut, acked: ackedIn(saidBy(changes)) };
}

/** What is wrong with a folder after a cut: acknowledged events that are not there, damage, a chain that does not hold. Null: nothing. */
export async function wrongAfter(folder: string, acked: readonly number[]): Promise<string | null> {
  const log = keepingLogger();
  const store = memoryStore('up');
  const audit = createAudit({ folder, gateway: 'victim', store, clock: realClock, log, reservedBytes: 16 * 1024 });
  await audit.start();
  await audit.append(stepEvent('after'));
  await audit.shipped(20_000);
  const { replay } = audit;
  await audit.stop();
  const stored = store.events.flatMap(({ body }) => /^\{"step":"n(\d+)"/.exec(body)?.[1] ?? []).map(Number);
  const there = new Set(stored);
  const lost = acked.filter((n) => !there.has(n));
  if (lost.length > 0) return `${lost.length} of ${acked.length} acknowledged events are lost, the first is ${lost[0] ?? 0}`;
  if (there.size !== stored.length) return 'an event is there twice';
  if (replay !== null && replay.corrupt.length > 0) return `damage was found: ${JSON.stringify(replay.corrupt)}`;
  const writers = new Set(store.streams.map(({ writer }) => writer));
  if (writers.size !== 1 || [...writers].some((writer) => !writer.startsWith('victim/'))) return `writers: ${[...writers].join(', ')}`;
  const report = await verifySpool({ folder });
  return report.ok ? null : formatReport(report);
}
