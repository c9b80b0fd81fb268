/** Data protection impact assessment, Art. 35(7) GDPR: filled from the configuration and from what the log measured. */
import type { Config } from '../../config/index.ts';
import type { Section } from './document.ts';
import { recipientTable, unnamed } from './recipients.ts';
import { flowRows, measures } from './ropa.ts';
import { classTable, destinationTable, isKept, reportOf, type Reporter, spanText } from './source.ts';

export const dpia: Reporter = async (source) => {
  const { config, destinations, recipients, reader, span } = source;
  const counts = new Map((await reader.counts(span)).map(({ type, events }) => [type, events]));
  const sections: Section[] = [
    {
      title: '(a) The processing',
      text: [
        `Phone calls are answered by an automated assistant: recogniser ${engines(config.stt)}, synthesiser ${engines(config.tts)}, at most ${config.media.maxCalls} calls at once. Speech is turned into text, a flow decides the answer, the answer is spoken. No voiceprint, no emotion, no profile of a caller is made; the program has no such function.`,
      ],
      table: { columns: ['flow', 'version', 'tools'], rows: flowRows(source) },
    },
    { title: 'Data, purposes, legal bases, times', table: classTable(config) },
    { title: 'Where data may go', table: destinationTable(destinations) },
    ...(recipients.length === 0 ? [] : [{ title: 'Who gets data of callers', table: recipientTable(recipients) }]),
    {
      title: '(b) Necessity and proportionality',
      text: [
        isKept(config, 'content')
          ? `What is said is kept for ${config.data.content.days} days: ${config.data.content.purpose}. Without it the purpose could not be served after the call.`
          : 'What is said is needed to answer and is not kept. Nothing less would do the work.',
        isKept(config, 'recording')
          ? `Audio is kept for ${config.data.recording.days} days: ${config.data.recording.purpose}.`
          : 'No audio is kept.',
        'Callers are told at the start that they talk to a machine, and can ask for a person at any moment.',
      ],
    },
    {
      title: '(c) Risks to callers',
      table: { columns: ['risk', 'likelihood', 'severity', 'what holds it'], rows: risks(config, destinations.length) },
    },
    { title: '(d) Measures', table: { columns: ['measure', 'here'], rows: measures(config) } },
    {
      title: 'Measured by the log',
      text: [`From ${spanText(span)}.`],
      table: {
        columns: ['what', 'count'],
        rows: MEASURED.map(([type, what]) => [what, String(counts.get(type) ?? 0)]),
      },
    },
  ];
  return reportOf(source, 'dpia', 'Data protection impact assessment (Art. 35 GDPR)', sections, ['name', 'dpo'], unnamed(recipients));
};

const engines = ({ engines: chosen }: { readonly engines: readonly { readonly engine: string }[] }): string =>
  chosen.map(({ engine }) => engine).join(', then ');

const MEASURED = [
  ['call.answered', 'calls answered'],
  ['notice.completed', 'notices heard to the end'],
  ['caller.said', 'utterances understood'],
  ['transfer.requested', 'calls handed to people'],
  ['turn.failed', 'answers that an engine failed'],
  ['content.read', 'readings of content'],
  ['subject.exported', 'exports to persons'],
  ['subject.erased', 'erasures'],
  ['subject.restricted', 'restrictions and objections'],
  ['retention.expired', 'times that content expired'],
  ['egress.refused', 'entries about refused connections'],
  ['spool.recovered', 'recoveries after a crash'],
] as const;

function risks(config: Config, places: number): readonly (readonly string[])[] {
  const content = isKept(config, 'content');
  const away = places > 0;
  return [
    [
      'a caller is misheard and something wrong is done',
      'possible',
      'low to medium',
      'values are read back and can be corrected; acts that cannot be undone need a yes, or a person',
    ],
    [
      'a caller does not know that he talks to a machine',
      'remote',
      'medium',
      'the notice comes first and is completed; the log proves it per call',
    ],
    [
      'what was said is read by somebody who should not',
      content ? 'possible' : 'remote',
      content ? 'high' : 'low',
      content ? 'encrypted under keys outside the database; each reading is an entry' : 'it is not stored',
    ],
    [
      'data leaves the site',
      away ? 'possible' : 'remote',
      away ? 'medium to high' : 'low',
      away ? 'only to the places listed; others are refused' : 'every connection is refused',
    ],
    [
      'the record of a call is changed afterwards',
      'remote',
      'medium',
      'hash chain, signatures, anchors outside the database; anyone can check',
    ],
    ['a person cannot have his data erased', 'remote', 'high', 'one command; also in backups, whose keys are destroyed'],
    [
      'a decision is made by the machine alone (Art. 22)',
      'possible',
      'depends on the flow',
      'a person can be had at any moment; flows mark what a person must approve',
    ],
  ];
}
