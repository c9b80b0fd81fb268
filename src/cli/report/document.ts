/** A report as data: the same sections become Markdown for people and JSON for programs. Two runs on the same log differ in `made` alone. */
export interface Section {
  readonly title: string;
  /** Paragraphs. */
  readonly text?: readonly string[];
  readonly table?: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

export interface Report {
  readonly report: string;
  readonly title: string;
  /** ISO 8601. The one thing that differs from run to run. */
  readonly made: string;
  readonly gateway: string;
  readonly version: string;
  /** sha256 of the configuration, as `gateway.started` has it in the log. */
  readonly configSha256: string;
  /** What a person must still state: configuration keys. Empty: the report is complete. */
  readonly missing: readonly string[];
  readonly sections: readonly Section[];
}

/** Line feeds and bars would break a table. */
const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim() || '-';

export function toMarkdown(report: Report): string {
  const { title, made, gateway, version, configSha256, missing } = report;
  const head = [
    `# ${title}`,
    `Made ${made} by Parley ${version}, gateway ${gateway}, from configuration ${configSha256.slice(0, 16)} and its log. This is not legal advice.`,
    ...(missing.length === 0
      ? []
      : [`**Not complete.** The configuration does not state: ${missing.map((key) => `\`${key}\``).join(', ')}.`]),
  ];
  return `${[...head, ...report.sections.map(sectionText)].join('\n\n')}\n`;
}

function sectionText({ title, text = [], table }: Section): string {
  const parts = [`## ${title}`, ...text];
  if (table !== undefined) {
    const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
    const rows = table.rows.length === 0 ? [table.columns.map((_, at) => (at === 0 ? 'none' : ''))] : table.rows;
    parts.push([line(table.columns), line(table.columns.map(() => '---')), ...rows.map(line)].join('\n'));
  }
  return parts.join('\n\n');
}

export const toJson = (report: Report): string => `${JSON.stringify(report, null, 2)}\n`;

/** Microseconds as ISO 8601 to the second. */
export const iso = (tsUs: number): string => `${new Date(tsUs / 1000).toISOString().slice(0, 19)}Z`;
