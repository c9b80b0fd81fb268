/**
 * `npm run bench -- turns`          the ablation rows, two callers each, about two minutes
 * `npm run bench -- turns --full`   the published table: ablation, engine profiles, lines, 10, 50 and 100 calls; under eight minutes
 *
 *   --seed S      202 is the published set of callers; seeds below 200 are for tuning
 *   --rows R,R    some rows of the ablation only
 *   --repeat N    callers for each row of the first two passes; each row and caller has engines of its own
 *   --turns T     turns of each of them
 *   --passes P,P  of: ablation, conditions (engine profiles B to D; loss, echo, noise), load-10, load-50, load-100
 *   --detail FILE every turn with what was decided in it, one JSON line each
 *   --sweep no    without the endpoint alone
 *
 * Synthetic callers over real RTP and the real media engine and pipeline; engines with published service times. Perceived latency and
 * cutoffs come from the same packets. Every row meets the same callers.
 */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { detailLines } from './turns/detail.ts';
import { figuresOf, type Figures } from './turns/measure.ts';
import { type Group, runCalls, type RunResult } from './turns/gateway.ts';
import { ROWS } from './turns/rows.ts';
import { sweep } from './turns/sweep.ts';
import type { Line } from './turns/wire.ts';
import { benchResult, type BenchResult, type BenchRow, percentile } from './support/result.ts';

const CAPACITIES = { stt: 4, llm: 8, tts: 2 };
const FULL = ['ablation', 'conditions', 'load-10', 'load-50', 'load-100'];

interface Pass {
  readonly groups: readonly Group[];
  readonly turns: number;
}

interface Size {
  readonly rows: readonly string[];
  readonly repeat: number;
  readonly turns: number;
}

/** `copies` callers one by one, each with engines of its own. */
function alone(name: string, row: string, copies: number, more: { profile?: string; line?: Line } = {}): readonly Group[] {
  const { profile = 'A', line = 'clean' } = more;
  return Array.from({ length: copies }, (_, first) => ({ name, turn: ROWS[row]!, profile, line, calls: 1, first }));
}

function together(calls: number, turns: number): Pass {
  return { turns, groups: [{ name: `ours, ${calls} calls`, turn: ROWS['ours']!, profile: 'A', line: 'clean', calls, first: 0 }] };
}

function passOf(name: string, { rows, repeat, turns }: Size): Pass {
  switch (name) {
    case 'ablation':
      return { turns, groups: rows.flatMap((row) => alone(row, row, repeat)) };
    case 'conditions': {
      const engines = ['B', 'C', 'D'].flatMap((profile) => alone(`ours, engines ${profile}`, 'ours', repeat, { profile }));
      const lines = (['loss', 'echo', 'noise'] as const).flatMap((line) => alone(`ours, ${line}`, 'ours', repeat, { line }));
      return { turns, groups: [...engines, ...lines] };
    }
    case 'load-10':
      return together(10, 6);
    case 'load-50':
      return together(50, 5);
    case 'load-100':
      return together(100, 4);
    default:
      throw new Error(`--passes ${name}: expected ${FULL.join(', ')}`);
  }
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const seed = Number(options['seed'] ?? 202);
  const full = options['full'] !== undefined;
  const size: Size = {
    rows: options['rows']?.split(',') ?? Object.keys(ROWS),
    repeat: Number(options['repeat'] ?? (full ? 4 : 2)),
    turns: Number(options['turns'] ?? 10),
  };
  const passes = options['passes']?.split(',') ?? (full ? FULL : ['ablation']);
  const rows: BenchRow[] = [];
  const detail: string[] = [];
  for (const name of passes) {
    const pass = passOf(name, size);
    const result = await runCalls({ ...pass, seed, capacities: CAPACITIES });
    detail.push(...detailLines(result.calls));
    for (const row of new Set(pass.groups.map((group) => group.name))) {
      const calls = pass.groups.find((group) => group.name === row)?.calls ?? 1;
      const figures = figuresOf(result.calls.filter((call) => call.row === row));
      rows.push(...rowsOf(row, figures, goalsFor(row, calls), sum(result.tokens, row)));
    }
    console.error(`${name}: ${result.calls.length} callers, load ${loadavg()[0]?.toFixed(1) ?? '?'}`);
  }
  if (options['detail'] !== undefined) writeFileSync(options['detail'], `${detail.join('\n')}\n`);
  if (options['sweep'] !== 'no') rows.push(...sweep(seed, 400, ['ours', 'ours-no-slots', 'serial-500']));
  const { stt, llm, tts } = CAPACITIES;
  return benchResult(`turns, seed ${seed}, STT ${stt} LLM ${llm} TTS ${tts} at once, engines A where not said`, rows);
}

function sum(tokens: RunResult['tokens'], row: string): { made: number; discarded: number } {
  const mine = tokens.filter((one) => one.row === row);
  return {
    made: mine.reduce((all, one) => all + one.tokens.made, 0),
    discarded: mine.reduce((all, one) => all + one.tokens.discarded, 0),
  };
}

interface Goals {
  readonly p50?: number;
  readonly p95?: number;
  readonly all: boolean;
}

function goalsFor(row: string, calls: number): Goals {
  if (row === 'ours-opener') return { p50: 240, all: false };
  if (row !== 'ours' && calls === 1) return { all: false };
  if (calls >= 100) return { p95: 900, all: true };
  return calls >= 50 ? { p50: 380, p95: 700, all: true } : { p50: 320, p95: 560, all: true };
}

const round = (value: number, digits = 0): number => Math.round(value * 10 ** digits) / 10 ** digits;
const share = (part: number, whole: number): number => (whole === 0 ? 0 : round((100 * part) / whole, 1));

function rowsOf(name: string, figures: Figures, goals: Goals, tokens: { made: number; discarded: number }): BenchRow[] {
  // What did not happen has no figure, and neither met nor missed its goal.
  const row = (metric: string, value: number, unit: string, most?: number): BenchRow => ({
    metric: `${name}: ${metric}`,
    value: Number.isNaN(value) ? 0 : value,
    unit: Number.isNaN(value) ? 'none' : unit,
    ...(most === undefined || Number.isNaN(value) ? {} : { goal: `<= ${most}`, met: value <= most }),
  });
  const goal = (most: number): number | undefined => (goals.all ? most : undefined);
  const ms = (figure: readonly number[], p: number): number => round(percentile(figure, p));
  const rows = [
    row(`turn ends answered of ${figures.turns}`, share(figures.answered, figures.turns), '%'),
    row('perceived p50', ms(figures.perceivedMs, 0.5), 'ms', goals.p50),
    row('perceived p95', ms(figures.perceivedMs, 0.95), 'ms', goals.p95),
    row('perceived p99', ms(figures.perceivedMs, 0.99), 'ms'),
    row('within 400 ms', share(figures.perceivedMs.filter((one) => one <= 400).length, figures.perceivedMs.length), '%'),
    row(`hard cutoffs of ${figures.holds} holds`, share(figures.hardCutoffs, figures.holds), '%', goal(5)),
    row('soft cutoffs of holds', share(figures.softCutoffs, figures.holds), '%', goal(10)),
    row('endpoint delay p50', ms(figures.endpointMs, 0.5), 'ms'),
    row('endpoint delay p95', ms(figures.endpointMs, 0.95), 'ms'),
    row('overhead p50', ms(figures.overheadMs, 0.5), 'ms', goal(15)),
    row('overhead p99', ms(figures.overheadMs, 0.99), 'ms', goal(30)),
    row(`stereo audio minus packets, p50 of ${figures.stereoOffMs.length}`, ms(figures.stereoOffMs, 0.5), 'ms'),
    row(`late packets of ${figures.packets}`, figures.latePackets, ''),
    row('slots without a sample in a reply', figures.underruns, '', goal(0)),
  ];
  if (figures.tried > 0) {
    rows.push(row('speculation held at commit', share(figures.hits, figures.answered), '%'));
    rows.push(row('speculation used', share(figures.useful, figures.answered), '%'));
    rows.push(row('tokens discarded', share(tokens.discarded, tokens.made), '%'));
  }
  return goals.all ? [...rows, ...floorRows(row, figures)] : rows;
}

/** Who has the floor: cutoffs by place, interruptions, what was heard. */
function floorRows(row: (metric: string, value: number, unit: string, most?: number) => BenchRow, figures: Figures): BenchRow[] {
  const ms = (figure: readonly number[], p: number): number => round(percentile(figure, p));
  const { backchannels, noises, heardErrors } = figures;
  return [
    ...Object.entries(figures.cutoffsAt).map(([at, [holds, cut]]) => row(`cutoffs at ${at} holds (${holds})`, share(cut, holds), '%')),
    row(`duck p50 after true onset (${figures.duckMs.length})`, ms(figures.duckMs, 0.5), 'ms'),
    row('duck p95 after true onset', ms(figures.duckMs, 0.95), 'ms', 40),
    row(`stop p50 after true onset (${figures.stopMs.length})`, ms(figures.stopMs, 0.5), 'ms'),
    row('stop p95 after true onset', ms(figures.stopMs, 0.95), 'ms', 260),
    row(`stop p50 after the caller went on, retraction (${figures.retractStopMs.length})`, ms(figures.retractStopMs, 0.5), 'ms'),
    row('stop p95 after the caller went on, retraction', ms(figures.retractStopMs, 0.95), 'ms', 60),
    row(`stop p95 after the caller went on later than that (${figures.lateStopMs.length})`, ms(figures.lateStopMs, 0.95), 'ms', 260),
    row(`false barge-in, ${backchannels} backchannels`, share(figures.falseBackchannels, backchannels), '%', 2),
    row('backchannels that took a turn back', share(figures.retractBackchannels, backchannels), '%'),
    row(`false barge-in, ${noises} noise bursts`, share(figures.falseNoises, noises), '%'),
    row(
      `heard text off by more than one word, ${heardErrors.length} barge-ins`,
      share(heardErrors.filter((off) => off > 1).length, heardErrors.length),
      '%',
      0,
    ),
    row(`wrong resumes of ${figures.resumes}`, figures.badResumes, ''),
  ];
}
