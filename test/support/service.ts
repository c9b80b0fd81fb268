/**
 * The whole service in this process, behind a real Asterisk and a real Postgres of the test's own, and callers for it. It takes every call,
 * however busy the machine of the tests is: the governor has tests of its own.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LiveEvent } from '../../src/call/index.ts';
import { type CallOptions, type CallReport, placeCall, type Script } from '../../src/cli/caller/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Service, startService } from '../../src/main.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { freeTcpPort, type PrivateAsterisk } from './asterisk.ts';

export interface ServiceRig {
  readonly service: Service;
  readonly events: LiveEvent['event'][];
  /** Places a call to `extension` and resolves with what the caller has of it. */
  call(script: Script, options?: Partial<CallOptions>): Promise<Extract<CallReport, { answered: true }>>;
  types(): string[];
  of<T extends LiveEvent['event']['type']>(type: T): Extract<LiveEvent['event'], { type: T }>[];
  stop(): Promise<void>;
}

export interface ServiceOptions {
  readonly folder: string;
  readonly asterisk: PrivateAsterisk;
  readonly databaseUrl: string;
  /** YAML lines put at the end. */
  readonly more?: string;
  /** More desks, as in YAML. */
  readonly desks?: string;
  /** First of 100 UDP ports. */
  readonly mediaPort: number;
  /** media.codec; default ulaw. */
  readonly codec?: 'ulaw' | 'alaw' | 'slin' | 'g722' | 'slin16';
}

export const EXTENSION = '700';

export async function startRig({
  folder,
  asterisk,
  databaseUrl,
  more = '',
  desks = '',
  mediaPort,
  codec = 'ulaw',
}: ServiceOptions): Promise<ServiceRig> {
  await mkdir(folder, { recursive: true });
  const file = (name: string): string => join(folder, name);
  await writeFile(file('ari-password'), asterisk.ariPassword, { mode: 0o600 });
  await writeFile(file('database-url'), databaseUrl, { mode: 0o600 });
  const config = `gateway: { name: test, drainSeconds: 1 }
pbx: { private: false, url: "${asterisk.ariUrl}", user: ${asterisk.ariUser}, passwordFile: "${file('ari-password')}" }
media: { ports: "${mediaPort}-${mediaPort + 99}", maxCalls: 50, codec: ${codec} }
desks: { host: { context: parley-desks, extension: "100" }${desks === '' ? '' : `, ${desks}`} }
audit: { spoolDirectory: "${file('spool')}" }
store: { urlFile: "${file('database-url')}" }
capacity: { govern: false }
http: { port: ${await freeTcpPort()}, tokenFile: "${file('token')}" }
${more}`;
  await writeFile(file('parley.yaml'), config);
  const service = await startService(await loadConfig(file('parley.yaml')), silentLogger);
  const events: LiveEvent['event'][] = [];
  service.runner.watch(({ event }) => events.push(event));
  return {
    service,
    events,
    async call(script, options = {}) {
      const report = await placeCall({ sipHost: asterisk.sipHost, sipPort: asterisk.sipPort, extension: EXTENSION, script, ...options });
      if (!report.answered) throw new Error(`not answered: ${report.status} ${report.reason}`);
      return report;
    },
    types: () => events.map((event) => event.type),
    of: <T extends LiveEvent['event']['type']>(type: T) =>
      events.filter((event): event is Extract<LiveEvent['event'], { type: T }> => event.type === type),
    stop: () => service.stop('test over'),
  };
}

/** Process ids of our children whose command line holds `word`. */
export function childrenNamed(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = Number(
          readFileSync(`/proc/${pid}/stat`, 'utf8')
            .replace(/^.*\) /, '')
            .split(' ')[1],
        );
        return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
      } catch {
        return false; // it ended meanwhile
      }
    });
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
