/** Every place outside this machine that a configuration lets Parley connect to, and what for. Nothing else can be reached (egress/). */
import { type Config, readSecret } from '../config/index.ts';
import { type Destination, isLocal, urlsIn } from '../egress/index.ts';

export async function destinations(config: Config, flows: ReadonlyMap<string, unknown>): Promise<readonly Destination[]> {
  const { anchorSyslog } = config.audit;
  const found = [
    ...urlsIn(config, '').filter((place) => !(config.pbx.private && place.for === 'pbx.url')),
    // A flow may name what it likes: only hosts that tools.http lists are reached.
    ...urlsIn(flows, 'flow').filter(({ host, port }) => host in config.tools.http || `${host}:${port}` in config.tools.http),
    ...(anchorSyslog === null ? [] : [{ host: anchorSyslog.host, port: anchorSyslog.port, for: 'audit.anchorSyslog' }]),
    ...(await databases(config)),
  ];
  return found.filter((place) => !isLocal(place.host));
}

const LOGINS = ['urlFile', 'auditorUrlFile', 'dpoUrlFile', 'retentionUrlFile'] as const;

/** A URL of Postgres may name several hosts, and a Unix socket by ?host=/folder. */
async function databases(config: Config): Promise<readonly Destination[]> {
  const { store } = config;
  if (store.kind === 'embedded') return [];
  const found: Destination[] = [];
  for (const key of LOGINS) {
    const file = store[key];
    if (file === null) continue;
    const url = await readSecret(file);
    const hosts = /^postgres(?:ql)?:\/\/(?:[^@/]*@)?([^/?]*)/i.exec(url)?.[1] ?? '';
    const named = /[?&]host=([^&]*)/.exec(url)?.[1];
    const list = named === undefined ? hosts : decodeURIComponent(named);
    for (const place of list.split(',')) {
      const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(place) ?? [];
      if (host !== '' && !host.startsWith('/')) {
        const given = port ?? /[?&]port=(\d+)/.exec(url)?.[1] ?? '5432';
        found.push({ host: host.replace(/^\[|\]$/g, ''), port: Number(given), for: `store.${key}` });
      }
    }
  }
  return found;
}
