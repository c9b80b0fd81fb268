/** What flows may reach outside: the desk of errands with its adapters, and what each flow lacks. */
import { type Config, readSecret } from '../config/index.ts';
import type { Clock, LanguageModel, Logger, SecretStore, Timers, ToolDefinition, ToolTarget } from '../contracts/index.ts';
import type { LoadedFlow } from '../dialogue/index.ts';
import {
  type Approvers,
  CalDav,
  CALENDAR_PORTS,
  calendarPorts,
  directoryPort,
  ErrandDesk,
  httpTools,
  INBOX_PORTS,
  McpClients,
  type McpServer,
  type PortOperation,
  portTools,
  type ToolAdapter,
} from '../integrations/index.ts';
import { voiceLacks } from './voices.ts';

export interface ErrandParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly approvers: Approvers;
  readonly model: LanguageModel | null;
  readonly secrets?: SecretStore;
  readonly logger: Logger;
  /** Ports of Parley itself that need its other parts: knowledge, the inbox. */
  readonly own: Readonly<Record<string, PortOperation>>;
}

export interface Errands {
  readonly desk: ErrandDesk;
  close(): Promise<void>;
}

/** Errors: CONFIG_INVALID when a secret cannot be read. */
export async function createErrands(config: Config, parts: ErrandParts): Promise<Errands> {
  const { mcp, ports, calendar } = config.tools;
  const servers: Record<string, McpServer> = {};
  for (const [name, { headerFiles, ...server }] of Object.entries(mcp)) {
    servers[name] = server.t === 'stdio' ? server : { ...server, headers: await secrets(headerFiles) };
  }
  const clients = new McpClients(servers);
  const password = calendar === null ? '' : await readSecret(calendar.passwordFile);
  const web = await webTools(config);
  const own = portTools({
    'directory.find': directory(config),
    ...parts.own,
    ...(calendar === null ? {} : calendarPorts(new CalDav({ ...calendar, password }))),
  });
  // A port that the configuration binds is what it is bound to.
  const port: ToolAdapter = (call) => {
    const target = call.target.t === 'port' && Object.hasOwn(ports, call.target.name) ? ports[call.target.name] : undefined;
    if (target === undefined) return own(call);
    return target.t === 'http' ? web({ ...call, target }) : clients.adapter({ ...call, target });
  };
  const desk = new ErrandDesk({ ...parts, adapters: { http: web, mcp: clients.adapter, port } });
  return { desk, close: () => clients.close() };
}

/** Requests to the hosts that the configuration lists. Errors: CONFIG_INVALID when a header's file cannot be read. */
export async function webTools({ tools: { http } }: Config): Promise<ToolAdapter> {
  const headers: Record<string, Record<string, string>> = {};
  for (const [host, { headerFiles }] of Object.entries(http)) headers[host] = await secrets(headerFiles);
  const allowPrivate = Object.keys(http).filter((host) => http[host]?.private === true);
  return httpTools({ allow: Object.keys(http), allowPrivate, headers });
}

/** Files of secrets of the tools that cannot be read (yet), with the keys that name them. */
export async function missingSecrets({ tools: { http, mcp, calendar } }: Config): Promise<readonly { key: string; file: string }[]> {
  const headersOf = (key: string, files: Readonly<Record<string, string>>): { key: string; file: string }[] =>
    Object.entries(files).map(([header, file]) => ({ key: `${key}.headers.${header}`, file }));
  const named = [
    ...Object.entries(http).flatMap(([host, { headerFiles }]) => headersOf(`tools.http.${host}`, headerFiles)),
    ...Object.entries(mcp).flatMap(([name, { headerFiles }]) => headersOf(`tools.mcp.${name}`, headerFiles)),
    ...(calendar === null ? [] : [{ key: 'tools.calendar.passwordFile', file: calendar.passwordFile }]),
  ];
  const there = await Promise.all(named.map(({ file }) => readSecret(file).then(Boolean, () => false)));
  return named.filter((_, i) => there[i] === false);
}

async function secrets(files: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const read = await Promise.all(Object.entries(files).map(async ([name, file]) => [name, await readSecret(file)] as const));
  return Object.fromEntries(read);
}

/** Desks are found by their names, and by those of whoever is reached there. */
function directory({ desks }: Config): PortOperation {
  return directoryPort(
    Object.entries(desks).flatMap(([desk, { names }]) => [desk.replaceAll('_', ' '), ...names].map((name) => ({ name, desk }))),
  );
}

/** Why a flow cannot take calls with this configuration: what its steps need and where it would be configured. Empty when it can. */
export function lacksOf(loaded: LoadedFlow, config: Config, hasModel: boolean): readonly string[] {
  const { flow, called } = loaded;
  const flows = [flow, ...[...(called?.values() ?? [])].map((other) => other.flow)];
  const tools = flows.flatMap((one) => Object.values(one.tools));
  const voices = [loaded, ...(called?.values() ?? [])].flatMap((one) => voiceLacks(one, config));
  const lacks = [...tools.flatMap((tool) => lackOf(tool, config) ?? []), ...voices];
  const steps = flows.flatMap((one) => Object.values(one.steps));
  const isReviewed = tools.some(({ review }) => (review ?? null) !== null);
  const thinks = isReviewed || steps.some((step) => step.t === 'agent' || (step.t === 'route' && step.model !== null));
  return [...new Set(thinks && !hasModel ? [...lacks, 'a language model (llm)'] : lacks)];
}

function lackOf({ name, target }: ToolDefinition, config: Config): string | null {
  const { ports, calendar } = config.tools;
  if (target.t !== 'port') return unreachable(name, target, config);
  const bound = ports[target.name];
  if (bound !== undefined) return unreachable(name, bound, config);
  if (target.name === 'directory.find') return null;
  if (target.name === 'knowledge.search')
    return Object.keys(config.knowledge.folders).length > 0 ? null : `the knowledge of tool ${name} (knowledge.folders)`;
  if (INBOX_PORTS.includes(target.name))
    return config.data.inbox.days > 0 ? null : `the port ${target.name} of tool ${name} (data.inbox or tools.ports)`;
  if (CALENDAR_PORTS.includes(target.name)) return calendar === null ? `the calendar of tool ${name} (tools.calendar)` : null;
  return `the port ${target.name} of tool ${name} (tools.ports)`;
}

function unreachable(name: string, target: Exclude<ToolTarget, { t: 'port' }>, { tools }: Config): string | null {
  if (target.t === 'mcp') return target.server in tools.mcp ? null : `the MCP server ${target.server} of tool ${name} (tools.mcp)`;
  const url = new URL(target.url.replace(/\{[^}]*\}/g, 'x'));
  return url.host in tools.http || url.hostname in tools.http ? null : `the host ${url.host} of tool ${name} (tools.http)`;
}
