/** The slot for an end-of-turn model as it runs: a process of its own, onnxruntime, tiny generated models, audio out of the shared memory. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { ParleyError } from '../../src/contracts/index.ts';
import { makeHead, makeInitializer, makeNode } from '../../src/tts/piper/onnx/build.ts';
import { FLOAT, makeValue, writeModel } from '../../src/tts/piper/onnx/model.ts';
import { createEndOfTurnDetector, type EndOfTurnOptions } from '../../src/vad/index.ts';
import { BANDS, logMel } from '../../src/vad/endpoint/mel.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { childrenNamed } from '../support/service.ts';
import { createTestRing } from '../support/stt-ring.ts';

const never = new AbortController().signal;
const PROGRAM = 'endpoint/worker';

/** probability = sigmoid(40 x mean of |samples| - 4): loud is the end of a turn, silence is not. `sigmoid`: without it no probability. */
function loudness(dims: readonly number[], { sigmoid = true, inputs = ['audio'] } = {}): Uint8Array {
  const nodes = [
    makeNode('Abs', ['audio'], ['size']),
    makeNode('ReduceMean', ['size'], ['mean'], { axes: dims.map((_, axis) => axis).slice(1), keepdims: 0 }),
    makeNode('Mul', ['mean', 'gain'], ['louder']),
    makeNode('Add', ['louder', 'offset'], [sigmoid ? 'score' : 'probability']),
    ...(sigmoid ? [makeNode('Sigmoid', ['score'], ['probability'])] : []),
  ];
  const initializers = [makeInitializer('gain', [1], Float32Array.of(40)), makeInitializer('offset', [1], Float32Array.of(-4))];
  const graph = {
    name: 'test',
    nodes,
    initializers,
    inputs: inputs.map((name) => makeValue(name, FLOAT, dims)),
    outputs: [makeValue('probability', FLOAT, [1])],
  };
  return writeModel(makeHead('parley-test', 13), graph);
}

function rig(t: Test, model: Uint8Array, options: Partial<EndOfTurnOptions> = {}) {
  const file = join(t.testdir(), 'model.onnx');
  writeFileSync(file, model);
  const ring = createTestRing(3, 1 << 17);
  const log = keepingLogger();
  const detector = createEndOfTurnDetector({ model: file, logger: log, answerMs: 10_000, restartMs: 20, ...options });
  t.teardown(async () => {
    await detector.stop();
    ring.free();
  });
  const call = (slot: number, level: number): { slot: number; generation: number } => {
    const generation = ring.open(slot);
    ring.write(
      slot,
      Int16Array.from({ length: 32_000 }, (_, i) => (i % 2 === 0 ? level : -level)),
    );
    return { slot, generation };
  };
  return { detector, ring, call };
}

test('it hears each call in the audio memory, and its answer is a probability', async (t) => {
  const { detector, ring, call } = rig(t, loudness([1, 8000]));
  await t.rejects(detector.ask({ slot: 0, generation: 1 }, 0, never), /nobody answers/);
  await detector.start(ring.audio);
  t.match(detector.description, /model\.onnx \(sha256 [0-9a-f]{12}, samples\)/);
  const [loud, quiet] = [call(0, 16_000), call(1, 0)];
  const [high, low] = await Promise.all([detector.ask(loud, 32_000, never), detector.ask(quiet, 32_000, never)]);
  t.ok(high > 0.99 && low < 0.05, `${high} ${low}`);
  const half = await detector.ask(loud, 4000, never);
  t.ok(half < high, 'before the call there was silence');
  await t.rejects(detector.ask({ slot: 0, generation: 99 }, 32_000, never), /closed/);
  await t.rejects(detector.ask(loud, 64_000, never), /not-yet/);
});

test('features of Whisper for models that want them', async (t) => {
  const { detector, ring, call } = rig(t, loudness([1, 80, 50]));
  await detector.start(ring.audio);
  t.match(detector.description, /features/);
  const answer = await detector.ask(call(0, 8000), 32_000, never);
  t.ok(answer >= 0 && answer <= 1);
});

test('the newest question of a call counts; one that is not wanted any more is given up', async (t) => {
  const { detector, ring, call } = rig(t, loudness([1, 8000]));
  await detector.start(ring.audio);
  const loud = call(0, 16_000);
  const asked = [1, 2, 3, 4].map((n) => detector.ask(loud, 8000 * n, never).catch((error: unknown) => String(error)));
  const answers = await Promise.all(asked);
  t.type(answers.at(-1), 'number');
  t.ok(answers.slice(0, -1).every((answer) => typeof answer === 'number' || answer === 'Error: replaced'));
  const abort = new AbortController();
  const given = detector.ask(loud, 8000, abort.signal);
  abort.abort();
  await t.rejects(given, /the pause is over/);
});

test('its death costs evidence, nothing else; it comes back', async (t) => {
  const { detector, ring, call } = rig(t, loudness([1, 8000]));
  await detector.start(ring.audio);
  const loud = call(0, 16_000);
  for (const pid of childrenNamed(PROGRAM)) process.kill(pid, 'SIGKILL');
  let answer: number | null = null;
  for (let tries = 0; answer === null && tries < 400; tries++) {
    answer = await detector.ask(loud, 32_000, never).catch(() => null);
    if (answer === null) await pause(20);
  }
  t.ok(answer !== null && answer > 0.99);
});

test('stopped in the middle of its work it ends by itself, and leaves nothing behind', async (t) => {
  const { detector, ring, call } = rig(t, loudness([1, 480_000]));
  await detector.start(ring.audio);
  const loud = call(0, 16_000);
  const asked = Array.from({ length: 5 }, () => detector.ask(loud, 32_000, never).catch(() => null));
  await Promise.all([...asked, detector.stop()]);
  t.same(childrenNamed(PROGRAM), []);
  await t.rejects(detector.ask(loud, 32_000, never));
});

test('files that are no such model are refused with the reason', async (t) => {
  for (const [what, bytes, message] of [
    ['no ONNX', Buffer.from('hello'), /cannot be used/],
    ['two inputs', loudness([1, 8000], { inputs: ['audio', 'more'] }), /other inputs than one/],
    ['another shape', loudness([1, 40, 100]), /expected \[1, samples\] or \[1, 80, frames\]/],
    ['an output that is no probability', loudness([1, 8000], { sigmoid: false }), /no probability/],
    ['too long a window', loudness([1, 16_000 * 31]), /expected \[1, samples\]/],
  ] as const) {
    const { detector, ring } = rig(t, bytes);
    const error: unknown = await detector.start(ring.audio).catch((reason: unknown) => reason);
    t.ok(error instanceof ParleyError && error.code === 'TURN_DETECTOR' && message.test(error.message), `${what}: ${String(error)}`);
  }
  const gone = createEndOfTurnDetector({ model: '/nowhere.onnx', logger: keepingLogger() });
  await t.rejects(gone.start(createTestRing(1, 1 << 14).audio), { code: 'TURN_DETECTOR' });
});

test('log-mel features: a tone stands in its own band, silence is flat, the range is 8 below the loudest', (t) => {
  const tone = (hz: number): Float32Array => Float32Array.from({ length: 16_000 }, (_, i) => Math.sin((2 * Math.PI * hz * i) / 16_000));
  const loudest = (hz: number): number => {
    const features = logMel(tone(hz), 100);
    const middle = Array.from({ length: BANDS }, (_, band) => features[band * 100 + 50] ?? 0);
    return middle.indexOf(Math.max(...middle));
  };
  // Slaney's scale: linear to 1 kHz (mel 15 of 45.2), 82 edges: 1 kHz is edge 26.9, the middle of band 25 or 26.
  t.ok([25, 26].includes(loudest(1000)), String(loudest(1000)));
  t.ok(loudest(300) < loudest(600) && loudest(600) < loudest(2000) && loudest(2000) < loudest(6000));
  const features = logMel(tone(1000), 100);
  const [most, least] = [Math.max(...features), Math.min(...features)];
  t.ok(Math.abs(most - least - 2) < 1e-6, 'eight decades are two after the scaling');
  const silence = logMel(new Float32Array(16_000), 100);
  t.ok(
    silence.every((level) => Math.abs(level + 1.5) < 1e-6),
    'log10(1e-10) is -10: (-10 + 4) / 4',
  );
  t.end();
});
