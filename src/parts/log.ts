/** The log, the vault and the database: what the configuration says of them, and what may be done for a person. */
import { join } from 'node:path';
import { type AuditOptions, openMemory, type SubjectDesk } from '../audit/index.ts';
import { type Config, readSecret } from '../config/index.ts';
import type { CallMemory, Logger } from '../contracts/index.ts';
import { masking } from './privacy.ts';
import type { asRole, Store, StoreOptions } from '../store/index.ts';

export function auditOptions(
  config: Config,
): Pick<
  AuditOptions,
  'folder' | 'content' | 'mask' | 'ownSubjects' | 'anchorFile' | 'anchorCommand' | 'anchorSyslog' | 'maxBytes' | 'gateway'
> {
  const { spoolDirectory, contentDays, anchorFile, anchorCommand, anchorSyslog, spoolMaxBytes } = config.audit;
  return {
    folder: spoolDirectory,
    gateway: config.gateway.name,
    content: contentDays === 0 ? 'discard' : { retentionDays: contentDays },
    ownSubjects:
      config.data.recording.days > 0 || config.data.memory.days > 0 || config.data.inbox.days > 0 || config.approvals.reviewFolder !== null,
    ...masking(config),
    maxBytes: spoolMaxBytes,
    ...(anchorFile === null ? {} : { anchorFile }),
    ...(anchorCommand === null ? {} : { anchorCommand }),
    ...(anchorSyslog === null ? {} : { anchorSyslog }),
  };
}

/** Beside the spool: what of open calls outlives a crash. */
export function openCallFiles(config: Config): { folder: string; keyFile: string } {
  return { folder: join(config.audit.spoolDirectory, 'open'), keyFile: join(keysFolder(config), 'open.key') };
}

export const keysFolder = (config: Config): string => join(config.audit.spoolDirectory, 'keys');

/** What contacts are remembered by: only with a time and a basis in `data.memory`. */
export async function callMemory(config: Config, desk: SubjectDesk): Promise<{ memory?: CallMemory }> {
  const { days, basis } = config.data.memory;
  return days === 0 || basis === null ? {} : { memory: await openMemory({ ...desk, days, basis }) };
}

/** What `parley replay` reads later; without words unless what was said is kept anyway. */
export function turnRecords(config: Config): { turnRecords?: { folder: string; words: boolean } } {
  const { directory } = config.replay;
  return directory === null ? {} : { turnRecords: { folder: directory, words: config.audit.contentDays > 0 } };
}

export async function storeOptions(config: Config, log: Logger): Promise<StoreOptions> {
  if (config.store.kind === 'embedded') return { log, embedded: { dataDir: config.store.directory } };
  return { log, connectionString: await readSecret(config.store.urlFile) };
}

type Login = 'auditor' | 'dpo' | 'gw_retention';
const LOGIN_FILES = { auditor: 'auditorUrlFile', dpo: 'dpoUrlFile', gw_retention: 'retentionUrlFile' } as const;

/** How to connect as another login; null when the configuration of an own Postgres names none. */
export async function loginOf(
  config: Config,
  store: Pick<Store, 'connectionFor'>,
  login: Login,
): Promise<Parameters<typeof asRole>[0] | null> {
  if (config.store.kind === 'embedded') return store.connectionFor(login);
  const file = config.store[LOGIN_FILES[login]];
  return file === null ? null : readSecret(file);
}
