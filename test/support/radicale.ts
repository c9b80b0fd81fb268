/** A real CalDAV server with an empty calendar: Radicale, which scripts/setup.sh installs as a Python module of the system. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CalendarServer {
  /** Of the calendar, with a slash at its end. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** A request as the owner, past our own client. */
  raw(method: string, name: string, body?: string): Promise<{ status: number; text: string }>;
  stop(): Promise<void>;
}

const PYTHONS = ['/usr/bin/python3', '/bin/python3'].filter((file) => existsSync(file));

export async function startRadicale(): Promise<CalendarServer> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-caldav-'));
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  await writeFile(join(folder, 'users'), 'parley:secret\n');
  const auth = `[auth]\ntype = htpasswd\nhtpasswd_filename = ${folder}/users\nhtpasswd_encryption = plain\n`;
  await writeFile(join(folder, 'config'), `[server]\nhosts = 127.0.0.1:${port}\n${auth}[storage]\nfilesystem_folder = ${folder}/data\n`);
  const args = ['-m', 'radicale', '--config', join(folder, 'config')];
  const child: ChildProcess = spawn(PYTHONS[0] ?? 'python3', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  const url = `http://127.0.0.1:${port}/parley/desk/`;
  const authorization = `Basic ${Buffer.from('parley:secret').toString('base64')}`;
  for (let i = 0; ; i++) {
    const made = await fetch(url, { method: 'MKCALENDAR', headers: { authorization } }).catch(() => null);
    if (made?.status === 201) break;
    if (i > 200 || child.exitCode !== null)
      throw new Error(`Radicale does not start (npm run setup installs python3-radicale): ${made?.status ?? said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    ...{ url, user: 'parley', password: 'secret' },
    raw: async (method, name, body) => {
      const answer = await fetch(new URL(name, url), { method, headers: { authorization }, ...(body === undefined ? {} : { body }) });
      return { status: answer.status, text: await answer.text() };
    },
    stop: async () => {
      child.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
