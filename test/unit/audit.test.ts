import { spawn } from 'node:child_process';
import { createPublicKey, randomUUID, verify } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'tap';
import { createAudit, formatReport, verifySpool, type Audit, type AuditOptions } from '../../src/audit/index.ts';
import { dayNumber, dayOf, eventHash, genesisHash, sha256, type EventParts } from '../../src/audit/chain.ts';
import { checkSignature, readOrCreateSigner, readPublicKey } from '../../src/audit/keys.ts';
import { noteSignedBy, readAnchors, readNote, writeNote } from '../../src/audit/note.ts';
import { decodeFrame, encodeFrame, findFrame } from '../../src/audit/spool-format.ts';
import { fromRow } from '../../src/audit/stored-event.ts';
import { StreamWalk } from '../../src/audit/stream-walk.ts';
import { additionalData, decrypt, encrypt, normaliseNumber, numberMac } from '../../src/audit/vault.ts';
import { Verifier } from '../../src/audit/verifier.ts';
import type { ParleyError } from '../../src/contracts/index.ts';
import type { EventRow } from '../../src/store/index.ts';
import { eventually, handClock, memoryStore, stepEvent, type HandClock, type MemoryStore } from '../support/audit.ts';
import { buildPowerCut, saidBy } from '../support/power-cut.ts';
import { ackedIn, powerLife, wrongAfter } from '../support/power-life.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { seeded } from '../support/seeded.ts';

const STREAM = '0d0c9f3a-5b1e-4c6e-9a44-7a1f0c2b3d4e';
const folderOf = (): Promise<string> => mkdtemp(join(tmpdir(), 'parley-audit-'));

// The three digests were computed by another program in another language from the layout in docs/audit-log.md.
test('golden hashes', (t) => {
  const genesis = genesisHash({
    streamId: STREAM,
    writer: 'gw1/3f9a2c1d',
    ordinal: 7,
    day: '2026-11-20',
    prevLastSeq: 41,
    prevLastHash: Buffer.alloc(32, 0xab),
  });
  t.equal(genesis.toString('hex'), 'e48d7d156e1ba8f665ea8a498004effde93166608c607e387e764cd9c07ab380');
  const first = eventHash(genesis, {
    ...{ streamId: STREAM, seq: 1, tsUs: 1795168800123456, monoUs: 987654321, callId: null, subjectId: null },
    ...{ type: 'gateway.started', body: '{"version":"0.1.0"}', payloadSha256: null },
  });
  t.equal(first.toString('hex'), '07e64e19e6ac6abb1a8aff6052a4cf91f013e263f67d6121998ae091ecf0e775');
  const second = eventHash(first, {
    ...{ streamId: STREAM, seq: 2, tsUs: 1795168801123456, monoUs: 988654321, type: 'agent.said', body: '{"prompt":"größe ☎"}' },
    ...{
      callId: '11111111-2222-4333-8444-555555555555',
      subjectId: '99999999-8888-4777-a666-555555555555',
      payloadSha256: Buffer.alloc(32, 0xcd),
    },
  });
  t.equal(second.toString('hex'), '41b75a9de894fea52ec0abf05c4954dc58833d0027e66d0f53b07c531cc3688a');
  t.equal(dayOf(1795168800123456), '2026-11-20');
  t.equal(dayNumber('1970-01-02'), 1);
  t.throws(
    () =>
      eventHash(first, {
        streamId: 'x',
        seq: 1,
        tsUs: 0,
        monoUs: 0,
        callId: null,
        subjectId: null,
        type: '',
        body: '',
        payloadSha256: null,
      }),
    RangeError,
  );
  t.end();
});

const hash32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const parts: fc.Arbitrary<EventParts> = fc.record({
  streamId: fc.uuid(),
  seq: fc.integer({ min: 1, max: 2 ** 40 }),
  tsUs: fc.integer({ min: -(2 ** 50), max: 2 ** 52 }),
  monoUs: fc.integer({ min: 0, max: 2 ** 50 }),
  callId: fc.option(fc.uuid()),
  subjectId: fc.option(fc.uuid()),
  type: fc.string(),
  body: fc.string(),
  payloadSha256: fc.option(hash32),
});

test('every part is under the hash, and no boundary between parts can move', (t) => {
  fc.assert(
    fc.property(hash32, parts, parts, (prev, a, b) => {
      for (const key of Object.keys(a) as (keyof EventParts)[]) {
        const changed = { ...a, [key]: b[key] };
        const same = key === 'payloadSha256' ? String(a[key]) === String(b[key]) : a[key] === b[key];
        if (eventHash(prev, a).equals(eventHash(prev, changed)) !== same) return false;
      }
      const [x, y] = [a.type, a.body];
      return x === '' || !eventHash(prev, a).equals(eventHash(prev, { ...a, type: x.slice(0, -1), body: x.slice(-1) + y }));
    }),
    { numRuns: 200 },
  );
  t.end();
});

function chainOf(count: number): { genesis: Buffer; events: EventRow[] } {
  const genesis = sha256('start');
  const events: EventRow[] = [];
  for (let seq = 1; seq <= count; seq++) {
    const event = {
      ...{ streamId: STREAM, day: '2026-11-20', seq, tsUs: 1_000_000 * seq, monoUs: 1_000_000 * seq, callId: null, subjectId: null },
      ...{ type: 'step.entered', body: JSON.stringify({ step: String(seq) }), payloadSha256: null },
    };
    events.push({ ...event, hash: eventHash(events.at(-1)?.hash ?? genesis, event) });
  }
  return { genesis, events };
}

function walk(genesis: Buffer, events: readonly EventRow[]): string[] {
  const kinds: string[] = [];
  const stream = new StreamWalk(genesis, (kind, seq) => kinds.push(`${kind} ${String(seq)}`));
  for (const event of events) stream.add(fromRow(event));
  stream.end();
  return kinds;
}

test('a walk finds nothing in a whole chain in any order of its rows, and something in every damaged one', (t) => {
  const { genesis, events } = chainOf(12);
  t.same(walk(genesis, events), []);
  fc.assert(
    fc.property(fc.shuffledSubarray(events, { minLength: 12, maxLength: 12 }), (rows) => walk(genesis, rows).length === 0),
    { numRuns: 300 },
  );
  // All but the last: a cut tail is what pins and anchors are for.
  fc.assert(
    fc.property(
      fc.shuffledSubarray(events, { minLength: 12, maxLength: 12 }),
      fc.integer({ min: 0, max: 10 }),
      fc.constantFrom('body', 'drop', 'time', 'twice'),
      (rows, at, how) => {
        const victim = events[at]!;
        const damaged = rows.flatMap((row) => {
          if (row !== victim) return [row];
          if (how === 'drop') return [];
          if (how === 'twice') return [row, row];
          return [how === 'body' ? { ...row, body: '{}' } : { ...row, tsUs: row.tsUs - 60_000_000 }];
        });
        return walk(genesis, damaged).length > 0;
      },
    ),
    { numRuns: 300 },
  );
  t.same(
    walk(
      genesis,
      events.filter((e) => e.seq < 4 || e.seq > 6),
    ),
    ['gap 7'],
  );
  t.end();
});

test('a verifier names the place: clocks, days, unknown streams, rows that say they are registered', (t) => {
  const streamId = randomUUID();
  const row = { streamId, writer: 'gw/1', ordinal: 1, day: '2026-11-20', prevLastSeq: 0, prevLastHash: Buffer.alloc(32) };
  const genesis = genesisHash(row);
  const verifier = new Verifier({ publicKeys: [], anchors: [] });
  verifier.addStream({ ...row, genesis, sig: Buffer.alloc(64) });
  const event = (seq: number, prev: Buffer, more: Partial<EventRow>): EventRow => {
    const base = {
      streamId,
      day: row.day,
      seq,
      tsUs: seq * 1000,
      monoUs: seq * 1000,
      callId: null,
      subjectId: null,
      type: 'x',
      body: '{}',
      payloadSha256: null,
      ...more,
    };
    return { ...base, hash: eventHash(prev, base) };
  };
  const first = event(1, genesis, {});
  const second = event(2, first.hash, { tsUs: 10_000_000 });
  const third = event(3, second.hash, { tsUs: 20_000_000, type: 'clock.step' });
  const fourth = event(4, third.hash, { tsUs: 20_001_000, monoUs: 1000, day: '2026-12-01' });
  for (const e of [first, second, third, fourth, { ...first, streamId: randomUUID() }]) verifier.addEvent(fromRow(e));
  verifier.addStream({ ...row, streamId: randomUUID(), ordinal: 4, genesis, sig: Buffer.alloc(64) });
  const report = verifier.finish();
  t.same(
    report.findings.map((f) => `${f.kind} ${String(f.seq)}`),
    ['clock-jump 2', 'wrong-day 4', 'clock-back 4', 'unknown-stream 1', 'register-changed null', 'stream-missing null'],
  );
  t.match(formatReport(report), /FAILED: 6 findings/);
  t.end();
});

test('checkpoints are signed notes that any other tool can check', async (t) => {
  const folder = await folderOf();
  const signer = await readOrCreateSigner(folder, 'parley.audit');
  t.equal((await stat(join(folder, 'signing.key'))).mode & 0o777, 0o600, 'the private key is ours alone');
  const checkpoint = {
    writer: 'gw/1',
    streamId: STREAM,
    ordinal: 3,
    day: '2026-11-20',
    seq: 10,
    hash: sha256('head'),
    tsUs: 1795166400000000,
  };
  const note = writeNote(checkpoint, signer);
  t.match(readNote(note), checkpoint);
  t.ok(noteSignedBy(note, signer.publicKey));
  t.notOk(noteSignedBy(note.replace('\n10\n', '\n11\n'), signer.publicKey), 'the whole text is signed');
  t.notOk(noteSignedBy(note, Buffer.alloc(32, 1)));
  const [text = '', signature = ''] = note.split('\n— parley.audit ');
  const pem = createPublicKey(await readFile(join(folder, 'signing.pub.pem'), 'utf8'));
  t.ok(verify(null, Buffer.from(text), pem, Buffer.from(signature, 'base64').subarray(4)), 'with plain Ed25519 over the text');
  t.same(await readPublicKey(join(folder, 'signing.vkey')), signer.publicKey);
  t.same(await readPublicKey(join(folder, 'signing.pub.pem')), signer.publicKey);
  const again = await readOrCreateSigner(folder, 'parley.audit');
  t.same(again.publicKey, signer.publicKey, 'made once');
  await writeFile(join(folder, 'bad.vkey'), 'gw+00+AAAA\n');
  await t.rejects(readPublicKey(join(folder, 'bad.vkey')), { code: 'CONFIG_INVALID' });
  t.same([readNote(''), readNote(note.slice(0, 40)), readNote(note.replace('stream', 'tree'))], [null, null, null]);
  const read = readAnchors(`${note}${note}scribble\n\n— me AAAA\n${note}left over`);
  t.equal(read.notes.length, 3);
  t.equal(read.garbage.length, 2);
  for (let cut = 1; cut < note.indexOf('— '); cut++) {
    const torn = readAnchors(`${note}${note.slice(0, cut)}\n${note}${note}`);
    t.same([torn.notes.length, torn.garbage.length], [3, 1], 'a note that a power cut has cut off takes no other along');
  }
  t.equal(checkSignature(signer.publicKey, Buffer.from('x'), Buffer.alloc(3)), false);
});

test('frames: what was not written as it is cannot be read', (t) => {
  const key = Buffer.alloc(32, 7);
  const first = encodeFrame(key, 1, 'one');
  const second = encodeFrame(key, 2, 'two');
  const data = Buffer.concat([first, second]);
  t.match(decodeFrame(key, data, 0, 0), { t: 'frame', number: 1, text: 'one', bytes: first.length });
  t.match(decodeFrame(key, data, first.length, 1), { t: 'frame', text: 'two' });
  t.equal(decodeFrame(key, data, 0, 1).t, 'bad', 'a repeated frame');
  t.equal(decodeFrame(Buffer.alloc(32), data, 0, 0).t, 'bad', 'another key');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: first.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(data);
      damaged[at]! ^= flip;
      return decodeFrame(key, damaged, 0, 0).t !== 'frame' && findFrame(key, damaged, 1, 0) === first.length;
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: first.length - 1 }), (length) => decodeFrame(key, first.subarray(0, length), 0, 0).t === 'short'),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => decodeFrame(key, Buffer.from(bytes), 0, 0).t !== 'frame'));
  t.end();
});

test('vault: a payload opens only in its place, a number is found only with the key', (t) => {
  const key = Buffer.alloc(32, 9);
  const place = { streamId: STREAM, seq: 5, type: 'agent.said' };
  const sealed = encrypt(key, Buffer.from('words'), additionalData(place));
  t.equal(decrypt(key, sealed, additionalData(place)).toString(), 'words');
  t.throws(() => decrypt(key, sealed, additionalData({ ...place, seq: 6 })));
  t.throws(() => decrypt(Buffer.alloc(32), sealed, additionalData(place)));
  t.equal(normaliseNumber('0049 (30) 123-45'), '+493012345');
  t.same(numberMac(key, '+49 30 12345'), numberMac(key, '00493012345'));
  t.equal(numberMac(key, 'anonymous'), null);
  t.end();
});

interface Bench {
  readonly folder: string;
  readonly store: MemoryStore;
  readonly clock: HandClock;
  readonly open: (more?: Partial<AuditOptions>) => Promise<Audit>;
}

async function bench(state: 'up' | 'down' = 'up'): Promise<Bench> {
  const folder = await folderOf();
  const store = memoryStore(state);
  const clock = handClock();
  const open = async (more: Partial<AuditOptions> = {}): Promise<Audit> => {
    const audit = createAudit({ folder, gateway: 'gw1', store, clock, log: keepingLogger(), reservedBytes: 4096, ...more });
    await audit.start();
    return audit;
  };
  return { folder, store, clock, open };
}

function verifyMemory(store: MemoryStore): ReturnType<Verifier['finish']> {
  const verifier = new Verifier({ publicKeys: [], anchors: [] });
  for (const row of store.streams) verifier.addStream(row);
  for (const row of store.checkpoints) verifier.addCheckpoint(row);
  for (const row of store.events) verifier.addEvent(fromRow(row));
  return verifier.finish();
}

test('events are chained in call order, shipped in order, and a restart pins what was before', async (t) => {
  const { store, clock, open } = await bench();
  const first = await open();
  await Promise.all(Array.from({ length: 50 }, (_, n) => first.append(stepEvent(String(n)))));
  t.ok(first.healthy);
  await first.stop();
  await t.rejects(first.append(stepEvent('late')), { code: 'SPOOL_FAILED' });
  t.same(
    store.events.map((e) => (JSON.parse(e.body) as { step: string }).step),
    Array.from({ length: 50 }, (_, n) => String(n)),
  );
  clock.pass(5000);
  const second = await open();
  await second.append(stepEvent('after'));
  await second.stop();
  t.equal(store.streams.length, 2);
  t.same([store.streams[1]?.ordinal, store.streams[1]?.prevLastSeq], [2, 50]);
  t.same(store.streams[1]?.prevLastHash, store.events[49]?.hash);
  const report = verifyMemory(store);
  t.ok(report.ok, formatReport(report));
  t.ok(store.checkpoints.length >= 2, 'the end of a stream is always checkpointed');
});

test('checkpoints go where a command takes them; an anchor that fails does not stop the log', async (t) => {
  const { folder, store, open } = await bench();
  const sink = join(folder, 'sink');
  const first = await open({ anchorCommand: ['sh', '-c', 'cat >> "$0"', sink] });
  await first.append(stepEvent('one'));
  await first.stop();
  t.equal(readAnchors(await readFile(sink, 'utf8')).notes.length, 1);
  t.same(await readFile(sink), await readFile(join(folder, 'anchors.txt')));
  for (const anchorCommand of [['false'], [join(folder, 'no-such-program')]]) {
    const log = keepingLogger();
    const audit = await open({ anchorCommand, log });
    await audit.append(stepEvent('more'));
    await audit.stop();
    t.ok(log.lines.some((line) => /checkpoint was not published/.test(line.message)));
  }
  t.ok(verifyMemory(store).ok);
  const anchors = join(folder, 'anchors.txt');
  t.equal(readAnchors(await readFile(anchors, 'utf8')).notes.length, 3, 'the file got them all');
  await truncate(anchors, (await stat(anchors)).size - 150);
  const after = await open();
  await after.append(stepEvent('after a power cut'));
  await after.stop();
  t.match(readAnchors(await readFile(anchors, 'utf8')), { notes: { length: 3 }, garbage: { length: 1 } }, 'on a line of its own');
});

test('midnight UTC opens the next stream; a clock that was set is said before the event', async (t) => {
  const { store, clock, open } = await bench();
  const audit = await open();
  await audit.append(stepEvent('day one'));
  clock.pass(14.7 * 3_600_000);
  await audit.append(stepEvent('day two'));
  clock.set(3_600_000);
  clock.pass(10);
  await audit.append(stepEvent('set forward'));
  clock.set(-7_200_000);
  await audit.append(stepEvent('set back over midnight'));
  await audit.stop();
  t.same(
    store.streams.map((s) => s.day),
    ['2026-11-20', '2026-11-21', '2026-11-20'],
  );
  t.same(
    store.events.map((e) => e.type),
    ['step.entered', 'step.entered', 'clock.step', 'step.entered', 'step.entered'],
  );
  t.match(JSON.parse(store.events[2]?.body ?? ''), { stepMs: 3_600_000 });
  const report = verifyMemory(store);
  t.ok(report.ok, formatReport(report));
});

test('Postgres away: the log goes on, and everything arrives once it is back, in order and once', async (t) => {
  const { store, open } = await bench('down');
  const audit = await open({ segmentBytes: 2048, batchEvents: 7 });
  for (let n = 0; n < 60; n++) await audit.append(stepEvent(String(n)));
  t.equal(audit.backlog, 60);
  t.ok(audit.healthy, 'an outage is no failure of the log');
  store.turn('up');
  await eventually(() => audit.backlog === 0);
  store.turn('down');
  await audit.append(stepEvent('60'));
  store.turn('up');
  await eventually(() => audit.backlog === 0);
  await audit.stop();
  t.same(
    store.events.map((e) => e.seq),
    Array.from({ length: 61 }, (_, n) => n + 1),
  );
  t.ok(verifyMemory(store).ok);
});

test('a torn last write is dropped, said, and no finding', async (t) => {
  const { folder, store, open } = await bench();
  const audit = await open();
  await audit.append(stepEvent('kept'));
  await audit.stop();
  const path = join(folder, (await readdir(folder)).find((name) => name.endsWith('.spool')) ?? '');
  for (const tail of [Buffer.from('PFRM\0\0\0\x09\0\0\x01\0half a frame'), Buffer.alloc(300), Buffer.from([80])]) {
    await appendTo(path, tail);
    t.ok((await verifySpool({ folder })).ok, 'a torn end was never acknowledged');
    const size = (await stat(path)).size;
    const again = await open();
    t.equal(again.replay?.tornBytes, tail.length);
    t.same(again.replay?.corrupt, []);
    t.equal((await stat(path)).size, size - tail.length);
    await again.stop();
    await removeAllBut(folder, path);
  }
  t.ok(store.events.some((e) => e.type === 'spool.recovered'));
});

async function appendTo(path: string, tail: Buffer): Promise<void> {
  const file = await open(path, 'a');
  await file.write(tail);
  await file.close();
}

/** Leaves the oldest segment as the newest, so that its end can be torn again. */
async function removeAllBut(folder: string, path: string): Promise<void> {
  for (const name of await readdir(folder)) if (name.endsWith('.spool') && join(folder, name) !== path) await rm(join(folder, name));
}

test('damage in the middle of the spool is found, skipped and shows as a gap; the log goes on', async (t) => {
  const { folder, store, open: start } = await bench('down');
  const audit = await start();
  for (let n = 0; n < 20; n++) await audit.append(stepEvent(String(n)));
  await audit.stop();
  const path = join(folder, '00000001.spool');
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at]! ^= 0xff;
  await writeFile(path, bytes);
  const spool = await verifySpool({ folder });
  t.match(
    spool.findings.map((f) => f.kind),
    ['spool-damaged', 'gap'],
  );
  const log = keepingLogger();
  const again = createAudit({ folder, gateway: 'gw1', store, clock: handClock(), log, reservedBytes: 4096 });
  await again.start();
  t.equal(again.replay?.corrupt.length, 1);
  t.ok(log.lines.some((line) => line.fields['code'] === 'SPOOL_CORRUPT'));
  store.turn('up');
  await again.append(stepEvent('after'));
  await eventually(() => again.backlog === 0 || store.events.some((e) => e.type === 'spool.recovered'));
  await again.stop();
  const report = verifyMemory(store);
  t.same(
    report.findings.map((f) => f.kind),
    ['gap'],
  );
  t.same(store.events.map((e) => e.type).slice(-2), ['spool.recovered', 'step.entered']);
  await writeFile(path, Buffer.alloc(100, 1));
  t.match((await verifySpool({ folder })).findings[0], { kind: 'spool-damaged' });
});

test('the bound: ordinary events are refused, the end of calls still fits, room comes back', async (t) => {
  const { store, open } = await bench('down');
  const audit = await open({ maxBytes: 24 * 1024, reservedBytes: 8 * 1024, segmentBytes: 4096 });
  let refused = 0;
  for (let n = 0; n < 200; n++)
    await audit.append(stepEvent(String(n))).catch((error: unknown) => (refused += (error as ParleyError).code === 'SPOOL_FAILED' ? 1 : 0));
  t.ok(refused > 100);
  t.ok(audit.full);
  t.notOk(audit.healthy);
  const body = { outcome: 'done', reason: 'normal', durationMs: 1, turns: 0, packetsReceived: 0, packetsSent: 0, dropped: 0 };
  await audit.append({ type: 'call.ended', callId: randomUUID(), body });
  store.turn('up');
  await eventually(() => !audit.full);
  await audit.append(stepEvent('room again'));
  await audit.stop();
  t.equal(store.events.filter((e) => e.type === 'spool.full').length, 1);
  t.ok(verifyMemory(store).ok);
});

test('a write that fails refuses the events and leaves the chain as it was', async (t) => {
  const { folder, store, open } = await bench();
  const audit = await open({ segmentBytes: 300 });
  await audit.append(stepEvent('one'));
  await audit.append(stepEvent('two'));
  const away = `${folder}-away`;
  await rename(folder, away);
  const results = await Promise.allSettled([audit.append(stepEvent('lost')), audit.append(stepEvent('lost too'))]);
  t.same(
    results.map((r) => (r.status === 'rejected' ? (r.reason as ParleyError).code : r.status)),
    ['SPOOL_FAILED', 'SPOOL_FAILED'],
  );
  t.notOk(audit.healthy);
  await rename(away, folder);
  await audit.append(stepEvent('three'));
  t.ok(audit.healthy);
  await audit.stop();
  t.same(
    store.events.map((e) => (JSON.parse(e.body) as { step: string }).step),
    ['one', 'two', 'three'],
  );
  t.ok(verifyMemory(store).ok);
});

for (const code of ['EROFS', 'EIO', 'EDQUOT', 'ENOSPC']) {
  test(`a disk that says ${code}, also in the middle of a write: refused, and the chain goes on when it is well again`, async (t) => {
    const { store, open } = await bench();
    const audit = await open();
    await audit.append(stepEvent('one'));
    const sick = await sickDisk(code);
    for (const halfway of [false, true]) {
      sick.begin(halfway);
      const lost = await Promise.allSettled([audit.append(stepEvent('lost')), audit.append(stepEvent('lost too'))]);
      sick.end();
      t.same(
        lost.map((each) => (each.status === 'rejected' ? (each.reason as ParleyError).code : each.status)),
        ['SPOOL_FAILED', 'SPOOL_FAILED'],
        halfway ? 'half of it was written' : 'nothing was written',
      );
      t.notOk(audit.healthy, 'the health report says so');
      // A disk that was full gave up the reserve: until it is set aside again, only the end of calls is taken.
      if (code === 'ENOSPC') break;
      await audit.append(stepEvent(halfway ? 'three' : 'two'));
    }
    const body = { outcome: 'x', reason: 'x', durationMs: 1, turns: 0, packetsReceived: 0, packetsSent: 0, dropped: 0 };
    await audit.append({ type: 'call.ended', callId: null, body });
    await audit.stop();
    t.notOk(store.events.some((event) => event.body.includes('lost')));
    t.equal(store.events.filter((event) => event.type === 'call.ended').length, 1);
    t.ok(verifyMemory(store).ok);
  });
}

test('bad input', async (t) => {
  const { folder, store, clock, open } = await bench();
  t.throws(() => createAudit({ folder, gateway: 'a b', store, clock, log: keepingLogger() }), { code: 'CONFIG_INVALID' });
  const audit = await open();
  await t.rejects(
    createAudit({ folder, gateway: 'gw1', store, clock, log: keepingLogger() }).start(),
    { code: 'SPOOL_FAILED' },
    'one writer per folder',
  );
  await t.rejects(audit.append(stepEvent('x'.repeat(2_000_000))), { code: 'SPOOL_FAILED' });
  await audit.append(stepEvent('fine'));
  await audit.stop();
  await writeFile(join(folder, 'keys', 'spool.key'), 'short\n');
  await t.rejects(open(), { code: 'SPOOL_FAILED' });
  await t.rejects(verifySpool({ folder: join(folder, 'keys'), keysFolder: folder }), { code: 'SPOOL_CORRUPT' });
});

test('an event that Postgres would refuse never gets into the spool', async (t) => {
  const { store, clock, open } = await bench();
  const audit = await open();
  for (const callId of ['x', '00000000-0000-0000-0000-000000000000', randomUUID().toUpperCase()]) {
    await t.rejects(audit.append(stepEvent('x', callId)), { code: 'SPOOL_FAILED' });
  }
  clock.pass(0.0004);
  await audit.append(stepEvent('nul \0, half \ud83d, whole \u{1f600}, backslash \\u0000'));
  await audit.stop();
  t.equal(store.events.length, 1);
  t.same(JSON.parse(store.events[0]?.body ?? ''), { step: 'nul \ufffd, half \ufffd, whole \u{1f600}, backslash \\u0000', reason: 'test' });
  t.ok(Number.isInteger(store.events[0]?.tsUs));
});

test('content: nothing of it is kept by default; with a retention it is ciphertext only', async (t) => {
  const { folder, store, clock, open } = await bench();
  const canary = { from: '+49 170 5550199', name: 'Zephyrine Canary' };
  const call = (callId: string): Parameters<Audit['append']>[0] => ({
    ...({ type: 'call.incoming', callId, body: { pbxId: 'p', flow: 'f', flowVersion: 'v', to: '100' }, content: canary } as const),
  });
  const plain = await open();
  await plain.append(call(randomUUID()));
  await plain.stop();
  t.equal(store.payloads.length + store.keys.length, 0);
  t.equal(store.events[0]?.payloadSha256, null);
  clock.pass(1000);
  const keeping = await open({ content: { retentionDays: 30 } });
  const callId = randomUUID();
  await keeping.append(call(callId));
  await keeping.append({ type: 'caller.keyed', callId, body: { turn: 1, digits: 12 }, content: { digits: '471108154711' } });
  await keeping.stop();
  t.equal(store.payloads.length, 2);
  t.equal(store.keys.length, 1, 'one key per call');
  t.same(
    store.payloads.map((p) => sha256(p.ct)),
    store.events.slice(-2).map((e) => e.payloadSha256),
  );
  const everything = Buffer.concat(
    await Promise.all((await readdir(folder)).filter((name) => name !== 'keys').map((name) => readFile(join(folder, name)))),
  );
  const rows = JSON.stringify([store.events, store.payloads, store.keys]);
  for (const secret of ['5550199', 'Zephyrine', 'Canary', '471108154711']) {
    t.notOk(everything.includes(secret), 'not in the spool folder');
    t.notOk(rows.includes(secret), 'not in the rows');
  }
});

test('kill -9 at any moment: nothing acknowledged is lost, nothing is there twice', async (t) => {
  const folder = await folderOf();
  const acknowledged: number[] = [];
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/audit-writer.ts', folder], {
      env: { ...process.env, FIRST: String(round * 1_000_000 + 1) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await eventually(() => text.split('\n').length > 100 + 77 * round);
    child.kill('SIGKILL');
    await new Promise((done) => child.once('close', done));
    // The last line may be cut off by the kill.
    acknowledged.push(...text.split('\n').slice(0, -1).map(Number));
  }
  const store = memoryStore();
  const audit = createAudit({
    folder,
    gateway: 'victim',
    store,
    clock: handClock(Date.now() * 1000),
    log: keepingLogger(),
    reservedBytes: 4096,
  });
  await audit.start();
  await eventually(() => audit.backlog === 0);
  await audit.stop();
  const stored = store.events
    .filter((e) => e.type === 'step.entered')
    .map((e) => Number((JSON.parse(e.body) as { step: string }).step.slice(1)));
  const set = new Set(stored);
  t.same(
    acknowledged.filter((n) => !set.has(n)),
    [],
    `${String(acknowledged.length)} acknowledged`,
  );
  t.equal(set.size, stored.length, 'no event twice');
  const report = verifyMemory(store);
  t.ok(report.ok, formatReport(report));
  t.equal(store.streams.length, 3);
});

test('a power cut at any moment: of what was not synced any part is lost, of what was acknowledged nothing', async (t) => {
  const root = await folderOf();
  const library = await buildPowerCut(root);
  const random = seeded(6);
  const acked: number[] = [];
  let folder = join(root, 'new');
  await mkdir(folder);
  for (let life = 0; life < 3; life++) {
    const first = life * 1_000_000 + 1;
    const lived = await powerLife({ library, folder, journal: join(root, 'journal'), first, kill: { from: 'first', afterMs: 60 } });
    const { changes } = lived;
    const wrong: string[] = [];
    for (let cut = 0; cut < 8; cut++) {
      const end = Math.floor(random.next() * (cut < 4 ? Math.min(80, changes.length) : changes.length));
      const left = join(root, `${String(life)}-${String(cut)}`);
      await lived.cut(end, left, () => random.next());
      const found = await wrongAfter(left, [...acked, ...ackedIn(saidBy(changes.slice(0, end)))]);
      if (found !== null) wrong.push(`after change ${String(end)}: ${found}`);
    }
    t.same(wrong, [], `life ${String(life)}, ${String(lived.acked.length)} acknowledged`);
    const liar = join(root, `liar-${String(life)}`);
    await lived.cut(changes.length, liar, () => 0, { lies: true });
    t.match(await wrongAfter(liar, lived.acked), /acknowledged events are lost/, 'on a disk that lies about syncs it is seen');
    acked.push(...lived.acked);
    folder = join(root, `after-${String(life)}`);
    await lived.cut(changes.length, folder, () => random.next());
  }
  t.ok(acked.length > 100);
  t.equal(await wrongAfter(folder, acked), null);
  await rm(root, { recursive: true });
});

/** Every write of this process fails, as a system call does; or the first half of each is written before it fails. */
async function sickDisk(code: string): Promise<{ begin(halfway: boolean): void; end(): void }> {
  const probe = await open('/dev/null', 'r');
  const handle = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => Promise<unknown> };
  await probe.close();
  const well = handle.write;
  return {
    begin: (halfway) => {
      handle.write = async function (this: unknown, data, from, length, at) {
        if (halfway) await well.call(this, data, from, Math.ceil(Number(length) / 2), at);
        throw Object.assign(new Error(`${code}: write`), { code });
      };
    },
    end: () => {
      handle.write = well;
    },
  };
}
