/**
 * Recordings from a real media engine, through the recorder's thread, into a real Postgres' vault and out again. Named after the
 * articles that ask for it.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { createAudit, createRecorder, eraseSubject, exportRecordings, sweepRecordings, verifyAudit } from '../../src/audit/index.ts';
import type { CallEvent, MediaSession, Recording, RecordingEntry } from '../../src/contracts/index.ts';
import { createMediaEngine } from '../../src/media/index.ts';
import { silentLogger, systemClock } from '../../src/observability/index.ts';
import { createStore } from '../../src/store/index.ts';
import { amplitudeAt, rms, tone, toL16 } from '../support/pcm.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { RtpPeer, rtpPacket } from '../support/rtp-peer.ts';

const NUMBER = '+49 30 901820';
const CALLER_HZ = 1000;
const AGENT_HZ = 600;

test('recordings', { timeout: 180_000 }, async (t) => {
  const folder = await testFolder();
  const recordings = join(folder, 'recordings');
  const postgres = await startPostgres();
  const database = await postgres.database();
  const store = createStore({ log: silentLogger, connectionString: database.url('gw_writer'), adminConnectionString: database.url() });
  const audit = createAudit({
    ...{ folder: join(folder, 'spool'), gateway: 'test', store, clock: systemClock, log: silentLogger },
    ownSubjects: true,
  });
  await Promise.all([store.start(), audit.start()]);
  const portMin = 9200 + (process.pid % 90) * 8;
  const engine = createMediaEngine({ host: '127.0.0.1', portMin, portMax: portMin + 7, maxCalls: 4, historyMs: 8000, keepSent: true });
  const recorder = createRecorder({
    ...{ audit, clock: systemClock, logger: silentLogger, audioFd: engine.audio.fd, folder: recordings },
    ...{ retentionDays: 30, holdMs: 600, chunkMs: 200 },
  });
  const desk = { audit, store, clock: systemClock, keysFolder: join(folder, 'spool/keys') };
  t.teardown(async () => {
    await recorder.stop();
    engine.close();
    await audit.stop();
    await store.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A call whose caller hums, and whose agent hums another note. */
  const line = async (
    callId: string,
  ): Promise<{ session: MediaSession; hum: (ms: number) => Promise<void>; record: () => Promise<Recording>; events: CallEvent[] }> => {
    const session = engine.open({ callId, receive: 'slin', send: 'slin' });
    const peer = await RtpPeer.open();
    peer.sendTo(session.localPort);
    session.setRemote('127.0.0.1', peer.port);
    const clip = session.openClip({ rateHz: 8000, held: false });
    clip.write(tone(80_000, { hz: AGENT_HZ }));
    clip.end();
    let seq = 0;
    const hum = async (ms: number): Promise<void> => {
      for (let i = 0; i < ms / 20; i++, seq++) {
        const payload = toL16(tone(160, { hz: CALLER_HZ }));
        await peer.send(rtpPacket({ payloadType: 10, seq, timestamp: seq * 160, ssrc: 7, payload }));
        if (i % 5 === 0) await sleep(80);
      }
    };
    t.teardown(() => peer.close());
    const events: CallEvent[] = [];
    const log = async (entry: RecordingEntry): Promise<void> => {
      const event = { ...entry, callId } as CallEvent;
      events.push(event);
      await audit.append(event);
    };
    const record = (): Promise<Recording> =>
      recorder.start({
        ...{ callId, slot: session.slot, generation: session.generation, number: NUMBER, rateHz: 8000, log },
        fromSample: session.stats().sample,
      });
    return { session, hum, record, events };
  };
  const channel = (wav: Buffer, which: 0 | 1): Int16Array => {
    const samples = wav.readUInt32LE(40) / 4;
    return Int16Array.from({ length: samples }, (_, n) => wav.readInt16LE(44 + n * 4 + which * 2));
  };
  /** In any 200 ms: between late packets there is silence. */
  const loudestAt = (pcm: Int16Array, hz: number): number => {
    const windows = Array.from({ length: Math.floor(pcm.length / 800) - 1 }, (_, n) => pcm.subarray(n * 800, n * 800 + 1600));
    return Math.max(0, ...windows.map((window) => amplitudeAt(window, hz, 8000)));
  };
  const filesNow = async (): Promise<string[]> => readdir(recordings).catch(() => []);

  await t.test('GDPR 15, 20, AI Act 50(2): what was recorded comes out again, both sides, marked as synthetic', async (t) => {
    const call = await line('00000000-0000-4000-8000-000000000001');
    await call.hum(400);
    const recording = await call.record();
    await call.hum(1600);
    await recording.stop('caller-hangup', null);
    const stats = call.session.stats();
    call.session.close();
    t.ok(stats.sample > 0);
    const [kept, ...others] = await exportRecordings(desk, recordings, NUMBER);
    t.equal(others.length, 0);
    t.equal(kept!.whole, true, 'every piece that the log names is there, unchanged');
    t.equal(kept!.callId, '00000000-0000-4000-8000-000000000001');
    t.ok(kept!.seconds > 1.2, `${kept!.seconds} s`);
    const caller = channel(kept!.wav, 0);
    const agent = channel(kept!.wav, 1);
    t.ok(loudestAt(caller, CALLER_HZ) > 4000, 'the caller is left');
    t.ok(loudestAt(agent, AGENT_HZ) > 4000, 'we are right');
    t.ok(amplitudeAt(caller, AGENT_HZ, 8000) < 200 && amplitudeAt(agent, CALLER_HZ, 8000) < 200, 'each on its own channel');
    t.match(kept!.wav.toString('latin1'), /LIST.*synthetic speech, generated by AI/s);
    t.same(call.events.map(({ type }) => type).slice(0, 2), ['recording.started', 'recording.chunk']);
    t.equal(call.events.at(-1)?.type, 'recording.stopped');
    const [file] = await filesNow();
    const bytes = await readFile(join(recordings, file!));
    t.notOk(hasTone(bytes), 'encrypted: no tone in the file');
    t.notOk(bytes.toString('latin1').includes('901820'), 'and no number');
  });

  await t.test('PCI DSS and section 201 StGB: what is said while a secret is given, and where numbers were said, is silence', async (t) => {
    const call = await line('00000000-0000-4000-8000-000000000002');
    const recording = await call.record();
    const begin = call.session.stats().sample;
    await call.hum(800);
    recording.silence('caller', begin + 8000, begin + 9600);
    call.session.secure('spoken');
    const secretFrom = call.session.stats().sample;
    await call.hum(600);
    const secretTo = call.session.stats().sample;
    t.ok(rms(engine.read(call.session, secretFrom + 3200, secretTo - 1600)) > 2000, 'the recogniser hears it');
    call.session.secure('off');
    await call.hum(400);
    const unheard = call.session.stats().sample;
    await call.hum(400);
    await recording.stop('caller-hangup', unheard);
    call.session.close();
    const kept = (await exportRecordings(desk, recordings, NUMBER)).find(({ recording: id }) => id === recording.id);
    const caller = channel(kept!.wav, 0);
    const started = call.events.find((event) => event.type === 'recording.started');
    const origin = started?.body.fromSample ?? 0;
    const at = (sample: number): number => Math.round((sample - origin) / 2);
    t.ok(rms(caller.subarray(at(begin + 640), at(begin + 7600))) > 2000, 'before');
    t.equal(rms(caller.subarray(at(begin + 8000), at(begin + 9600))), 0, 'a number was said here');
    t.equal(rms(caller.subarray(at(secretFrom + 960), at(secretTo - 960))), 0, 'a secret was given here');
    t.ok(rms(caller.subarray(at(secretTo + 1920), at(secretTo + 4800))) > 2000, 'after');
    t.equal(rms(caller.subarray(at(unheard + 640))), 0, 'what nobody understood is not kept');
    const stopped = call.events.at(-1);
    t.ok(stopped?.type === 'recording.stopped' && stopped.body.silenced >= 800, 'the log says how much');
  });

  await t.test('GDPR 7(3): a withdrawal takes file and key within a second, the log keeps that it happened', async (t) => {
    const call = await line('00000000-0000-4000-8000-000000000003');
    const recording = await call.record();
    await call.hum(1200);
    t.ok((await filesNow()).some((name) => name.startsWith(recording.id)));
    await recording.shred('consent withdrawn');
    t.notOk(
      (await filesNow()).some((name) => name.startsWith(recording.id)),
      'the file is gone',
    );
    await call.hum(400);
    await recording.stop('caller-hangup', null);
    call.session.close();
    t.notOk(
      (await filesNow()).some((name) => name.startsWith(recording.id)),
      'and nothing came after',
    );
    t.same(
      call.events.map(({ type }) => type).filter((type) => type !== 'recording.chunk'),
      ['recording.started', 'recording.shredded', 'subject.erased'],
    );
    t.equal(await audit.shipped(10_000), true);
    const keys = await database.query('SELECT 1 FROM vault.subject_key WHERE subject_id = $1', [recording.id]);
    t.equal(keys.length, 0, 'no key is left in the vault');
    t.equal((await exportRecordings(desk, recordings, NUMBER)).length, 2, 'other recordings are untouched');
  });

  await t.test('after a crash: what is on disk is measured and said, comes out as broken, and a withdrawal takes it', async (t) => {
    const call = await line('00000000-0000-4000-8000-000000000005');
    const recording = await call.record();
    await call.hum(1400);
    const file = join(recordings, `${recording.id}.recording`);
    // The process is gone: in the middle of a piece, after one that its log never heard of.
    const bytes = await readFile(file);
    await recording.stop('caller-hangup', null);
    await writeFile(file, bytes.subarray(0, -100));
    const after = createRecorder({ audit, clock: systemClock, logger: silentLogger, audioFd: engine.audio.fd, folder: recordings, retentionDays: 30 }); // prettier-ignore
    const told: CallEvent[] = [];
    const log = async (entry: RecordingEntry): Promise<void> => {
      const event = { ...entry, callId: '00000000-0000-4000-8000-000000000005' } as CallEvent;
      told.push(event);
      await audit.append(event);
    };
    const broken = await after.adopt(recording.id, { log, told: false });
    const chunks = call.events.filter(({ type }) => type === 'recording.chunk').length;
    const [found] = told;
    t.ok(found?.type === 'recording.broken' && found.body.chunks > 0 && found.body.chunks < chunks, 'whole pieces only');
    t.equal(found?.type === 'recording.broken' && found.body.samples, (found?.body as { chunks: number }).chunks * 1600);
    t.equal((await after.adopt(recording.id, { log, told: true })).id, recording.id);
    t.equal(told.length, 1, 'said once');
    const none = await after.adopt('00000000-0000-4000-8000-00000000dead', { log, told: false });
    t.match(told.at(-1)?.body, { chunks: 0, samples: 0 }, 'one that never came to its file');
    await none.shred('consent withdrawn');
    await broken.shred('consent withdrawn');
    t.notOk((await filesNow()).some((name) => name.startsWith(recording.id)));
    t.equal(await audit.shipped(10_000), true);
    t.equal((await database.query('SELECT 1 FROM vault.subject_key WHERE subject_id = $1', [recording.id])).length, 0);
    call.session.close();
    await after.stop();
  });

  await t.test('GDPR 17: an erasure takes the recordings of the number with it, the chain still verifies', async (t) => {
    const before = await filesNow();
    t.equal(before.length, 2);
    await eraseSubject(desk, NUMBER, 'asked for');
    t.equal(await sweepRecordings(store, recordings), 2);
    t.same(await filesNow(), []);
    t.same(await exportRecordings(desk, recordings, NUMBER), []);
    t.equal(await audit.shipped(10_000), true);
    t.same((await verifyAudit({ connection: database.url() })).findings, []);
  });

  await t.test('a recording that cannot be written costs the recording, never the call', async (t) => {
    await rm(recordings, { recursive: true, force: true });
    const call = await line('00000000-0000-4000-8000-000000000004');
    await t.rejects(call.record(), { code: 'RECORDING_FAILED' });
    t.equal(call.events.at(-1)?.type, 'recording.stopped');
    await call.hum(100);
    call.session.close();
  });
});

/** The tone as PCM anywhere in the bytes, at either alignment. */
function hasTone(bytes: Buffer): boolean {
  const wanted = toL16(tone(16, { hz: CALLER_HZ })).swap16();
  return bytes.includes(wanted.subarray(2, 20));
}
