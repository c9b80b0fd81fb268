import type { Codec } from '../contracts/index.ts';
import { type DataRules, toDataRules } from './data-classes.ts';
import { type EngineChoices, toEngines } from './engine-choices.ts';
import { type KnowledgeRules, toKnowledgeRules } from './knowledge-section.ts';
import { type ConfigFile, portRange } from './schema.ts';
import { type ToolsConfig, toToolsConfig } from './tools.ts';

interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** Files that hold the URL of the same database with another login; null: that login is not at hand. */
interface StoreLogins {
  readonly auditorUrlFile: string | null;
  readonly dpoUrlFile: string | null;
  readonly retentionUrlFile: string | null;
}

interface SyslogTarget {
  readonly host: string;
  readonly port: number;
  readonly caFile: string;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

/** The configuration as the program uses it: whole, checked, frozen. Paths are absolute, choices are made. */
export interface Config {
  /** The file it was read from. */
  readonly file: string;
  readonly gateway: { readonly name: string; readonly drainMs: number };
  readonly pbx: {
    readonly kind: 'asterisk';
    /** Start an own Asterisk. `url` and `passwordFile` are then not used. */
    readonly private: boolean;
    readonly url: string;
    readonly app: string;
    readonly user: string;
    readonly passwordFile: string | null;
    /** 0: a call waits for ever for a gateway that is gone. */
    readonly leaseSeconds: number;
    readonly sipPort: number;
    readonly rtpPorts: PortRange;
  };
  readonly media: {
    readonly host: string;
    readonly ports: PortRange;
    readonly sockets: 'per-call' | 'one';
    readonly maxCalls: number;
    readonly codec: Codec;
    readonly historyMs: number;
    readonly noise: 'off' | 'suppress';
    readonly echo: 'off' | 'cancel';
  };
  readonly vad: ConfigFile['vad'];
  readonly stt: EngineChoices['stt'];
  readonly tts: EngineChoices['tts'];
  readonly llm: EngineChoices['llm'];
  readonly capacity: Omit<ConfigFile['capacity'], 'degradeCalls' | 'peopleCalls'> & {
    readonly degradeCalls: number;
    readonly peopleCalls: number;
  };
  /** Null: no bound. */
  readonly budget: { readonly perDay: number | null; readonly perMonth: number | null };
  /** Names as in TurnOptions, so that they can be spread into them. */
  readonly turn: Omit<ConfigFile['turn'], 'detector'> & { readonly detector: { readonly model: string; readonly windowMs: number } | null };
  readonly flows: { readonly directory: string; readonly default: string; readonly facts: string };
  readonly desks: ConfigFile['desks'];
  /** `desks`: names of `desks`. `reviewFolder` null: corrections are logged and no more. */
  readonly approvals: {
    readonly desks: readonly string[];
    readonly timeoutMs: number;
    readonly language: ConfigFile['approvals']['language'];
    readonly reviewFolder: string | null;
  };
  readonly tools: ToolsConfig;
  /** Null: nobody is told. */
  readonly inbox: {
    readonly notify: { readonly t: 'command'; readonly command: readonly string[] } | { readonly t: 'url'; readonly url: string } | null;
  };
  readonly audit: {
    readonly spoolDirectory: string;
    readonly spoolMaxBytes: number;
    readonly whenFull: 'block' | 'people' | 'continue';
    readonly anchorFile: string | null;
    readonly anchorCommand: readonly string[] | null;
    readonly anchorSyslog: SyslogTarget | null;
    /** data.content.days. 0: what was said is thrown away. */
    readonly contentDays: number;
  };
  readonly data: DataRules;
  readonly privacy: { readonly notices: string; readonly maskDigits: number; readonly recordings: string };
  readonly knowledge: KnowledgeRules;
  readonly store:
    ({ readonly kind: 'url'; readonly urlFile: string } & StoreLogins) | { readonly kind: 'embedded'; readonly directory: string };
  /** Null: no turn events are kept. */
  readonly replay: { readonly directory: string | null };
  readonly http: { readonly host: string; readonly port: number; readonly tokenFile: string };
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
}

const EMBEDDED_DIRECTORY = '.runtime/postgres';

/** `absolute` makes a path absolute. */
export function toConfig(file: ConfigFile, name: string, absolute: (path: string) => string): Config {
  const { gateway, pbx, media, flows, audit, store, http } = file;
  const maybe = (path: string | undefined): string | null => (path === undefined ? null : absolute(path));
  return freeze({
    file: name,
    gateway: { name: gateway.name, drainMs: gateway.drainSeconds * 1000 },
    pbx: {
      ...pbx,
      private: pbx.private === 'auto' ? pbx.passwordFile === undefined : pbx.private,
      passwordFile: maybe(pbx.passwordFile),
      rtpPorts: range(pbx.rtpPorts),
    },
    media: { ...media, ports: range(media.ports) },
    vad: { ...file.vad, model: absolute(file.vad.model) },
    ...toEngines(file, absolute),
    capacity: toCapacity(file),
    budget: toBudget(file),
    turn: toTurn(file, absolute),
    flows: { directory: absolute(flows.directory), default: flows.default, facts: absolute(flows.facts) },
    desks: file.desks,
    approvals: toApprovals(file, maybe),
    tools: toToolsConfig(file.tools, absolute),
    inbox: toInbox(file),
    audit: {
      spoolDirectory: absolute(audit.spoolDirectory),
      spoolMaxBytes: audit.spoolMaxMb * 1024 * 1024,
      whenFull: audit.whenFull,
      anchorFile: maybe(audit.anchorFile),
      anchorCommand: audit.anchorCommand ?? null,
      anchorSyslog: syslogTarget(audit.anchorSyslog, absolute),
      contentDays: file.data.content.days,
    },
    data: toDataRules(file.data),
    privacy: { ...file.privacy, notices: absolute(file.privacy.notices), recordings: absolute(file.privacy.recordings) },
    knowledge: toKnowledgeRules(file.knowledge, absolute),
    store:
      store.urlFile === undefined
        ? { kind: 'embedded', directory: absolute(store.embedded?.directory ?? EMBEDDED_DIRECTORY) }
        : {
            kind: 'url',
            urlFile: absolute(store.urlFile),
            auditorUrlFile: maybe(store.auditorUrlFile),
            dpoUrlFile: maybe(store.dpoUrlFile),
            retentionUrlFile: maybe(store.retentionUrlFile),
          },
    replay: { directory: maybe(file.replay.directory) },
    http: { host: http.host, port: http.port, tokenFile: absolute(http.tokenFile) },
    log: file.log,
  });
}

function toBudget({ budget }: { budget: { perDay?: number | undefined; perMonth?: number | undefined } }): Config['budget'] {
  return { perDay: budget.perDay ?? null, perMonth: budget.perMonth ?? null };
}

function toApprovals({ approvals }: ConfigFile, maybe: (path: string | undefined) => string | null): Config['approvals'] {
  const { desks, timeoutSeconds, language, reviewFolder } = approvals;
  return { desks, language, timeoutMs: timeoutSeconds * 1000, reviewFolder: maybe(reviewFolder) };
}

function toInbox({ inbox }: ConfigFile): Config['inbox'] {
  const { command, url } = inbox.notify ?? {};
  if (command !== undefined) return { notify: { t: 'command', command } };
  return { notify: url === undefined ? null : { t: 'url', url } };
}

function syslogTarget(given: ConfigFile['audit']['anchorSyslog'], absolute: (path: string) => string): SyslogTarget | null {
  if (given === undefined) return null;
  const maybe = (path: string | undefined): string | null => (path === undefined ? null : absolute(path));
  return {
    host: given.host,
    port: given.port,
    caFile: absolute(given.caFile),
    certFile: maybe(given.certFile),
    keyFile: maybe(given.keyFile),
  };
}

function toTurn({ turn }: ConfigFile, absolute: (path: string) => string): Config['turn'] {
  const { detector } = turn;
  return { ...turn, detector: detector === undefined ? null : { ...detector, model: absolute(detector.model) } };
}

function toCapacity({ capacity, media }: ConfigFile): Config['capacity'] {
  const peopleCalls = capacity.peopleCalls ?? media.maxCalls;
  return {
    ...capacity,
    peopleCalls,
    degradeCalls: Math.min(peopleCalls, capacity.degradeCalls ?? Math.max(1, Math.round(0.8 * peopleCalls))),
  };
}

function range(text: string): PortRange {
  return portRange(text) ?? { min: 0, max: 0 };
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value) as unknown[]) if (typeof inner === 'object' && inner !== null) freeze(inner);
  return Object.freeze(value);
}
