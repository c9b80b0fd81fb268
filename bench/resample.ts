/** Resampling against speexdsp quality 5 (libspeexdsp1), with the mask: ripple to 3.4 kHz, alias from 4.6 kHz, delay. */
import { against, coreBench, round } from './support/core-bench.ts';
import { benchResult } from './support/result.ts';
import type { BenchResult, BenchRow } from './support/result.ts';

const PAIRS: readonly (readonly [pair: string, most: number])[] = [
  ['8000>16000', 0.3],
  ['16000>8000', 0.3],
  ['24000>8000', 0.3],
  ['22050>8000', 0.05],
  ['48000>8000', 0.3],
];

export function run(): Promise<BenchResult> {
  const figures = coreBench('resample');
  const rows: BenchRow[] = [];
  for (const [pair, most] of PAIRS) {
    const ours = figures.get(pair) ?? NaN;
    rows.push(against(`${pair}, 20 ms frame`, ours, 'ns', 'speexdsp q5 float', figures.get(`${pair}.speex5`), most));
    rows.push({ metric: `${pair}, without AVX2`, value: round(figures.get(`${pair}.baseline`) ?? NaN), unit: 'ns' });
  }
  for (const pair of ['8000>16000', '16000>8000', '22050>8000', '24000>8000', '48000>8000']) {
    const ripple = figures.get(`${pair}.ripple`) ?? NaN;
    const alias = figures.get(`${pair}.alias`) ?? NaN;
    const delay = figures.get(`${pair}.delay`) ?? NaN;
    const what = pair === '8000>16000' ? 'image' : 'alias';
    rows.push({ metric: `${pair} ripple 200 Hz to 3.4 kHz`, value: round(ripple, 4), unit: 'dB', goal: '<= 0.1', met: ripple <= 0.1 });
    rows.push({ metric: `${pair} ${what}`, value: round(alias, 1), unit: 'dB', goal: '<= -65', met: alias <= -65 });
    rows.push({ metric: `${pair} delay`, value: round(delay, 2), unit: 'ms', goal: '<= 2', met: delay <= 2 });
  }
  return Promise.resolve(benchResult('resample', rows));
}
