/**
 * Wideband from end to end: a G.722 telephone, a real Asterisk, the whole service with `media.codec: slin16` (16 kHz to us, G.722 back).
 * The telephone's signalling is the synthetic caller's; its audio is a media engine of its own, as a desk phone's codec would be.
 */
import { spawnSync } from 'node:child_process';
import { fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { SipPhone } from '../../src/cli/caller/sip.ts';
import { readWav } from '../../src/cli/caller/voice.ts';
import type { MediaEngine, MediaSession } from '../../src/contracts/index.ts';
import { createMediaEngine } from '../../src/media/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { AudioReader } from '../../src/vad/memory.ts';
import { asteriskOptions, leftovers, until } from '../support/asterisk.ts';
import { amplitudeAt, rms, tone } from '../support/pcm.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { EXTENSION, startRig } from '../support/service.ts';

const RATE_HZ = 16_000;
const TONE_HZ = 5500;
const TONE_AMPLITUDE = 2000;

/** The service's audio memory, opened as its recogniser does: by descriptor. It must be the only one in this process. */
function audioMemory(): AudioReader {
  const fds = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:parley-audio');
    } catch {
      return false; // the descriptor of this listing
    }
  });
  const files = new Set(fds.map((fd) => fstatSync(Number(fd)).ino));
  if (files.size !== 1) throw new Error(`${files.size} audio memories are open, expected one`);
  const fd = Number(fds[0]);
  return new AudioReader(fd, fstatSync(fd).size);
}

/** Where the one open call is in it. */
function callIn(memory: AudioReader): { slot: number; generation: number } {
  for (let slot = 0; slot < 50; slot++)
    for (let generation = 1; generation < 8; generation++) if (memory.written(slot, generation) !== null) return { slot, generation };
  throw new Error('no call is open');
}

/** RMS of what is above 4 kHz: a windowed-sinc high-pass of 255 taps, flat from 4.2 kHz on, 70 dB down below 3.8 kHz. */
function rmsAbove4k(pcm: Int16Array): number {
  const half = 127;
  const taps = Float64Array.from({ length: 2 * half + 1 }, (_, i) => {
    const x = i - half;
    const low = x === 0 ? 0.5 : Math.sin(Math.PI * 0.5 * x) / (Math.PI * x);
    const window = 0.42 + 0.5 * Math.cos((Math.PI * x) / (half + 1)) + 0.08 * Math.cos((2 * Math.PI * x) / (half + 1));
    return (x === 0 ? 1 : 0) - low * window;
  });
  const high = new Int16Array(Math.max(0, pcm.length - 2 * half));
  high.forEach((_, n) => {
    high[n] = Math.round(taps.reduce((sum, tap, i) => sum + tap * (pcm[n + i] ?? 0), 0));
  });
  return rms(high);
}

/** 16 kHz speech with all that its 22.05 kHz voice has below 8 kHz, and a tone that a narrow line cannot carry. */
function speechAndTone(text: string): Int16Array {
  const run = spawnSync('espeak-ng', ['-v', 'en-us', '-s', '160', '--stdin', '--stdout'], { input: text, maxBuffer: 1 << 26 });
  const { pcm, rateHz } = readWav(run.stdout);
  const length = Math.floor((pcm.length * RATE_HZ) / rateHz);
  const high = tone(length, { rateHz: RATE_HZ, hz: TONE_HZ, amplitude: TONE_AMPLITUDE });
  return high.map((sample, n) => {
    const at = (n * rateHz) / RATE_HZ;
    const [one = 0, two = 0] = [pcm[Math.floor(at)], pcm[Math.floor(at) + 1]];
    return Math.round((one + (two - one) * (at % 1)) * 0.7) + sample;
  });
}

interface Telephone {
  readonly engine: MediaEngine;
  readonly session: MediaSession;
  hangUp(): Promise<void>;
}

/** Calls with one codec on offer: G.722, payload type 9, whose clock is 8000 by RFC 3551. */
async function callInG722(sip: { host: string; port: number }, portMin: number): Promise<Telephone> {
  const engine = createMediaEngine({ host: '127.0.0.1', portMin, portMax: portMin + 9, maxCalls: 1, historyMs: 60_000, realtime: false });
  const session = engine.open({ callId: 'telephone', receive: 'g722', send: 'g722' });
  const phone = await SipPhone.open({ host: '127.0.0.1' });
  const free = (): void => {
    phone.close();
    engine.close();
  };
  const offer = [
    'v=0',
    'o=phone 1 1 IN IP4 127.0.0.1',
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=audio ${session.localPort} RTP/AVP 9 101`,
    'a=rtpmap:9 G722/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=ptime:20',
    'a=sendrecv',
    '',
  ].join('\r\n');
  const uri = `sip:${EXTENSION}@${sip.host}:${sip.port}`;
  const result = await phone.invite({ to: sip, uri, from: '+4930901821', offer, patienceMs: 10_000 });
  const port = result.ok ? /^m=audio (\d+) RTP\/AVP 9\b/m.exec(result.answer)?.[1] : undefined;
  if (!result.ok || port === undefined) {
    free();
    throw new Error(result.ok ? `the answer is not in G.722: ${result.answer}` : `refused: ${result.status} ${result.reason}`);
  }
  session.setRemote('127.0.0.1', Number(port));
  return {
    engine,
    session,
    hangUp: async () => {
      await result.dialog.bye();
      await phone.settle();
      free();
    },
  };
}

test('a wideband call', { timeout: 180_000 }, async (t) => {
  const folder = await testFolder();
  const postgres = await startPostgres();
  const asterisk = await startPrivateAsterisk(await asteriskOptions(t, {}));
  t.teardown(async () => {
    await asterisk.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  const database = await postgres.database();
  const rig = await startRig({
    folder: join(folder, 'parley'),
    asterisk,
    databaseUrl: database.url(),
    mediaPort: 29_000,
    codec: 'slin16',
  });
  t.teardown(() => rig.stop());
  await until('the link to Asterisk', () => rig.service.runner.linkUp);
  const memory = audioMemory();
  const telephone = await callInG722({ host: asterisk.sipHost, port: asterisk.sipPort }, 29_200);
  t.teardown(() => telephone.engine.close());

  await t.test('the telephone hears a prompt with what is above 4 kHz in it', async (t) => {
    await until('the first prompt to be said', () => rig.types().includes('agent.said'), 30_000);
    const { sample, packetsReceived, dropped } = telephone.session.stats();
    const heard = telephone.engine.read(telephone.session, 0, sample);
    const [all, high] = [rms(heard), rmsAbove4k(heard)];
    t.comment(
      `heard ${(sample / RATE_HZ).toFixed(1)} s in ${packetsReceived} packets: RMS ${all.toFixed(0)}, above 4 kHz ${high.toFixed(0)}`,
    );
    t.same(dropped, {}, 'every packet of the PBX is G.722');
    t.ok(all > 300, 'there is a voice');
    t.ok(high > all / 30, 'and its sibilants');
  });

  await t.test('the recogniser reads what is above 4 kHz', async (t) => {
    const said = speechAndTone('i want to book a table for four on friday at seven');
    const clip = telephone.session.openClip({ rateHz: RATE_HZ, held: false });
    const { slot, generation } = callIn(memory);
    const from = memory.written(slot, generation) ?? 0;
    clip.write(said);
    clip.end();
    await until('all of it in the ring', () => (memory.written(slot, generation) ?? 0) > from + said.length + RATE_HZ / 2);
    const ring = new Int16Array(said.length);
    t.equal(memory.read(slot, generation, from, ring), 'ok');
    const [high, atTone] = [rmsAbove4k(ring), amplitudeAt(ring, TONE_HZ, RATE_HZ)];
    t.comment(`in the ring: RMS ${rms(ring).toFixed(0)}, above 4 kHz ${high.toFixed(0)}, at ${TONE_HZ} Hz ${atTone.toFixed(0)}`);
    t.ok(high > (TONE_AMPLITUDE / Math.SQRT2) * 0.7, 'the tone is there with at least 70 % of its level');
    t.ok(rms(ring) > high * 1.3, 'and the speech below it');
    // What it makes of it is not judged: the recogniser that comes with Parley knows telephone audio only.
    await until('a turn of the caller', () => rig.types().includes('caller.said'), 20_000);
  });

  await t.test('and nothing is left', async (t) => {
    await telephone.hangUp();
    await until('the end of the call', () => rig.types().includes('call.ended'));
    await until('no channel and no bridge', async () => (await leftovers(asterisk)).length === 0);
    t.equal(rig.service.runner.openCalls().length, 0);
  });
});
