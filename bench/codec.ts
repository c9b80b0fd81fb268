/** G.711: bit-exact, and against a table loop over the frames of a thousand calls. */
import { against, coreBench } from './support/core-bench.ts';
import { benchResult } from './support/result.ts';
import type { BenchResult, BenchRow } from './support/result.ts';

export function run(): Promise<BenchResult> {
  const figures = coreBench('codec');
  const rows: BenchRow[] = [];
  for (const law of ['ulaw', 'alaw'])
    for (const way of ['decode', 'encode']) {
      const table = figures.get(`${law}.${way}.table`);
      rows.push(against(`${law} ${way}, 20 ms frame`, figures.get(`${law}.${way}`) ?? NaN, 'ns', 'table', table, 0.45));
      rows.push({ metric: `${law} ${way}, without AVX2`, value: figures.get(`${law}.${way}.baseline`) ?? NaN, unit: 'ns' });
    }
  const wrong = figures.get('mismatches') ?? NaN;
  rows.push({ metric: 'samples not bit-exact, of 65536', value: wrong, unit: '', goal: '0', met: wrong === 0 });
  return Promise.resolve(benchResult('codec', rows));
}
