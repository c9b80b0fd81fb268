/** The detector as it runs: worker process, onnxruntime, the shipped model, audio out of the shared memory. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test, type Test } from 'tap';

import { ParleyError, type GateEvent, type Vad, type VadEvent } from '../../src/contracts/index.ts';
import { decimate, HISTORY } from '../../src/vad/decimate.ts';
import { flatten } from '../../src/vad/flat/index.ts';
import { startHelper } from '../../src/vad/helper.ts';
import { createVad, type SileroOptions } from '../../src/vad/index.ts';
import { Model, newMemory } from '../../src/vad/model.ts';
import { openLine, SSRC } from '../support/media-line.ts';
import { pcmToUlaw } from '../support/pcm.ts';
import { callerAudio, phoneLine } from '../support/phone-speech.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { rtpPacket } from '../support/rtp-peer.ts';
import { createTestRing, type TestRing } from '../support/stt-ring.ts';
import { vadSuite, wellFormed } from '../support/vad-suite.ts';

const MODEL = 'models/vad/silero-vad-v6.onnx';

interface Rig {
  readonly vad: Vad;
  readonly ring: TestRing;
  readonly helpers: ChildProcess[];
  readonly log: ReturnType<typeof keepingLogger>;
}

async function rig(t: Test, options: Partial<SileroOptions> = {}, slots = 4): Promise<Rig> {
  const ring = createTestRing(slots, 1 << 17);
  const log = keepingLogger();
  const helpers: ChildProcess[] = [];
  const helper: SileroOptions['helper'] = (audioFd) => {
    const child = startHelper(audioFd);
    helpers.push(child);
    return child;
  };
  const vad = createVad({ engine: 'silero', model: MODEL, logger: log, helper, mostBehind: 30, ...options });
  await vad.start(ring.audio);
  t.teardown(async () => {
    await vad.stop();
    ring.free();
  });
  return { vad, ring, helpers, log };
}

const gate = (t: GateEvent['t'], sample: number): GateEvent => ({ t, sample, atUs: Number(process.hrtime.bigint() / 1000n) });

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 10_000) throw new Error(`never came: ${what}`);
    await pause(5);
  }
}

/** Noise as of a car, from a fixed seed. */
function hum(count: number): Int16Array {
  let state = 7;
  let low = 0;
  return Int16Array.from({ length: count }, () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    low = low * 0.95 + (state / 2147483648 - 0.5) * 1500;
    return Math.round(low);
  });
}

const SPEECH = callerAudio('I would like to book a table for four on friday evening please', { padMs: 0 });

test('the model is the one that was measured', (t) => {
  const bytes = readFileSync(MODEL);
  const note = readFileSync('models/vad/README.md', 'utf8');
  t.match(note, createHash('sha256').update(bytes).digest('hex'));
  t.end();
});

test('the flat form of the model is the same model', async (t) => {
  const bytes = readFileSync(MODEL);
  const [flat, asIs] = [await Model.load(bytes), await Model.load(bytes, { asIs: true })];
  t.ok(flat.flat && !asIs.flat);
  const memories = [flat, asIs].map(() => Array.from({ length: 5 }, newMemory));
  let most = 0;
  let far = 0;
  for (let at = 0; at + 5 * 512 <= SPEECH.length; at += 512) {
    const answers = await Promise.all(
      [flat, asIs].map((model, which) => {
        for (let call = 0; call < 5; call++)
          decimate(SPEECH.subarray(at + call * 300, at + call * 300 + 512 + HISTORY), model.window(call));
        return model.run(memories[which] ?? []);
      }),
    );
    for (let call = 0; call < 5; call++) {
      most = Math.max(most, answers[0]?.[call] ?? 0);
      far = Math.max(far, Math.abs((answers[0]?.[call] ?? 0) - (answers[1]?.[call] ?? NaN)));
    }
  }
  t.ok(most > 0.9, 'there is a voice');
  t.ok(far < 1e-4, `answers differ by ${far}`);
  await Promise.all([flat.release(), asIs.release()]);

  for (const length of [0, 1, 20, 1000, 200_000, bytes.length - 1])
    try {
      t.equal(flatten(bytes.subarray(0, length)), null);
    } catch (error) {
      t.match(String(error), /ends in the middle|beyond the end|too many bytes|no graph/);
    }
  t.equal(flatten(readFileSync('models/builtin/test-voice.onnx')), null, 'another model');
});

test('silero', async (t) => {
  await vadSuite(t, async (t) => {
    const { vad, ring, helpers } = await rig(t, { restart: { firstMs: 200, mostMs: 500 } });
    let slot = 0;
    return {
      vad,
      call: (voice) => {
        const mine = slot++;
        const generation = ring.open(mine);
        const session = vad.open({ callId: `call-${mine}`, slot: mine, generation });
        const play = async (): Promise<void> => {
          const { fromSample, toSample } = voice ?? { fromSample: 16_000, toSample: 40_000 };
          ring.write(mine, hum(fromSample));
          const before = vad.stats().windows;
          const middle = voice === null ? hum(toSample - fromSample) : SPEECH.subarray(0, toSample - fromSample);
          session.gate(gate('speech-start', fromSample));
          const startMs = performance.now();
          for (let at = 0; at < middle.length; at += 320) {
            await pause(Math.max(0, startMs + at / 16 - performance.now()));
            ring.write(mine, middle.subarray(at, at + 320));
          }
          ring.write(mine, hum(8000));
          session.gate(gate('speech-end', toSample));
          await until(() => vad.stats().windows - before >= Math.floor((toSample - fromSample) / 512), 'all windows');
          await pause(50);
        };
        return Promise.resolve({ session, play });
      },
      crash: async () => {
        helpers.at(-1)?.kill('SIGKILL');
        await until(() => vad.state === 'down', 'down');
      },
      recovered: () => until(() => vad.state === 'up', 'up'),
    };
  });
});

test('calls side by side: each hears its own voice only; a wrong generation hears nothing', async (t) => {
  const { vad, ring } = await rig(t, {}, 40);
  const heard: VadEvent[][] = Array.from({ length: 40 }, () => []);
  const sessions = heard.map((events, slot) => {
    const generation = ring.open(slot);
    ring.write(slot, slot % 2 === 0 ? SPEECH.subarray(0, 16_000) : hum(16_000));
    const session = vad.open({ callId: String(slot), slot, generation: slot === 38 ? generation + 2 : generation });
    session.onEvent((event) => events.push(event));
    return session;
  });
  for (const session of sessions) session.gate(gate('speech-start', 0));
  await until(() => vad.stats().windows >= 39 * 31, 'all windows');
  for (const session of sessions) session.gate(gate('speech-end', 15_000));
  await pause(100);
  for (const [slot, events] of heard.entries()) {
    t.ok(wellFormed(events), `call ${slot}`);
    t.equal(events.length > 0, slot % 2 === 0 && slot !== 38, `call ${slot}`);
  }
  const { windows, runs } = vad.stats();
  t.ok(windows / runs > 4, `${windows} windows in ${runs} runs`);
  for (const session of sessions) session.close();
  t.equal(vad.stats().sessions, 0);
});

test('a worker that hangs is ended and started again; the gate decides meanwhile', async (t) => {
  const { vad, ring, helpers, log } = await rig(t, { hangMs: 150, restart: { firstMs: 20, mostMs: 100 } });
  // It never hears of the call, and so it says nothing.
  const [first] = helpers;
  if (first !== undefined) first.send = () => true;
  const session = vad.open({ callId: 'a', slot: 0, generation: ring.open(0) });
  const events: VadEvent[] = [];
  session.onEvent((event) => events.push(event));
  ring.write(0, SPEECH.subarray(0, 20_000));
  session.gate(gate('speech-start', 1000));
  await until(() => vad.state === 'down', 'down');
  t.same(
    events.map(({ t, sample, by }) => [t, sample, by]),
    [['speech-start', 1000, 'gate']],
  );
  await until(() => vad.state === 'up', 'up');
  session.gate(gate('speech-end', 9000));
  session.gate(gate('speech-start', 10_000));
  await until(() => events.length >= 3, 'the new worker');
  t.equal(events[2]?.by, 'model');
  t.equal(vad.stats().restarts, 1);
  t.ok(log.lines.some(({ message }) => message.includes('talk gate decides')));
});

test('models and memories that cannot be used', async (t) => {
  const ring = createTestRing(1, 4096);
  t.teardown(() => ring.free());
  const logger = keepingLogger();
  const broken = path.join(t.testdir({}), 'x.onnx');
  writeFileSync(broken, readFileSync(MODEL).subarray(0, 100_000));
  const attempt = (model: string, fd = ring.audio.fd): Promise<unknown> =>
    createVad({ engine: 'silero', model, logger })
      .start({ fd, bytes: ring.audio.bytes })
      .then(
        () => 'started',
        (error: unknown) => error,
      );
  for (const model of ['models/vad/none.onnx', broken, 'models/vad/README.md', 'models/builtin/test-voice.onnx']) {
    const error = await attempt(model);
    t.ok(error instanceof ParleyError && error.code === 'VAD_MODEL' && error.message.includes(model), String(error));
  }
  const error = await attempt(MODEL, 2_000);
  t.ok(error instanceof ParleyError && error.code === 'VAD_MODEL', String(error));
});

test('fifty stops under load: whatever the model computes at that moment, nothing breaks and nothing stays', async (t) => {
  const ring = createTestRing(32, 1 << 15);
  t.teardown(() => ring.free());
  const generations = Array.from({ length: 32 }, (_, slot) => ring.open(slot));
  for (let slot = 0; slot < 32; slot++) ring.write(slot, SPEECH.subarray(0, 16_000));
  const gone: (number | string | null)[] = [];
  const helper = (audioFd: number): ChildProcess =>
    startHelper(audioFd).on('exit', (code, signal) => {
      gone.push(code ?? signal);
    });
  // Five rounds of ten side by side; in three of them they are stopped while they start.
  const one = async (group: number, early: boolean): Promise<void> => {
    const vad = createVad({ engine: 'silero', model: MODEL, logger: keepingLogger(), mostBehind: 30, helper });
    const started = vad.start(ring.audio);
    if (early) void started.catch(() => undefined);
    else await started;
    for (let slot = group * 3; slot < group * 3 + 3; slot++)
      vad.open({ callId: String(slot), slot, generation: generations[slot] ?? 0 }).gate(gate('speech-start', 0));
    if (!early) await until(() => vad.stats().windows > group * 3, 'windows');
    await vad.stop();
    t.equal(vad.state, 'down');
  };
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 10 }, (_, group) => one(group, round > 1)));
  t.equal(gone.length, 50);
  t.ok(
    gone.every((how) => how === 0 || how === 'SIGKILL'),
    `none of them broke: ${[...new Set(gone)].join(', ')}`,
  );
});

test('a thousand calls opened and closed leave nothing behind', async (t) => {
  const { vad, ring } = await rig(t);
  const generation = ring.open(0);
  ring.write(0, SPEECH.subarray(0, 32_000));
  const round = async (calls: number): Promise<void> => {
    for (let i = 0; i < calls; i++) {
      const session = vad.open({ callId: String(i), slot: 0, generation });
      session.gate(gate('speech-start', 31_000));
      if (i % 2 === 0) session.gate(gate('speech-end', 31_500));
      session.close();
      if (i % 50 === 0) await pause(1);
    }
    await pause(50);
  };
  await round(300);
  const before = process.memoryUsage().rss;
  await round(1000);
  t.equal(vad.stats().sessions, 0);
  t.ok(process.memoryUsage().rss - before < 24 * 1024 * 1024, `${Math.round((process.memoryUsage().rss - before) / 1024)} KB more`);
});

test('behind the media engine: RTP in, voice out on the sample clock', async (t) => {
  const line = await openLine(t, { receive: 'ulaw', send: 'ulaw' });
  const vad = createVad({ engine: 'silero', model: MODEL, logger: keepingLogger() });
  await vad.start(line.engine.audio);
  t.teardown(() => vad.stop());
  const { slot, generation } = line.session;
  const detector = vad.open({ callId: 'a', slot, generation });
  const edges: GateEvent[] = [];
  const events: VadEvent[] = [];
  detector.onEvent((event) => events.push(event));
  line.session.onEvent((event) => {
    if (event.t !== 'speech-start' && event.t !== 'speech-end') return;
    edges.push(event);
    detector.gate(event);
  });
  // A ringing tone first: it opens the gate, and the model does not take it for a voice.
  const ringing = Int16Array.from({ length: 8000 }, (_, i) => Math.round(3000 * (Math.sin(i * 0.3456) + Math.sin(i * 0.377))));
  const quiet = new Int16Array(6400);
  const pcm = Int16Array.from([...quiet, ...ringing, ...quiet, ...phoneLine('my number is seven three nine two'), ...quiet]);
  const ulaw = pcmToUlaw(pcm);
  const startMs = performance.now();
  for (let seq = 0; (seq + 1) * 160 <= ulaw.length; seq++) {
    const waitMs = startMs + seq * 20 - performance.now();
    if (waitMs > 0) await pause(waitMs);
    const payload = ulaw.subarray(seq * 160, (seq + 1) * 160);
    await line.peer.send(rtpPacket({ payloadType: 0, seq, timestamp: seq * 160, ssrc: SSRC, payload }));
  }
  await until(() => events.at(-1)?.t === 'speech-end', 'the end of the voice');
  // The gate says where the voice is on the call's clock: packets that leave late move both, so the order counts.
  const [tone, ...voices] = edges.filter((edge) => edge.t === 'speech-start').map(({ sample }) => sample);
  const first = events[0]?.sample ?? 0;
  const gates = edges.map(({ t, sample }) => `${t} ${sample}`).join(', ');
  t.ok(tone !== undefined && tone + 16_000 < first, 'the gate hears the tone, the model does not');
  t.ok(wellFormed(events) && events.every((event) => event.by === 'model' || event.t === 'speech-end'));
  t.ok(
    voices.some((sample) => Math.abs(first - sample) < 4800),
    `voice at ${first}; ${gates}`,
  );
  detector.close();
});
