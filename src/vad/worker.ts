/** The worker process: a desk behind a message channel. The model computes in here; nothing of it touches the main loop. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Desk } from './desk.ts';
import { AudioReader } from './memory.ts';
import { AUDIO_FD, type FromWorker, type ToWorker, type WorkerOptions } from './messages.ts';
import { Model } from './model.ts';

const send = (message: FromWorker): void => {
  // The other side may be gone already; then so are we, soon.
  process.send?.(message, () => undefined);
};

/** User and system time of this process in ms. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function open(options: WorkerOptions): Promise<{ model: Model; desk: Desk }> {
  const bytes = readFileSync(options.model);
  const model = await Model.load(bytes);
  let alarm: NodeJS.Timeout | undefined;
  const desk = new Desk({
    ...options,
    model,
    audio: new AudioReader(AUDIO_FD, options.audioBytes),
    send,
    nowUs: () => Number(process.hrtime.bigint() / 1000n),
    cpuMs,
    alarm: (ms) => {
      clearTimeout(alarm);
      if (ms !== null) alarm = setTimeout(() => desk.work(), ms);
    },
  });
  send({ t: 'ready', sha256: createHash('sha256').update(bytes).digest('hex'), flat: model.flat });
  return { model, desk };
}

let opened: Promise<{ model: Model; desk: Desk }> | undefined;

async function served(message: ToWorker): Promise<void> {
  if (message.t === 'start') {
    opened = open(message.options);
    await opened;
  } else if (message.t === 'orders') {
    const parts = await opened;
    parts?.desk.receive(...message.orders);
  } else {
    const parts = await opened;
    await parts?.desk.stop();
    await parts?.model.release();
    process.disconnect();
  }
}

process.on('message', (message: ToWorker) => {
  served(message).catch((error: unknown) => {
    send({ t: 'refused', why: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    process.disconnect();
  });
});
// Whoever stops the gateway from its terminal stops us through it: calls that drain are listened to until then.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());
