/** Record of processing activities, Art. 30(1) GDPR: each letter of it has a section. */
import type { Config } from '../../config/index.ts';
import type { Section } from './document.ts';
import { recipientTable, unnamed } from './recipients.ts';
import { classTable, destinationTable, isKept, reportOf, type Reporter } from './source.ts';

export const ropa: Reporter = (source) => {
  const { config, destinations, recipients } = source;
  const { name, contact, dpo, authority } = config.data.controller;
  const sections: Section[] = [
    {
      title: '(a) Controller',
      table: {
        columns: ['', ''],
        rows: [
          ['controller', name ?? 'not stated'],
          ['contact', contact ?? 'not stated'],
          ['data protection officer', dpo ?? 'not stated'],
          ['supervisory authority', authority ?? 'not stated'],
        ],
      },
    },
    {
      title: '(b) Purposes',
      text: [
        'Calls are answered by an automated assistant, which says so at the start, and handed to people on request. It serves these flows:',
      ],
      table: { columns: ['flow', 'version', 'tools'], rows: flowRows(source) },
    },
    {
      title: '(c), (f) Persons, categories of data, time limits',
      text: ['Persons: callers, and people at the desks calls are handed to.'],
      table: classTable(config),
    },
    {
      title: '(d) Recipients',
      text: [
        destinations.length === 0
          ? 'None outside this machine: recognition, synthesis, dialogue and storage run here, and every other connection of the process is refused.'
          : 'Data may go to these places and to no other; every other connection of the process is refused.',
      ],
      table: destinationTable(destinations),
    },
    {
      title: '(d) Processors and other recipients by name',
      text: [
        recipients.length === 0
          ? 'None: no engine, tool or server outside is configured. A desk that calls are handed to belongs to the controller.'
          : 'Which data of callers each one gets. Contracts under Art. 28 are for the controller to keep.',
      ],
      ...(recipients.length === 0 ? {} : { table: recipientTable(recipients) }),
    },
    {
      title: '(e) Transfers to third countries',
      text: [
        destinations.length === 0
          ? 'None: nothing leaves this machine.'
          : 'Only through the places under (d). Where they are is for the controller to know; a place on the same site is no transfer.',
      ],
    },
    { title: '(g) Technical and organisational measures, Art. 32', table: { columns: ['measure', 'here'], rows: measures(config) } },
  ];
  return Promise.resolve(
    reportOf(source, 'ropa', 'Record of processing activities (Art. 30 GDPR)', sections, ['name', 'contact', 'dpo'], unnamed(recipients)),
  );
};

export function flowRows({ flows }: Parameters<Reporter>[0]): readonly (readonly string[])[] {
  return [...flows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([flow, { version, tools }]) => [flow, version.slice(0, 12), tools.length === 0 ? 'none' : tools.join(', ')]);
}

export function measures(config: Config): readonly (readonly string[])[] {
  const { audit, http, pbx, data } = config;
  const places = [
    audit.anchorFile === null ? 'a file in the spool folder' : 'a file of its own place',
    ...(audit.anchorSyslog === null ? [] : ['a log collector by TLS']),
    ...(audit.anchorCommand === null ? [] : ['a program']),
  ];
  return [
    [
      'minimisation',
      isKept(config, 'content')
        ? `content is kept ${data.content.days} days, encrypted`
        : 'what is said is used and thrown away; nothing of it is stored',
    ],
    ['audio', isKept(config, 'recording') ? `recorded, encrypted, ${data.recording.days} days` : 'never on disk'],
    [
      'marking of synthetic speech',
      'callers are told at the start; files of recordings, their WAV and vCon say which side is synthetic (AI Act 50(2)); no mark within the sound: the one that was tried is not proved to be found and unheard',
    ],
    ['integrity of the log', `hash chain, signed every minute; signatures go to ${places.join(', ')}`],
    ['access', 'logins for writing, auditing, erasing and dropping months; none can change an entry; reading content is itself an entry'],
    ['encryption at rest', 'spool and content AES-256-GCM; wrapping keys change weekly and are destroyed when their content is over'],
    [
      'network',
      `interface on ${http.host}:${http.port} with a token; PBX ${pbx.private ? 'on loopback' : pbx.url}; every other connection refused`,
    ],
    [
      'when the log cannot be written',
      { block: 'new calls are refused', people: 'new calls go to people', continue: 'new calls are taken unlogged' }[audit.whenFull],
    ],
    ['erasure', 'keys and ciphertext are destroyed, the chain still verifies; a restored backup is cleaned before it is used'],
  ];
}
