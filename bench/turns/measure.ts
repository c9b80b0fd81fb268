/** From what callers heard and what the gateway decided to the figures of a row. Pure. */
import type { Waterfall } from '../../src/contracts/index.ts';
import { TURN_DEFAULTS } from '../../src/turn/index.ts';
import type { CallResult, Decision } from './gateway.ts';
import { sentence } from './voice.ts';
import type { CallerReport, TurnReport } from './wire.ts';

export interface Figures {
  readonly turns: number;
  readonly answered: number;
  readonly perceivedMs: readonly number[];
  readonly endpointMs: readonly number[];
  readonly overheadMs: readonly number[];
  readonly holds: number;
  readonly softCutoffs: number;
  readonly hardCutoffs: number;
  /** Cutoffs by what the hold was at. */
  readonly cutoffsAt: Readonly<Record<string, readonly [number, number]>>;
  readonly hits: number;
  readonly useful: number;
  readonly tried: number;
  readonly duckMs: readonly number[];
  readonly stopMs: readonly number[];
  /** After the caller went on within the window of a retraction; and later, where it is an interruption. */
  readonly retractStopMs: readonly number[];
  readonly lateStopMs: readonly number[];
  readonly backchannels: number;
  readonly falseBackchannels: number;
  /** Within the window of a retraction a listener's word stops us, and the turn comes back at once. */
  readonly retractBackchannels: number;
  readonly noises: number;
  readonly falseNoises: number;
  readonly bargeIns: number;
  /** Words in the log more or fewer than words that reached the caller whole. */
  readonly heardErrors: readonly number[];
  readonly resumes: number;
  readonly badResumes: number;
  /** Stereo recording against packets, the same turn. */
  readonly stereoOffMs: readonly number[];
  readonly underruns: number;
  readonly latePackets: number;
  readonly packets: number;
}

const HARD_MS = 400;
/** An agent that begins so soon after the caller went on had decided during the hold. */
const GRACE_MS = 150;
const STILL_MS = 400;
/** From the first sample that was heard to its waterfall. */
const WATERFALL_MS = 200;

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

export function figuresOf(calls: readonly CallResult[]): Figures {
  const figures: Mutable<Figures> = {
    turns: 0,
    answered: 0,
    perceivedMs: [],
    endpointMs: [],
    overheadMs: [],
    holds: 0,
    softCutoffs: 0,
    hardCutoffs: 0,
    cutoffsAt: {},
    hits: 0,
    useful: 0,
    tried: 0,
    duckMs: [],
    stopMs: [],
    retractStopMs: [],
    lateStopMs: [],
    backchannels: 0,
    falseBackchannels: 0,
    retractBackchannels: 0,
    noises: 0,
    falseNoises: 0,
    bargeIns: 0,
    heardErrors: [],
    resumes: 0,
    badResumes: 0,
    stereoOffMs: [],
    underruns: 0,
    latePackets: 0,
    packets: 0,
  };
  for (const call of calls) {
    call.report.turns.forEach((turn, i) => addTurn(figures, call, turn, call.report.turns[i + 1]?.startMs ?? Infinity));
    addDisturbances(figures, call);
    addResumes(figures, call.report);
    figures.underruns += call.underruns;
    figures.latePackets += call.report.latePackets;
    figures.packets += call.report.packetsReceived;
  }
  return figures;
}

function addTurn(figures: Mutable<Figures>, call: CallResult, turn: TurnReport, untilMs: number): void {
  figures.turns += 1;
  if (!turn.barged) addHolds(figures, call.report, turn);
  const first = call.report.agent.find((span) => span.fromMs > turn.endMs && span.fromMs < untilMs);
  if (first === undefined) return;
  figures.answered += 1;
  const perceivedMs = first.fromMs - turn.endMs;
  figures.perceivedMs.push(perceivedMs);
  const told = latencyOf(call, turn.endMs, untilMs);
  if (told === null) return;
  const { latency, stereoMs } = told;
  figures.endpointMs.push(latency.waitMs);
  if (latency.speculation !== 'off') figures.tried += 1;
  if (latency.speculation === 'hit') figures.hits += 1;
  if (latency.speculation === 'hit' || latency.speculation === 'late') figures.useful += 1;
  // Of a reply that came behind an opener nobody perceives the beginning.
  if (told.atMs > first.fromMs + WATERFALL_MS) return;
  if (typeof stereoMs === 'number') figures.stereoOffMs.push(stereoMs - perceivedMs);
  figures.overheadMs.push(perceivedMs - criticalMs(call.decisions, latency, turn.endMs, first.fromMs));
}

function latencyOf(call: CallResult, fromMs: number, toMs: number): { atMs: number; latency: Waterfall; stereoMs?: number | null } | null {
  for (const { atMs, event, stereoMs } of call.events) {
    if (event.type !== 'turn.latency' || atMs <= fromMs || atMs >= toMs) continue;
    return { atMs, latency: event.body.waterfall, ...(stereoMs === undefined ? {} : { stereoMs }) };
  }
  return null;
}

/** The larger of the wait and the way through the engines. */
function criticalMs(decisions: readonly Decision[], latency: Waterfall, fromMs: number, toMs: number): number {
  const engines = (latency.dialogueMs ?? 0) + (latency.ttsMs ?? 0);
  if (latency.speculation === 'off' || latency.speculation === 'miss') return latency.waitMs + engines;
  const asked = decisions.findLast(({ rule, atMs }) => rule === 'speculate' && atMs > fromMs && atMs < toMs);
  const path = Number(asked?.figures['silentMs'] ?? 0) + engines;
  return Math.max(latency.waitMs, path);
}

function addHolds(figures: Mutable<Figures>, report: CallerReport, turn: TurnReport): void {
  figures.holds += turn.holds.length;
  turn.holds.forEach((hold, i) => {
    const [holds, cut] = figures.cutoffsAt[hold.at] ?? [0, 0];
    const nextMs = turn.holds[i + 1]?.fromMs ?? turn.endMs;
    const span = report.agent.find(({ fromMs }) => fromMs > hold.fromMs && fromMs < Math.min(hold.toMs + GRACE_MS, nextMs));
    (figures.cutoffsAt as Record<string, [number, number]>)[hold.at] = [holds + 1, cut + (span === undefined ? 0 : 1)];
    if (span === undefined) return;
    if (span.toMs - span.fromMs > HARD_MS) figures.hardCutoffs += 1;
    else figures.softCutoffs += 1;
    if (span.toMs <= hold.toMs) return;
    const soon = hold.toMs - span.fromMs <= TURN_DEFAULTS.retractMs;
    figures[soon ? 'retractStopMs' : 'lateStopMs'].push(span.toMs - hold.toMs);
  });
}

function addDisturbances(figures: Mutable<Figures>, call: CallResult): void {
  const { report, decisions } = call;
  for (const one of report.disturbances) {
    const within = (name: string, afterMs: number): boolean =>
      decisions.some(({ rule, atMs }) => rule === name && atMs > one.onsetMs && atMs < one.offsetMs + afterMs);
    const took = within('barge-in', 1500);
    if (one.t === 'backchannel' && within('retract', 100)) figures.retractBackchannels += 1;
    if (one.t === 'backchannel') {
      figures.backchannels += 1;
      if (took) figures.falseBackchannels += 1;
    } else if (one.t === 'noise') {
      figures.noises += 1;
      if (took) figures.falseNoises += 1;
    } else addBargeIn(figures, call, one);
  }
}

function addBargeIn(figures: Mutable<Figures>, { report, events }: CallResult, one: CallerReport['disturbances'][number]): void {
  figures.bargeIns += 1;
  if (one.duckMs !== null) figures.duckMs.push(one.duckMs - one.onsetMs);
  const index = report.agent.findLastIndex(({ fromMs }) => fromMs < one.onsetMs);
  const span = report.agent[index];
  if (span === undefined || span.toMs < one.onsetMs) return;
  const after = report.agent[index + 1];
  if (after !== undefined && after.fromMs - span.toMs < STILL_MS) return;
  figures.stopMs.push(span.toMs - one.onsetMs);
  const said = events.find(
    ({ event, atMs }) => event.type === 'agent.said' && event.body.interrupted && atMs > one.onsetMs && atMs < one.onsetMs + 2500,
  );
  if (said?.event.type !== 'agent.said' || span.text === null || span.lastRefSample === null) return;
  const { lastRefSample } = span;
  const whole = sentence(span.text, 'agent').words.filter(({ to }) => to <= lastRefSample).length;
  figures.heardErrors.push(Math.abs((said.event.body.heardWords ?? 0) - whole));
}

/** After a halt: no word is lost, and one is repeated at most. A halt between two words goes on with the second one. */
function addResumes(figures: Mutable<Figures>, report: CallerReport): void {
  report.agent.forEach((span, i) => {
    const before = report.agent[i - 1];
    if (
      before?.text === null ||
      before === undefined ||
      span.text !== before.text ||
      span.firstRefSample === null ||
      before.lastRefSample === null
    )
      return;
    const { words } = sentence(before.text, 'agent');
    if (span.firstRefSample === 0 || span.fromMs - before.toMs > 2500) return;
    figures.resumes += 1;
    const [heardTo, goesOn] = [before.lastRefSample, span.firstRefSample];
    const again = words.filter(({ from, to }) => from >= goesOn && to <= heardTo).length;
    const lost = words.some(({ from, to }) => to > heardTo && from < goesOn);
    if (lost || again > 1) figures.badResumes += 1;
  });
}
