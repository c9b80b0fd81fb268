/** What every report is made of: the live configuration, the flows, and the log as the auditor's login sees it. */
import { type Config, DATA_CLASSES, type DataClassName } from '../../config/index.ts';
import type { Destination } from '../../egress/index.ts';
import { configHash, version } from '../../parts/index.ts';
import type { ReportReader, Span } from '../../store/index.ts';
import type { Recipient } from './recipients.ts';
import { iso, type Report, type Section } from './document.ts';

export interface Source {
  readonly config: Config;
  /** Only this one; null: all. */
  readonly flow: string | null;
  /** Name to content hash. */
  readonly flows: ReadonlyMap<string, { readonly version: string; readonly tools: readonly string[] }>;
  readonly destinations: readonly Destination[];
  readonly recipients: readonly Recipient[];
  readonly reader: ReportReader;
  readonly span: Span;
  readonly made: string;
}

export type Reporter = (source: Source) => Promise<Report>;

type Person = keyof Config['data']['controller'];

export function reportOf(
  source: Source,
  kind: string,
  title: string,
  sections: readonly Section[],
  needs: readonly Person[] = [],
  alsoMissing: readonly string[] = [],
): Report {
  const { config, made } = source;
  const missing = needs.filter((key) => config.data.controller[key] === null).map((key) => `data.controller.${key}`);
  return {
    report: kind,
    title,
    made,
    gateway: config.gateway.name,
    version: version(),
    configSha256: configHash(config),
    missing: [...missing, ...alsoMissing],
    sections,
  };
}

export const spanText = ({ fromUs, toUs }: Span): string => `${iso(fromUs)} to ${iso(toUs)}`;
export const days = (count: number): string => (count === 1 ? '1 day' : `${count} days`);

/** What each class is, where it lies and who can read it: facts of this program, not of the configuration. */
export const CLASS_FACTS: Readonly<Record<DataClassName, { readonly what: string; readonly where: string; readonly readers: string }>> = {
  metadata: {
    what: 'times, random ids, steps, decisions, durations, outcomes; hashes of wordings; consent and refusal; no words, names or numbers',
    where: 'spool (encrypted) and Postgres, schema audit',
    readers: 'logins auditor and gw_writer',
  },
  content: {
    what: 'words of caller and assistant, name, phone number',
    where: 'Postgres, schema vault, AES-256-GCM under a key of the call; wrapping keys in files of the gateway',
    readers: 'the gateway only; each reading is an entry of the chain',
  },
  recording: { what: 'audio of both sides', where: 'files, encrypted', readers: 'the gateway only; each reading is an entry of the chain' },
  memory: {
    what: 'what flows note of a caller, what was asked for, one line per call',
    where: 'Postgres, schema vault, AES-256-GCM under a key of each call',
    readers: 'the gateway only; each reading is an entry of the chain',
  },
  inbox: {
    what: 'what callers left for people: messages, numbers and addresses to answer to, notes',
    where: 'Postgres, schema vault, AES-256-GCM under a key of each item',
    readers: 'whoever has the token of the HTTP interface; each reading is an entry of the chain',
  },
  replay: {
    what: 'times and decisions of turns; words only where content is kept',
    where: 'files in replay.directory',
    readers: "the gateway's user",
  },
  review: {
    what: 'what was said until a colleague corrected an act, numbers left out, and the correction',
    where: 'files in approvals.reviewFolder',
    readers: "the gateway's user, and whom the operator lets read the folder",
  },
  cost: { what: 'seconds, tokens and prices per call', where: 'Postgres', readers: 'logins auditor and gw_writer' },
};

/** Whether a class is kept under this configuration at all. */
export function isKept(config: Config, name: DataClassName): boolean {
  if (name === 'replay' && config.replay.directory === null) return false;
  if (name === 'review' && config.approvals.reviewFolder === null) return false;
  return config.data[name].days > 0;
}

export function classTable(config: Config): NonNullable<Section['table']> {
  return {
    columns: ['class', 'what', 'kept', 'purpose', 'legal basis (Art. 6(1) GDPR)', 'where', 'who can read'],
    rows: DATA_CLASSES.map((name) => {
      const { days: kept, basis, purpose } = config.data[name];
      const { what, where, readers } = CLASS_FACTS[name];
      return isKept(config, name)
        ? [name, what, days(kept), purpose, basis ?? '-', where, readers]
        : [name, what, 'no', '-', '-', '-', '-'];
    }),
  };
}

export function destinationTable(destinations: readonly Destination[]): NonNullable<Section['table']> {
  const rows = destinations
    .map(({ host, port, for: key }) => [host, String(port), key])
    .sort((a, b) => a.join().localeCompare(b.join(), 'en'));
  return { columns: ['host', 'port', 'named by'], rows };
}
