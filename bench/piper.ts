/**
 * `npm run bench -- piper [--seconds 12] [--rounds 7]`: how soon a long sentence is heard.
 * The voice has the true size of Piper "medium" with random weights (scripts/test-voice/medium.ts): compute only, it says nothing.
 * Whole, cut in two and cut in three run in turn, in the same process and thread, so that load hits all alike; medians.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../src/contracts/index.ts';
import { createPiper } from '../src/tts/piper/index.ts';
import { VoiceRunner, type RunnerOptions } from '../src/tts/piper/runner.ts';
import { loadVoiceFile } from '../src/tts/piper/voice-file.ts';
import { placeMedium, sentenceOf, speak, type Spoken } from './support/medium-voice.ts';
import { benchResult, percentile, type BenchResult, type BenchRow } from './support/result.ts';

const CUTS = ['whole', 'two', 'best'] as const;
type Cuts = (typeof CUTS)[number];

function differing(a: Float32Array, b: Float32Array): number {
  let count = Math.abs(a.length - b.length);
  for (let index = 0; index < Math.min(a.length, b.length); index++) if (a[index] !== b[index]) count++;
  return count;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

/** Four callers get an answer of a few seconds at the same time: when is the last of them heard? */
async function fourAtOnce(model: string, rounds: number): Promise<number> {
  const piper = createPiper({ voices: { medium: { model, languages: ['en'] } }, logger: silent });
  await piper.start();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    const speak = async (caller: number): Promise<void> => {
      for await (const chunk of piper.stream(`caller number ${caller}, your appointment is on friday at ten`, { language: 'en' })) {
        if (chunk.fromSample === 0) times.push(performance.now() - startedAt);
      }
    };
    await Promise.all([1, 2, 3, 4].map(speak));
  }
  await piper.stop();
  return percentile(times, 0.95);
}

/** First audio from a text, through espeak-ng, the worker thread and the trimmer. */
async function throughTheEngine(model: string, rounds: number): Promise<number> {
  const piper = createPiper({ voices: { medium: { model, languages: ['en'] } }, logger: silent });
  await piper.start();
  const text =
    'the quick answer to your question is that the office opens on monday at nine and closes at five on every day of the week but friday';
  const times: number[] = [];
  for (let round = 0; round < rounds + 1; round++) {
    await pause(500); // the piece that was given up in the round before is done by then
    const startedAt = performance.now();
    for await (const chunk of piper.stream(text, { language: 'en' })) {
      if (round > 0 && chunk.fromSample === 0) times.push(performance.now() - startedAt);
      break;
    }
  }
  await piper.stop();
  return percentile(times, 0.5);
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const seconds = Number(options['seconds'] ?? 12);
  const rounds = Number(options['rounds'] ?? 7);
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  try {
    const path = placeMedium(folder);
    const file = await loadVoiceFile(path);
    const base: Omit<RunnerOptions, 'cuts'> = { threads: 1, chunkFrames: 160 };
    const runners = new Map<Cuts, VoiceRunner>();
    for (const cuts of CUTS) runners.set(cuts, await VoiceRunner.load(file, { ...base, cuts }));
    const spoken = new Map<Cuts, Spoken[]>(CUTS.map((cuts) => [cuts, []]));
    for (let round = 0; round <= rounds; round++) {
      for (const [cuts, runner] of runners) {
        const result = await speak(runner, sentenceOf(seconds));
        if (round > 0) spoken.get(cuts)?.push(result);
      }
    }
    for (const runner of runners.values()) await runner.release();
    const engine: BenchRow[] = [
      {
        metric: 'text to first chunk through espeak-ng, worker and trimmer',
        value: round(await throughTheEngine(path, rounds)),
        unit: 'ms',
      },
      { metric: 'the same with four callers at once, 95th percentile', value: round(await fourAtOnce(path, rounds)), unit: 'ms' },
    ];
    return benchResult('piper', [...rowsOf(spoken, seconds), ...engine]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const round = (value: number): number => Math.round(value * 10) / 10;

function rowsOf(spoken: ReadonlyMap<Cuts, readonly Spoken[]>, seconds: number): BenchRow[] {
  const median = (cuts: Cuts, of: (result: Spoken) => number): number => percentile((spoken.get(cuts) ?? []).map(of), 0.5);
  const [wholeMs, firstMs] = [median('whole', (each) => each.totalMs), median('best', (each) => each.firstMs)];
  const audio = (cuts: Cuts): Float32Array => spoken.get(cuts)?.[0]?.samples ?? new Float32Array(0);
  const against = { peer: `whole graph ${round(wholeMs)} ms` };
  const samples = audio('whole').length;
  const changed = differing(audio('whole'), audio('best')) + differing(audio('whole'), audio('two'));
  const total = (cuts: Cuts): number => median(cuts, (each) => each.totalMs);
  return [
    {
      metric: `first audio of ${seconds} s, cut in text, flow, vocoder (random weights, compute only)`,
      value: round(firstMs),
      unit: 'ms',
      ...against,
      ratio: firstMs / wholeMs,
      goal: '<= 0.15 of whole',
      met: firstMs <= 0.15 * wholeMs,
    },
    {
      metric: `first audio of ${seconds} s, cut in two (flow in the text half)`,
      value: round(median('two', (each) => each.firstMs)),
      unit: 'ms',
      ...against,
      ratio: median('two', (each) => each.firstMs) / wholeMs,
    },
    {
      metric: `samples of ${samples} that differ from the whole graph`,
      value: changed,
      unit: 'samples',
      goal: '0',
      met: changed === 0 && samples > 0,
    },
    { metric: 'all of it, cut in three', value: round(total('best')), unit: 'ms', ...against, ratio: total('best') / wholeMs },
    { metric: 'all of it, cut in two', value: round(total('two')), unit: 'ms', ...against, ratio: total('two') / wholeMs },
    {
      metric: 'longest wait for the next piece: what an abort waits for at most',
      value: round(median('best', (each) => each.longestPieceMs)),
      unit: 'ms',
    },
    {
      metric: 'real-time factor, cut in three, one thread',
      value: Math.round((total('best') / (seconds * 1000)) * 1000) / 1000,
      unit: 'of real time',
    },
  ];
}
