/** `--detail FILE`: every turn with what was decided in it, one JSON line each, to see which turns make a row's tail. Pure. */
import type { CallResult } from './gateway.ts';

const SHOWN = [
  'committed',
  'committed-cut',
  'retract',
  'resumed',
  'speculate',
  'hint',
  'duck',
  'unduck',
  'halt',
  'barge-in',
  'go-on',
  'bridge',
  'backchannel',
];
const AFTER_MS = 8000;

/** Which samples of its text were heard. */
function refs({ firstRefSample, lastRefSample }: CallResult['report']['agent'][number]): string {
  return firstRefSample === null ? '' : ` samples ${firstRefSample} to ${lastRefSample ?? '?'}`;
}

export function detailLines(calls: readonly CallResult[]): string[] {
  return calls.flatMap(({ row, report, decisions, events }) =>
    report.turns.map((turn, i) => {
      const { startMs, endMs } = turn;
      const untilMs = Math.min(report.turns[i + 1]?.startMs ?? Infinity, endMs + AFTER_MS);
      const at = (ms: number): number => Math.round(ms - endMs);
      const within = (ms: number): boolean => ms >= startMs && ms < untilMs;
      const first = report.agent.find(({ fromMs }) => fromMs > endMs && fromMs < (report.turns[i + 1]?.startMs ?? Infinity));
      const waterfall = events.find(({ event, atMs }) => event.type === 'turn.latency' && atMs > endMs && within(atMs))?.event.body;
      return JSON.stringify({
        row,
        call: report.id,
        turn: turn.index,
        barged: turn.barged,
        expect: turn.expect,
        said: events
          .filter(({ event, atMs }) => event.type === 'caller.said' && within(atMs))
          .map(({ event, atMs }) => `${at(atMs)} ${event.type === 'caller.said' ? (event.content?.['text'] ?? '') : ''}`),
        perceivedMs: first === undefined ? null : at(first.fromMs),
        holds: turn.holds.map(({ fromMs, toMs, at: place }) => `${place} ${at(fromMs)}..${at(toMs)}`),
        agent: report.agent
          .filter((span) => span.toMs > startMs && span.fromMs < untilMs)
          .map((span) => `${at(span.fromMs)}..${at(span.toMs)}${refs(span)}`),
        disturbances: report.disturbances
          .filter(({ onsetMs }) => within(onsetMs))
          .map(({ t, onsetMs, offsetMs, duckMs }) => `${t} ${at(onsetMs)}..${at(offsetMs)} duck ${duckMs === null ? '-' : at(duckMs)}`),
        decisions: decisions
          .filter(({ atMs, rule }) => within(atMs) && SHOWN.includes(rule))
          .map(({ atMs, rule, figures }) => `${at(atMs)} ${rule} ${JSON.stringify(figures)}`),
        waterfall,
      });
    }),
  );
}
