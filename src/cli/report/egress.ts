/** What may leave this machine, and what wanted to and was refused (GDPR 28, 32, 44). */
import type { Section } from './document.ts';
import { iso } from './document.ts';
import { destinationTable, reportOf, type Reporter, spanText } from './source.ts';

interface Refused {
  readonly host: string;
  readonly port: number;
  readonly transport: string;
  readonly refused: number;
}

export const egress: Reporter = async (source) => {
  const { destinations, reader, span } = source;
  const places = new Map<string, { readonly row: Refused; total: number; firstUs: number; lastUs: number }>();
  for (const { body, tsUs } of await reader.events(span, ['egress.refused'])) {
    const row = JSON.parse(body) as Refused;
    const key = `${row.host} ${row.port} ${row.transport}`;
    const place = places.get(key) ?? { row, total: 0, firstUs: tsUs, lastUs: tsUs };
    places.set(key, place);
    place.total += row.refused;
    place.lastUs = tsUs;
  }
  const total = [...places.values()].reduce((sum, place) => sum + place.total, 0);
  const sections: Section[] = [
    {
      title: 'Allowed',
      text: [
        destinations.length === 0
          ? 'Nothing: the configuration names no place outside this machine.'
          : 'The configuration names these places. A guard in the process refuses every other TCP, TLS and UDP connection before a name is looked up.',
      ],
      table: destinationTable(destinations),
    },
    {
      title: 'Refused',
      text: [`${total} connections were refused from ${spanText(span)}.`],
      table: {
        columns: ['host', 'port', 'transport', 'refused', 'first', 'last'],
        rows: [...places.entries()]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, { row, total: times, firstUs, lastUs }]) => [
            row.host,
            String(row.port),
            row.transport,
            String(times),
            iso(firstUs),
            iso(lastUs),
          ]),
      },
    },
    {
      title: 'Not under the guard',
      text: [
        'RTP goes by the media engine to the addresses that the PBX names for its calls. The programs that Parley starts (recogniser, synthesiser, an own Asterisk or Postgres) have no need of a network beyond loopback; the service unit should hold them with IPAddressDeny=any and IPAddressAllow= of loopback, the PBX and the places above.',
      ],
    },
  ];
  return reportOf(source, 'egress', 'What may leave this machine', sections);
};
