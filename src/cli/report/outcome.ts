/** How calls came out, by flow: resolved, handed to people and why, abandoned, failed. */
import type { FlowOutcome } from '../../store/index.ts';
import { reportOf, type Reporter, spanText } from './source.ts';

export const outcome: Reporter = async (source) => {
  const { reader, span, flow } = source;
  const found = await reader.outcomes(span, flow);
  const flows = [...new Set(found.map((one) => one.flow))];
  return reportOf(source, 'outcome', 'How calls came out', [
    {
      title: 'By flow',
      text: [
        `Calls that began from ${spanText(span)}. Resolved: the flow came to an end of its own. Escalated: a person took over. Abandoned: the caller hung up before. Failed: the flow gave up or something broke. Contained: ended without a person.`,
      ],
      table: {
        columns: ['flow', 'calls', 'resolved', 'escalated', 'abandoned', 'failed', 'open', 'resolution', 'containment'],
        rows: flows.map((name) =>
          rowOf(
            name,
            found.filter((one) => one.flow === name),
          ),
        ),
      },
    },
    {
      title: 'Outcomes',
      table: {
        columns: ['flow', 'disposition', 'outcome', 'calls'],
        rows: grouped(found, (one) => [one.flow, one.disposition, one.outcome]),
      },
    },
    {
      title: 'Why people took over',
      table: {
        columns: ['flow', 'desk', 'reason', 'calls'],
        rows: grouped(
          found.filter((one) => one.disposition === 'escalated'),
          (one) => [one.flow, one.desk, one.escalation],
        ),
      },
    },
  ]);
};

function rowOf(name: string, found: readonly FlowOutcome[]): readonly string[] {
  const of = (...wanted: readonly FlowOutcome['disposition'][]): number =>
    found.filter((one) => wanted.includes(one.disposition)).reduce((sum, one) => sum + one.calls, 0);
  const ended = of('resolved', 'escalated', 'abandoned', 'failed');
  const percent = (part: number): string => (ended === 0 ? '-' : `${((part / ended) * 100).toFixed(1)} %`);
  return [
    ...[name, String(ended + of('open')), String(of('resolved')), String(of('escalated')), String(of('abandoned')), String(of('failed'))],
    ...[String(of('open')), percent(of('resolved')), percent(ended - of('escalated'))],
  ];
}

/** Calls by these columns, most first. */
function grouped(found: readonly FlowOutcome[], columns: (one: FlowOutcome) => readonly string[]): readonly (readonly string[])[] {
  const sums = new Map<string, { cells: readonly string[]; calls: number }>();
  for (const one of found) {
    const cells = columns(one);
    const key = JSON.stringify(cells);
    sums.set(key, { cells, calls: (sums.get(key)?.calls ?? 0) + one.calls });
  }
  return [...sums.values()].sort((a, b) => b.calls - a.calls).map(({ cells, calls }) => [...cells, String(calls)]);
}
