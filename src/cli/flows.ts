/** `parley flows list | diff | activate | rollback`: which version of a flow calls get. Running calls keep theirs. */
import { loadConfig } from '../config/index.ts';
import { FlowShelf } from '../dialogue/index.ts';
import { gatewayOf } from './call.ts';
import { EXIT } from './exit.ts';
import { ask, health } from './live.ts';

export interface FlowsOptions {
  readonly action: 'list' | 'diff' | 'activate' | 'rollback';
  readonly directory: string;
  readonly facts?: string;
  /** Needed by all but list. */
  readonly flow?: string;
  /** Share of the calls that get the new version, for activate. */
  readonly percent?: number;
  /** Configuration of a service that may be running: it is told to take the change. Nobody is told when left out. */
  readonly config?: string;
  readonly print?: (line: string) => void;
}

/** Errors: ProblemsError (FLOW_INVALID). */
export async function flows(options: FlowsOptions): Promise<number> {
  const code = await change(options);
  const isChange = options.action === 'activate' || options.action === 'rollback';
  return code === EXIT.ok && isChange && options.config !== undefined ? tellService(options.config, options.print ?? console.log) : code;
}

/** Calls that come from now on get the change; without a service they get it when it starts. */
async function tellService(file: string, print: (line: string) => void): Promise<number> {
  const config = await loadConfig(file);
  if ((await health({ host: config.http.host, port: config.http.port })) === null) {
    print('no service is running: calls get it when it starts');
    return EXIT.ok;
  }
  const { status, body } = await ask(await gatewayOf(config), '/v1/flows/reload', {});
  const isTaken = status === 200;
  print(isTaken ? 'the running service gives it to calls from now on' : `the running service did not take it: ${String(body['error'])}`);
  return isTaken ? EXIT.ok : EXIT.failed;
}

async function change(options: FlowsOptions): Promise<number> {
  const { action, directory, facts, flow: name, percent = 100, print = console.log } = options;
  const shelf = await FlowShelf.open(directory, facts);
  if (action === 'list') {
    for (const one of shelf.names) print(lineOf(shelf, one));
    for (const problem of shelf.problems) print(problem);
    return EXIT.ok;
  }
  if (name === undefined || shelf.file(name) === undefined) {
    print(`there is no flow "${name ?? ''}", expected one of ${shelf.names.join(', ')}`);
    return EXIT.usage;
  }
  if (action === 'activate') return activate(shelf, name, percent, print);
  if (action === 'rollback') return rollback(shelf, name, print);
  for (const line of await difference(shelf, name)) print(line);
  return EXIT.ok;
}

/** What the file has that the active version has not, and the other way round. */
async function difference(shelf: FlowShelf, name: string): Promise<string[]> {
  const { active } = shelf.versions(name);
  const before = active === null ? null : await shelf.text(name, active);
  if (before === null) return [`${name}: no version is active, calls get the file`];
  return changes(before, (await shelf.text(name, null)) ?? '');
}

type Print = (line: string) => void;

async function activate(shelf: FlowShelf, name: string, percent: number, print: Print): Promise<number> {
  if (!(percent > 0 && percent <= 100)) {
    print(`percent is ${percent}, expected more than 0 and at most 100`);
    return EXIT.usage;
  }
  await shelf.activate(name, percent);
  print(lineOf(shelf, name));
  return EXIT.ok;
}

async function rollback(shelf: FlowShelf, name: string, print: Print): Promise<number> {
  const { canary, previous } = shelf.versions(name);
  if (canary === null && previous.length === 0) {
    print(`${name}: there is no version before this one`);
    return EXIT.failed;
  }
  await shelf.rollback(name);
  print(lineOf(shelf, name));
  return EXIT.ok;
}

function lineOf(shelf: FlowShelf, name: string): string {
  const { active, canary, previous } = shelf.versions(name);
  const file = shelf.file(name)?.flow.version.slice(0, 12) ?? '';
  const trial = canary === null ? '' : `, ${canary.percent} % of the calls get ${canary.version.slice(0, 12)}`;
  return `${name}: active ${active?.slice(0, 12) ?? 'the file'}, file ${file}${trial}, ${previous.length} before`;
}

/** Lines that went and came, by the longest common subsequence. */
function changes(before: string, now: string): string[] {
  const [a, b] = [before.split('\n'), now.split('\n')];
  // Length of what is common to a from i on and b from j on; 0 beyond their ends.
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  const common = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      (lengths[i] ?? [])[j] = a[i] === b[j] ? common(i + 1, j + 1) + 1 : Math.max(common(i + 1, j), common(i, j + 1));
  const out: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) [i, j] = [i + 1, j + 1];
    else if (common(i + 1, j) >= common(i, j + 1)) out.push(`-${a[i++] ?? ''}`);
    else out.push(`+${b[j++] ?? ''}`);
  }
  return [...out, ...a.slice(i).map((line) => `-${line}`), ...b.slice(j).map((line) => `+${line}`)];
}
