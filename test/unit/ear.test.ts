/** The caller's voice as a call hears it: gate, detector and our own voice together. */
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { setImmediate as nextLoop } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { Ear } from '../../src/call/ear.ts';
import type { GateEvent, MediaEvent, Vad, VadEvent, VadSession } from '../../src/contracts/index.ts';
import { createVad } from '../../src/vad/index.ts';
import type { CallNews, FromWorker, Order, ToWorker } from '../../src/vad/messages.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { VirtualTime } from '../support/virtual-time.ts';

/** A detector that only writes down what it is told. */
class Noted implements VadSession {
  readonly told: string[] = [];
  listener: (event: VadEvent) => void = () => undefined;

  onEvent(listener: (event: VadEvent) => void): void {
    this.listener = listener;
  }
  gate(edge: GateEvent): void {
    this.told.push(`${edge.t} ${edge.sample}`);
  }
  near(sample: number): void {
    this.told.push(`near ${sample}`);
  }
  playing(on: boolean): void {
    this.told.push(on ? 'we speak' : 'we are silent');
  }
  close(): void {
    this.told.push('close');
  }
}

function earOf(vad: VadSession | null): { ear: Ear; time: VirtualTime; heard: string[] } {
  const time = new VirtualTime();
  const heard: string[] = [];
  const ear = new Ear({ vad, timers: time, onVoice: ({ t, sample }) => heard.push(`${t} ${sample}`) });
  return { ear, time, heard };
}

const edge = (t: 'speech-start' | 'speech-end' | 'speech-hint' | 'speech-near', sample: number): MediaEvent => ({ t, sample, atUs: 1 });
const clip = (t: 'clip-start' | 'clip-end', id: number): MediaEvent =>
  t === 'clip-start'
    ? { t, clip: id, sentSample: 0, atUs: 1 }
    : { t, clip: id, outcome: 'played', playedSamples: 0, sentSample: 0, atUs: 1 };

test('without a detector a voice is what the gate says', (t) => {
  const { ear, heard } = earOf(null);
  for (const event of [edge('speech-near', 900), edge('speech-hint', 1000), edge('speech-start', 1000), edge('speech-end', 5000)])
    ear.onMedia(event);
  ear.onMedia(clip('clip-start', 1));
  t.same(heard, ['speech-start 1000', 'speech-end 5000']);
  ear.close();
  t.end();
});

test('with a detector a voice is what the detector says, and it hears of everything in order', (t) => {
  const vad = new Noted();
  const { ear, heard } = earOf(vad);
  for (const event of [edge('speech-near', 900), edge('speech-hint', 1000), edge('speech-start', 1000), edge('speech-end', 5000)])
    ear.onMedia(event);
  t.same(vad.told, ['near 900', 'speech-start 1000', 'speech-end 5000'], 'a hint is for whoever speaks softer, no voice');
  t.same(heard, []);
  vad.listener({ t: 'speech-start', sample: 1100, atUs: 2, by: 'model' });
  t.same(heard, ['speech-start 1100']);
  t.end();
});

test('our own voice may come back until 300 ms after the last clip', async (t) => {
  const vad = new Noted();
  const { ear, time } = earOf(vad);
  const told = (): string[] => vad.told.splice(0);
  ear.onMedia(clip('clip-start', 1));
  ear.onMedia(clip('clip-start', 2));
  ear.onMedia(clip('clip-end', 1));
  await time.pass(1000);
  t.same(told(), ['we speak', 'we speak'], 'the second one sounds');
  ear.onMedia(clip('clip-end', 2));
  await time.pass(200);
  ear.onMedia(clip('clip-start', 3));
  await time.pass(1000);
  t.same(told(), ['we speak'], 'no silence between two clips');
  ear.onMedia(clip('clip-end', 7));
  t.equal(time.waiting, 0, 'a clip that never sounded ends nothing');
  ear.onMedia(clip('clip-end', 3));
  await time.pass(290);
  t.same(told(), []);
  await time.pass(10);
  t.same(told(), ['we are silent']);
  ear.onMedia(clip('clip-start', 4));
  ear.onMedia(clip('clip-end', 4));
  ear.close();
  await time.pass(1000);
  t.same(told(), ['we speak', 'close'], 'after the call nothing is told any more');
  t.equal(time.waiting, 0);
});

/** The worker's side of the pipe. */
class Pipe extends EventEmitter {
  connected = true;
  readonly orders: Order[] = [];

  send(message: ToWorker): boolean {
    if (message.t === 'orders') this.orders.push(...message.orders);
    else if (message.t === 'start') queueMicrotask(() => this.answer({ t: 'ready', sha256: 'abc', flat: true }));
    else this.die();
    return true;
  }
  kill(): boolean {
    this.die();
    return true;
  }
  answer(message: FromWorker): void {
    this.emit('message', message);
  }
  news(...news: CallNews[]): void {
    this.answer({ t: 'news', news, counts: { windows: 1, runs: 1, listening: 1, cpuMs: 1 } });
  }
  die(): void {
    if (!this.connected) return;
    this.connected = false;
    this.emit('exit', null, 'SIGKILL');
  }
}

async function workerRig(t: Test): Promise<{ vad: Vad; pipes: Pipe[]; ear: Ear; heard: string[]; ordered: () => Promise<string[]> }> {
  const pipes: Pipe[] = [];
  const vad = createVad({
    ...{ engine: 'silero', model: 'model.onnx', logger: keepingLogger(), restart: { firstMs: 1, mostMs: 1 } },
    helper: () => {
      const pipe = new Pipe();
      pipes.push(pipe);
      return pipe as unknown as ChildProcess;
    },
  });
  await vad.start({ fd: 0, bytes: 0 });
  // The restart waits on a timer that keeps no process alive.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => {
    clearInterval(alive);
    return vad.stop();
  });
  const { ear, heard } = earOf(vad.open({ callId: 'c', slot: 0, generation: 1 }));
  const ordered = async (): Promise<string[]> => {
    await nextLoop();
    return (pipes.at(-1)?.orders.splice(0) ?? []).map((order) => order.t);
  };
  return { vad, pipes, ear, heard, ordered };
}

test('the detector is lost in the middle of a voice, and comes back', async (t) => {
  const { vad, pipes, ear, heard, ordered } = await workerRig(t);
  t.same(await ordered(), ['listen']);
  ear.onMedia(edge('speech-start', 1000));
  t.same(await ordered(), ['open']);
  t.same(heard, [], 'the model is asked');
  const back = new Promise<void>((resolve) => vad.onState((state) => state === 'up' && resolve()));
  pipes[0]?.die();
  t.same(heard, ['speech-start 1000'], 'the gate decides');
  ear.onMedia(edge('speech-end', 5000));
  ear.onMedia(edge('speech-start', 9000));
  ear.onMedia(edge('speech-near', 9500));
  ear.onMedia(edge('speech-end', 12_000));
  t.same(heard.splice(0), ['speech-start 1000', 'speech-end 5000', 'speech-start 9000', 'speech-end 12000']);
  await back;
  t.equal(pipes.length, 2);
  t.same(await ordered(), ['listen'], 'the new one is told of the call');
  ear.onMedia(edge('speech-start', 20_000));
  t.same(await ordered(), ['open']);
  t.same(heard, []);
  pipes[1]?.news({ t: 'speech-start', call: 1, opening: 3, sample: 20_200, atUs: 3 });
  t.same(heard, ['speech-start 20000']);
  t.match(vad.stats(), { unheard: 2, restarts: 1 });
});

test('a detector that lags sheds a call: the gate decides until its next opening', async (t) => {
  const { vad, pipes, ear, heard, ordered } = await workerRig(t);
  ear.onMedia(edge('speech-start', 1000));
  t.same(await ordered(), ['listen', 'open']);
  pipes[0]?.news({ t: 'shed', call: 1, opening: 1, atUs: 2 });
  t.same(heard.splice(0), ['speech-start 1000']);
  pipes[0]?.news({ t: 'speech-end', call: 1, opening: 1, sample: 2000, atUs: 3 });
  t.same(heard, [], 'what it still says of this opening does not count');
  ear.onMedia(edge('speech-end', 5000));
  t.same(heard.splice(0), ['speech-end 5000']);
  ear.onMedia(edge('speech-start', 9000));
  t.same(heard, [], 'the model is asked about the next one');
  t.equal(vad.stats().shed, 1);
});

test('the gate alone, as a configuration has it', (t) => {
  const vad = createVad({ engine: 'gate' });
  const { ear, heard } = earOf(vad.open({ callId: 'c', slot: 0, generation: 1 }));
  for (const event of [clip('clip-start', 1), edge('speech-near', 900), edge('speech-start', 1000), edge('speech-end', 5000)])
    ear.onMedia(event);
  t.same(heard, ['speech-start 1000', 'speech-end 5000']);
  ear.close();
  ear.onMedia(edge('speech-start', 9000));
  t.equal(heard.length, 2, 'after the call nothing is told');
  t.end();
});

test('secure mode in the middle of a voice: silence for the model, and the gate ends the voice', async (t) => {
  const { pipes, ear, heard, ordered } = await workerRig(t);
  ear.onMedia(clip('clip-start', 1));
  ear.onMedia(edge('speech-near', 900));
  ear.onMedia(edge('speech-start', 1000));
  t.same(await ordered(), ['listen', 'rest', 'near', 'open']);
  pipes[0]?.news({ t: 'speech-start', call: 1, opening: 1, sample: 1200, atUs: 2 });
  // From here on the audio memory has silence, which opens no gate and is no sound that is near.
  ear.onMedia(edge('speech-end', 3000));
  t.same(heard.splice(0), ['speech-start 1000', 'speech-end 3000'], 'at once, not when the model has seen enough silence');
  pipes[0]?.news({ t: 'speech-end', call: 1, opening: 1, sample: 3100, atUs: 3 }, { t: 'drained', call: 1, opening: 1, atUs: 4 });
  t.same(heard, []);
});
