/** What may be connected to. The refused places are addresses for documentation (RFC 5737, 3849): nobody is there. */
import { createSocket } from 'node:dgram';
import { request } from 'node:http';
import { get as secureGet } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { test } from 'tap';
import { loadConfig } from '../../src/config/index.ts';
import { guardEgress, isLocal, urlsIn } from '../../src/egress/index.ts';
import { destinations } from '../../src/parts/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
type Failing = { once(event: 'error', listener: (error: Error) => void): unknown };
const failure = (thing: Failing): Promise<unknown> => new Promise((done) => thing.once('error', done));

test('GDPR 28, 32, 44: every way out of the process is refused but the named ones, and counted', async (t) => {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address() as AddressInfo;
  const guard = guardEgress([{ host: 'Named.Invalid', port: 443, for: 'test' }]);
  const refused = { code: 'EGRESS_REFUSED' };
  t.match(await failure(connect(443, '192.0.2.1')), refused, 'net, port and host');
  t.match(await failure(connect({ host: '2001:db8::1', port: 443 })), refused, 'net, options, IPv6');
  t.match(await failure(connect(443, 'elsewhere.invalid')), refused, 'a name: refused before it is looked up');
  t.match(await failure(connect(444, 'named.invalid')), refused, 'the named host, another port');
  t.match(await failure(tlsConnect({ host: '192.0.2.1', port: 443 })), refused, 'tls');
  t.match(await failure(request('http://192.0.2.1/')), refused, 'http');
  t.match(await failure(secureGet('https://192.0.2.1/')), refused, 'https');
  await t.rejects(fetch('http://192.0.2.1/'), { cause: refused }, 'fetch');
  const udp = createSocket('udp4');
  t.match(await new Promise((done) => udp.send('x', 53, '192.0.2.1', done)), refused, 'udp');
  t.match(await new Promise((done) => udp.send(Buffer.from('xyz'), 1, 1, 53, '192.0.2.1', done)), refused, 'udp, sliced');
  const failing = failure(udp);
  udp.connect(53, '192.0.2.1');
  t.match(await failing, refused, 'udp, connected');
  await new Promise<void>((done) => udp.send('x', port, '127.0.0.1', () => done()));
  udp.close();

  t.equal(guard.refused, 11);
  t.strictSame(
    guard.take().map(({ host, port: at, transport, refused: times }) => `${transport} ${host}:${at} x${times}`),
    [
      'tcp 192.0.2.1:443 x3',
      'tcp 2001:db8::1:443 x1',
      'tcp elsewhere.invalid:443 x1',
      'tcp named.invalid:444 x1',
      'tcp 192.0.2.1:80 x2',
      'udp 192.0.2.1:53 x3',
    ],
  );
  t.strictSame(guard.take(), [], 'each is said once');

  const named = (await failure(connect(443, 'named.invalid'))) as { code?: string };
  t.not(named.code, 'EGRESS_REFUSED', 'the named place is tried, and there is none');
  await new Promise<void>((done) => connect(port, '127.0.0.1', done));
  await new Promise<void>((done) => connect({ port, host: 'localhost' }, done));
  await new Promise<void>((done) => connect({ port }, done));
  t.match(await failure(connect('/nowhere/socket')), { code: 'ENOENT' }, 'a Unix socket stays here');
  t.match(await failure(connect({ path: '/nowhere/socket' })), { code: 'ENOENT' });
  t.equal(guard.refused, 11);

  for (let n = 0; n < 150; n++) await failure(connect(443, `host-${n}.invalid`));
  const many = guard.take();
  t.equal(many.length, 101, 'the log is not filled by one that tries many places');
  t.match(many.at(-1), { host: 'others', refused: 50 });
  guard.close();
  t.not(((await failure(connect(443, 'elsewhere.invalid'))) as { code?: string }).code, 'EGRESS_REFUSED', 'the guard is gone');
  server.close();
});

test('two services in one process: each names its own places', async (t) => {
  const one = guardEgress([{ host: 'one.invalid', port: 1, for: 'x' }]);
  const two = guardEgress([{ host: 'two.invalid', port: 2, for: 'x' }]);
  const code = async (port: number, host: string): Promise<unknown> => ((await failure(connect(port, host))) as { code?: string }).code;
  t.not(await code(1, 'one.invalid'), 'EGRESS_REFUSED');
  one.close();
  t.equal(await code(1, 'one.invalid'), 'EGRESS_REFUSED');
  t.not(await code(2, 'two.invalid'), 'EGRESS_REFUSED');
  two.close();
});

test('what stays on this machine', (t) => {
  for (const host of ['localhost', 'a.localhost', '127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::ffff:127.0.0.1'])
    t.ok(isLocal(host), host);
  for (const host of ['10.0.0.1', 'localhost.example', '::ffff:192.0.2.1', '2001:db8::1', '128.0.0.1']) t.notOk(isLocal(host), host);
  t.end();
});

test('the list comes from the configuration', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-egress-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const load = async (yaml: string) => {
    await writeFile(join(folder, 'c.yaml'), yaml);
    return loadConfig(join(folder, 'c.yaml'), { root: ROOT });
  };
  t.strictSame(await destinations(await load(''), new Map()), [], 'zero egress by default');
  await writeFile(join(folder, 'url'), 'postgresql://u:p@db1.example:5433,db2.example/parley\n');
  await writeFile(join(folder, 'socket'), 'postgresql://u:p@/parley?host=%2Frun%2Fpg\n');
  await writeFile(join(folder, 'secret'), 'x\n');
  const config = await load(`
pbx: { url: "https://pbx.example:8089", passwordFile: "${folder}/secret" }
store: { urlFile: "${folder}/url", auditorUrlFile: "${folder}/socket" }
tools: { http: { crm.example: {} } }
audit: { anchorSyslog: { host: logs.example, caFile: "${folder}/secret" } }`);
  const flows = new Map([
    [
      'booking',
      {
        tools: {
          crm: { url: 'https://crm.example/x/{number}' },
          any: { url: 'https://{host}/' },
          other: { url: 'https://unlisted.example/' },
        },
        say: 'see https://a.example',
      },
    ],
  ]);
  t.strictSame(await destinations(config, flows), [
    { host: 'pbx.example', port: 8089, for: 'pbx.url' },
    { host: 'crm.example', port: 443, for: 'flow.booking.tools.crm.url' },
    { host: 'logs.example', port: 6514, for: 'audit.anchorSyslog' },
    { host: 'db1.example', port: 5433, for: 'store.urlFile' },
    { host: 'db2.example', port: 5432, for: 'store.urlFile' },
  ]);
  t.strictSame(urlsIn({ a: ['ws://x:1/y', 'ftp://x', 'http://'] }, 'k'), [{ host: 'x', port: 1, for: 'k.a.0' }]);
});

test('GDPR 32, section 201 StGB: the service unit is the second wall: no other address, no core file, no swap, nothing to write to', async (t) => {
  const text = await readFile(join(ROOT, 'scripts/parley.service'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  for (const needed of [
    ...['IPAddressDeny=any', 'IPAddressAllow=localhost', 'LimitCORE=0', 'MemorySwapMax=0', 'NoNewPrivileges=yes', 'ProtectSystem=strict'],
    ...['CapabilityBoundingSet=', 'SystemCallFilter=@system-service', 'UMask=0077', 'KillMode=mixed', 'RestartPreventExitStatus=78'],
  ])
    t.ok(lines.includes(needed), needed);
  const limit = (key: string): number => Number.parseInt(lines.find((line) => line.startsWith(`${key}=`))?.split('=')[1] ?? '', 10);
  t.ok(limit('MemoryHigh') > 0 && limit('MemoryHigh') < limit('MemoryMax'), 'it has bounds of memory');
  t.ok(limit('TimeoutStopSec') > 30, 'it waits for open calls: longer than gateway.drainSeconds by default');
  // What systemd itself says of it, where there is one.
  const file = join(t.testdir(), 'parley.service');
  await writeFile(file, text.replace('/usr/bin/node', process.execPath));
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  const rated = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=25', file], { encoding: 'utf8' });
  if (verified.error === undefined) {
    t.equal(verified.status, 0, verified.stderr);
    t.equal(verified.stderr, '');
    t.equal(rated.status, 0, 'exposure of at most 2.5');
  }
});
