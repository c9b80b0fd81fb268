/** What calls used and cost, by flow: telephony minutes, engine seconds, tokens, fees of tools. */
import type { FlowUsage } from '../../store/index.ts';
import { reportOf, type Reporter, spanText } from './source.ts';

const minutes = (ms: number): string => (ms / 60_000).toFixed(1);
const seconds = (ms: number): string => (ms / 1000).toFixed(1);

export const cost: Reporter = async (source) => {
  const { reader, span, flow } = source;
  const flows = await reader.usage(span, flow);
  const rows = flows.length > 1 ? [...flows, total(flows)] : flows;
  return reportOf(source, 'cost', 'What calls used and cost', [
    {
      title: 'By flow',
      text: [
        `Calls that began from ${spanText(span)}. Fees are in the operator's currency, by the prices of the configuration and the flows; what has no price there is not in them.`,
      ],
      table: {
        columns: [
          'flow',
          'calls',
          'telephony min',
          'recogniser s',
          'synthesiser s',
          'model s',
          'tokens',
          'tools called',
          'tools failed',
          'engine fees',
          'tool fees',
          'fees per call',
        ],
        rows: rows.map((one) => [
          ...[one.flow, String(one.calls), minutes(one.telephonyMs), seconds(one.sttMs), seconds(one.ttsMs), seconds(one.llmMs)],
          // Flows count what their agents thought; servers count what they counted. Where both did, it is the same text.
          ...[String(Math.max(one.engineTokens, one.thoughtTokens)), String(one.toolCalls), String(one.toolFailures)],
          ...[one.engineFees.toFixed(4), one.toolFees.toFixed(4), ((one.engineFees + one.toolFees) / Math.max(1, one.calls)).toFixed(4)],
        ]),
      },
    },
  ]);
};

function total(flows: readonly FlowUsage[]): FlowUsage {
  const sum = (key: Exclude<keyof FlowUsage, 'flow'>): number => flows.reduce((so, one) => so + one[key], 0);
  return {
    ...{ flow: 'all', calls: sum('calls'), telephonyMs: sum('telephonyMs'), sttMs: sum('sttMs'), ttsMs: sum('ttsMs'), llmMs: sum('llmMs') },
    ...{
      engineTokens: sum('engineTokens'),
      thoughtTokens: sum('thoughtTokens'),
      toolCalls: sum('toolCalls'),
      toolFailures: sum('toolFailures'),
    },
    ...{ engineFees: sum('engineFees'), toolFees: sum('toolFees') },
  };
}
