/** What a bench reports: one JSON object, the peer measured in the same run. */
import { cpus, loadavg } from 'node:os';

export interface BenchRow {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** What it was compared with, in the same run, with its figure. */
  readonly peer?: string;
  /** value / peer's value. */
  readonly ratio?: number;
  readonly goal?: string;
  readonly met?: boolean;
}

export interface BenchResult {
  readonly bench: string;
  /** ISO 8601. */
  readonly at: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly load: number };
  readonly rows: readonly BenchRow[];
}

export function benchResult(bench: string, rows: readonly BenchRow[]): BenchResult {
  const all = cpus();
  return {
    bench,
    at: new Date().toISOString(),
    machine: { cpu: all[0]?.model ?? 'unknown', cores: all.length, load: loadavg()[0] ?? 0 },
    rows,
  };
}

/** `p` from 0 to 1 of unsorted figures; NaN when there are none. */
export function percentile(figures: readonly number[], p: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? NaN;
}
