/**
 * Ingest over fourteen seeded network traces, mean of five seeds: concealment beyond what the network lost, and delay added.
 * speexdsp's jitter buffer runs over the same traces here; NetEQ's figures were measured once over the same traces with a 2018
 * extraction of it (its concealment counts half a frame per expanded 10 ms block), and stand below.
 */
import { coreBench, round } from './support/core-bench.ts';
import { benchResult } from './support/result.ts';
import type { BenchResult, BenchRow } from './support/result.ts';

/** Concealment beyond loss (%), added delay p95 (ms). */
const NETEQ_2018: Readonly<Record<string, readonly [beyond: number, p95: number]>> = {
  clean: [0, 22],
  lan_jitter: [0, 22],
  wan_exp8_loss1: [0.18, 73],
  burst_bloat: [0.35, 180],
  reorder_dup: [0.11, 69],
  ge_loss3: [0.06, 40],
  ge_loss10: [0.15, 59],
  'drift+200ppm': [0, 31],
  'drift-200ppm': [0.01, 39],
  route_step: [0.06, 95],
  ssrc_ts_jump: [0.19, 73],
  ts_jump_only: [0.19, 73],
  wifi_pareto: [0.54, 123],
};
const NAMES = [...Object.keys(NETEQ_2018), 'dtx'];

export function run(): Promise<BenchResult> {
  const figures = coreBench('ingest');
  const figure = (name: string): number => figures.get(name) ?? NaN;
  const rows: BenchRow[] = [];
  for (const name of NAMES) {
    const neteq = NETEQ_2018[name];
    const speex = figures.get(`${name}.speex.beyond`);
    // On dtx a paced buffer's talk is shifted by its delay, so its concealment is over-counted: no comparison.
    const most = neteq && Math.min(neteq[0], speex ?? Infinity);
    const beyond = figure(`${name}.beyond`);
    const peers = [speex === undefined ? [] : [`speexdsp ${round(speex, 2)}`], neteq ? [`NetEQ ${neteq[0]}`] : []].flat().join(', ');
    rows.push({
      metric: `${name} concealed beyond ${round(figure(`${name}.loss`), 2)} % loss`,
      value: round(beyond, 3),
      unit: '%',
      ...(peers === '' ? {} : { peer: peers }),
      ...(most === undefined ? {} : { goal: `<= ${round(most, 2)}`, met: beyond <= most + 1e-9 }),
    });
    const p50 = figure(`${name}.p50`);
    rows.push({ metric: `${name} added delay p50`, value: round(p50, 1), unit: 'ms', goal: '<= 10', met: p50 <= 10 });
    const p95 = figure(`${name}.p95`);
    const limit = neteq && name !== 'route_step' ? 0.6 * neteq[1] : undefined;
    rows.push({
      metric: `${name} added delay p95`,
      value: round(p95, 1),
      unit: 'ms',
      ...(neteq ? { peer: `NetEQ ${neteq[1]} ms`, ratio: round(p95 / neteq[1], 2) } : {}),
      ...(limit === undefined ? {} : { goal: '<= 0.6x', met: p95 <= limit }),
    });
  }
  rows.push({ metric: 'CPU per packet, in order', value: round(figure('clean.cpu'), 0), unit: 'ns' });
  rows.push({ metric: 'CPU per packet, 10 % loss', value: round(figure('ge_loss10.cpu'), 0), unit: 'ns' });
  return Promise.resolve(benchResult('ingest', rows));
}
