/** The worker process: a desk behind a channel. Everything that blocks (files, hashes, inference) happens in here. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Desk, type ToDesk } from './desk.ts';

const desk = new Desk(
  (message) => void process.send?.(message),
  () => performance.now(),
  () => nextTurn(),
);
process.on('message', (message: ToDesk) => desk.receive(message));
// The gateway is gone, however it went.
process.on('disconnect', () => process.exit(0));
