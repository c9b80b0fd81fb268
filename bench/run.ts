/** `npm run bench -- NAME [--json FILE] [--key value]`: runs bench/NAME.ts and prints its table. Timed figures are never tests. */
import { readdirSync, writeFileSync } from 'node:fs';
import type { BenchResult } from './support/result.ts';

interface Bench {
  run(options: Readonly<Record<string, string>>): Promise<BenchResult>;
}

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3));

function print(result: BenchResult): void {
  const { machine } = result;
  console.log(`\n${result.bench}  ${result.at}  ${machine.cpu}, ${machine.cores} cores, load ${machine.load.toFixed(1)}`);
  const cells = result.rows.map((row) => [
    row.metric,
    `${row.value} ${row.unit}`,
    row.peer ?? '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(3)}x`,
    row.goal ?? '',
    row.met === undefined ? '' : row.met ? 'met' : 'MISSED',
  ]);
  const table = [['metric', 'value', 'peer', 'ratio', 'goal', ''], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
}

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- ${names.join(' | ')} [--json FILE] [--key value]`);
  process.exit(64);
}
/** `--key value` and `--key=value`. */
function read(args: readonly string[]): Record<string, string> {
  const options: Record<string, string> = {};
  for (let i = 0; i < args.length; i++) {
    const [, key, value] = /^--([a-z][a-zA-Z0-9-]*)(?:=(.*))?$/.exec(args[i]!) ?? [];
    const next = args[i + 1];
    if (key === undefined) throw new Error(`${args[i]!}: expected --key value`);
    if (value !== undefined) options[key] = value;
    else if (next === undefined || next.startsWith('--')) options[key] = 'true';
    else options[key] = args[++i]!;
  }
  return options;
}
const options = read(rest);
const bench = (await import(`./${name}.ts`)) as Bench;
const result = await bench.run(options);
print(result);
if (options['json'] !== undefined) writeFileSync(options['json'], `${JSON.stringify(result, null, 2)}\n`);
process.exit(0);
