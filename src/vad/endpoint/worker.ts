/** The process of the end-of-turn model. It reads the callers' audio out of the shared memory itself; one question at a time. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AudioReader } from '../memory.ts';
import type { FromModel, StartMessage, ToModel } from './messages.ts';
import { EndOfTurnModel } from './model.ts';

type Ask = Extract<ToModel, { t: 'ask' }>;

const send = (message: FromModel): void => void process.send?.(message);
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

let model: EndOfTurnModel | null = null;
let audio: AudioReader | null = null;
let stopping = false;
let busy = false;
/** By call; the order of the questions. */
const waiting = new Map<string, Ask>();

async function start({ model: file, windowMs, audioFd, audioBytes }: StartMessage): Promise<void> {
  const bytes = readFileSync(file);
  audio = new AudioReader(audioFd, audioBytes);
  model = await EndOfTurnModel.load(bytes, windowMs);
  send({ t: 'ready', sha256: createHash('sha256').update(bytes).digest('hex'), shape: model.shape });
}

async function work(): Promise<void> {
  if (busy) return;
  busy = true;
  for (let next = take(); next !== null && !stopping; next = take()) await answer(next);
  busy = false;
  if (stopping) await leave();
}

function take(): Ask | null {
  const [first] = waiting;
  if (first === undefined) return null;
  waiting.delete(first[0]);
  return first[1];
}

async function answer({ id, slot, generation, toSample }: Ask): Promise<void> {
  if (model === null || audio === null) return;
  const pcm = new Int16Array(model.samples);
  const read = audio.read(slot, generation, toSample - pcm.length, pcm);
  if (read !== 'ok') {
    send({ t: 'none', id, why: `the audio is ${read}` });
    return;
  }
  try {
    send({ t: 'answer', id, probability: await model.probability(pcm) });
  } catch (error) {
    send({ t: 'none', id, why: reasonOf(error) });
  }
}

/** Never in the middle of an inference. */
async function leave(): Promise<void> {
  await model?.release();
  process.disconnect();
}

function receive(message: ToModel): void {
  switch (message.t) {
    case 'start':
      start(message).catch((error: unknown) => send({ t: 'refused', why: reasonOf(error) }));
      break;
    case 'ask': {
      const call = `${message.slot}/${message.generation}`;
      const older = waiting.get(call);
      if (older !== undefined) send({ t: 'none', id: older.id, why: 'replaced' });
      waiting.set(call, message);
      void work();
      break;
    }
    case 'forget':
      for (const [call, { id }] of waiting) if (id === message.id) waiting.delete(call);
      break;
    case 'stop':
      stopping = true;
      void work();
      break;
  }
}

process.on('message', receive);
// The gateway is gone, however it went.
process.on('disconnect', () => process.exit(0));
