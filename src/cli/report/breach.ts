/** What a breach between two moments touched (Art. 33(3) GDPR): which persons, which data, who read what. */
import { details } from './consents.ts';
import { iso, type Section } from './document.ts';
import { isKept, reportOf, type Reporter, spanText } from './source.ts';

/** Entries that say that somebody read, moved or changed something by hand, or that a place was out of order. */
const ACCESS = ['content.', 'subject.', 'retention.', 'egress.', 'key.', 'spool.', 'clock.', 'gateway.started', 'gateway.stopped'] as const;

export const breach: Reporter = async (source) => {
  const { config, reader, span } = source;
  const [calls, access] = [await reader.calls(span), await reader.events(span, ACCESS)];
  const subjects = new Set(calls.flatMap((call) => call.subjects));
  const stored = calls.reduce((sum, call) => sum + call.stored, 0);
  const sections: Section[] = [
    {
      title: '(a) Nature, persons and records',
      text: [
        `From ${spanText(span)}: ${calls.length} calls, ${subjects.size} persons with stored content, ${stored} records of content that still exist.`,
        isKept(config, 'content')
          ? 'Categories: words, name and phone number, encrypted under keys that are not in the database; times and decisions of calls.'
          : 'Categories: times and decisions of calls. Words, names and numbers are not stored by this configuration.',
      ],
    },
    {
      title: 'Calls and persons',
      text: ['A person is named by the random ids of his calls; `parley subject export NUMBER` finds the ids of a number.'],
      table: {
        columns: ['call', 'from', 'to', 'persons', 'entries', 'content', 'still stored'],
        rows: calls.map((call) => [
          ...[call.callId, iso(call.firstUs), iso(call.lastUs), call.subjects.join(' ') || 'none stored'],
          ...[String(call.events), String(call.payloads), String(call.stored)],
        ]),
      },
    },
    {
      title: 'Readings and acts in this time',
      table: {
        columns: ['time', 'what', 'person', 'details'],
        rows: access.map(({ tsUs, type, subjectId, body }) => [iso(tsUs), type, subjectId ?? '-', details(body)]),
      },
    },
    {
      title: '(b) Contact',
      table: {
        columns: ['', ''],
        rows: [
          ['controller', config.data.controller.contact ?? 'not stated'],
          ['data protection officer', config.data.controller.dpo ?? 'not stated'],
        ],
      },
    },
    {
      title: '(c), (d) Consequences and measures',
      text: [
        'Who holds a copy of the database alone can open nothing: the keys are in files of the gateway. Who holds both can read what is listed as still stored.',
        'At hand: erase persons (parley subject erase), rotate the signing key (parley audit rotate-key), verify the log (parley audit verify). The notification is due within 72 hours of becoming aware of the breach.',
      ],
    },
  ];
  return reportOf(source, 'breach', 'What a breach would have touched (Art. 33 GDPR)', sections, ['contact', 'dpo']);
};
