/** `parley report KIND`: documents from the live configuration and the log, as Markdown or JSON. Exit 1 when something must still be stated. */
import { writeFile } from 'node:fs/promises';
import { type Config, loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { loadFlows, readApis } from '../dialogue/index.ts';
import { systemClock } from '../observability/index.ts';
import { destinations } from '../parts/index.ts';
import { withReportReader } from '../store/index.ts';
import { withAuditor } from './auditor.ts';
import { EXIT } from './exit.ts';
import { breach } from './report/breach.ts';
import { consents } from './report/consents.ts';
import { cost } from './report/cost.ts';
import { type Report, toJson, toMarkdown } from './report/document.ts';
import { dpia } from './report/dpia.ts';
import { egress } from './report/egress.ts';
import { outcome } from './report/outcome.ts';
import { recipientsOf } from './report/recipients.ts';
import { ropa } from './report/ropa.ts';
import type { Reporter } from './report/source.ts';

/** By the name on the command line. */
const REPORTS: Readonly<Record<string, Reporter>> = { ropa, dpia, breach, consents, egress, cost, outcome };

export interface ReportOptions {
  readonly config: string;
  readonly from?: string;
  readonly to?: string;
  /** Date of the report; now when left out. */
  readonly date?: string;
  /** Only calls of this flow, for cost and outcome. */
  readonly flow?: string;
  readonly json?: boolean;
  readonly out?: string;
}

export async function report(kind: string, options: ReportOptions): Promise<number> {
  const made = await makeReport(kind, await loadConfig(options.config), options);
  const text = options.json === true ? toJson(made) : toMarkdown(made);
  if (options.out === undefined) process.stdout.write(text);
  else await writeFile(options.out, text, { mode: 0o600 });
  for (const key of made.missing) process.stderr.write(`not stated: ${key}\n`);
  return made.missing.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Errors: CONFIG_INVALID for an unknown report or a date that is none; those of the store. */
export async function makeReport(kind: string, config: Config, options: Omit<ReportOptions, 'config'>): Promise<Report> {
  const reporter = Object.hasOwn(REPORTS, kind) ? REPORTS[kind] : undefined;
  if (reporter === undefined)
    throw new ParleyError('CONFIG_INVALID', `there is no report '${kind}', expected one of ${Object.keys(REPORTS).join(', ')}`);
  const madeUs = moment(options.date, 'date') ?? systemClock.wallUs();
  const [from, to] = [moment(options.from, 'from'), moment(options.to, 'to')];
  const loaded = await loadFlows(config.flows.directory, {
    factsDirectory: config.flows.facts,
    apis: await readApis(config.tools.openapi),
  });
  const flows = new Map([...loaded].map(([name, { flow }]) => [name, { version: flow.version, tools: Object.keys(flow.tools).sort() }]));
  const places = await destinations(config, loaded);
  const recipients = recipientsOf(config, new Map([...loaded].map(([name, { flow }]) => [name, Object.values(flow.tools)])));
  return withAuditor(config, (connection) =>
    withReportReader(connection, async (reader) => {
      const whole = (await reader.span()) ?? { fromUs: 0, toUs: 0 };
      const span = { fromUs: from ?? whole.fromUs, toUs: to ?? whole.toUs };
      return reporter({
        config,
        flow: options.flow ?? null,
        flows,
        destinations: places,
        recipients,
        reader,
        span,
        made: new Date(madeUs / 1000).toISOString(),
      });
    }),
  );
}

/** 'YYYY-MM-DD' or a whole ISO 8601 time, in microseconds. A day alone begins at midnight UTC. */
function moment(text: string | undefined, option: string): number | null {
  if (text === undefined) return null;
  const ms = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new ParleyError('CONFIG_INVALID', `--${option} ${text} is no date, expected 2026-11-20 or 2026-11-20T09:00:00Z`);
  return ms * 1000;
}
