/** Parley as a process of its own behind a test's Asterisk and Postgres, to be killed and started again on the same folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freeTcpPort, type PrivateAsterisk } from './asterisk.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface GatewayOptions {
  readonly folder: string;
  readonly asterisk: PrivateAsterisk;
  readonly databaseUrl: string;
  /** First of 100 UDP ports. */
  readonly mediaPort: number;
  /** The built program (npm run build) instead of the sources. */
  readonly built?: boolean;
  /** How long a call waits for a gateway that is gone (default 120: longer than a start on a busy machine). */
  readonly leaseSeconds?: number;
  /** YAML lines put at the end. */
  readonly more?: string;
  readonly name?: string;
  readonly app?: string;
}

export interface Gateway {
  readonly httpPort: number;
  start(): void;
  /** Resolves when calls can come. */
  up(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM to it and all its children, as a terminal or a supervisor sends it; resolves with its exit code when it is gone. */
  terminate(): Promise<number | null>;
  /** What it has logged so far, over all its lives. */
  logged(): Promise<string>;
}

/** `t`: kills what is left of it when the test ends, however it ends. */
export async function gatewayIn(t: { teardown: (fn: () => unknown) => void }, options: GatewayOptions): Promise<Gateway> {
  const { folder, asterisk, databaseUrl, mediaPort, more = '', name = 'test', app = 'parley', leaseSeconds = 120 } = options;
  await mkdir(folder, { recursive: true });
  const file = (part: string): string => join(folder, part);
  const httpPort = await freeTcpPort();
  await writeFile(file('ari-password'), asterisk.ariPassword, { mode: 0o600 });
  await writeFile(file('database-url'), databaseUrl, { mode: 0o600 });
  await writeFile(
    file('parley.yaml'),
    `gateway: { name: ${name}, drainSeconds: 60 }
pbx: { private: false, url: "${asterisk.ariUrl}", app: ${app}, leaseSeconds: ${leaseSeconds}, user: ${asterisk.ariUser}, passwordFile: "${file('ari-password')}" }
media: { ports: "${mediaPort}-${mediaPort + 99}", maxCalls: 50 }
desks: { host: { context: parley-desks, extension: "100" } }
audit: { spoolDirectory: "${file('spool')}" }
store: { urlFile: "${file('database-url')}" }
capacity: { govern: false }
http: { port: ${httpPort}, tokenFile: "${file('token')}" }
${more}`,
  );
  const program = options.built === true ? [join(ROOT, 'dist/cli/main.js')] : ['--import', 'tsx', join(ROOT, 'src/cli/main.ts')];
  const log = createWriteStream(file('parley.log'), { flags: 'a' });
  await once(log, 'open');
  let child: ChildProcess | null = null;
  const gone = (it: ChildProcess): Promise<unknown> =>
    it.exitCode === null && it.signalCode === null ? once(it, 'exit') : Promise.resolve();
  t.teardown(() => {
    child?.kill('SIGKILL');
    log.end();
  });
  const isUp = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/healthz`).catch(() => null);
    return answer?.status === 200;
  };
  return {
    httpPort,
    start() {
      child = spawn(process.execPath, [...program, 'serve', '--config', file('parley.yaml')], {
        ...{ cwd: ROOT, stdio: ['ignore', log, log], detached: true },
      });
    },
    async up() {
      while (!(await isUp())) {
        if (child === null || child.exitCode !== null)
          throw new Error(`the gateway ended with ${child?.exitCode}: see ${file('parley.log')}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async kill() {
      child?.kill('SIGKILL');
      if (child !== null) await gone(child);
    },
    async terminate() {
      if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGTERM');
      if (child !== null) await gone(child);
      return child?.exitCode ?? null;
    },
    logged: () => readFile(file('parley.log'), 'utf8'),
  };
}
