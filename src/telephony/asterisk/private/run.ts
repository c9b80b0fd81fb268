/**
 * A private Asterisk for the demo, the tests and a single box: rendered, started, watched, stopped. It is a separate
 * program (GPL) that we only talk to over loopback. It dies with us, also when we die without a word.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ParleyError } from '../../../contracts/index.ts';
import { findAsterisk } from './find.ts';
import type { AsteriskProgram } from './find.ts';
import { endLeftover, type Leftover, markRunning, markStopped } from './leftover.ts';
import { renderConfig } from './render.ts';
import type { Desk } from './render.ts';

export interface PrivateAsteriskOptions {
  /** Configuration, log and sockets go here; made when missing. One Asterisk per folder. */
  readonly runDir: string;
  readonly ariPort: number;
  readonly sipPort: number;
  /** Inclusive; Asterisk takes two ports for each SIP call and one or two for each media leg. */
  readonly rtpPortMin: number;
  readonly rtpPortMax: number;
  readonly ariUser?: string;
  /** A new random one when left out. */
  readonly ariPassword?: string;
  readonly desks?: readonly Desk[];
  readonly fallback?: string;
  readonly extraDialplan?: string;
  readonly program?: AsteriskProgram;
  readonly readyMs?: number;
}

export interface PrivateAsterisk {
  readonly pid: number;
  readonly ariUrl: string;
  readonly ariUser: string;
  readonly ariPassword: string;
  readonly sipHost: string;
  readonly sipPort: number;
  /** As Asterisk reports it, for example `22.10.1`. */
  readonly version: string;
  readonly logFile: string;
  /** What a program that did not stop its Asterisk here has left: nothing; one that died with it; one that ran on and was ended now. */
  readonly before: Leftover;
  /** Settles when the process is over, however it ended. */
  readonly exited: Promise<void>;
  /** Runs a console command and returns what it prints: `core show channels`. */
  console(command: string): Promise<string>;
  /** Idempotent; SIGTERM, then SIGKILL after 5 s. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const run = promisify(execFile);

/** Errors: PBX_FAILED (no Asterisk, or it did not come up: the message ends with its last log lines), PORT_IN_USE, CONFIG_INVALID. */
export async function startPrivateAsterisk(options: PrivateAsteriskOptions): Promise<PrivateAsterisk> {
  const program = options.program ?? findAsterisk();
  const runDir = resolve(options.runDir);
  const ariUser = options.ariUser ?? 'parley';
  const ariPassword = options.ariPassword ?? randomBytes(24).toString('hex');
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const before = await endLeftover(runDir);
  await checkPorts(options);
  const config = renderConfig(program, {
    ...options,
    runDir,
    host: HOST,
    ariUser,
    ariPassword,
    desks: options.desks ?? [],
    fallback: options.fallback ?? '',
    extraDialplan: options.extraDialplan ?? '',
  });
  const child = launch(program, config, join(runDir, 'log/console.log'));
  markRunning(runDir, child.pid ?? 0);
  const over = new Promise<void>((settle) => child.once('exit', () => settle()));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  void over.then(() => process.off('exit', kill));

  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const late = setTimeout(kill, 5000);
      await over;
      clearTimeout(late);
    }
    markStopped(runDir);
  };
  const ariUrl = `http://${HOST}:${options.ariPort}`;
  const logFile = join(runDir, 'log/messages.log');
  try {
    const authorization = `Basic ${Buffer.from(`${ariUser}:${ariPassword}`).toString('base64')}`;
    const version = await untilReady(child, `${ariUrl}/ari/asterisk/info?only=system`, authorization, options.readyMs ?? 30_000);
    return { pid: child.pid ?? 0, ariUrl, ariUser, ariPassword, sipHost: HOST, sipPort: options.sipPort, version, logFile, exited: over, console: (command) => ask(program, config, command), before, stop }; // prettier-ignore
  } catch (error) {
    await stop();
    throw new ParleyError('PBX_FAILED', `The private Asterisk did not come up (${(error as Error).message}). ${lastLines(logFile)}`, {
      cause: error,
    });
  }
}

/** setpriv (util-linux) has the kernel send the signal when our process is gone; where it is missing, our exit handler must do. */
function launch(program: AsteriskProgram, config: string, output: string): ChildProcess {
  const own = [...program.command, '-C', config, '-f', '-n'];
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => existsSync(file));
  const [command = '', ...args] = setpriv === undefined ? own : [setpriv, '--pdeathsig', 'KILL', '--', ...own];
  const log = openSync(output, 'w', 0o600);
  try {
    // A group of its own: a signal to ours (Ctrl-C) begins a drain, and calls go on until it is over.
    const child = spawn(command, args, { stdio: ['ignore', log, log], cwd: '/', detached: true });
    // A failed spawn shows as an exit to whoever waits.
    child.once('error', () => child.emit('exit', 127, null));
    return child;
  } finally {
    closeSync(log);
  }
}

async function ask(program: AsteriskProgram, config: string, command: string): Promise<string> {
  const [file, ...args] = program.command;
  return (await run(file, [...args, '-C', config, '-rx', command], { timeout: 10_000 })).stdout;
}

async function untilReady(child: ChildProcess, url: string, authorization: string, readyMs: number): Promise<string> {
  const deadline = performance.now() + readyMs;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode ?? 'nothing'}`);
    if (performance.now() > deadline) throw new Error(`ARI did not answer within ${readyMs} ms`);
    const info = await fetch(url, { headers: { authorization }, signal: AbortSignal.timeout(2000) })
      .then(async (response) => (response.ok ? ((await response.json()) as { system?: { version?: string } }) : undefined))
      .catch(() => undefined);
    if (info !== undefined) return info.system?.version ?? '';
    await new Promise((later) => setTimeout(later, 50));
  }
}

/** Asterisk starts all the same when a port is taken, and then answers nobody: so look first. */
async function checkPorts({ ariPort, sipPort, rtpPortMin, rtpPortMax }: PrivateAsteriskOptions): Promise<void> {
  if (rtpPortMax - rtpPortMin < 3) throw new ParleyError('CONFIG_INVALID', 'The private Asterisk needs at least four RTP ports.');
  const tcp = createServer();
  await new Promise<void>((ok, no) => tcp.once('error', no).listen(ariPort, HOST, ok)).catch(() => taken('TCP', ariPort));
  await new Promise((closed) => tcp.close(closed));
  const udp = createSocket('udp4');
  await new Promise<void>((ok, no) => udp.once('error', no).bind(sipPort, HOST, ok)).catch(() => taken('UDP', sipPort));
  await new Promise<void>((closed) => udp.close(closed));
}

function taken(kind: string, port: number): never {
  throw new ParleyError('PORT_IN_USE', `${kind} port ${port} on ${HOST}, meant for the private Asterisk, is taken.`);
}

function lastLines(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join(' | ') : '';
}
