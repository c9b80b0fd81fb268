/**
 * A service of our own for the demo and the benches: `parley serve` as an admin runs it, a process of its own, with a private Asterisk
 * and an embedded Postgres, all on loopback ports that are free at this moment.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Config, loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { PROJECT_ROOT } from '../parts/index.ts';
import { until } from './call.ts';
import { health } from './live.ts';

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

/** `folder` keeps the database and the log from run to run. */
export async function writePrivateConfig(folder: string): Promise<Config> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'parley.yaml');
  const inFolder = (name: string): string => JSON.stringify(join(folder, name));
  const text = `# Written by the demo or a bench; see config/parley.example.yaml.
gateway: { name: demo, drainSeconds: 5 }
pbx: { private: true, sipPort: ${await freeUdpPort()}, rtpPorts: "25000-25999" }
media: { ports: "26000-26199", maxCalls: 100 }
stt: { model: ${JSON.stringify(join(PROJECT_ROOT, 'models/builtin/ggml-phone-test.bin'))} }
flows: { directory: ${JSON.stringify(join(PROJECT_ROOT, 'config/flows'))}, default: booking, facts: ${JSON.stringify(join(PROJECT_ROOT, 'config/facts'))} }
desks: { host: { context: parley-desks, extension: "100" } }
audit: { spoolDirectory: ${inFolder('spool')} }
store: { embedded: { directory: ${inFolder('postgres')} } }
http: { port: ${await freeTcpPort()}, tokenFile: ${inFolder('token')} }
`;
  await writeFile(file, text);
  return loadConfig(file);
}

export interface RunningService {
  readonly pid: number;
  readonly logFile: string;
  stop(): Promise<void>;
}

/** Resolves when calls can come. Errors: CALLER_FAILED with the end of the service's log when it does not come up. */
export async function startServiceProcess(config: Config, folder: string): Promise<RunningService> {
  const logFile = join(folder, 'parley.log');
  const log = await open(logFile, 'w');
  const child = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'main.ts'), 'serve', '--config', config.file], {
    cwd: PROJECT_ROOT,
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const seen = { up: false };
  const asking = setInterval(() => {
    void health({ host: config.http.host, port: config.http.port }).then(
      (answer) => (seen.up ||= answer?.status === 200 && answer.body['postgres'] === true),
    );
  }, 100);
  await until(() => seen.up || gone(child), START_LIMIT_MS);
  clearInterval(asking);
  const stop = (): Promise<void> => stopChild(child);
  if (seen.up && child.pid !== undefined) return { pid: child.pid, logFile, stop };
  await stop();
  const tail = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
  throw new ParleyError('CALLER_FAILED', `Parley did not come up. The end of ${logFile}:\n${tail}`);
}

const gone = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function stopChild(child: ChildProcess): Promise<void> {
  if (gone(child)) return;
  child.kill('SIGTERM');
  if (!(await until(() => gone(child), STOP_LIMIT_MS))) child.kill('SIGKILL');
}

function freeTcpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
