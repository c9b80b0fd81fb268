/** Checkpoints outside the database, against a real listener for syslog over TLS (RFC 5424, 5425). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { test } from 'tap';
import { createAudit } from '../../src/audit/index.ts';
import { readOrCreateSigner } from '../../src/audit/keys.ts';
import { noteSignedBy, readAnchors } from '../../src/audit/note.ts';
import { sendSyslog } from '../../src/audit/syslog.ts';
import { eventually, handClock, memoryStore, stepEvent } from '../support/audit.ts';
import { testAuthority } from '../support/certificates.ts';
import { keepingLogger } from '../support/quiet-log.ts';

interface Collector {
  readonly port: number;
  /** Whole messages, as octet counting cuts them. */
  readonly messages: readonly string[];
  close(): Promise<void>;
}

async function collector(options: TlsOptions): Promise<Collector> {
  const messages: string[] = [];
  const server: Server = createServer(options, (socket) => {
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('error', () => undefined);
    socket.on('end', () => messages.push(...frames(Buffer.concat(parts))));
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    close: () => new Promise((done) => server.close(() => done())),
  };
}

/** MSG-LEN SP SYSLOG-MSG, again and again. */
function frames(data: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.toString('latin1', at, space));
    found.push(data.toString('utf8', space + 1, space + 1 + length));
    at = space + 1 + length;
  }
  return found;
}

const folder = await mkdtemp(join(tmpdir(), 'parley-anchors-'));
const authority = testAuthority();
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};
const caFile = await file('ca.pem', authority.cert);
const forLocalhost = authority.issue('localhost');

test('checkpoints go to a collector, and its file is an anchor file', async (t) => {
  const collecting = await collector(forLocalhost);
  const store = memoryStore();
  const log = keepingLogger();
  const spool = join(folder, 'spool');
  const audit = createAudit({
    ...{ folder: spool, gateway: 'gw1', store, clock: handClock(), log, reservedBytes: 4096, checkpointEvents: 2 },
    anchorSyslog: { host: 'localhost', port: collecting.port, caFile },
    anchorCommand: [
      process.execPath,
      '-e',
      `process.stdin.pipe(require('fs').createWriteStream(${JSON.stringify(join(folder, 'command'))}))`,
    ],
  });
  await audit.start();
  for (const step of ['one', 'two', 'three', 'four']) {
    await audit.append(stepEvent(step));
    await audit.shipped(5000);
  }
  await audit.stop();
  await eventually(() => collecting.messages.length >= 2);
  await collecting.close();
  for (const message of collecting.messages) {
    t.match(message, /^<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z gw1 parley \d+ checkpoint - parley\.audit\/note [A-Za-z0-9+/=]+$/);
  }
  const asKept = collecting.messages.map((message) => `Nov 20 09:20:00 gw1 ${message}`).join('\nNov 20 09:20:01 other line\n');
  const { notes, garbage } = readAnchors(asKept);
  t.strictSame(garbage, []);
  t.strictSame(
    notes.map((note) => note.note),
    readAnchors(await readFile(join(spool, 'anchors.txt'), 'utf8')).notes.map((note) => note.note),
    'the same notes as in the file',
  );
  const { publicKey } = await readOrCreateSigner(join(spool, 'keys'), 'parley.audit');
  t.ok(notes.length >= 2 && notes.every(({ note }) => noteSignedBy(note, publicKey)));
  t.equal(readAnchors(await readFile(join(folder, 'command'), 'utf8')).notes.length, 1, 'the command got the last one');
  t.notOk(log.lines.some((line) => /not published/.test(line.message)));
  t.strictSame(readAnchors('x parley.audit/note AAAA').garbage, [1], 'a cut line is said');
});

test('a collector that is not the one, or none at all: said, and the log goes on', async (t) => {
  const stranger = await collector(testAuthority().issue('localhost'));
  const otherName = await collector(authority.issue('elsewhere.example'));
  const wantsOurs = await collector({ ...forLocalhost, requestCert: true, ca: authority.cert });
  const to = (port: number) => sendSyslog({ host: 'localhost', port, caFile }, 'gw1', 'line');
  await t.rejects(to(stranger.port), /syslog to localhost:\d+: .*(certificate|signature)/);
  await t.rejects(to(otherName.port), /altnames/);
  await t.rejects(to(wantsOurs.port), /syslog to localhost/, 'without a certificate of ours');
  const ours = authority.issue('gw1');
  const [certFile, keyFile] = [await file('ours.pem', ours.cert), await file('ours.key', ours.key)];
  await sendSyslog({ host: 'localhost', port: wantsOurs.port, caFile, certFile, keyFile }, 'gw1', 'line');
  await eventually(() => wantsOurs.messages.length === 1);
  for (const server of [stranger, otherName, wantsOurs]) await server.close();
  t.strictSame([stranger.messages, otherName.messages], [[], []], 'nothing was sent to the wrong ones');

  const log = keepingLogger();
  const store = memoryStore();
  const audit = createAudit({
    ...{ folder: join(folder, 'spool2'), gateway: 'gw1', store, clock: handClock(), log, reservedBytes: 4096, checkpointEvents: 1 },
    anchorSyslog: { host: 'localhost', port: stranger.port, caFile },
  });
  await audit.start();
  await audit.append(stepEvent('one'));
  t.ok(await audit.shipped(5000));
  await eventually(() => log.lines.some((line) => /checkpoint was not published/.test(line.message)));
  await audit.stop();
  t.equal(readAnchors(await readFile(join(folder, 'spool2/anchors.txt'), 'utf8')).notes.length, 1, 'the file has it');
  t.ok(store.events.length >= 1);
});

test('the last one turns out the light', () => rm(folder, { recursive: true }));
