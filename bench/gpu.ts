/**
 * `npm run bench -- gpu`: Whisper of true shape with random weights (small, turbo) on the GPU of this machine: what a decode costs in compute.
 * Says nothing about words. Without a GPU, or without a recogniser that was built for one (native/whisper/README.md), it says so.
 */
import { execFileSync } from 'node:child_process';
import { createTestRing } from '../test/support/stt-ring.ts';
import { callerAudio } from '../test/support/phone-speech.ts';
import { randomWhisper } from './support/random-whisper.ts';
import { benchResult, percentile, type BenchResult, type BenchRow } from './support/result.ts';
import { startRawWorker } from './support/whisper-client.ts';

const PROGRAM = '.runtime/whisper/parley-whisper';
const SCRATCH = '.runtime/bench';
const SENTENCE = 'i want to book a table for four on friday at seven';
const ROUNDS = 20;

/** Name of the first GPU; null when there is none. */
function gpuName(): string | null {
  try {
    const [name] = execFileSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n');
    return name === undefined || name.trim() === '' ? null : name.trim();
  } catch {
    return null;
  }
}

/** Whether the recogniser was linked to CUDA. */
function isBuiltForGpu(): boolean {
  try {
    return /libcu(da|blas|dart)/.test(execFileSync('ldd', [PROGRAM], { encoding: 'utf8' }));
  } catch {
    return false;
  }
}

async function decodes(size: 'small' | 'turbo', gpu: string): Promise<BenchRow> {
  const ring = createTestRing(1, 1 << 17);
  const worker = await startRawWorker(PROGRAM, ['--model', randomWhisper(size, SCRATCH), '--lanes', '1'], ring.audio.fd);
  try {
    const audio = callerAudio(SENTENCE);
    const generation = ring.open(0);
    ring.write(0, audio);
    worker.send({ op: 'open', session: 1, slot: 0, generation, language: 'en' });
    const times: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const beganAt = performance.now();
      const { atMs } = await worker.decode({ session: 1, toSample: audio.length }).answer;
      if (round > 0) times.push(atMs - beganAt);
    }
    const value = Number(percentile(times, 0.5).toFixed(1));
    return {
      metric: `Whisper ${size}, ${(audio.length / 16_000).toFixed(1)} s, p50, random weights, compute only, on ${gpu}`,
      value,
      unit: 'ms',
    };
  } finally {
    await worker.stop();
    ring.free();
  }
}

export async function run(): Promise<BenchResult> {
  const gpu = gpuName();
  if (gpu === null || !isBuiltForGpu()) {
    console.log(
      gpu === null
        ? 'no GPU on this machine: nothing to measure'
        : `${gpu} is here, but the recogniser was built without CUDA: nothing to measure`,
    );
    return benchResult('gpu', [{ metric: gpu === null ? 'no GPU' : 'recogniser without CUDA', value: 0, unit: 'rows' }]);
  }
  return benchResult('gpu', [await decodes('small', gpu), await decodes('turbo', gpu)]);
}
