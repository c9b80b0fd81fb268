/**
 * `npm run bench -- call`: whole calls through a real Asterisk into the whole service, at 1 and 10 calls at once. Latency is measured by
 * the callers at the wire: last voiced sample out to first voiced sample in. CPU is what the kernel accounted to each process.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { placeCall, type Script } from '../src/cli/caller/index.ts';
import { startServiceProcess, writePrivateConfig } from '../src/cli/private-service.ts';
import { PROJECT_ROOT } from '../src/parts/index.ts';
import { type BenchResult, type BenchRow, benchResult, percentile } from './support/result.ts';

const TICKS_PER_S = 100;
const listen = { wait: 'agent-finished' } as const;
const SCRIPT: Script = [
  listen,
  { say: 'i want to book a table for four on friday at seven' },
  listen,
  { say: 'yes that is right' },
  listen,
  { say: 'what are your opening hours' },
  listen,
  { say: 'no thank you' },
  { wait: 'hangup' },
];
/** A caller whose own clock was this late measures itself, not us. */
const MAX_LATE_SEND_MS = 25;

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const folder = join(PROJECT_ROOT, '.runtime/bench-call');
  const config = await writePrivateConfig(folder);
  const service = await startServiceProcess(config, folder);
  const rows: BenchRow[] = [];
  try {
    for (const calls of (options['calls'] ?? '1,10').split(',').map(Number))
      rows.push(...(await measure(calls, config.pbx.sipPort, service.pid)));
  } finally {
    await service.stop();
  }
  return benchResult('call', rows);
}

async function measure(calls: number, sipPort: number, pid: number): Promise<BenchRow[]> {
  const before = cpuByProgram(pid);
  const reports = await Promise.all(
    Array.from({ length: calls }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 400));
      return placeCall({ sipHost: '127.0.0.1', sipPort, extension: '700', script: SCRIPT });
    }),
  );
  const after = cpuByProgram(pid);
  const answered = reports.filter((report) => report.answered);
  const finished = answered.filter((report) => report.finished);
  const onTime = answered.filter((report) => report.rtp.maxLateSendMs <= MAX_LATE_SEND_MS);
  const usable = onTime.length > 0 ? onTime : answered;
  const perceived = usable.flatMap((report) => report.turns.flatMap((turn) => turn.perceivedMs ?? []));
  const callSeconds = answered.reduce((sum, report) => sum + report.durationMs / 1000, 0);
  const at = `${calls} ${calls === 1 ? 'call' : 'calls'}`;
  const row = (metric: string, value: number, unit: string, more: Partial<BenchRow> = {}): BenchRow => ({
    metric: `${at}: ${metric}`,
    value: Math.round(value * 10) / 10,
    unit,
    ...more,
  });
  return [
    row('finished as scripted', finished.length, 'calls', { goal: String(calls), met: finished.length === calls }),
    row('perceived latency p50', percentile(perceived, 0.5), 'ms', { peer: `n = ${perceived.length} turns` }),
    row('perceived latency p95', percentile(perceived, 0.95), 'ms', { peer: `${usable.length} of ${calls} callers kept their own clock` }),
    row(
      'packets lost to the callers',
      answered.reduce((sum, report) => sum + report.rtp.lost, 0),
      'packets',
    ),
    ...[...after].map(([program, seconds]) =>
      row(`CPU of ${program}`, ((seconds - (before.get(program) ?? 0)) / callSeconds) * 100, '% of a core per call'),
    ),
  ];
}

/** CPU seconds of a process and its descendants, by program. */
function cpuByProgram(root: number): Map<string, number> {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => process_(Number(name)));
  const sums = new Map<string, number>();
  const visit = (pid: number): void => {
    const own = all.find((entry) => entry.pid === pid);
    if (own !== undefined) sums.set(own.program, (sums.get(own.program) ?? 0) + own.seconds);
    for (const child of all.filter((entry) => entry.parent === pid)) visit(child.pid);
  };
  visit(root);
  return sums;
}

function process_(pid: number): { pid: number; parent: number; program: string; seconds: number }[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    const program = ['parley-whisper', 'espeak-ng', 'asterisk', 'postgres'].find((name) => line.includes(name)) ?? 'parley';
    // Fields of proc(5), counted after the name: parent, user and system time, those of ended children.
    const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(stat[field]), 0);
    return [{ pid, parent: Number(stat[1]), program, seconds: ticks / TICKS_PER_S }];
  } catch {
    return [];
  }
}
