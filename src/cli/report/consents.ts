/** Proof of notices and consents (GDPR 7(1), 13; section 7a UWG; AI Act 50(1)): what was said or asked, in which wording, and with which result. */
import { iso } from './document.ts';
import { reportOf, type Reporter, spanText } from './source.ts';

const PREFIXES = ['notice.', 'consent', 'recording.', 'memory.'] as const;

export const consents: Reporter = async (source) => {
  const { reader, span } = source;
  const events = await reader.events(span, PREFIXES);
  const answered = (await reader.counts(span)).find(({ type }) => type === 'call.answered')?.events ?? 0;
  const told = new Set(events.filter(({ type }) => type === 'notice.completed').map(({ callId }) => callId)).size;
  const sections = [
    {
      title: 'In short',
      text: [
        `From ${spanText(span)}: ${answered} calls were answered; in ${told} the notice was heard to its end. Who the callers were is not in this report.`,
      ],
    },
    {
      title: 'Every notice, question and answer',
      text: ['The wording is named by its sha256; the texts are in the flow files, whose versions the log names.'],
      table: {
        columns: ['time', 'call', 'what', 'details'],
        rows: events.map(({ tsUs, callId, type, body }) => [iso(tsUs), callId ?? '-', type, details(body)]),
      },
    },
  ];
  return reportOf(source, 'consents', 'Notices and consents', sections);
};

export function details(body: string): string {
  return Object.entries(JSON.parse(body) as Record<string, unknown>)
    .map(([key, value]) => `${key} ${typeof value === 'string' ? value.slice(0, 80) : JSON.stringify(value)}`)
    .join(', ');
}
