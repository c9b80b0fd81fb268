/** Who gets data of callers, by name: engines outside, hosts of tools, servers, the calendar (Art. 28, 30(1)(d) GDPR). From the live configuration. */
import type { Config } from '../../config/index.ts';
import type { ToolDefinition, ToolTarget } from '../../contracts/index.ts';
import { bareHost, isLocal } from '../../egress/index.ts';
import type { Section } from './document.ts';

export interface Recipient {
  readonly where: string;
  /** Null: the configuration does not say. */
  readonly who: string | null;
  readonly gets: string;
  readonly basis: string;
  /** The key that names it. */
  readonly key: string;
}

const ENGINE_GETS = {
  stt: 'what callers say, as sound',
  tts: 'the texts that are spoken to callers',
  llm: 'the conversation, as text',
} as const;

const BY_FLOW = 'that of the flow: what the caller asked for';

export function recipientsOf(config: Config, tools: ReadonlyMap<string, readonly ToolDefinition[]>): readonly Recipient[] {
  return [...engines(config), ...embedding(config), ...hosts(config, tools), ...servers(config, tools), ...calendar(config)];
}

function engines(config: Config): readonly Recipient[] {
  return (['stt', 'tts', 'llm'] as const).flatMap((kind) =>
    config[kind].engines.flatMap(({ name, external }, at) =>
      external === null
        ? []
        : [
            {
              where: name,
              who: external.processor,
              gets: ENGINE_GETS[kind],
              basis: external.legalBasis,
              key: at === 0 ? kind : `${kind}.then`,
            },
          ],
    ),
  );
}

function embedding({ knowledge }: Config): readonly Recipient[] {
  if (knowledge.embedding === null) return [];
  const { host, hostname } = new URL(knowledge.embedding.url);
  const gets = 'questions of callers to the knowledge, as text';
  const who = knowledge.embedding.processor ?? own(hostname, false);
  return [{ where: host, who, gets, basis: BY_FLOW, key: 'knowledge.embedding' }];
}

function hosts(
  { tools: { http, ports, processors }, inbox }: Config,
  tools: ReadonlyMap<string, readonly ToolDefinition[]>,
): readonly Recipient[] {
  return Object.entries(http).map(([host, { private: isPrivate }]) => {
    const isHere = (target: ToolTarget): boolean => {
      const to = target.t === 'port' ? ports[target.name] : target;
      if (to?.t !== 'http') return false;
      const url = new URL(to.url.replace(/\{[^}]*\}/g, 'x'));
      return url.host === host || url.hostname === host;
    };
    const notified = inbox.notify?.t === 'url' && new URL(inbox.notify.url).host === host ? ['ids of items in the inbox'] : [];
    const gets = [...sentBy(tools, isHere), ...notified].join('; ') || 'nothing: no flow uses it';
    const who = processors[`http.${host}`] ?? own(host.replace(/:\d+$/, ''), isPrivate);
    return { where: host, who, gets, basis: BY_FLOW, key: `tools.http.${host}` };
  });
}

function servers(
  { tools: { mcp, ports, processors } }: Config,
  tools: ReadonlyMap<string, readonly ToolDefinition[]>,
): readonly Recipient[] {
  return Object.entries(mcp).map(([name, server]) => {
    const isHere = (target: ToolTarget): boolean => {
      const to = target.t === 'port' ? ports[target.name] : target;
      return to?.t === 'mcp' && to.server === name;
    };
    const where = server.t === 'http' ? new URL(server.url).host : `a program on this machine: ${server.command}`;
    const gets = sentBy(tools, isHere).join('; ') || 'nothing: no flow uses it';
    const who = processors[`mcp.${name}`] ?? (server.t === 'http' ? own(new URL(server.url).hostname, false) : null);
    return { where, who, gets, basis: BY_FLOW, key: `tools.mcp.${name}` };
  });
}

function calendar({ tools }: Config): readonly Recipient[] {
  if (tools.calendar === null) return [];
  const gets = 'day, time, title and reminder of an appointment';
  const { host, hostname } = new URL(tools.calendar.url);
  return [{ where: host, who: tools.processors['calendar'] ?? own(hostname, false), gets, basis: BY_FLOW, key: 'tools.calendar' }];
}

/** Who is meant where the configuration does not say: nobody else on this machine or in the own network. */
function own(host: string, isPrivate: boolean): string | null {
  if (isLocal(bareHost(host))) return 'own (this machine)';
  return isPrivate ? 'own (private network)' : null;
}

/** What the tools of the flows send there: names of arguments. */
function sentBy(tools: ReadonlyMap<string, readonly ToolDefinition[]>, isHere: (target: ToolTarget) => boolean): readonly string[] {
  return [...tools]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([flow, own]) =>
      own
        .filter(({ target }) => isHere(target))
        .map(({ name, arguments: given }) => `${flow}/${name}: ${Object.keys(given).sort().join(', ') || 'no argument'}`),
    );
}

export function recipientTable(recipients: readonly Recipient[]): NonNullable<Section['table']> {
  return {
    columns: ['who', 'where', 'gets', 'legal basis', 'named by'],
    rows: recipients.map(({ who, where, gets, basis, key }) => [who ?? 'not stated', where, gets, basis, key]),
  };
}

/** Keys that would say who it is. */
export const unnamed = (recipients: readonly Recipient[]): readonly string[] =>
  recipients.flatMap(({ who, key }) => (who === null ? [`${key}.processor`] : []));
