/** The command line as an admin meets it: exit codes, one line per mistake, nothing half-started. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { health } from '../../src/cli/live.ts';
import { freeTcpPort } from '../support/asterisk.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
  return { child, ended, output: () => stdout };
}

const parley = (...args: string[]): Promise<Ended> => start(args).ended;

async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (let i = 0; i < 300; i++) {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

test('the command line', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-cli-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const write = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  /** Nothing that the service makes is there. */
  const untouched = async (before: readonly string[]): Promise<string[]> =>
    (await readdir(folder)).filter((name) => !before.includes(name));

  await t.test('1. every mistake in the configuration is one line, exit 78, and nothing is started', async (t) => {
    const cases: readonly [name: string, text: string | null, expected: readonly RegExp[]][] = [
      ['missing', null, [/missing\.yaml: .*does not exist/]],
      ['syntax', 'gateway: { name: a\nhttp: {', [/syntax\.yaml:\d+: /]],
      ['unknown', 'gateway: { name: a }\nhttp: { prt: 1234 }\n', [/unknown\.yaml:2: http\.prt: .*port/]],
      [
        'type',
        'gateway: { name: a }\nmedia: { maxCalls: many }\nhttp: { port: 99999 }\n',
        [/type\.yaml:2: media\.maxCalls: /, /type\.yaml:3: http\.port: /],
      ],
      ['secret', 'gateway: { name: a }\npbx: { password: hunter2 }\n', [/secret\.yaml:2: pbx\.password: .*passwordFile/]],
    ];
    for (const [name, text, expected] of cases) {
      const file = text === null ? join(folder, `${name}.yaml`) : await write(`${name}.yaml`, text);
      const before = await readdir(folder);
      for (const command of ['serve', 'check']) {
        const { code, stderr, stdout } = await parley(command, '--config', file);
        t.equal(code, 78, `${command} ${name}: exit 78`);
        const lines = stderr.trimEnd().split('\n');
        for (const pattern of expected)
          t.ok(
            lines.some((line) => pattern.test(line)),
            `${command} ${name}: ${lines.join(' | ')}`,
          );
        t.notMatch(stderr, /hunter2|^\s+at /m, 'no secret and no stack');
        t.equal(stdout, '', 'nothing else is said');
      }
      t.same(await untouched(before), [], `${name}: nothing is made`);
    }
  });

  const config = async (name: string, more: string): Promise<{ file: string; port: number }> => {
    const port = await freeTcpPort();
    await write('password', 'not-the-password');
    await write('url', 'postgresql://gw_writer:x@127.0.0.1:1/parley');
    const file = await write(
      `${name}.yaml`,
      `gateway: { name: ${name} }
pbx: { private: false, url: "http://127.0.0.1:1", passwordFile: "${join(folder, 'password')}" }
media: { ports: "28000-28199" }
desks: { host: { context: parley-desks, extension: "100" } }
audit: { spoolDirectory: "${join(folder, `${name}-spool`)}" }
store: { urlFile: "${join(folder, 'url')}" }
${more.replace('PORT', String(port))}`,
    );
    return { file, port };
  };

  await t.test('2. a port in use is exit 78 and one line', async (t) => {
    const { file, port } = await config('taken', `http: { port: PORT, tokenFile: "${join(folder, 'token')}" }\n`);
    const other = createServer();
    await new Promise<void>((listening) => other.listen(port, '127.0.0.1', listening));
    t.teardown(() => other.close());
    const { code, stderr } = await parley('serve', '--config', file);
    t.equal(code, 78);
    t.match(stderr.trimEnd(), new RegExp(`^PORT_IN_USE: http: 127.0.0.1:${port} is in use`));
    t.equal(stderr.trimEnd().split('\n').length, 1);
  });

  await t.test('3. a desk that no configuration has is found by check', async (t) => {
    const file = await write('desks.yaml', 'gateway: { name: a }\n');
    const { code, stderr } = await parley('check', '--config', file);
    t.equal(code, 78);
    t.match(stderr, /desks\.yaml: desks\.host: flow 'booking' transfers to desk 'host'/);
  });

  await t.test('3b. a model of the voice detector that is not there is found by check, with file, line and key', async (t) => {
    const file = await write('voice.yaml', 'gateway: { name: a }\nvad:\n  model: models/vad/gone.onnx\n');
    const { code, stdout, stderr } = await parley('check', '--config', file);
    t.equal(code, 78);
    t.equal(stdout, '');
    t.match(stderr, /voice\.yaml:3: vad\.model: names .*models\/vad\/gone\.onnx, which does not exist/);
  });

  await t.test('3c. models verify hashes the detector that comes with Parley', async (t) => {
    const { code, stdout } = await parley('models', 'verify', 'silero-vad-v6');
    t.equal(code, 0);
    t.equal(stdout, 'ok       models/vad/silero-vad-v6.onnx\n');
  });

  await t.test('4. check of a good configuration says so', async (t) => {
    const { file } = await config('good', `http: { port: PORT, tokenFile: "${join(folder, 'token')}" }\n`);
    const { code, stdout, stderr } = await parley('check', '--config', file);
    t.equal(stderr, '');
    t.equal(code, 0);
    t.match(stdout, /^[^\n]*good\.yaml: valid\n/);
    t.match(stdout, /^flow booking: valid, version [0-9a-f]{12}$/m);
    t.match(stdout, /^flow orders: valid, .*; takes no calls, it lacks the port shop\.order of tool find_order \(tools\.ports\)/m);
  });

  await t.test('5. without Asterisk and Postgres the service says what is down, keeps its log, and ends cleanly on SIGTERM', async (t) => {
    const { file, port } = await config('alone', `http: { port: PORT, tokenFile: "${join(folder, 'token')}" }\n`);
    const { child, ended, output } = start(['serve', '--config', file]);
    let answer: Awaited<ReturnType<typeof health>> = null;
    t.ok(await until(async () => (answer = await health({ host: '127.0.0.1', port })) !== null), 'it answers');
    t.match(answer, { status: 503, body: { pbx: false, postgres: false, spool: true } });
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    t.equal(code, 0);
    t.equal(stderr, '');
    for (const line of output().trimEnd().split('\n')) t.ok(JSON.parse(line), 'every line of the log is JSON');
    t.notMatch(output(), /not-the-password/);
    t.ok(existsSync(join(folder, 'alone-spool')));
  });
});
