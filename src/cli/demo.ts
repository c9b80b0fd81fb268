/**
 * `npm run demo`: a private Asterisk, an embedded Postgres and Parley as an admin would run them (`parley serve`, a process of its own);
 * a synthetic caller phones in over SIP; then the proof: what was heard, how long it took, and that the log is whole.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { formatReport } from '../audit/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { PROJECT_ROOT } from '../parts.ts';
import { verifyConfigured } from './audit-verify.ts';
import { placeWatchedCall, printResult, until, type WatchedCall } from './call.ts';
import { BOOKING, type Conversation } from './conversation.ts';
import { EXIT } from './exit.ts';
import { health } from './live.ts';
import { type Style, terminalStyle } from './show.ts';

const FOLDER = join(PROJECT_ROOT, '.runtime/demo');
const EXTENSION = '700';
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

export async function demo(): Promise<number> {
  const style = terminalStyle(process.stdout.isTTY);
  const took = stopwatch();
  console.log(style.bold('Parley demo') + style.dim('  everything on this machine, on loopback\n'));
  const config = await writeConfig();
  const service = await startService(config, style);
  if (service === null) return EXIT.failed;
  took.lap('starting Asterisk, Postgres, the recogniser and Parley');
  try {
    console.log(style.dim(`Calling extension ${EXTENSION} over SIP. The recogniser is a test fixture of about 100 words.\n`));
    const record = join(FOLDER, 'call.wav');
    const watched = await placeWatchedCall(config, { extension: EXTENSION, script: BOOKING.script, record, style });
    took.lap('the call');
    if (watched === null) return EXIT.failed;
    printResult(watched.judgement, style);
    await service.stop();
    took.lap('draining and stopping');
    const whole = await verifyLog(config, style);
    took.lap('verifying the log');
    const failures = [...failuresOf(watched, BOOKING), ...(whole ? [] : ['the log has findings'])];
    console.log(`\n${style.dim(`Recording: ${record}   Took: ${took.text()}`)}`);
    for (const failure of failures) console.log(style.red(`FAILED: ${failure}`));
    if (failures.length === 0) console.log(style.green('The caller heard what the flow meant, in order and whole, and was understood.'));
    return failures.length === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await service.stop();
  }
}

/** Why the call is not what it should be; empty when all is well. */
function failuresOf({ report, judgement, events }: WatchedCall, meant: Conversation): string[] {
  const failures: string[] = [];
  if (!judgement.heardWhole) failures.push('the caller did not hear every prompt whole and in order');
  if (judgement.misunderstood.length > 0) failures.push('the flow understood something else than what was said');
  if (!report.finished) failures.push(`the conversation did not come to its end: ${report.problem ?? report.end}`);
  const slots = new Map<string, string>();
  for (const event of events) if (event.type === 'slot.filled') slots.set(event.body.slot, event.content?.['value'] ?? '');
  for (const [slot, value] of Object.entries(meant.slots)) {
    const got = slots.get(slot) ?? 'nothing';
    if (got !== value && weekday(got) !== value) failures.push(`slot ${slot}: the caller meant ${value}, the flow has ${got}`);
  }
  const ended = events.find((event) => event.type === 'call.ended');
  if (ended?.body.outcome !== meant.outcome) failures.push(`outcome ${ended?.body.outcome ?? 'unknown'}, expected ${meant.outcome}`);
  return failures;
}

function weekday(isoDay: string): string {
  const at = new Date(`${isoDay}T12:00:00Z`);
  return Number.isNaN(at.getTime()) ? '' : at.toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' }).toLowerCase();
}

async function verifyLog(config: Config, style: Style): Promise<boolean> {
  const report = await verifyConfigured(config);
  console.log(`\n${style.bold('The log')}`);
  for (const line of formatReport(report).trimEnd().split('\n')) console.log(`  ${line}`);
  return report.findings.length === 0;
}

async function writeConfig(): Promise<Config> {
  await mkdir(FOLDER, { recursive: true });
  const file = join(FOLDER, 'parley.yaml');
  const inFolder = (name: string): string => JSON.stringify(join(FOLDER, name));
  const text = `# Written by npm run demo; see config/parley.example.yaml.
gateway: { name: demo, drainSeconds: 5 }
pbx: { private: true, sipPort: ${await freeUdpPort()}, rtpPorts: "25000-25199" }
media: { ports: "26000-26099", maxCalls: 20 }
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

interface Running {
  stop(): Promise<void>;
}

/** The service as a process of its own. Null when it does not come up; its last lines are shown then. */
async function startService(config: Config, style: Style): Promise<Running | null> {
  const logFile = join(FOLDER, 'parley.log');
  const log = await open(logFile, 'w');
  const main = join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', main, 'serve', '--config', config.file], {
    cwd: PROJECT_ROOT,
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  let up = false;
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const asking = setInterval(() => {
    void health({ host: config.http.host, port: config.http.port }).then((answer) => (up ||= answer?.status === 200));
  }, 100);
  await until(() => up || gone(), START_LIMIT_MS);
  clearInterval(asking);
  const stop = (): Promise<void> => stopChild(child);
  if (up) return { stop };
  const tail = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
  console.log(style.red(`Parley did not come up. The end of ${logFile}:`) + `\n${tail}`);
  await stop();
  return null;
}

async function stopChild(child: ChildProcess): Promise<void> {
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (gone()) return;
  child.kill('SIGTERM');
  if (!(await until(gone, STOP_LIMIT_MS))) child.kill('SIGKILL');
}

function stopwatch(): { lap(what: string): void; text(): string } {
  const laps: string[] = [];
  let sinceMs = performance.now();
  return {
    lap(what) {
      laps.push(`${what} ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`);
      sinceMs = performance.now();
    },
    text: () => laps.join(', '),
  };
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
