/**
 * The talk gate by itself, over lines with known speech: where it lets a word end, how early it hints at a voice, and what it takes
 * for a voice although nobody speaks. Times on the sample clock, `known` at the end of the packet; no clock of the machine.
 * Options: --calls N (8), --seconds N (40), --settings "closeShare closeOverNoise hissOverNoise hintFrames" (the gate's own).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FRAME, RATE_HZ } from './vad/audio.ts';
import { echoSet, labelledSet, soundSet, CONDITIONS } from './vad/labelled.ts';
import type { Line } from './vad/audio.ts';
import { round } from './support/core-bench.ts';
import { benchResult, percentile } from './support/result.ts';
import type { BenchResult, BenchRow } from './support/result.ts';

const ROOT = join(import.meta.dirname, '..');
const PROGRAM = join(ROOT, 'build/bench/gate-filter');
/** One threshold for begin and end, as the gate had it first. */
const ONE_THRESHOLD = ['1', '0', '0', '2'];
const SAMPLES_PER_MS = RATE_HZ / 1000;
/** An end so long after the true one is of something else. */
const TAIL_MS = 400;

interface Said {
  readonly kind: 'end' | 'start' | 'hint';
  readonly sample: number;
  readonly known: number;
}

function build(): void {
  mkdirSync(join(ROOT, 'build/bench'), { recursive: true });
  const sources = [
    join(ROOT, 'bench/gate/filter.cc'),
    join(ROOT, 'native/core/gate/talk_gate.cc'),
    join(ROOT, 'native/core/gate/voice_hint.cc'),
  ];
  execFileSync(process.env['CXX'] ?? 'g++', ['-std=c++20', '-O2', `-I${join(ROOT, 'native/core')}`, ...sources, '-o', PROGRAM]);
}

function gate(line: Line, settings: readonly string[]): Said[] {
  const input = new Int16Array(line.natural.length * (2 * FRAME + 1));
  line.natural.forEach((natural, frame) => {
    const at = frame * (2 * FRAME + 1);
    input.set(line.sent.subarray(frame * FRAME, (frame + 1) * FRAME), at);
    input.set(line.caller.subarray(frame * FRAME, (frame + 1) * FRAME), at + FRAME);
    input[at + 2 * FRAME] = natural ? 1 : 0;
  });
  const run = spawnSync(PROGRAM, settings, { input: new Uint8Array(input.buffer), maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`the gate program failed: ${run.stderr.toString()}`);
  return run.stdout
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((text) => {
      const [kind = 0, sample = 0, known = 0] = text.split(' ').map(Number);
      return { kind: (['end', 'start', 'hint'] as const)[kind] ?? 'end', sample, known };
    });
}

interface Figures {
  /** True end minus the gate's, ms: positive where the end of the word is cut. */
  readonly cutMs: number[];
  /** Known minus true onset, ms. */
  readonly hintMs: number[];
  readonly startMs: number[];
  missed: number;
  /** Hints and starts outside any utterance. */
  falseHints: number;
  falseStarts: number;
}

function measure(line: Line, utterances: readonly { from: number; to: number }[], settings: readonly string[], into: Figures): void {
  const said = gate(line, settings);
  const inside = (sample: number): boolean =>
    utterances.some(({ from, to }) => sample >= from - 50 * SAMPLES_PER_MS && sample < to + 100 * SAMPLES_PER_MS);
  into.falseHints += said.filter(({ kind, sample }) => kind === 'hint' && !inside(sample)).length;
  into.falseStarts += said.filter(({ kind, sample }) => kind === 'start' && !inside(sample)).length;
  for (const [index, { from, to }] of utterances.entries()) {
    const next = utterances[index + 1]?.from ?? Infinity;
    const first = (wanted: Said['kind']): Said | undefined =>
      said.find(({ kind, sample }) => kind === wanted && sample >= from - 100 * SAMPLES_PER_MS && sample < to);
    const [hint, start] = [first('hint'), first('start')];
    const end = said.findLast(
      ({ kind, sample }) => kind === 'end' && sample > from && sample < Math.min(next, to + TAIL_MS * SAMPLES_PER_MS),
    );
    if (hint) into.hintMs.push((hint.known - from) / SAMPLES_PER_MS);
    if (start) into.startMs.push((start.known - from) / SAMPLES_PER_MS);
    if (start && end) into.cutMs.push((to - end.sample) / SAMPLES_PER_MS);
    else into.missed++;
  }
}

const none = (): Figures => ({ cutMs: [], hintMs: [], startMs: [], missed: 0, falseHints: 0, falseStarts: 0 });

export function run(options: Readonly<Record<string, string>>): BenchResult {
  const calls = Number(options['calls'] ?? 8);
  const seconds = Number(options['seconds'] ?? 40);
  const own = options['settings']?.split(' ') ?? [];
  build();
  const set = labelledSet(calls, seconds);
  const rows: BenchRow[] = [];
  const quiet = [
    { name: 'own echo at -20 dB', lines: echoSet(calls, seconds, -20) },
    { name: 'keys, knocks, music, breath', lines: soundSet(calls, seconds) },
  ];
  const peak = (figures: readonly number[], p: number): number => round(percentile(figures, p), 0);
  for (const condition of CONDITIONS) {
    const [ours, before] = [own, ONE_THRESHOLD].map((settings) => {
      const figures = none();
      for (const call of set.filter((one) => one.condition === condition))
        measure(
          call.line,
          call.utterances.map(({ from, to }) => ({ from: from / 2, to: to / 2 })),
          settings,
          figures,
        );
      return figures;
    });
    if (ours === undefined || before === undefined) continue;
    const peer = (figures: readonly number[]): string => `one threshold ${peak(figures, 0.5)} / ${peak(figures, 0.95)}`;
    rows.push(
      { metric: `${condition}: end of a word cut, p50`, value: peak(ours.cutMs, 0.5), unit: 'ms', peer: peer(before.cutMs) },
      { metric: `${condition}: end of a word cut, p95`, value: peak(ours.cutMs, 0.95), unit: 'ms' },
      { metric: `${condition}: end of a word cut, p5`, value: peak(ours.cutMs, 0.05), unit: 'ms', peer: `${peak(before.cutMs, 0.05)}` },
      {
        metric: `${condition}: hint known after the onset, p50`,
        value: peak(ours.hintMs, 0.5),
        unit: 'ms',
        peer: `start ${peak(ours.startMs, 0.5)} / ${peak(ours.startMs, 0.95)}`,
      },
      { metric: `${condition}: hint known after the onset, p95`, value: peak(ours.hintMs, 0.95), unit: 'ms' },
      {
        metric: `${condition}: utterances missed`,
        value: ours.missed,
        unit: `of ${ours.missed + ours.cutMs.length}`,
        peer: `${before.missed}`,
      },
      {
        metric: `${condition}: false hints / starts`,
        value: ours.falseHints,
        unit: `/ ${ours.falseStarts}`,
        peer: `${before.falseHints} / ${before.falseStarts}`,
      },
    );
  }
  for (const { name, lines } of quiet) {
    const figures = none();
    for (const { line } of lines) measure(line, [], own, figures);
    const hours = (calls * seconds) / 3600;
    rows.push(
      { metric: `${name}: false hints`, value: round(figures.falseHints / hours, 1), unit: 'per hour' },
      { metric: `${name}: false starts`, value: round(figures.falseStarts / hours, 1), unit: 'per hour' },
    );
  }
  return benchResult('gate', rows);
}
