/** The media face without sockets: the native unit tests, event decoding, refused arguments. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { ERRORS } from '../../src/contracts/index.ts';
import type { MediaEngine } from '../../src/contracts/index.ts';
import { decodeEvent } from '../../src/media/events.ts';
import { createMediaEngine } from '../../src/media/index.ts';
import { checkedVersion, loadAddon } from '../../src/media/load.ts';
import { API_VERSION, EVENTS } from '../../src/media/native.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const OPTIONS = { host: '127.0.0.1', portMin: 9000, portMax: 9003, maxCalls: 2, historyMs: 1000 };

void test('the native core: its own unit tests', { timeout: 110_000 }, async (t) => {
  const child = spawn(join(root, 'scripts', 'test-native.sh'), { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child, 'close');
  for (const line of output.split('\n')) {
    const point = /^(not )?ok \d+ - (.*)$/.exec(line);
    if (point) t.ok(point[1] === undefined, point[2] ?? '', { diagnostic: false });
  }
  const failed = output.split('\n').filter((line) => /^# .*:\d+: /.test(line));
  t.same(failed, [], 'no failed check');
  t.match(output, /^1\.\.[1-9]/m, 'it ran to its end');
  t.equal(child.exitCode, 0);
});

void test('event records become contract events, unknown ones nothing', (t) => {
  const record = (type: number): ReturnType<typeof decodeEvent> =>
    decodeEvent(Float64Array.from([99, 0, 0, 0, 0, 0, 0, 0, 0, 0, type, 3, 5, 35, 120, 7000, 123, -4.5, NaN, NaN]), 1);
  const events = Object.fromEntries(EVENTS.map((name, type) => [name, record(type)?.event]));
  t.same(events['dtmf'], { t: 'dtmf', digit: '#', durationMs: 120, sample: 7000, atUs: 123 });
  t.same(events['speech-start'], { t: 'speech-start', sample: 7000, atUs: 123 });
  t.same(events['speech-hint'], { t: 'speech-hint', sample: 7000, atUs: 123 });
  t.same(events['speech-near'], { t: 'speech-near', sample: 7000, atUs: 123 });
  const prosody = { pitchSlope: -4.5, levelDropDb: null, syllablesPerS: null };
  t.same(events['speech-end'], { t: 'speech-end', sample: 7000, atUs: 123, prosody }, 'what is not known is null');
  t.same(events['clip-mark'], { t: 'clip-mark', clip: 35, mark: 120, sentSample: 7000, atUs: 123 });
  t.same(events['clip-stopped'], { t: 'clip-end', clip: 35, outcome: 'stopped', playedSamples: 120, sentSample: 7000, atUs: 123 });
  t.match(record(0), { slot: 3, generation: 5, event: { t: 'rtp-start' } });
  t.equal(record(EVENTS.length), undefined);
  t.end();
});

void test('arguments that no caller may pass are refused before native code', (t) => {
  const bad =
    (options: object): (() => MediaEngine) =>
    () =>
      createMediaEngine({ ...OPTIONS, ...options });
  for (const options of [{ portMin: 80 }, { portMax: 70000 }, { portMin: 9004 }, { maxCalls: 0 }, { historyMs: 1.5 }, { maxCalls: NaN }])
    t.throws(bad(options), RangeError, JSON.stringify(options));
  const engine = createMediaEngine(OPTIONS);
  t.teardown(() => engine.close());
  const session = engine.open({ callId: 'c', receive: 'ulaw', send: 'ulaw' });
  t.throws(() => engine.open({ callId: 'd', receive: 'ulaw', send: 'ulaw', payloadTypeDtmf: 3 }), RangeError);
  t.throws(() => session.openClip({ rateHz: 8001, held: false }), RangeError);
  t.throws(() => session.openClip({ rateHz: 8000, held: false, marks: [5, 4] }), RangeError);
  t.throws(() => session.openClip({ rateHz: 8000, held: false, marks: [0.5] }), RangeError);
  t.throws(() => session.gain(3), RangeError);
  t.throws(() => session.gain(NaN), RangeError);
  t.throws(() => session.sendDtmf('12', 100), RangeError);
  t.throws(() => engine.read(session, 5, 4), RangeError);
  t.throws(() => engine.read(session, 0, 1_000_000), RangeError);
  const clip = session.openClip({ rateHz: 8000, held: false });
  clip.end();
  clip.end();
  t.throws(() => clip.write(new Int16Array(1)), TypeError);
  t.end();
});

void test('a missing or foreign addon says what to do', (t) => {
  t.throws(() => loadAddon('/nowhere/parley_media.node'), { code: 'MEDIA_ADDON', message: /does not exist.*npm run setup/ });
  t.throws(() => loadAddon(fileURLToPath(import.meta.url)), { code: 'MEDIA_ADDON', message: /could not be loaded/ });
  t.equal(ERRORS.MEDIA_ADDON.retryable, false);
  t.end();
});

void test('an addon of another version is refused before anything of it is called', (t) => {
  const refused = { code: 'MEDIA_ADDON_VERSION', message: /scripts\/build-native\.sh/ };
  t.throws(() => checkedVersion({ apiVersion: API_VERSION - 1 }), { ...refused, message: /has API version 1, this program needs 2/ });
  t.throws(() => checkedVersion({ createEngine: () => 0 }), { ...refused, message: /has no API version/ });
  for (const odd of [{ apiVersion: API_VERSION + 1 }, { apiVersion: '1' }, undefined, null, 7])
    t.throws(() => checkedVersion(odd), refused);
  t.equal(checkedVersion(loadAddon()).apiVersion, API_VERSION, 'the addon that is here');
  t.end();
});

void test('whoever changes the edge raises its version', (t) => {
  const text = readFileSync(join(root, 'src/media/native.ts'), 'utf8');
  const edge = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\s/g, '');
  const seen = createHash('sha256').update(edge).digest('hex').slice(0, 12);
  t.equal(seen, '654420fc8b48', 'native.ts has changed: raise API_VERSION there and kApiVersion in addon.cc, then put this hash here');
  t.match(readFileSync(join(root, 'native/binding/addon.cc'), 'utf8'), `kApiVersion = ${API_VERSION};`);
  t.end();
});
