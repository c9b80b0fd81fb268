/** `parley simulate`: every shipped flow holds its own conversations; what is not as expected is said and fails. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { flows as flowsCommand } from '../../src/cli/flows.ts';
import { simulate } from '../../src/cli/simulate.ts';
import { loadConfig } from '../../src/config/index.ts';
import { FlowShelf, loadFlows, loadNotices, ManualTime, ScriptedModel } from '../../src/dialogue/index.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { callableFlows, checkFlows, FlowDesk, missingSecrets } from '../../src/parts/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const directory = join(ROOT, 'config', 'flows');
const facts = join(ROOT, 'config', 'facts');
const flows = (await readdir(directory))
  .filter((file) => file.endsWith('.yaml') && !file.endsWith('.test.yaml'))
  .map((file) => file.slice(0, -5));

for (const flow of flows) {
  test(`shipped flow: ${flow}`, async (t) => {
    const lines: string[] = [];
    t.equal(
      await simulate({ flow, directory, facts, print: (line) => lines.push(line) }),
      0,
      lines.filter((line) => !line.startsWith('passed')).join('\n'),
    );
  });
}

test('the sample site: every shipped flow finds what it needs', async (t) => {
  const config = await loadConfig(join(ROOT, 'config', 'site.example.yaml'), { root: ROOT });
  const loaded = await loadFlows(config.flows.directory, { factsDirectory: config.flows.facts });
  t.strictSame([...loaded.keys()].sort(), [...flows].sort());
  const { callable, lacking } = callableFlows(loaded, config, config.llm.engines.length > 0);
  t.strictSame(lacking, {});
  checkFlows(callable, config, await loadNotices(config.privacy.notices));
  const { calendar } = config.tools;
  if (calendar === null) throw new Error('the sample has a calendar');
  const unread = { ...config, tools: { ...config.tools, calendar: { ...calendar, passwordFile: join(ROOT, 'no', 'such', 'file') } } };
  t.match(await missingSecrets(unread), [{ key: 'tools.calendar.passwordFile' }]);
  const alone = await loadConfig(join(ROOT, 'config', 'parley.example.yaml'), { root: ROOT });
  const without = callableFlows(loaded, { ...alone, data: { ...alone.data, inbox: { days: 0, basis: null, purpose: '' } } }, false).lacking;
  t.match(without['message'], [/the port message\.send of tool leave \(data\.inbox or tools\.ports\)/]);
  t.match(without['appointments']?.join('; '), /the calendar of tool find \(tools\.calendar\)/);
  t.notOk('booking' in without);
});

test('shipped flows speak four languages, and so do their texts', async (t) => {
  const loaded = await loadFlows(directory, { factsDirectory: facts });
  for (const [name, { flow }] of loaded) t.strictSame(name === 'booking' ? ['en'] : ['en', 'de', 'fr', 'es'], flow.languages, name);
});

const MINI = `
flow: mini
language: en
start: hello
slots: { number: { type: number } }
prompts: { hello: "Hello <you>.", ask: "How many?" }
steps:
  hello: { say: hello, next: ask }
  ask: { ask: number, prompt: ask, next: bye }
  bye: { end: hangup, outcome: done }
`;

test('what is not as expected: exit code, lines and a page that cannot be written into', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-simulate-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'mini.yaml'), MINI);
  const tests =
    'tests:\n  - name: "<b>wrong</b>"\n    turns:\n      - says: four\n        hears: [nothing_such, /never/]\n        slots: { number: 5 }\n    neverSaid: [hello]\n    ended: other\n    called: [{ tool: x }]\n    bounds: { turns: 0 }\n';
  await writeFile(join(folder, 'mini.test.yaml'), tests);
  const lines: string[] = [];
  const report = join(folder, 'out', 'report.html');
  t.equal(await simulate({ flow: 'mini', directory: folder, report, print: (line) => lines.push(line) }), 1);
  t.match(
    lines.join('\n'),
    /FAILED.*expected to hear nothing_such.*expected to hear \/never\/.*number to be 5, it is 4.*never be said: hello.*end with other, it is done.*expected the calls.*took 1 turns/s,
  );
  const page = await readFile(report, 'utf8');
  t.match(page, '&lt;b&gt;wrong');
  t.match(page, 'Hello &lt;you&gt;.');
  t.equal(await simulate({ flow: 'none', directory: folder, print: () => undefined }), 64);
  await writeFile(join(folder, 'mini.test.yaml'), 'tests:\n  - name: x\n    turnz: []\n');
  await t.rejects(simulate({ flow: 'mini', directory: folder, print: () => undefined }), {
    code: 'FLOW_INVALID',
    message: /mini\.test\.yaml:\d+/,
  });
  await rm(join(folder, 'mini.test.yaml'));
  await t.rejects(simulate({ flow: 'mini', directory: folder, print: () => undefined }), { message: /cannot be read/ });
});

test('versions: activate, a share of the calls, diff, rollback; running calls and broken files', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-versions-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'mini.yaml');
  const act = async (action: 'list' | 'diff' | 'activate' | 'rollback', percent?: number): Promise<string> => {
    const lines: string[] = [];
    const code = await flowsCommand({
      action,
      directory: folder,
      flow: 'mini',
      ...(percent === undefined ? {} : { percent }),
      print: (line) => lines.push(line),
    });
    return `${code} ${lines.join('|')}`;
  };
  await writeFile(file, MINI);
  t.match(await act('list'), '0 mini: active the file');
  t.match(await act('rollback'), '1 mini: there is no version before');
  await act('activate');
  const shelf = await FlowShelf.open(folder);
  const first = shelf.flowFor('mini', 'call-1');
  await writeFile(file, MINI.replace('How many?', 'How much?'));
  t.equal(
    await act('diff'),
    '0 -prompts: { hello: "Hello <you>.", ask: "How many?" }|+prompts: { hello: "Hello <you>.", ask: "How much?" }',
  );
  await shelf.reload();
  t.equal(shelf.flowFor('mini', 'call-1')?.flow.version, first?.flow.version, 'a changed file is not yet what calls get');
  await act('activate', 30);
  await shelf.reload();
  const got = Array.from({ length: 2000 }, (_, i) => shelf.flowFor('mini', `call-${i}`)?.flow.version === first?.flow.version);
  const share = got.filter((isOld) => !isOld).length / 20;
  t.ok(share > 26 && share < 34, `${share} % get the new one`);
  t.equal(shelf.flowFor('mini', 'call-7')?.flow.version, shelf.flowFor('mini', 'call-7')?.flow.version);
  t.match(await act('rollback'), '0 mini: active');
  await act('activate');
  await shelf.reload();
  t.not(shelf.flowFor('mini', 'call-1')?.flow.version, first?.flow.version);
  t.match(await act('rollback'), '0 ');
  await shelf.reload();
  t.equal(shelf.flowFor('mini', 'call-1')?.flow.version, first?.flow.version, 'back again');
  await writeFile(file, 'flow: mini\nsteps: [');
  await t.rejects(shelf.reload(), { code: 'FLOW_INVALID' });
  t.equal(shelf.flowFor('mini', 'call-1')?.flow.version, first?.flow.version, 'what is broken changes nothing');
  await writeFile(file, MINI);
  await rm(join(folder, '.versions', 'mini'), { recursive: true });
  t.ok(shelf.flowFor('mini', 'call-1'), 'a version that was deleted stays for those who have it');
  t.ok((await FlowShelf.open(folder)).flowFor('mini', 'call-1'), 'and a new start takes the file');
  t.match(await act('activate', 0), /^64 percent is 0/);
  t.match(await flowsCommand({ action: 'diff', directory: folder, flow: 'none', print: () => undefined }), 64);
});

test('the running service: versions by its acts, logged before they count; a running call keeps its own', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-flow-desk-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'flows'));
  await mkdir(join(folder, 'facts'));
  const file = join(folder, 'flows', 'mini.yaml');
  await writeFile(file, MINI);
  const config = join(folder, 'parley.yaml');
  await writeFile(config, `flows: { directory: ${folder}/flows, default: mini, facts: ${folder}/facts }\n`);
  const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  const warnings: string[] = [];
  const desk = await FlowDesk.open({ config: await loadConfig(config), hasModel: false, logger });
  const log: unknown[] = [];
  let told = 0;
  const acts = desk.acts({ before: (change) => Promise.resolve(log.push([change.act, change.percent, active()])), changed: () => told++ });
  const act = (name: string, input: Record<string, unknown> = {}): Promise<unknown> =>
    acts[`/v1/flows/${name}`]?.(input) ?? Promise.reject(new Error(name));
  const active = (): string => desk.versions['mini'] ?? '';
  const first = active();
  const running = desk.get('mini', '2026-11-20', 'call-1');
  const [state] = running?.step(running.begin(), { t: 'start', variables: {} }) ?? [];
  await act('activate', { flow: 'mini' });
  await writeFile(file, MINI.replace('How many?', 'How much?'));
  await act('reload');
  t.equal(active(), first, 'a changed file is not yet what calls get');
  await act('activate', { flow: 'mini', percent: 50 });
  const second = desk.versions['mini (50 %)'] ?? '';
  const got = Array.from({ length: 200 }, (_, i) => desk.get('mini', '2026-11-20', `call-${i}`)?.version);
  t.ok(got.includes(first) && got.includes(second) && second !== first);
  await act('activate', { flow: 'mini' });
  t.equal(desk.get('mini', '2026-11-20', 'call-1')?.version, second);
  t.equal(desk.get('mini', '2026-11-20', 'call-1', first)?.version, first, 'a call that goes on after a restart');
  await act('rollback', { flow: 'mini' });
  t.equal(active(), first);
  t.strictSame(
    log,
    [
      ['activate', 100, first],
      ['reload', null, first],
      ['activate', 50, first],
      ['activate', 100, first],
      ['rollback', null, second],
    ],
    'each is logged while the old one still counts',
  );
  t.equal(told, 5);
  await t.rejects(act('rollback', { flow: 'mini' }), { code: 'FLOW_NO_VERSION' });
  await t.rejects(act('activate', { flow: 'none' }), { code: 'CONFIG_INVALID', message: /expected one of: mini/ });
  await t.rejects(act('activate', { flow: 'mini', percent: 0 }), { code: 'CONFIG_INVALID' });
  await writeFile(file, MINI.replace('end: hangup', 'transfer: nobody'));
  await t.rejects(act('reload'), { message: /desk 'nobody'/ }, 'a flow without its desk changes nothing');
  t.equal(active(), first);
  await writeFile(file, MINI);
  await rm(join(folder, 'flows', '.versions', 'mini'), { recursive: true });
  await act('reload');
  t.equal(
    running?.step(state, { t: 'heard', text: 'four', confidence: 1 })[1].some((effect) => effect.t === 'end'),
    true,
    'the running call goes on',
  );
  t.equal(desk.get('mini', '2026-11-20', 'call-1')?.version, first, 'a version that was deleted stays for this process');
  const next = await FlowDesk.open({ config: await loadConfig(config), hasModel: false, logger });
  t.ok(next.get('mini', '2026-11-20', 'call-1'), 'a new start takes the file');
  t.strictSame(warnings, ['a version of a flow cannot be used'], 'and says so');
  t.match(await act('list'), { flows: [{ flow: 'mini', active: first }] });
});

test('synthetic callers: every manner comes to its end, differently each time; a model plays the caller', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-callers-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'mini.yaml'), MINI);
  const personas = ['calm', 'hasty', 'chatty', 'mumbling', 'silent', 'forgetful', 'contrary'];
  const test = (persona: string, more = ''): string =>
    `  - name: ${persona}\n    caller: { persona: ${persona}, wants: hello, knows: { number: four }${more} }\n    ended: done\n`;
  await writeFile(join(folder, 'mini.test.yaml'), `tests:\n${personas.map((one) => test(one)).join('')}`);
  const lines: string[] = [];
  t.equal(await simulate({ flow: 'mini', directory: folder, times: 10, print: (line) => lines.push(line) }), 0, lines.join('\n'));
  t.equal(lines.at(-1), 'mini: 70 conversations, 0 failed');
  await writeFile(join(folder, 'mini.test.yaml'), `tests:\n${test('hasty', ', goal: order four').replace('number: four', 'number: nine')}`);
  const report = join(folder, 'report.html');
  const played = (says: string): Promise<number> => {
    const time = new ManualTime();
    const callerModel = new ScriptedModel({
      timers: time,
      script: () => [{ delta: { t: 'text', text: says } }, { delta: { t: 'done', reason: 'stop' } }],
    });
    return simulate({ flow: 'mini', directory: folder, report, callerModel, print: () => undefined });
  };
  t.equal(await played('four please'), 0);
  t.match(await readFile(report, 'utf8'), 'four please');
  t.equal(await played('HANGUP'), 1, 'who hangs up has not come to the end');
});
