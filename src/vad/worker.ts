/** The worker thread: a desk behind a message port. The model computes in here; nothing of it touches the main loop. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Desk } from './desk.ts';
import { AudioReader } from './memory.ts';
import type { FromWorker, ToWorker, WorkerOptions } from './messages.ts';
import { Model } from './model.ts';

if (parentPort === null) throw new Error('worker.ts runs as a worker thread only');
const port = parentPort;
const options = workerData as WorkerOptions;
const send = (message: FromWorker): void => port.postMessage(message);

async function open(): Promise<{ model: Model; desk: Desk }> {
  const bytes = readFileSync(options.model);
  const model = await Model.load(bytes);
  let alarm: NodeJS.Timeout | undefined;
  const desk = new Desk({
    model,
    audio: new AudioReader(options.audioFd, options.audioBytes),
    thresholds: options.thresholds,
    preRollMs: options.preRollMs,
    mostBehind: options.mostBehind,
    send,
    nowUs: () => Number(process.hrtime.bigint() / 1000n),
    alarm: (ms) => {
      clearTimeout(alarm);
      if (ms !== null) alarm = setTimeout(() => desk.work(), ms);
    },
  });
  send({ t: 'ready', sha256: createHash('sha256').update(bytes).digest('hex') });
  return { model, desk };
}

const opened = open();
opened.catch((error: unknown) => {
  send({ t: 'refused', why: error instanceof Error ? error.message : String(error) });
  port.close();
});
port.on('message', (message: ToWorker) => {
  served(message).catch(() => port.close());
});

async function served(message: ToWorker): Promise<void> {
  const { model, desk } = await opened;
  if (message.t !== 'stop') {
    desk.receive(message);
    return;
  }
  await desk.stop();
  await model.release();
  port.close();
}
