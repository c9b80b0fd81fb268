/** A process of its own that lets time pass in an audio memory whose rings are filled already: 20 ms for every slot, every 20 ms. */
import { writeSync } from 'node:fs';

const AUDIO = 3;
const [slots = 0, stride = 0, offset = 0, ringSamples = 0] = process.argv.slice(2).map(Number);
const start = Buffer.alloc(8);
const written = Buffer.alloc(8);
const beganMs = performance.now();
let steps = 0;

function step(): void {
  for (; performance.now() - beganMs >= steps * 20; steps++) {
    const sample = steps * 320;
    start.writeBigUInt64LE(BigInt(Math.max(0, sample - ringSamples)));
    written.writeBigUInt64LE(BigInt(sample));
    for (let slot = 0; slot < slots; slot++) {
      const at = offset + slot * stride;
      writeSync(AUDIO, start, 0, 8, at + 8);
      writeSync(AUDIO, written, 0, 8, at + 64);
    }
  }
  setTimeout(step, Math.max(1, beganMs + steps * 20 - performance.now()));
}

process.on('disconnect', () => process.exit(0));
process.send?.(performance.timeOrigin + beganMs);
step();
