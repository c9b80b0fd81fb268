import fc from 'fast-check';
import { test } from 'tap';
import type { GateEvent, Prosody, VadEvent } from '../../src/contracts/index.ts';
import { decimate, HISTORY } from '../../src/vad/decimate.ts';
import { BATCH } from '../../src/vad/desk.ts';
import { Hysteresis, WINDOW } from '../../src/vad/hysteresis.ts';
import { createScriptedVad, createVad } from '../../src/vad/index.ts';
import { AudioReader } from '../../src/vad/memory.ts';
import { Spurt } from '../../src/vad/spurt.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { createTestRing } from '../support/stt-ring.ts';
import { SpurtLine, type SpurtStep } from '../support/spurt-line.ts';
import { deskRig } from '../support/vad-desk.ts';
import { vadSuite, wellFormed } from '../support/vad-suite.ts';

const THRESHOLDS = { start: 0.5, stop: 0.35, minSpeechMs: 64, minSilenceMs: 96 };

test('hysteresis', (t) => {
  const edges = (probabilities: readonly number[], thresholds = THRESHOLDS): (string | null)[] => {
    const hysteresis = new Hysteresis(thresholds);
    return probabilities.map((probability, index) => {
      const edge = hysteresis.push(probability, index * WINDOW);
      return edge === null ? null : `${edge.t === 'speech-start' ? '+' : '-'}${edge.sample / WINDOW}`;
    });
  };
  t.same(edges([0, 0.9, 0, 0.9, 0]), [null, null, null, null, null], 'too short');
  t.same(edges([0, 0.4, 0.6, 0.6, 0.4, 0.1, 0.1, 0.1]), [null, null, null, '+1', null, null, null, '-5'], 'weak rims belong to it');
  t.same(edges([0.9, 0.9, 0.1, 0.1, 0.4, 0.1, 0.1]), [null, '+0', null, null, null, null, null], 'a pause that is too short');
  t.same(edges([0.9], { ...THRESHOLDS, minSpeechMs: 0 }), ['+0']);
  t.same(edges([0.4, 0.4], { ...THRESHOLDS, minSpeechMs: 0 }), [null, null], 'never sure');
  const open = new Hysteresis(THRESHOLDS);
  open.push(0.9, 0);
  t.equal(open.flush(), null);
  open.push(0.9, 0);
  t.equal(open.push(0.9, WINDOW)?.sample, 0);
  t.equal(open.flush()?.sample, 2 * WINDOW);
  t.end();
});

test('decimate keeps speech, takes away what would fold into it', (t) => {
  const gainAt = (hz: number): number => {
    const wide = Int16Array.from({ length: HISTORY + 512 }, (_, n) => Math.round(10000 * Math.sin((2 * Math.PI * hz * n) / 16000)));
    const narrow = new Float32Array(256);
    decimate(wide, narrow);
    return (Math.sqrt(narrow.reduce((sum, x) => sum + x * x, 0) / 256) * 32768) / (10000 / Math.SQRT2);
  };
  t.ok(Math.abs(gainAt(1000) - 1) < 0.02);
  t.ok(Math.abs(gainAt(3000) - 1) < 0.15, 'a decibel less at 3 kHz');
  t.ok(gainAt(6000) < 0.05);
  t.end();
});

const loud = (count: number, level: number): Int16Array => new Int16Array(count).fill(level);

test('audio memory', (t) => {
  const ring = createTestRing(2, 2048);
  t.teardown(() => ring.free());
  const reader = new AudioReader(ring.audio.fd, ring.audio.bytes);
  const out = new Int16Array(512);
  t.equal(reader.written(0, 1), null, 'nothing is open');
  const generation = ring.open(0);
  t.equal(reader.written(0, generation), 0);
  const pcm = Int16Array.from({ length: 5000 }, (_, n) => n);
  ring.write(0, pcm.subarray(0, 3000));
  t.equal(reader.written(0, generation), 3000);
  t.equal(reader.read(0, generation, 1800, out), 'ok', 'over the ring edge');
  t.same([...out], [...pcm.subarray(1800, 2312)]);
  t.equal(reader.read(0, generation, 2600, out), 'not-yet');
  t.equal(reader.read(0, generation, 900, out), 'gone');
  ring.write(0, pcm.subarray(3000, 5000));
  t.equal(reader.read(0, generation, 1800, out), 'gone');
  t.equal(reader.read(0, generation + 2, 4000, out), 'closed');
  t.equal(reader.written(0, generation + 2), null, 'another generation');
  t.equal(reader.written(7, 1), null, 'no such slot');
  t.equal(reader.written(-1, 1), null);
  t.not(reader.read(7, 1, 0, out), 'ok');
  t.not(reader.read(0, generation, 0, new Int16Array(4096)), 'ok', 'longer than the ring');
  const second = ring.open(1);
  ring.write(1, pcm.subarray(0, 600));
  t.equal(reader.read(1, second, -10, out), 'ok', 'before the call there is silence');
  t.same([...out.subarray(0, 12)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  ring.close(1);
  t.equal(reader.read(1, second, 0, out), 'closed');
  t.throws(() => new AudioReader(ring.audio.fd, 4096), /wrong shape/);
  t.end();
});

test('desk: two calls in one run never mix', async (t) => {
  const { desk, model, ring, news, pass, alarmed } = deskRig(t, 2);
  const generations = [ring.open(0), ring.open(1)];
  ring.write(0, loud(3200, 3000));
  ring.write(1, loud(3200, -3000));
  for (const call of [0, 1]) {
    desk.receive({ t: 'open', call, opening: 1, slot: call, generation: generations[call] ?? 0, sample: 1600 });
  }
  await pass(200, (ms) => {
    if (ms % 20 !== 0) return;
    ring.write(0, loud(320, 3000));
    ring.write(1, loud(320, -3000));
  });
  t.equal(model.mixed, 0);
  t.ok(model.sizes.includes(2), 'they share runs');
  t.same(
    news.map(({ t, call }) => [t, call]),
    [['speech-start', 0]],
  );
  desk.receive({ t: 'close', call: 0, sample: 5000 });
  desk.receive({ t: 'close', call: 1, sample: 5000 });
  await pass(400, (ms) => {
    if (ms % 20 !== 0) return;
    ring.write(0, loud(320, -3000));
    ring.write(1, loud(320, -3000));
  });
  t.same(
    news.slice(1).map(({ t, call }) => [t, call]),
    [
      ['speech-end', 0],
      ['drained', 0],
      ['drained', 1],
    ],
  );
  t.notOk(alarmed(), 'with every gate closed nothing runs');
  desk.receive({ t: 'forget', call: 0 });
  desk.receive({ t: 'forget', call: 1 });
  t.equal(desk.tracks, 0);
});

test('desk: the pre-roll is heard first, and only what came since the last opening', async (t) => {
  const { desk, model, ring, pass } = deskRig(t, 1);
  const generation = ring.open(0);
  ring.write(0, loud(8000, 1000));
  desk.receive({ t: 'open', call: 5, opening: 1, slot: 0, generation, sample: 7000 });
  await pass(5);
  t.equal(model.sizes.length, Math.floor((8000 - (7000 - 96 * 16)) / WINDOW), '96 ms before the voice, and what came since');
  desk.receive({ t: 'close', call: 5, sample: 7500 });
  ring.write(0, loud(512, 1000));
  const before = model.sizes.length;
  desk.receive({ t: 'open', call: 5, opening: 2, slot: 0, generation, sample: 8300 });
  await pass(5);
  t.equal(model.sizes.length - before, 1, 'nothing is heard twice');
});

test('desk: sixteen windows start a run at once, the oldest waits 3 ms', async (t) => {
  const { desk, model, ring, pass } = deskRig(t, 40);
  const generations = Array.from({ length: 40 }, (_, slot) => ring.open(slot));
  const openAll = (count: number, sample: number): void => {
    for (let call = 0; call < count; call++)
      desk.receive({ t: 'open', call, opening: 1, slot: call, generation: generations[call] ?? 0, sample });
  };
  openAll(40, 0);
  t.same(model.sizes, [], 'no audio yet');
  for (let slot = 0; slot < 40; slot++) ring.write(slot, loud(WINDOW, 500));
  await pass(30);
  t.same(model.sizes, [40]);
  for (let slot = 0; slot < BATCH - 1; slot++) ring.write(slot, loud(WINDOW, 500));
  await pass(60);
  t.same(model.sizes, [40, BATCH - 1]);
});

test('desk: calls that lag are shed, and heard again when their gate opens next', async (t) => {
  const { desk, model, ring, news, pass } = deskRig(t, 2);
  const generations = [ring.open(0), ring.open(1)];
  const open = (call: number, opening: number, sample: number): void =>
    desk.receive({ t: 'open', call, opening, slot: call, generation: generations[call] ?? 0, sample });
  open(0, 3, 0);
  let release: () => void = () => undefined;
  model.gate = new Promise((resolve) => (release = resolve));
  const speak = (slot: number) => (ms: number) => {
    if (ms % 20 === 0) ring.write(slot, loud(320, 500));
  };
  await pass(200, speak(0));
  open(1, 1, 0);
  release();
  model.gate = Promise.resolve();
  await pass(60, speak(1));
  const shed = news.filter((item) => item.t === 'shed').map(({ call, opening }) => [call, opening]);
  t.same(shed, [[0, 3]]);
  t.equal(news.filter((item) => item.t === 'speech-start' && item.call === 1).length, 1, 'the other call is heard');
  desk.receive({ t: 'close', call: 0, sample: 500 });
  open(0, 4, ring.written(0));
  await pass(60, speak(0));
  t.equal(news.filter((item) => item.t === 'speech-start' && item.opening === 4).length, 1, 'its next opening is heard again');
});

test('desk: a burst after a stall of the network is no lag', async (t) => {
  const { desk, model, ring, news, pass } = deskRig(t, 1);
  const generation = ring.open(0);
  desk.receive({ t: 'open', call: 1, opening: 1, slot: 0, generation, sample: 0 });
  for (let n = 0; n < 5; n++) {
    await pass(200);
    ring.write(0, loud(3200, 500));
  }
  await pass(30);
  t.same(
    news.map(({ t }) => t),
    ['speech-start'],
  );
  t.equal(model.sizes.length, Math.floor(16_000 / WINDOW));
});

test('desk: audio that is gone, a wrong generation, a standstill of seconds', async (t) => {
  const { desk, model, ring, news, pass } = deskRig(t, 3);
  const generations = [0, 1, 2].map((slot) => ring.open(slot));
  ring.write(0, loud(1 << 15, 500));
  ring.write(0, loud(20_000, 500));
  ring.write(1, loud(8000, 500));
  ring.write(2, loud(30_000, 500));
  desk.receive({ t: 'open', call: 0, opening: 1, slot: 0, generation: generations[0] ?? 0, sample: 4000 });
  desk.receive({ t: 'open', call: 1, opening: 1, slot: 1, generation: 77, sample: 4000 });
  desk.receive({ t: 'open', call: 2, opening: 1, slot: 2, generation: generations[2] ?? 0, sample: 2000 });
  await pass(50);
  t.same(
    news.map(({ t, call }) => [t, call]),
    [
      ['shed', 0],
      ['shed', 2],
    ],
  );
  t.same(model.sizes, []);
});

test('desk: a call that is forgotten, or moved on by a new gate, while the model runs', async (t) => {
  const { desk, model, ring, news, pass, beats } = deskRig(t, 1);
  const generation = ring.open(0);
  let release: () => void = () => undefined;
  model.gate = new Promise((resolve) => (release = resolve));
  ring.write(0, loud(1024, 500));
  desk.receive({ t: 'open', call: 1, opening: 1, slot: 0, generation, sample: 0 });
  await pass(5);
  desk.receive({ t: 'close', call: 1, sample: 400 });
  desk.receive({ t: 'open', call: 1, opening: 2, slot: 0, generation, sample: 600 });
  release();
  model.gate = Promise.resolve();
  await pass(10);
  t.same(
    news.map(({ t, opening }) => [t, opening]),
    [['speech-start', 2]],
  );
  t.equal(model.sizes.length, 2);
  await pass(300);
  t.ok(beats() >= 3, 'gives a sign of life while the gate is open');
  model.gate = new Promise((resolve) => (release = resolve));
  ring.write(0, loud(512, 500));
  await pass(10);
  desk.receive({ t: 'forget', call: 1 });
  const told = news.length;
  const stopped = desk.stop();
  release();
  await stopped;
  await pass(50);
  t.equal(news.length, told);
  t.equal(desk.tracks, 0);
});

test('a gate that opens again in the middle of a word: the new opening hears of the voice', async (t) => {
  const { desk, ring, news, pass } = deskRig(t, 1);
  const generation = ring.open(0);
  ring.write(0, loud(1024, 500));
  desk.receive({ t: 'open', call: 1, opening: 1, slot: 0, generation, sample: 0 });
  await pass(5);
  desk.receive({ t: 'close', call: 1, sample: 2000 });
  desk.receive({ t: 'open', call: 1, opening: 2, slot: 0, generation, sample: 2100 });
  await pass(5);
  t.same(
    news.map(({ t, opening }) => [t, opening]),
    [
      ['speech-start', 1],
      ['speech-start', 2],
    ],
  );
});

test('spurt: whatever happens, starts and ends alternate and the gate loses nothing', (t) => {
  const steps = fc.constantFrom<SpurtStep>('open', 'close', 'start', 'end', 'drained', 'shed', 'lost', 'back', 'play', 'silent', 'near');
  const script = fc.array(fc.tuple(steps, fc.integer({ min: 0, max: 500 })), { maxLength: 40 });
  fc.assert(
    fc.property(script, (steps) => {
      const line = new SpurtLine();
      return steps.every(([step, later]) => {
        line.step(step, later);
        return line.rightWithoutWorker && wellFormed(line.events);
      });
    }),
    { numRuns: 2000 },
  );
  t.end();
});

test('desk: a sound that is near is listened to for a while, and for longer when it is told of again', async (t) => {
  const { desk, model, ring, news, pass, alarmed } = deskRig(t, 1);
  const generation = ring.open(0);
  const quietly = (ms: number): void => {
    if (ms % 20 === 0) ring.write(0, loud(320, -500));
  };
  ring.write(0, loud(8000, -500));
  const near = (sample: number): void => desk.receive({ t: 'near', call: 1, slot: 0, generation, sample });
  near(7000);
  await pass(400, quietly);
  const once = model.sizes.length;
  t.ok(once >= 8 && once <= 10, `96 ms before it and 160 ms from it on: ${once} windows`);
  t.notOk(alarmed(), 'then nothing runs');
  t.same(news, [], 'nobody waits for an answer');
  const again = ring.written(0);
  near(again);
  await pass(120, quietly);
  near(again + 1920);
  await pass(400, quietly);
  t.ok(model.sizes.length - once >= once + 2, 'it lasts');
  near(ring.written(0));
  desk.receive({ t: 'open', call: 1, opening: 1, slot: 0, generation, sample: ring.written(0) });
  desk.receive({ t: 'near', call: 1, slot: 0, generation, sample: ring.written(0) });
  await pass(500, quietly);
  t.ok(alarmed(), 'an opening is not cut short by it');
});

test('spurt: while we speak, a voice is believed where the gate noticed something', (t) => {
  const events: string[] = [];
  const spurt = new Spurt(({ t: kind, sample }) => events.push(`${kind === 'speech-start' ? '+' : '-'}${sample}`));
  const model = (kind: 'speech-start' | 'speech-end', sample: number): void =>
    spurt.news({ t: kind, call: 1, opening: 0, sample, atUs: sample });
  spurt.playing = true;
  model('speech-start', 5000);
  model('speech-end', 6000);
  t.same(events, [], 'our own voice, coming back');
  t.same(spurt.near(20_000), { t: 'near', sample: 20_000 });
  model('speech-start', 19_500);
  t.same(events, ['+19500']);
  t.same(spurt.gate({ t: 'speech-start', sample: 20_300, atUs: 1 }, true), { t: 'open', opening: 1, sample: 20_300 });
  t.equal(spurt.near(20_400), null, 'the gate is open: it is listened to');
  spurt.gate({ t: 'speech-end', sample: 24_000, atUs: 2 }, true);
  t.same(events, ['+19500', '-24000'], 'the voice began once');
  model('speech-end', 24_200);
  spurt.near(60_000);
  model('speech-start', 63_000);
  t.same(events.length, 2, 'too long after it');
  t.end();
});

test('spurt: a voice found just after the gate opened began with the gate', (t) => {
  const events: VadEvent[] = [];
  const spurt = new Spurt((event) => events.push(event));
  spurt.gate({ t: 'speech-start', sample: 10_000, atUs: 1 }, true);
  for (const [from, to] of [
    [11_500, 14_000],
    [15_000, 16_000],
  ] as const) {
    spurt.news({ t: 'speech-start', call: 1, opening: 1, sample: from, atUs: 2 });
    spurt.news({ t: 'speech-end', call: 1, opening: 1, sample: to, atUs: 3 });
  }
  t.same(
    events.map(({ sample }) => sample),
    [10_000, 14_000, 15_000, 16_000],
  );
  t.end();
});

test('spurt: early pauses, noise, echo', (t) => {
  const events: string[] = [];
  const spurt = new Spurt((event) => {
    const sounded = event.t === 'speech-end' && event.prosody !== undefined ? ' p' : '';
    events.push(`${event.t === 'speech-start' ? '+' : '-'}${event.sample}${sounded}`);
  });
  const gate = (t: GateEvent['t'], sample: number, prosody?: Prosody): unknown =>
    spurt.gate({ t, sample, atUs: sample, ...(prosody === undefined || t === 'speech-start' ? {} : { prosody }) }, true);
  const model = (t: 'speech-start' | 'speech-end', sample: number): void => spurt.news({ t, call: 1, opening: 1, sample, atUs: sample });
  const told = (): string[] => events.splice(0);
  gate('speech-start', 10_000);
  t.same(told(), [], 'the model is asked');
  model('speech-start', 10_300);
  t.same(told(), ['+10000']);
  gate('speech-end', 14_000, { pitchSlope: -3, levelDropDb: -6 });
  t.same(told(), ['-14000 p'], 'the pause is told at once, with how it sounded');
  gate('speech-start', 16_000);
  t.same(told(), ['+16000'], 'the voice goes on: nobody has to be asked');
  model('speech-end', 18_000);
  t.same(told(), ['-18000'], 'noise keeps the gate open, the voice is over');
  gate('speech-end', 30_000);
  spurt.news({ t: 'drained', call: 1, opening: 2, atUs: 1 });
  t.same(told(), []);
  gate('speech-start', 40_000);
  gate('speech-end', 42_000);
  t.same(told(), []);
  model('speech-start', 40_800);
  t.same(told(), ['+40000', '-42000'], 'a word that was over before the model had judged it');
  model('speech-end', 43_000);
  spurt.news({ t: 'drained', call: 1, opening: 3, atUs: 1 });
  gate('speech-start', 50_000);
  gate('speech-end', 51_000);
  spurt.news({ t: 'drained', call: 1, opening: 4, atUs: 1 });
  t.equal(spurt.discarded, 1, 'a knock');
  model('speech-start', 60_000);
  t.same(told(), ['+60000'], 'a voice too soft for the gate');
  model('speech-end', 62_000);
  told();
  spurt.playing = true;
  model('speech-start', 70_000);
  model('speech-end', 72_000);
  t.same(told(), [], 'our own voice, come back');
  t.end();
});

test('desk: it listens by itself to as many calls as it may, not while we speak, and to what came before it began', async (t) => {
  const { desk, ring, news, model, pass, alarmed } = deskRig(t, 3);
  const generations = [0, 1, 2].map((slot) => ring.open(slot));
  for (const call of [0, 1, 2]) desk.receive({ t: 'listen', call, slot: call, generation: generations[call] ?? 0 });
  const speak = (ms: number): void => {
    if (ms % 20 === 0) for (const slot of [0, 1, 2]) ring.write(slot, loud(320, 500));
  };
  await pass(100, speak);
  t.same(news.map(({ t, call }) => [t, call]).sort(), [
    ['speech-start', 0],
    ['speech-start', 1],
  ]);
  desk.receive({ t: 'rest', call: 0 }, { t: 'rest', call: 1 });
  await pass(20);
  t.same(
    news.slice(2).map(({ t }) => t),
    ['speech-end', 'speech-end'],
  );
  t.notOk(alarmed());
  const before = model.sizes.length;
  await pass(100, speak);
  t.equal(model.sizes.length, before, 'nothing is looked at while we speak');
  desk.receive({ t: 'listen', call: 2, slot: 2, generation: generations[2] ?? 0 });
  const written = ring.written(2);
  desk.receive({ t: 'open', call: 2, opening: 1, slot: 2, generation: generations[2] ?? 0, sample: written - 800 });
  await pass(100, speak);
  const start = news.at(-1);
  t.ok(start?.t === 'speech-start' && start.call === 2 && start.sample < written, 'the gate points to where the voice began');
  desk.receive({ t: 'forget', call: 0 }, { t: 'forget', call: 1 }, { t: 'forget', call: 2 });
  t.notOk(alarmed());
});

test('the gate alone', (t) => {
  const vad = createVad({ engine: 'gate' });
  const session = vad.open({ callId: 'a', slot: 0, generation: 1 });
  const events: VadEvent[] = [];
  session.onEvent((event) => events.push(event));
  const edges: GateEvent[] = [
    { t: 'speech-start', sample: 10, atUs: 1 },
    { t: 'speech-end', sample: 90, atUs: 2 },
  ];
  for (const edge of edges) session.gate(edge);
  t.same(
    events,
    edges.map((edge) => ({ ...edge, by: 'gate' })),
  );
  t.equal(vad.stats().sessions, 1);
  session.close();
  session.close();
  session.gate(edges[0] as GateEvent);
  t.equal(events.length, 2);
  t.equal(vad.stats().sessions, 0);
  t.end();
});

test('thresholds that make no sense are refused', (t) => {
  const logger = keepingLogger();
  for (const wrong of [{ start: 0 }, { start: 1.2 }, { start: 0.4, stop: 0.5 }, { stop: NaN }, { minSilenceMs: -1 }])
    t.throws(() => createVad({ engine: 'silero', model: 'x', logger, ...wrong }), RangeError);
  t.end();
});

test('scripted detector', async (t) => {
  await vadSuite(t, async () => {
    let voices: { fromSample: number; toSample: number }[] = [];
    const vad = createScriptedVad({ speech: () => voices });
    await vad.start();
    return {
      vad,
      call: (voice) => {
        voices = voice === null ? [] : [voice];
        const session = vad.open({ callId: 'a' });
        const play = (): Promise<void> => {
          session.gate({ t: 'speech-start', sample: 16_200, atUs: 1 });
          session.gate({ t: 'speech-end', sample: 39_900, atUs: 2 });
          return Promise.resolve();
        };
        return Promise.resolve({ session, play });
      },
      crash: () => {
        vad.crash();
        return Promise.resolve();
      },
      recovered: () => {
        vad.revive();
        return Promise.resolve();
      },
    };
  });
});
