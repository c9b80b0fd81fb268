/** Builds and runs the native bench programs of native/bench. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BenchRow } from './result.ts';

const root = join(import.meta.dirname, '..', '..');

export function buildBench(target: string): void {
  const built = spawnSync(join(root, 'scripts', 'build-native.sh'), [target], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error(`scripts/build-native.sh ${target} failed`);
}

/** Figures of parley_core_bench by name. Peers are absent when libspeexdsp1 is not installed. */
export function coreBench(what: 'codec' | 'resample' | 'ingest' | 'gate'): Map<string, number> {
  buildBench('parley_core_bench');
  const ran = spawnSync(join(root, 'build', 'Release', 'parley_core_bench'), [what], { encoding: 'utf8', maxBuffer: 1 << 24 });
  if (ran.status !== 0) throw new Error(`parley_core_bench ${what} failed: ${ran.stderr}`);
  const figures = ran.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; value: number });
  return new Map(figures.map(({ name, value }) => [name, value]));
}

export interface LoadReport {
  readonly sent: number;
  readonly received: number;
  readonly fifo: number;
  readonly bareP50Us: number;
  readonly bareP99Us: number;
  readonly bareP999Us: number;
  readonly bareMaxUs: number;
}

/** Plays the far end of `count` calls for `seconds`; the calls listen on firstPort, firstPort + stride, ... */
/** `own`: each call's far end has a port of its own, from `port` on, as a PBX has. */
export async function load(
  port: number,
  seconds: number,
  firstPort: number,
  count: number,
  stride: number,
  own = false,
): Promise<LoadReport> {
  const child = spawn(
    join(root, 'build', 'Release', 'parley_media_load'),
    [...[port, seconds, firstPort, count, stride].map((value) => String(value)), ...(own ? ['own'] : [])],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child, 'close');
  return JSON.parse(output) as LoadReport;
}

export const round = (value: number, digits = 3): number => Number(value.toFixed(digits));

/** A row that compares a figure with its peer's, when there is one. */
export function against(metric: string, value: number, unit: string, peer: string, theirs: number | undefined, most: number): BenchRow {
  const row = { metric, value: round(value), unit };
  if (theirs === undefined) return { ...row, peer: `${peer}: not installed`, goal: `<= ${most}x` };
  const ratio = value / theirs;
  return { ...row, peer: `${peer} ${round(theirs, 1)} ${unit}`, ratio: round(ratio), goal: `<= ${most}x`, met: ratio <= most };
}
