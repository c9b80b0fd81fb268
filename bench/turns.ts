/**
 * `npm run bench -- turns [--seed S] [--calls N] [--turns T] [--profile A] [--line clean] [--rows ours,serial-500] [--many 10]`
 *
 * `--repeat R`: R callers after one another's seeds for every row of one call, side by side with engines of their own.
 *
 * Synthetic callers over real RTP and the real media engine and pipeline; engines with published service times. Perceived latency and
 * cutoffs come from the same packets. Every row meets the same callers with engines of its own. First one call per row (all rows side
 * by side), then `--many` calls of `ours` at once. Seeds below 200 are for tuning; the published table uses 202.
 */
import { writeFileSync } from 'node:fs';
import { detailLines } from './turns/detail.ts';
import { figuresOf, type Figures } from './turns/measure.ts';
import { type Group, runCalls, type RunOptions, type RunResult } from './turns/gateway.ts';
import { ROWS } from './turns/rows.ts';
import { sweep } from './turns/sweep.ts';
import type { Line } from './turns/wire.ts';
import { benchResult, type BenchResult, type BenchRow, percentile } from './support/result.ts';

const CAPACITIES = { stt: 4, llm: 8, tts: 2 };
const FIXED = ['serial-500', 'serial-300', 'serial-200'];

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const seed = Number(options['seed'] ?? 202);
  const turns = Number(options['turns'] ?? 24);
  const base = {
    seed,
    profile: options['profile'] ?? 'A',
    line: (options['line'] ?? 'clean') as Line,
    capacities: CAPACITIES,
  } satisfies Omit<RunOptions, 'groups' | 'turns'>;
  const names = options['rows']?.split(',') ?? Object.keys(ROWS);
  const calls = Number(options['calls'] ?? 1);
  const rows: BenchRow[] = [];
  const single = await runCalls({ ...base, turns, groups: groupsOf(names, calls, Number(options['repeat'] ?? 2)) });
  if (options['detail'] !== undefined) writeFileSync(options['detail'], `${detailLines(single.calls).join('\n')}\n`);
  for (const row of names) {
    const figures = figuresOf(single.calls.filter((call) => call.row === row));
    rows.push(...rowsOf(`${row}, ${calls} ${calls === 1 ? 'call' : 'calls'}`, figures, goalsFor(row, calls), sum(single.tokens, row)));
  }
  const many = Number(options['many'] ?? 10);
  if (many > 0) {
    const more = Math.max(4, Math.round(turns / 4));
    const loaded = await runCalls({ ...base, turns: more, groups: [{ row: 'ours', turn: ROWS['ours']!, calls: many, first: 0 }] });
    rows.push(...rowsOf(`ours, ${many} calls`, figuresOf(loaded.calls), goalsFor('ours', many), sum(loaded.tokens, 'ours')));
  }
  if (options['sweep'] !== 'no') rows.push(...sweep(seed, 400, ['ours', 'ours-no-slots', ...FIXED.slice(0, 1)]));
  return benchResult(
    `turns, profile ${base.profile}, line ${base.line}, seed ${seed}, STT ${CAPACITIES.stt} LLM ${CAPACITIES.llm} TTS ${CAPACITIES.tts} at once`,
    rows,
  );
}

function groupsOf(rows: readonly string[], calls: number, repeat: number): readonly Group[] {
  return rows.flatMap((row) => Array.from({ length: repeat }, (_, i) => ({ row, turn: ROWS[row]!, calls, first: i * calls })));
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
  if (row !== 'ours') return { all: false };
  if (calls >= 100) return { p95: 900, all: true };
  return calls >= 50 ? { p50: 380, p95: 700, all: true } : { p50: 320, p95: 560, all: true };
}

const round = (value: number, digits = 0): number => Math.round(value * 10 ** digits) / 10 ** digits;
const share = (part: number, whole: number): number => (whole === 0 ? 0 : round((100 * part) / whole, 1));

function rowsOf(name: string, figures: Figures, goals: Goals, tokens: { made: number; discarded: number } | undefined): BenchRow[] {
  const row = (metric: string, value: number, unit: string, most?: number): BenchRow => ({
    metric: `${name}: ${metric}`,
    value,
    unit,
    ...(most === undefined ? {} : { goal: `<= ${most}`, met: value <= most }),
  });
  const goal = (most: number): number | undefined => (goals.all ? most : undefined);
  const ms = (figure: readonly number[], p: number): number => round(percentile(figure, p));
  const rows = [
    row('turn ends answered', share(figures.answered, figures.turns), '%'),
    row('perceived p50', ms(figures.perceivedMs, 0.5), 'ms', goals.p50),
    row('perceived p95', ms(figures.perceivedMs, 0.95), 'ms', goals.p95),
    row('perceived p99', ms(figures.perceivedMs, 0.99), 'ms'),
    row('within 400 ms', share(figures.perceivedMs.filter((one) => one <= 400).length, figures.perceivedMs.length), '%'),
    row('hard cutoffs of holds', share(figures.hardCutoffs, figures.holds), '%', goal(5)),
    row('soft cutoffs of holds', share(figures.softCutoffs, figures.holds), '%', goal(10)),
    row('endpoint delay p50', ms(figures.endpointMs, 0.5), 'ms'),
    row('endpoint delay p95', ms(figures.endpointMs, 0.95), 'ms'),
    row('overhead p50', ms(figures.overheadMs, 0.5), 'ms', goal(15)),
    row('overhead p99', ms(figures.overheadMs, 0.99), 'ms', goal(30)),
  ];
  if (figures.tried > 0) {
    rows.push(row('speculation held at commit', share(figures.hits, figures.answered), '%'));
    rows.push(row('speculation used', share(figures.useful, figures.answered), '%'));
    if (tokens !== undefined) rows.push(row('tokens discarded', share(tokens.discarded, tokens.made), '%'));
  }
  if (!goals.all) return rows;
  for (const [at, [holds, cut]] of Object.entries(figures.cutoffsAt))
    rows.push(row(`cutoffs at ${at} holds (${holds})`, share(cut, holds), '%'));
  rows.push(
    row('duck p95 after true onset', ms(figures.duckMs, 0.95), 'ms', 40),
    row('stop p50 after true onset', ms(figures.stopMs, 0.5), 'ms'),
    row('stop p95 after true onset', ms(figures.stopMs, 0.95), 'ms', 260),
    row('stop p95 after the caller went on (retraction)', ms(figures.retractStopMs, 0.95), 'ms'),
    row(`false barge-in, ${figures.backchannels} backchannels`, share(figures.falseBackchannels, figures.backchannels), '%', 2),
    row(`false barge-in, ${figures.noises} noise bursts`, share(figures.falseNoises, figures.noises), '%'),
    row(
      `heard text off by more than one word, ${figures.heardErrors.length} barge-ins`,
      share(figures.heardErrors.filter((off) => off > 1).length, figures.heardErrors.length),
      '%',
      0,
    ),
    row(`wrong resumes of ${figures.resumes}`, figures.badResumes, ''),
    row(`late packets of ${figures.packets}`, figures.latePackets, ''),
  );
  return rows;
}
