/** What the dialogue costs: a step of the runner, many flows at once, phrases understood, and conversations per second in the simulator. */
import { join } from 'node:path';
import { simulate } from '../src/cli/simulate.ts';
import { createDialogue, type FlowState, loadFlows } from '../src/dialogue/index.ts';
import { PHRASE_LANGUAGES, phrasesOf, TODAY, understand } from '../test/support/phrases.ts';
import { type BenchResult, benchResult, type BenchRow, percentile } from './support/result.ts';

const ROOT = join(import.meta.dirname, '..');
const SAID = [
  'i want to book a table',
  'for four people',
  'on friday',
  'at half past seven',
  'what are your opening hours',
  'no saturday',
  'yes that is right',
];
const FLOWS = 10_000;

export async function run(): Promise<BenchResult> {
  const flows = await loadFlows(join(ROOT, 'config', 'flows'));
  const booking = flows.get('booking');
  if (booking === undefined) throw new Error('the booking flow is shipped');
  const dialogue = createDialogue(booking.flow, { facts: booking.facts, today: TODAY, desks: ['host'] });
  const rows: BenchRow[] = [];

  const stepsMs: number[] = [];
  for (let round = 0; round < 3000; round++) {
    let [state] = dialogue.step(dialogue.begin(), { t: 'start', variables: {} });
    for (const text of SAID) {
      const began = performance.now();
      [state] = dialogue.step(state, { t: 'heard', text, confidence: 0.9 });
      if (round >= 500) stepsMs.push(performance.now() - began);
    }
  }
  for (const [name, p] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    const value = Number(percentile(stepsMs, p).toFixed(4));
    rows.push({
      metric: `step of the runner, ${name}`,
      value,
      unit: 'ms',
      ...(p === 0.99 ? { goal: '<= 0.3 ms', met: value <= 0.3 } : {}),
    });
  }

  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const states: FlowState[] = [];
  for (let i = 0; i < FLOWS; i++) {
    let [state] = dialogue.step(dialogue.begin(), { t: 'start', variables: { restaurant: `restaurant ${i}` } });
    for (const text of SAID.slice(0, 5)) [state] = dialogue.step(state, { t: 'heard', text, confidence: 0.9 });
    states.push(state);
  }
  globalThis.gc?.();
  const megabytes = Number(((process.memoryUsage().heapUsed - before) / 1e6).toFixed(1));
  rows.push({ metric: `${states.length} flows at once`, value: megabytes, unit: 'MB', goal: '<= 500 MB', met: megabytes <= 500 });

  for (const language of PHRASE_LANGUAGES) {
    const phrases = phrasesOf(language);
    const said = understand(language);
    const share = Number(((phrases.filter((phrase) => said(phrase) === phrase.value).length / phrases.length) * 100).toFixed(1));
    rows.push({
      metric: `phrases understood, ${language} (${phrases.length})`,
      value: share,
      unit: '%',
      goal: '>= 97 %',
      met: share >= 97,
    });
  }

  const began = performance.now();
  await simulate({ flow: 'booking', directory: join(ROOT, 'config', 'flows'), times: 20, print: () => undefined });
  const seconds = Number(((performance.now() - began) / 1000).toFixed(2));
  rows.push({ metric: '100 text conversations', value: seconds, unit: 's', goal: '<= 20 s', met: seconds <= 20 });
  return benchResult('dialogue', rows);
}
