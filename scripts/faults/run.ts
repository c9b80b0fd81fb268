/** `npm run faults -- NAME [--runs N] [--seed N] [--only NAME]`: breaks things on purpose and counts what was lost. Exit 1 when anything was. */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';

export interface FaultOptions {
  readonly runs: number;
  /** Makes the moments of the faults repeatable. */
  readonly seed: number;
  /** Only the fault whose name begins so. */
  readonly only: string;
}

export interface FaultRow {
  readonly fault: string;
  readonly runs: number;
  readonly result: string;
  readonly ok: boolean;
}

interface Fault {
  run(options: FaultOptions): Promise<readonly FaultRow[]>;
}

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' }, only: { type: 'string', default: '' } },
});
const [name = ''] = positionals;
if (!names.includes(name)) {
  console.error(`usage: npm run faults -- ${names.join(' | ')} [--runs N] [--seed N] [--only NAME]`);
  process.exit(64);
}
const fault = (await import(`./${name}.ts`)) as Fault;
const rows = await fault.run({ runs: Number(values.runs), seed: Number(values.seed), only: values.only });
for (const row of rows) console.log(`${row.ok ? 'ok    ' : 'FAILED'}  ${row.fault}, ${row.runs} runs: ${row.result}`);
process.exit(rows.every((row) => row.ok) ? 0 : 1);
