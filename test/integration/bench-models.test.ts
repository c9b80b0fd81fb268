/** The random models of the benches: small ones of the same make load and run in the programs that the benches time. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'tap';

import { conversation, piperRow } from '../../bench/gpu.ts';
import { bytesOf, pair, writeGguf, type GgufTensor } from '../../bench/support/gguf.ts';
import { answerOf, listsGpu } from '../../bench/support/llama-server.ts';
import { LLAMA_SHAPES, llamaTensors, randomLlama, type LlamaShape } from '../../bench/support/random-llama.ts';
import { randomWhisper } from '../../bench/support/random-whisper.ts';
import { startRawWorker } from '../../bench/support/whisper-client.ts';
import { llamaIsThere, startLlama } from '../support/llama-server.ts';
import { callerAudio } from '../support/phone-speech.ts';
import { PROGRAM } from '../support/stt-rig.ts';
import { createTestRing } from '../support/stt-ring.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'parley-models-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

const TINY: LlamaShape = { vocabulary: 1000, width: 256, layers: 2, heads: 4, sharedHeads: 2, feedForward: 512, tied: true };

void test('the Llama shapes have as many weights as the published models', (t) => {
  const weights = (size: keyof typeof LLAMA_SHAPES): number =>
    llamaTensors(LLAMA_SHAPES[size]).reduce((sum, { shape }) => sum + shape.reduce((product, each) => product * each, 1), 0);
  t.equal(weights('1B'), 1_235_814_400);
  t.equal(weights('3B'), 3_212_749_824);
  t.equal(weights('8B'), 8_030_261_248);
  const gibibytes = (size: keyof typeof LLAMA_SHAPES): number =>
    llamaTensors(LLAMA_SHAPES[size]).reduce((sum, tensor) => sum + bytesOf(tensor), 0) / 2 ** 30;
  t.ok(Math.abs(gibibytes('8B') - 4.33) < 0.02, `a Q4_0 file of 8B has 4.33 GiB, not ${gibibytes('8B')}`);
  t.end();
});

void test('every tensor gives exactly the bytes that the file says it has', (t) => {
  for (const tied of [true, false]) {
    for (const tensor of llamaTensors({ ...TINY, tied })) {
      const sizes = Array.from(tensor.data(), (piece) => piece.length);
      t.equal(
        sizes.reduce((sum, size) => sum + size, 0),
        bytesOf(tensor),
        tensor.name,
      );
    }
  }
  t.end();
});

void test('a GGUF file that would be wrong is not written', (t) => {
  const file = path.join(folder, 'wrong.gguf');
  const broken = (tensor: Partial<GgufTensor>): void =>
    writeGguf(
      file,
      [pair.text('general.architecture', 'llama')],
      [{ name: 'x', type: 'q4_0', shape: [32], data: () => [new Uint8Array(18)], ...tensor }],
    );
  t.throws(() => broken({ shape: [33] }), { message: 'x: rows of 33 weights are no whole blocks of 32' });
  t.throws(() => broken({ data: () => [new Uint8Array(17)] }), { message: 'x: 17 bytes instead of 18' });
  t.notOk(existsSync(file) || existsSync(`${file}.part`), 'nothing is left behind');
  broken({});
  t.equal(statSync(file).size % 32, 0, 'data are padded to their alignment');
  t.end();
});

void test('llama-server loads and runs them', async (t) => {
  if (!llamaIsThere) {
    t.comment('not here: scripts/fetch-llama.sh fetches it');
    return;
  }
  for (const tied of [true, false]) {
    const model = randomLlama(tied ? 'tied' : 'untied', { ...TINY, tied }, folder);
    t.equal(randomLlama(tied ? 'tied' : 'untied', { ...TINY, tied }, folder), model, 'written once');
    const server = await startLlama(1, model);
    t.teardown(() => server.stop());
    const prompt = Array.from({ length: 40 }, (_, index) => 300 + index);
    const first = await answerOf(server.origin, prompt, 8);
    t.match(first.text, /^( w\d+){8}$/, 'only words, and no end by chance');
    t.equal(first.computed, 40);
    const next = await answerOf(server.origin, [...prompt, 900, 901], 8);
    t.ok(next.computed <= 3, `${next.computed} tokens computed: the prompt before is in the cache`);
    t.ok(first.firstMs > 0 && next.perTokenMs >= 0);
    await t.rejects(answerOf(server.origin, [-5], 8), { message: /^llama-server: 4\d\d / }, 'a token that is none');
    const rows = await conversation(server.origin, TINY.vocabulary, 'Tiny', 'a CPU');
    t.match(
      rows.map((row) => row.metric),
      [
        /^Tiny, first token after 10\d\d new tokens, random weights, compute only, on a CPU$/,
        /^Tiny, first token of a turn/,
        /^Tiny, each further token/,
      ],
    );
    t.ok(rows.every((row) => row.unit === 'ms' && row.value >= 0));
  }
});

void test('the recogniser loads and runs them', async (t) => {
  const shape = { vocab: 51864, state: 64, heads: 2, audioLayers: 4, textLayers: 4, mels: 80 };
  const ring = createTestRing(1, 1 << 17);
  const worker = await startRawWorker(PROGRAM, ['--model', randomWhisper('tiny', folder, shape), '--lanes', '1'], ring.audio.fd);
  t.teardown(async () => {
    await worker.stop();
    ring.free();
  });
  const audio = callerAudio('yes please');
  const generation = ring.open(0);
  ring.write(0, audio);
  worker.send({ op: 'open', session: 1, slot: 0, generation, language: 'en' });
  const { error } = await worker.decode({ session: 1, toSample: audio.length }).answer;
  t.equal(error, undefined);
});

void test('a voice of medium size runs cut in three', async (t) => {
  const row = await piperRow('cpu', { seconds: 1, rounds: 1 });
  t.match(row, { metric: /onnxruntime cpu, graphs 3, .*random weights, compute only/, unit: 'ms', peer: /^whole graph / });
});

void test('what llama-server lists is a GPU or is none', (t) => {
  t.ok(listsGpu('Available devices:\n  CUDA0: NVIDIA L4 (22574 MiB, 22350 MiB free)\n'));
  t.ok(listsGpu('Available devices:\n  Vulkan0: AMD Radeon (8192 MiB, 8000 MiB free)\n'));
  t.notOk(listsGpu('Available devices:\n  (none)\n'));
  t.notOk(listsGpu('Available devices:\n  BLAS: OpenBLAS (0 MiB, 0 MiB free)\n'));
  t.end();
});

void test('the bench says that there is no GPU, and ends with 0', (t) => {
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'bench/run.ts', 'gpu'], {
    encoding: 'utf8',
    env: { PATH: folder },
  });
  t.equal(status, 0);
  t.match(stdout, /^no GPU on this machine: nothing to measure\n/);
  t.end();
});
