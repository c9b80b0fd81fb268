/** How the voice activity package for Node runs its model: one call at a time, frames of 96 ms, onnxruntime's default threads. */
import { InferenceSession, Tensor } from 'onnxruntime-node';

const FRAME = 1536;

function feedsV4(): Record<string, Tensor> {
  const memory = (): Tensor => new Tensor('float32', new Float32Array(128), [2, 1, 64]);
  return { input: noise(FRAME), sr: new Tensor('int64', BigInt64Array.of(16000n), []), h: memory(), c: memory() };
}

function feedsV5(): Record<string, Tensor> {
  const state = new Tensor('float32', new Float32Array(256), [2, 1, 128]);
  return { input: noise(576), sr: new Tensor('int64', BigInt64Array.of(16000n), []), state };
}

function noise(length: number): Tensor {
  return new Tensor(
    'float32',
    Float32Array.from({ length }, (_, i) => Math.sin(i * i) * 0.1),
    [1, length],
  );
}

/** CPU time per call in percent of a core. A v4 file runs as it is shipped; a later one in three windows of 512 samples. */
export async function peerCpuPercent(bytes: Uint8Array, seconds: number): Promise<{ percent: number; layout: 'v4' | 'v5' }> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const layout = session.inputNames.includes('h') ? 'v4' : 'v5';
  const feeds = layout === 'v4' ? feedsV4() : feedsV5();
  const runs = layout === 'v4' ? 1 : 3;
  for (let i = 0; i < 20; i++) await session.run(feeds);
  const before = process.cpuUsage();
  const endMs = performance.now() + seconds * 1000;
  let frames = 0;
  for (; performance.now() < endMs; frames++) for (let i = 0; i < runs; i++) await session.run(feeds);
  const { user, system } = process.cpuUsage(before);
  await session.release();
  return { percent: ((user + system) / 1000 / (frames * 96)) * 100, layout };
}
