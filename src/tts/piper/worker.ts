/** The worker thread: a desk behind a message port. Everything that blocks (files, hashes, inference) happens in here. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { Desk, type ToDesk } from './desk.ts';

if (parentPort === null) throw new Error('worker.ts runs as a worker thread only');
const port = parentPort;
const desk = new Desk(
  (message) => port.postMessage(message, message.t === 'piece' ? [message.pcm.buffer] : []),
  () => performance.now(),
  () => nextTurn(),
);
port.on('message', (message: ToDesk) => desk.receive(message));
